"""The folder of a session while it is recorded: a `.part` name until it is sealed, and never lost in between."""

import shutil
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from twinlens.capture.frame import CameraRole, FrameRecord
from twinlens.capture.ledger import ROLES
from twinlens.capture.manifest import Manifest, read_manifest
from twinlens.capture.pairing import Gap, Run, pair_records
from twinlens.capture.repair import RepairReport, repair_segment
from twinlens.capture.session import sealed_records
from twinlens.errors import SessionError
from twinlens.storage import sync_folder


class SessionFolder:
    """A session that is being recorded."""

    def __init__(self, session_id: str, part: Path, final: Path) -> None:
        self.id = session_id
        self.part = part
        self.final = final

    @classmethod
    def create(cls, out: Path) -> "SessionFolder":
        """A new, empty session below `out`."""
        session_id = f"session_{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}_{uuid.uuid4().hex[:8]}"
        part = out / f"{session_id}.part"
        part.mkdir(parents=True)
        return cls(session_id, part, out / session_id)

    @classmethod
    def reopen(cls, sealed: Path) -> tuple["SessionFolder", Manifest]:
        """A sealed session that goes on, and what it holds so far.

        Raises:
            SessionError: it is no sealed session.
        """
        manifest = read_manifest(sealed)
        if not manifest.runs:
            manifest = replace(manifest, runs=_runs_of(sealed_records(sealed)))
        if sealed.suffix == ".part":
            raise SessionError(
                f"{sealed} was not sealed", hint=f"mend it first: twinlens verify --repair {sealed}"
            )
        part = sealed.with_name(sealed.name + ".part")
        sealed.rename(part)
        sync_folder(sealed.parent)
        return cls(manifest.id, part, sealed), manifest

    def has_frames(self) -> bool:
        """Whether any frame, sealed or not, lies in it."""
        return any(self.part.glob("[ab]/seg_*"))

    def remove(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self.part, ignore_errors=True)

    def mend(self, roles: Sequence[CameraRole] = ROLES) -> list[RepairReport]:
        """Seal the segments that killed processes of these cameras left open; what became of each."""
        return [
            repair_segment(path) for role in roles for path in sorted((self.part / role).glob("seg_*.h5.part"))
        ]

    def seal(self, manifest: Manifest) -> Manifest:
        """Check the account against what is on the disk, write it, give the folder its final name."""
        checked = against_disk(manifest, sealed_records(self.part, manifest.runs))
        checked.write(self.part)
        self.part.replace(self.final)
        sync_folder(self.final.parent)
        return checked


def _runs_of(records: Sequence[FrameRecord]) -> tuple[Run, ...]:
    """The runs of a session whose rows hold the triggers themselves (session.json 1.0)."""
    runs: list[Run] = []
    for record in sorted(records, key=lambda r: (r.camera, r.take, r.arming, r.trigger_index)):
        index = record.trigger_index
        begun = Run(record.camera, record.take, record.arming, index, index, 0)
        longer = replace(runs[-1], last_index=index) if runs and runs[-1].last_index == index - 1 else begun
        if longer == replace(begun, first_index=longer.first_index) and longer != begun:
            runs[-1] = longer
        else:
            runs.append(begun)
    return tuple(runs)


def against_disk(manifest: Manifest, records: Sequence[FrameRecord]) -> Manifest:
    """The manifest with a gap for each frame that was counted and is in no sealed segment."""
    there = {(record.camera, record.trigger_index) for record in records}
    known = {(gap.camera, gap.trigger_index) for gap in manifest.ledger}
    counted = {
        (run.camera, index + run.shift)
        for run in manifest.runs
        for index in range(run.first_index, run.last_index + 1)
    }
    missing = sorted(counted - there - known, key=lambda key: (key[1], key[0]))
    gaps = tuple(Gap(index, camera, "not written") for camera, index in missing)
    pairs = pair_records((r for r in records if r.camera == "a"), (r for r in records if r.camera == "b"))
    return replace(
        manifest, ledger=manifest.ledger + gaps, complete=manifest.complete and bool(pairs) and not gaps
    )
