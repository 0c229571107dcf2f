"""Whether a dataset's sessions and calibration are still those it names."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

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


def source_findings(tables: Tables, path: Path, sources: Sequence[Path]) -> Iterator[Finding]:
    """Compare every session that is found in `sources`, beside the dataset or beside its folder with its hash."""
    places = [*sources, path.parent, path.parent.parent]
    named = {source.session_id for source in tables.sources}
    for session_id in sorted({value.decode() for value in tables.table["session_id"].tolist()} - named):
        if tables.sources:
            yield Finding(f"session {session_id}", "has pairs here and is no source", is_fault=True)
    for source in tables.sources:
        where = f"session {source.session_id}"
        manifest = _manifest(source, places)
        if not source.sha256:
            yield Finding(where, "was named without a hash", is_fault=False)
        elif manifest is None:
            yield Finding(where, f"not found by its name {source.path or source.session_id}", is_fault=False)
        elif hashlib.sha256(manifest.read_bytes()).hexdigest() != source.sha256:
            yield Finding(where, f"{manifest} is not what the dataset was made from", is_fault=True)


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


def _manifest(source: Source, places: Sequence[Path]) -> Path | None:
    names = [name for name in (Path(source.path).name, source.session_id) if name]
    for place in places:
        inside = [place, *(place / name for name in names)]
        inside += sorted(folder for folder in place.glob("*/") if folder.name not in names)
        for folder in inside:
            manifest = folder / MANIFEST
            if manifest.is_file() and (folder.name in names or _session_id(manifest) == source.session_id):
                return manifest
    return None


def _session_id(manifest: Path) -> str | None:
    try:
        found = json.loads(manifest.read_text())
    except (OSError, ValueError):
        return None
    return found.get("id") if isinstance(found, dict) else None
