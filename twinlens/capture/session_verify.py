"""Reads every byte of a session again: frames and rows against their hashes, the account against what is there."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import h5py

from twinlens.capture.frame import CameraRole, FrameRecord
from twinlens.capture.manifest import MANIFEST, Manifest, read_manifest
from twinlens.capture.pairing import pair_records
from twinlens.capture.repair import frames_intact
from twinlens.capture.rows import DETECTOR, read_rows, text_of
from twinlens.capture.segment import PART, header_hash
from twinlens.errors import CaptureError, SessionError
from twinlens.storage import artefact_is_intact

ROLES: tuple[CameraRole, CameraRole] = ("a", "b")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it was recorded."""

    where: str
    """A file of the session, or the session itself."""
    what: str


@dataclass(frozen=True, slots=True)
class SessionCheck:
    """What reading a session again found."""

    folder: str
    frames: dict[str, int]
    """Per camera: frames that are whole."""
    pairs: int
    """Triggers that both cameras answered with a whole frame."""
    gaps: int
    """Frames the ledger says are missing."""
    problems: tuple[Problem, ...]
    seconds: float

    @property
    def is_intact(self) -> bool:
        """Whether everything that was recorded is there, unchanged."""
        return not self.problems


def verify_session(folder: Path, *, on_segment: Callable[[int, int], None] | None = None) -> SessionCheck:
    """Check everything below `folder`; `on_segment` is told how many segments of how many are read.

    Raises:
        SessionError: `folder` holds no session.
    """
    paths = [(role, path) for role in ROLES for path in sorted((folder / role).glob("seg_*.h5"))]
    if not paths and not (folder / MANIFEST).exists() and not list(folder.glob(f"[ab]/seg_*{PART}")):
        raise SessionError(f"{folder} holds no session", hint="give a folder that 'twinlens capture' wrote")
    started_s = time.monotonic()
    check = _Check(folder)
    manifest = check.manifest()
    for done, (role, path) in enumerate(paths):
        with check.noting(path):
            check.segment(role, path, manifest)
        if on_segment is not None:
            on_segment(done + 1, len(paths))
    numbered = check.account(manifest) if manifest is not None else check.records
    pairs = pair_records((r for r in numbered if r.camera == "a"), (r for r in numbered if r.camera == "b"))
    return SessionCheck(
        folder=str(folder),
        frames={role: sum(record.camera == role for record in check.records) for role in ROLES},
        pairs=len(pairs),
        gaps=len(manifest.ledger) if manifest is not None else 0,
        problems=tuple(check.problems),
        seconds=time.monotonic() - started_s,
    )


@dataclass
class _Check:
    folder: Path
    problems: list[Problem] = field(default_factory=list)
    records: list[FrameRecord] = field(default_factory=list)
    """Of the frames that are whole."""

    def note(self, path: Path, what: str) -> None:
        where = str(path.relative_to(self.folder)) if path != self.folder else str(path)
        self.problems.append(Problem(where, what))

    @contextmanager
    def noting(self, path: Path) -> Iterator[None]:
        """What cannot even be read is a problem like any other."""
        try:
            yield
        except (OSError, KeyError, ValueError, RuntimeError, CaptureError) as error:
            self.note(path, f"cannot be read: {error}")

    def manifest(self) -> Manifest | None:
        path = self.folder / MANIFEST
        for part in sorted([self.folder, *self.folder.glob("[ab]/seg_*")]):
            if part.suffix == PART:
                self.note(part, "was not sealed")
        for role in ROLES:
            self._numbers(role)
        if not path.exists():
            self.note(path, "is missing")
            return None
        try:
            manifest = read_manifest(self.folder)
        except SessionError as error:
            self.note(path, error.message)
            return None
        with self.noting(path):
            if not artefact_is_intact(path):
                self.note(path, "was changed after it was written")
        return manifest

    def _numbers(self, role: CameraRole) -> None:
        """Segments are numbered without a gap."""
        found = {int(path.name[4:10]) for path in (self.folder / role).glob("seg_[0-9]*.h5*")}
        for number in sorted(set(range(max(found, default=-1) + 1)) - found):
            self.note(self.folder / role / f"seg_{number:06d}.h5", "is missing")

    def segment(self, role: CameraRole, path: Path, manifest: Manifest | None) -> None:
        with h5py.File(path, "r", locking=False) as file:
            records = read_rows(file, role)
            said = file.attrs
            if said["complete"] != 1:
                self.note(path, "is not marked complete")
            if header_hash(file) != said["header_xxh3"]:
                self.note(path, "its attributes do not have their hash")
            recorded_as = f"{text_of(file, 'role')}/seg_{int(said['segment_index']):06d}.h5"
            if recorded_as != f"{role}/{path.name}":
                self.note(path, f"was recorded as {recorded_as}")
            owner = text_of(file, "session_id")
            if manifest is not None and owner not in ("", manifest.id):
                self.note(path, f"belongs to session {owner}")
            if len(file[f"{DETECTOR}/data"]) != len(records):
                self.note(path, f"{len(file[f'{DETECTOR}/data'])} frames and {len(records)} rows")
            for index, (record, intact) in enumerate(zip(records, frames_intact(file), strict=False)):
                if intact:
                    self.records.append(record)
                else:
                    self.note(path, f"frame {index} (block {record.frame_id}) does not have its hash")

    def account(self, manifest: Manifest) -> list[FrameRecord]:
        """The frames that answer a trigger, under its number; every trigger needs a frame or a gap per camera."""
        numbered = _numbered(self.records, manifest)
        there = Counter((record.camera, record.trigger_index) for record in numbered)
        gaps = {(gap.camera, gap.trigger_index) for gap in manifest.ledger}
        asked = {(role, index) for role in ROLES for index in range(manifest.triggers)}
        path = self.folder / MANIFEST
        for role, text in (
            *_told(there.keys() & gaps, "the ledger calls lost what is there"),
            *_told({key for key, count in there.items() if count > 1}, "more than one frame"),
            *_told(asked - there.keys() - gaps, "no frame, and no gap in the ledger"),
            *_told(there.keys() - asked, "a frame beyond the last trigger"),
        ):
            self.note(path, f"camera {role.upper()}: {text}")
        return numbered


def _numbered(records: list[FrameRecord], manifest: Manifest) -> list[FrameRecord]:
    """Records under the triggers that the manifest's runs give them; without runs as they are."""
    if not manifest.runs:
        return records
    shifts = {
        (run.camera, run.take, run.arming, index): run.shift
        for run in manifest.runs
        for index in range(run.first_index, run.last_index + 1)
    }
    keyed = [((r.camera, r.take, r.arming, r.trigger_index), r) for r in records]
    return [replace(r, trigger_index=r.trigger_index + shifts[key]) for key, r in keyed if key in shifts]


def _told(keys: set[tuple[CameraRole, int]], what: str) -> Iterator[tuple[CameraRole, str]]:
    """One line per camera, not one per trigger."""
    by_role = defaultdict(list)
    for role, index in sorted(keys):
        by_role[role].append(index)
    for role, indices in by_role.items():
        more = f" and {len(indices) - 1} more up to {indices[-1]}" if len(indices) > 1 else ""
        yield role, f"trigger {indices[0]}{more}: {what}"
