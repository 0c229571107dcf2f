"""A session whose recording was killed: its segments are mended, its account is made anew from the frames."""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import h5py

from twinlens.capture.chronicle import TOLERANCE
from twinlens.capture.clock import ClockLatch
from twinlens.capture.frame import CameraRole, FrameRecord
from twinlens.capture.ledger import ROLES, Ledger
from twinlens.capture.manifest import Manifest, read_manifest
from twinlens.capture.match_times import MatchByTime
from twinlens.capture.repair import RepairReport
from twinlens.capture.session import sealed_records
from twinlens.capture.session_folder import SessionFolder
from twinlens.errors import SessionError

ENDED = "the recording was killed; pairs were made anew from camera times"


def rebuild_session(part: Path) -> tuple[Path, list[RepairReport]]:
    """Mend a `.part` session and give it its final name; where it lies now, and what became of its open segments.

    Commands that were sent are not known any more, so frames are matched by camera time whatever the trigger was;
    triggers that neither camera answered leave no trace.

    Raises:
        SessionError: it is no session of ours, or holds no whole frame.
    """
    if part.suffix != ".part":
        raise SessionError(f"{part} is no unsealed session", hint="only a folder that ends in .part needs mending")
    manifest = read_manifest(part)
    folder = SessionFolder(manifest.id, part, part.with_suffix(""))
    repaired = folder.mend()
    records = sealed_records(part)
    if not records:
        raise SessionError(f"{part} holds no whole frame", hint="remove it and record the session again")
    folder.seal(_account(part, manifest, records))
    return folder.final, repaired


def _account(part: Path, manifest: Manifest, records: list[FrameRecord]) -> Manifest:
    known = {(run.take, run.arming) for run in manifest.runs}
    parts = defaultdict(list)
    for record in records:
        if (record.take, record.arming) not in known:
            parts[record.take, record.arming].append(record)
    latches = _latches(part)
    ledger, first = Ledger(), manifest.triggers if manifest.runs else 0
    is_ours = manifest.settings.get("trigger", "software") in ("software", "action", "chain")
    takes, begun = list(manifest.takes), {take for take, _ in known}
    for take, arming in sorted(parts):
        match = MatchByTime(
            ledger,
            {role: latches.get((role, arming)) for role in ROLES},
            steady=True,
            first_trigger=first,
            from_start=is_ours,
            tolerance=TOLERANCE,
        )
        if take not in begun and take < len(takes):
            takes[take] = replace(takes[take], first_trigger=first)
        begun.add(take)
        for record in sorted(parts[take, arming], key=lambda record: record.host_time_ns):
            match.add(record)
        match.finish({}, is_cut=False)
        first = match.next_trigger
    return replace(
        manifest,
        complete=False,
        takes=tuple(takes),
        triggers=first,
        ledger=(*manifest.ledger, *ledger.gaps),
        runs=(*manifest.runs, *ledger.runs),
        slips=(*manifest.slips, *ledger.slips),
        armings=max((arming for _, arming in parts), default=manifest.armings - 1) + 1,
        ended=ENDED,
    )


def _latches(part: Path) -> dict[tuple[CameraRole, int], ClockLatch]:
    """The last reading of each camera's clock before each start of the recording."""
    found: dict[tuple[CameraRole, int], ClockLatch] = {}
    for role in ROLES:
        for path in sorted((part / role).glob("seg_*.h5")):
            with h5py.File(path, "r", locking=False) as segment:
                attributes = segment.attrs
                if int(attributes.get("latch_uncertainty_ns", -1)) >= 0:
                    found.setdefault(
                        (role, int(attributes["arming"])),
                        ClockLatch(
                            int(attributes["latch_camera_ns"]),
                            int(attributes["latch_host_ns"]),
                            int(attributes["latch_uncertainty_ns"]),
                        ),
                    )
    return found
