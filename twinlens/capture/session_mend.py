"""Gives a session that was never sealed, or whose segments are damaged, back to its user."""

from dataclasses import dataclass
from pathlib import Path

from twinlens.capture.manifest import read_manifest
from twinlens.capture.rebuild import rebuild_session
from twinlens.capture.repair import RepairReport, repair_segment, repair_session
from twinlens.capture.segment import PART
from twinlens.capture.session import sealed_records
from twinlens.capture.session_folder import against_disk
from twinlens.errors import SessionError
from twinlens.storage import hold_folder


@dataclass(frozen=True, slots=True)
class MendReport:
    """What mending a session did."""

    folder: str
    """Where the session is now."""
    segments: tuple[RepairReport, ...]
    """Only those that had to be repaired."""

    @property
    def dropped_frames(self) -> int:
        """Frames that were not whole."""
        return sum(report.dropped_frames for report in self.segments)


def mend_session(folder: Path, *, damaged: tuple[str, ...] = ()) -> MendReport:
    """Seal open segments, leave out damaged frames, and make the account say so; safe to repeat.

    Args:
        damaged: sealed segments to repair too, such as "a/seg_000002.h5"; the damaged file is kept beside it.

    Raises:
        SessionError: it is being recorded, a segment is beyond repair, or no frame is whole.
    """
    for camera in (folder / "a", folder / "b"):
        _require_idle(camera)
    reports = [
        repair_segment(path) for name in dict.fromkeys(damaged) if _is_sealed_segment(path := folder / name)
    ]
    if folder.suffix == PART:
        final, parts = rebuild_session(folder)
        return MendReport(str(final), (*reports, *parts))
    reports += repair_session(folder)
    manifest = read_manifest(folder)
    checked = against_disk(manifest, sealed_records(folder, manifest.runs))
    if checked != manifest:
        checked.write(folder)
    return MendReport(str(folder), tuple(reports))


def _is_sealed_segment(path: Path) -> bool:
    return path.suffix == ".h5" and path.is_file()


def _require_idle(camera: Path) -> None:
    if not camera.is_dir():
        return
    try:
        hold_folder(camera).close()
    except BlockingIOError as cause:
        raise SessionError(f"{camera} is being recorded into", hint="wait until the recording ends") from cause
