"""Whether a dataset's sessions and calibration are still those it names."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from twinlens.dataset.exchange.fingerprint import fingerprint
from twinlens.dataset.imported import imported_from
from twinlens.dataset.schema import Source
from twinlens.dataset.tables import Tables
from twinlens.storage import text_is_intact

MANIFEST = "session.json"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was seen of one origin; `is_fault` tells a contradiction from something that could not be seen."""

    where: str
    what: str
    is_fault: bool
    is_outside: bool = False
    """Whether it is about what lies beside the dataset, which may be whole itself."""


def source_findings(tables: Tables, path: Path, sources: Sequence[Path]) -> Iterator[Finding]:
    """Compare every source that is found in `sources`, beside the dataset or beside its folder with its hash.

    A session is compared by its account, `session.json`, which names it; files that were imported by name and
    fingerprint. What is not found is a fault where `sources` say where to look.
    """
    places = [*sources, path.parent, path.parent.parent]
    named = {source.session_id for source in tables.sources}
    for session_id in sorted({value.decode() for value in tables.table["session_id"].tolist()} - named):
        if tables.sources:
            yield Finding(f"session {session_id}", "has pairs here and is no source", is_fault=True)
    imported = imported_from(tables.config_json, tables.sources)
    for source in tables.sources:
        is_session = imported is None or source != imported.source
        where = f"{'session' if is_session else 'imported files'} {source.session_id}"
        if not source.sha256:
            yield Finding(where, "was named without a hash", is_fault=False)
            continue
        seen = []
        for candidate, sha256 in _accounts(source, places) if is_session else _files(source, places):
            seen.append(candidate)
            if sha256 == source.sha256:
                break
        else:
            what = (
                f"{seen[0]} is not what the dataset was made from"
                if seen
                else f"not found by its name {source.path or source.session_id}"
            )
            # An account says whose it is. A folder of the same name may be anything, unless it was pointed at.
            is_fault = bool(sources) or (is_session and bool(seen))
            yield Finding(where, what, is_fault=is_fault, is_outside=True)


def calibration_findings(tables: Tables) -> Iterator[Finding]:
    """Whether the calibration kept in the dataset has its own hash, and knows the dataset's sessions."""
    where = "provenance/calibration"
    try:
        found = json.loads(tables.calibration_json)
        intact = text_is_intact(tables.calibration_json)
        states = found.get("mirror_states", [])
        calibrated = {session_id for state in states for session_id in state["session_ids"]}
    except (ValueError, KeyError, TypeError, AttributeError) as cause:
        yield Finding(where, f"cannot be read as JSON of a calibration: {cause}", is_fault=True)
        return
    if not intact:
        yield Finding(where, "was changed after it was written", is_fault=True)
    if not calibrated:
        yield Finding(where, "the dataset names no calibration", is_fault=False)
    elif others := sorted(calibrated - {source.session_id for source in tables.sources}):
        # A rig may be calibrated by one session and used in another: nothing is wrong, but more is to be kept.
        yield Finding(where, f"was made from session {others[0]}, which is no source", is_fault=False)


def _accounts(source: Source, places: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """The accounts that give `source` as their session, and the SHA-256 of each; its own name is tried first."""
    names = [name for name in (Path(source.path).name, source.session_id) if name]
    for place in places:
        near = [place, *(place / name for name in names), *_folders(place)]
        for folder in dict.fromkeys(near):
            try:
                account = (folder / MANIFEST).read_bytes()
            except OSError:
                continue
            if _session_id(account) == source.session_id:
                yield folder / MANIFEST, hashlib.sha256(account).hexdigest()


def _files(source: Source, places: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """The files or folders with the name of what was imported, and the fingerprint of each."""
    for place in places:
        for path in dict.fromkeys((place, place / source.path)):
            try:
                if path.resolve().name == source.path and path.exists():
                    yield path, fingerprint(path)
            except OSError:
                continue


def _folders(place: Path) -> list[Path]:
    try:
        return sorted(place.glob("*/"))
    except OSError:
        return []


def _session_id(account: bytes) -> str | None:
    try:
        found = json.loads(account)
    except ValueError:
        return None
    return found.get("id") if isinstance(found, dict) else None
