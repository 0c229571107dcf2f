"""Gives a session that was never sealed, or whose segments are damaged, back to its user."""

from dataclasses import dataclass
from pathlib import Path

from twinlens.capture import session
from twinlens.capture.manifest import MANIFEST, Manifest, read_manifest
from twinlens.capture.repair import RepairReport, repair_segment, repair_session
from twinlens.capture.segment import PART
from twinlens.capture.session_folder import against_disk
from twinlens.errors import SessionError
from twinlens.storage import hold_folder, sync_folder


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
        SessionError: it is being recorded, a segment is beyond repair, or the account cannot be made again.
    """
    for camera in (folder / "a", folder / "b"):
        _require_idle(camera)
    reports = repair_session(folder)
    reports += [repair_segment(folder / name) for name in damaged if (folder / name).exists()]
    manifest = _manifest(folder)
    again = against_disk(manifest, session.sealed_records(folder, manifest.runs))
    if again != manifest:
        again.write(folder)
    final = folder
    if folder.suffix == PART:
        final = folder.with_suffix("")
        folder.replace(final)
        sync_folder(final.parent)
    return MendReport(str(final), tuple(reports))


def _require_idle(camera: Path) -> None:
    if not camera.is_dir():
        return
    try:
        hold_folder(camera).close()
    except BlockingIOError as cause:
        raise SessionError(f"{camera} is being recorded into", hint="wait until the recording ends") from cause


def _manifest(folder: Path) -> Manifest:
    rebuild = getattr(session, "rebuild_manifest", None)
    if not (folder / MANIFEST).exists() and rebuild is not None:
        rebuild(folder)
    if not (folder / MANIFEST).exists():
        raise SessionError(
            f"the segments in {folder} can be read again, but it holds no {MANIFEST}",
            hint="read the segments with h5py; scenes and mirror states were not recorded",
        )
    return read_manifest(folder)
