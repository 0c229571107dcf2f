"""Recording a session: takes of scenes, until each has its pairs or its time is over."""

from collections.abc import Generator, Iterable, Sequence
from pathlib import Path

from twinlens.capture.recording import Recording
from twinlens.capture.report import CaptureReport, Take
from twinlens.capture.rig_file import RigSettings
from twinlens.errors import CaptureError, SettingsError

__all__ = ["CaptureReport", "Take", "capture", "require_complete"]


def capture(
    settings: RigSettings,
    takes: Iterable[Take | None],
    *,
    out: Path,
    resume: Path | None = None,
    reconnect: bool = False,
) -> Generator[CaptureReport, None, None]:
    """Record a session into a new folder below `out`; yields a report now and then, the last one at the end.

    Takes are pulled while the rig is armed, so an iterator may wait for a person or move a mirror before it gives
    the next; while it waits it gives None often, and the cameras are heard meanwhile. The folder has its final
    name only once it is sealed. Whatever ends the recording early (a lost camera, Ctrl-C as GeneratorExit or
    KeyboardInterrupt), what was recorded so far is sealed first, and its report comes before the error.

    Args:
        resume: a sealed session that goes on; the takes are added to it.
        reconnect: wait for a camera that is lost, and go on in a new segment.

    Raises:
        SettingsError: nothing was asked for, the rig is not assigned, or a camera refuses a setting.
        CameraNotFoundError: a camera does not answer.
        CameraLostError: a camera or its process ended.
        FrameTimeoutError: triggers in a row brought no pair.
        HostLimitError: the disk is full or too slow, or the link cannot carry what is asked for.
        SessionError: `resume` is no sealed session of this rig.
        CaptureError: anything else that ends a recording.
    """
    settings.require_assigned()
    if isinstance(takes, Sequence):  # what can be checked before a camera is opened
        if not takes:
            raise SettingsError("no pairs were asked for", hint="ask for at least one pair of one scene")
        for take in takes:
            take.require_sense()
    recording = Recording(settings, takes, out=out, resume=resume, reconnect=reconnect)
    try:
        yield from recording.run()
    except GeneratorExit:
        recording.seal()
        raise
    except BaseException:
        recording.seal()
        if (report := recording.report()).pairs:
            yield report
        raise
    recording.seal()
    yield recording.report()


def require_complete(report: CaptureReport) -> None:
    """Raise unless the session holds every pair that was asked for."""
    if not report.complete:
        raise CaptureError(
            f"{report.pairs} of {report.pairs_wanted} pairs are complete",
            hint=f"the session was kept in {report.folder}; record the missing pairs with --resume",
        )
