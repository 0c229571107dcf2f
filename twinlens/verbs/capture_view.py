"""What `twinlens capture` shows while it records, and what it says at the end."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from twinlens import console

if TYPE_CHECKING:
    from twinlens.capture.capture import CaptureReport
    from twinlens.capture.clock import Skew
else:
    CaptureReport = Skew = Any  # importing them would make --help slow

ROLES = ("a", "b")
COUNTERS = {
    "StreamPacketSize": "packet size, bytes",
    "StreamReceiveBufferSize": "receive buffer granted, bytes",
    "StreamDeliveredFrameCount": "frames delivered",
    "StreamIncompleteFrameCount": "frames incomplete",
    "StreamLostFrameCount": "frames never seen",
    "StreamUnderrunCount": "frames without a free buffer",
    "StreamLostPacketCount": "packets lost",
    "StreamResendRequestCount": "packets asked for again",
    "StreamResendPacketCount": "packets recovered",
    "StreamDuplicatePacketCount": "packets received twice",
    "StreamInvalidPacketCount": "packets refused",
}
"""The producer's stream counters in words; others are told by their own name."""


class CaptureView:
    """Follows a recording: figures in place while it records, a line between two takes by hand."""

    def __init__(self, board: console.Board, *, pairs_wanted: int) -> None:
        """`pairs_wanted`: of the whole recording; 0 when nobody knows."""
        self._board = board
        self._pairs_wanted = pairs_wanted
        self._is_waiting = False
        self.last: CaptureReport | None = None
        """The report shown last."""
        self._focus_before: dict[str, float] = {}

    def show(self, report: CaptureReport) -> None:
        """Show a new report."""
        self.last = report
        if self._is_waiting:
            self._tell_pictures()
        elif self._board.is_due:
            self._board.show(*live(report, pairs_wanted=self._pairs_wanted))

    def wait(self, text: str) -> None:
        """Say something to the person; figures stay away until `go_on`."""
        self._board.take_down()
        if not self._is_waiting and self.last is not None:
            console.note(f"pairs so far: {self.last.pairs}, lost: {losses(self.last) or 'nothing'}")
        self._is_waiting = True
        console.note(text)

    def go_on(self) -> None:
        """The person has answered."""
        self._is_waiting = False
        self._focus_before = dict(self.last.focus) if self.last is not None else {}

    def end(self) -> None:
        """Leave the terminal to what is said at the end."""
        self._board.take_down()

    def _tell_pictures(self) -> None:
        """Focus and saturation of the frames just taken, once; the cameras tell them twice a second."""
        focus = dict(self.last.focus) if self.last is not None else {}
        if self.last is not None and all(focus.get(r) and focus[r] != self._focus_before.get(r) for r in ROLES):
            self._focus_before = focus
            console.note(pictures(self.last))


def watched(lines: Iterable[str | None], view: CaptureView) -> Iterator[str | None]:
    """The lines, while the view learns that the person answered."""
    for line in lines:
        if line is not None:
            view.go_on()
        yield line


def live(
    report: CaptureReport, *, pairs_wanted: int
) -> tuple[str, Mapping[str, str], tuple[str, ...], list[tuple[str, ...]]]:
    """Title, figures and one row per camera of a recording that goes on."""
    of = f" of {pairs_wanted}" if pairs_wanted else ""
    figures = {
        "pairs": f"{report.pairs}{of}, {report.rate_hz:.1f} per second, after {report.seconds:.0f} s",
        "skew": skew_in_words(report.skew) if report.synchronised else "the cameras are not synchronised",
        "lost": losses(report) or "nothing",
        "disk": disk_left(report),
    }
    if report.armings > 1:
        figures["starts"] = f"{report.armings}: a camera was lost and came back"
    rows: list[tuple[str, ...]] = [
        (
            role.upper(),
            str(report.frames.get(role, 0)),
            f"{report.queued.get(role, 0)} (at most {report.queue_high_water.get(role, 0)})",
            *(_sharpness(report, role) if report.focus.get(role) else ("-", "-")),
        )
        for role in ROLES
    ]
    return f"recording {report.scene}", figures, ("camera", "frames", "queue", "focus", "saturated"), rows


def show_capture(report: CaptureReport) -> None:
    """Print how a session went."""
    of = f" of {report.pairs_wanted}" if report.pairs_wanted else ""
    figures: dict[str, object] = {"pairs": f"{report.pairs}{of}"}
    if report.ended:
        figures["ended early"] = report.ended
    figures |= {
        "scenes": report.scenes,
        "triggers": report.triggers,
        "frames lost": losses(report) or 0,
        "synchronised": "yes" if report.synchronised else "NO: no trigger joins the cameras (free)",
        "skew": skew_in_words(report.skew),
    }
    if report.skew is not None:
        figures["measured by"] = report.skew.how_measured
        if report.skew.constant_us is not None:
            figures["B after A"] = (
                f"{report.skew.constant_us:.0f} us, within {report.skew.constant_uncertainty_us or 0:.0f} us "
                "(both clocks read against this computer's)"
            )
    if report.drift_ppm is not None:
        figures["clock drift"] = f"B runs {report.drift_ppm:+.1f} ppm against A"
    if report.unasked_frames:
        figures["unasked frames"] = f"{report.unasked_frames}, in no pair"
    if report.armings > 1:
        figures["starts"] = f"{report.armings}: a camera was lost and came back"
    figures |= {"producer": report.producer, "time": f"{report.seconds:.1f} s"}
    console.figures(f"Session {report.folder}", figures)
    _show_losses(report)
    _show_slips(report)
    _show_stream(report)


def skew_in_words(skew: Skew | None) -> str:
    """The spread of the skew, or why there is none."""
    if skew is None:
        return "not measured: it needs camera times and three pairs"
    return f"median {skew.median_us:.0f}, p95 {skew.p95_us:.0f}, max {skew.max_us:.0f} us"


def losses(report: CaptureReport) -> str:
    """How many frames of which camera were lost for which reason; empty when none was."""
    counts = Counter((gap.camera.upper(), gap.reason) for gap in report.ledger)
    return ", ".join(f"{camera} {reason} {count}" for (camera, reason), count in sorted(counts.items()))


def pictures(report: CaptureReport) -> str:
    """Focus and saturation of both cameras' last frames."""
    told = [(role.upper(), *_sharpness(report, role)) for role in ROLES]
    return "; ".join(f"{camera} focus {focus}, saturated {saturated}" for camera, focus, saturated in told)


def disk_left(report: CaptureReport) -> str:
    """Free space, and for how long it lasts at the present rate."""
    free = f"{report.disk_left_bytes / 1e9:.1f} GB left"
    bytes_per_s = report.rate_hz * report.pair_bytes
    if not bytes_per_s:
        return free
    minutes = report.disk_left_bytes / bytes_per_s / 60
    return (
        f"{free}, {minutes:.0f} min at this rate"
        if minutes < 180
        else f"{free}, {minutes / 60:.0f} h at this rate"
    )


def ranges(numbers: Iterable[int]) -> str:
    """Numbers as ranges: 3, 5-8, 12."""
    told: list[list[int]] = []
    for number in sorted(set(numbers)):
        if told and number == told[-1][1] + 1:
            told[-1][1] = number
        else:
            told.append([number, number])
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in told)


def _sharpness(report: CaptureReport, role: str) -> tuple[str, str]:
    return f"{report.focus.get(role, 0.0):.2f}", f"{100 * report.saturated.get(role, 0.0):.2f} %"


def _show_losses(report: CaptureReport) -> None:
    triggers: dict[tuple[str, str], list[int]] = defaultdict(list)
    for gap in report.ledger:
        triggers[gap.camera.upper(), gap.reason].append(gap.trigger_index)
    if triggers:
        rows = [(camera, reason, len(at), ranges(at)) for (camera, reason), at in sorted(triggers.items())]
        console.table("Lost frames", ["camera", "reason", "frames", "triggers"], rows)


def _show_slips(report: CaptureReport) -> None:
    for slip in report.slips:
        what = "triggers without a frame" if slip.by > 0 else "frames without a trigger"
        console.say(
            f"resynchronised: camera {slip.camera.upper()} from trigger {slip.trigger_index} on "
            f"({what}: {abs(slip.by)})"
        )


def _show_stream(report: CaptureReport) -> None:
    names = {name for counters in report.stream.values() for name in counters}
    known = [name for name in COUNTERS if name in names]
    rows = [
        (COUNTERS.get(name, name), *(report.stream.get(role, {}).get(name, "") for role in ROLES))
        for name in [*known, *sorted(names - set(known))]
    ]
    if rows:
        console.table("Network", ["", "A", "B"], rows)
