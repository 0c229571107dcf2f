"""The course of one recording: open, arm, take after take, reconnect, finish."""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from twinlens.capture.chronicle import Chronicle
from twinlens.capture.manifest import RecordedTake
from twinlens.capture.messages import Begin, Failed
from twinlens.capture.preflight import require_ready
from twinlens.capture.producers import find_producer
from twinlens.capture.report import CaptureReport, Take
from twinlens.capture.rig import Rig
from twinlens.capture.rig_file import RigSettings
from twinlens.capture.trigger import Trigger
from twinlens.errors import CaptureError, FrameTimeoutError, TwinlensError

MAX_LOST_IN_A_ROW = 3
"""After so many triggers without a pair, something is broken rather than noisy."""
REPORT_S = 0.1
LISTEN_S = 0.05
RECONNECT_TIMEOUT_S = 600.0
RECONNECT_PAUSE_S = 0.5


class Recording:
    """A session that is being recorded."""

    def __init__(
        self,
        settings: RigSettings,
        takes: Iterable[Take | None],
        *,
        out: Path,
        resume: Path | None,
        reconnect: bool,
    ) -> None:
        self._settings = settings
        self._takes = takes
        self._reconnects = reconnect
        self._producer = find_producer(settings.producer or None)
        self._chronicle = Chronicle(settings, out=out, resume=resume, producer=self._producer)

    def run(self) -> Iterator[CaptureReport]:
        """Record every take; a report now and then."""
        chronicle = self._chronicle
        try:
            folder = chronicle.folder
            with Rig(self._settings, producer=self._producer, session_id=folder.id, folder=folder.part) as rig:
                chronicle.opened = rig.cameras
                require_ready(self._settings, rig.cameras, self._takes, folder=folder.part)
                with Trigger(self._settings, rig) as trigger:
                    yield from self._run(_Course(self._settings, chronicle, rig, trigger))
        except BaseException as error:
            chronicle.ended = _reason(error)
            raise
        chronicle.ended = ""

    def _run(self, course: "_Course") -> Iterator[CaptureReport]:
        try:
            self._chronicle.flushed = course.rig.arm()
            for take in self._takes:
                if take is None:
                    yield from course.idle(reconnects=self._reconnects)
                    continue
                take.require_sense()
                yield from course.record(take, reconnects=self._reconnects)
        except BaseException:
            course.break_off()
            with suppress(CaptureError):  # what ended the recording is the news, not what it broke
                course.finish()
            raise
        course.finish()

    def seal(self) -> None:
        """Put what was recorded under its final name."""
        self._chronicle.seal()

    def report(self) -> CaptureReport:
        """How it went."""
        return self._chronicle.report()


class _Course:
    """Takes on an armed rig."""

    def __init__(self, settings: RigSettings, chronicle: Chronicle, rig: Rig, trigger: Trigger) -> None:
        self.rig = rig
        self._timeout_s = settings.frame_timeout_s
        self._chronicle = chronicle
        self._tally = chronicle.tally
        self._trigger = trigger
        self._outstanding: deque[tuple[int, float]] = deque()
        """Triggers without an answer, and when to stop waiting for it."""
        self._reported_s = 0.0

    def record(self, take: Take, *, reconnects: bool) -> Iterator[CaptureReport]:
        """Record one take."""
        chronicle = self._chronicle
        recorded = self._begin(take)
        pairs = before = chronicle.pairs
        until_s = time.monotonic() + take.duration_s if take.duration_s else float("inf")
        wanted = before + take.pairs if take.pairs else float("inf")
        unanswered, silent_since_s = 0, time.monotonic()
        while chronicle.pairs < wanted and (time.monotonic() < until_s or self._outstanding):
            if time.monotonic() < until_s and chronicle.pairs + len(self._outstanding) < wanted:
                self._fire_when_due()
            self._listen()
            if self._tally.failed is not None:
                yield from self._wait_for(self._tally.failed, reconnects=reconnects)
                self._begin_part(recorded)
                silent_since_s = time.monotonic()
            unanswered += self._settle()
            if chronicle.pairs > pairs:
                chronicle.note_pairs(chronicle.pairs - pairs)
                pairs, unanswered, silent_since_s = chronicle.pairs, 0, time.monotonic()
            self._require_life(unanswered, silent_since_s)
            yield from self._report_when_due()
        self._tally.end({}, is_cut=False)
        self.rig.end()
        yield chronicle.report()

    def idle(self, *, reconnects: bool) -> Iterator[CaptureReport]:
        """Between two takes: hear both cameras for a moment, so that no pipe fills and a loss is noticed."""
        for message in self.rig.hear(timeout_s=LISTEN_S):
            self._tally.hear(message)
        if self._tally.failed is not None:
            yield from self._wait_for(self._tally.failed, reconnects=reconnects)
        yield from self._report_when_due()

    def break_off(self) -> None:
        """Account for what is missing when a recording ends early."""
        with suppress(CaptureError):
            for message in self.rig.hear(timeout_s=0.0):
                self._tally.hear(message)
        failed = self._tally.failed
        self._tally.end({failed.camera: "camera lost"} if failed else {}, is_cut=True)

    def finish(self) -> None:
        """Stop the streams; every frame is on the disk afterwards."""
        self._chronicle.finished, last_words = self.rig.finish()
        for message in last_words:
            self._tally.hear(message)

    def _begin(self, take: Take) -> RecordedTake:
        is_first = not self._chronicle.takes
        recorded = self._chronicle.begin(take)
        features = dict(take.features)
        if not is_first or take.exposure_us is not None or take.gain_db is not None:
            features |= {"ExposureTime": recorded.exposure_us, "Gain": recorded.gain_db}
        if features:
            self.rig.write(features)
        self._begin_part(recorded)
        return recorded

    def _begin_part(self, recorded: RecordedTake) -> None:
        """Record from now on; once per take, and again after each reconnection."""
        number, arming = len(self._chronicle.takes) - 1, self._chronicle.arming
        begun = self.rig.begin(Begin(number, arming, recorded.exposure_us, recorded.gain_db))
        trigger = self._trigger
        self._tally.begin(number, arming, begun, is_steady=trigger.is_steady, is_ours=trigger.is_ours)

    def _fire_when_due(self) -> None:
        trigger = self._trigger
        if not trigger.is_ours or trigger.wait_s() > 0 or (self._outstanding and not trigger.is_steady):
            return
        index = self._tally.count_trigger()
        self._tally.command(trigger.fire(index, self._tally.latches.get("a")))
        self._outstanding.append((index, time.monotonic() + self._patience_s()))

    def _listen(self) -> None:
        trigger = self._trigger
        paced = trigger.is_ours and trigger.is_steady
        for message in self.rig.hear(timeout_s=min(LISTEN_S, trigger.wait_s()) if paced else LISTEN_S):
            self._tally.hear(message)

    def _settle(self) -> int:
        """Forget the triggers that are answered or given up; how many that is."""
        count = 0
        while self._outstanding:
            index, give_up_s = self._outstanding[0]
            if not self._tally.is_settled(index) and time.monotonic() < give_up_s:
                break
            self._outstanding.popleft()
            count += 1
        return count

    def _patience_s(self) -> float:
        return self._timeout_s + self._chronicle.takes[-1].exposure_us * 1e-6

    def _report_when_due(self) -> Iterator[CaptureReport]:
        if time.monotonic() - self._reported_s > REPORT_S:
            self._reported_s = time.monotonic()
            yield self._chronicle.report()

    def _require_life(self, unanswered: int, silent_since_s: float) -> None:
        """Raise `FrameTimeoutError` when nothing useful comes any more."""
        silent_s = time.monotonic() - silent_since_s
        if unanswered >= MAX_LOST_IN_A_ROW and not self._trigger.is_steady:
            what = f"{unanswered} triggers in a row"
        elif silent_s > MAX_LOST_IN_A_ROW * self._patience_s():
            what = f"{silent_s:.0f} s"
        else:
            return
        gaps = ", ".join(f"{gap.camera.upper()} {gap.reason}" for gap in self._tally.ledger.gaps[-4:])
        seen = ", ".join(f"{role.upper()} {count}" for role, count in self._tally.frames.items())
        raise FrameTimeoutError(
            f"{what} brought no pair ({gaps or 'no gap is known'}; frames so far: {seen}); "
            f"{self._chronicle.kept_pairs} of {self._chronicle.pairs_wanted or 'any number of'} pairs complete",
            hint="check the trigger cable and its source, and the cameras' network with 'twinlens doctor'",
        )

    def _wait_for(self, failed: Failed, *, reconnects: bool) -> Iterator[CaptureReport]:
        """Wait until a lost camera is back; what is recorded next belongs to a new start."""
        if not reconnects or not isinstance(failed.error, CaptureError):
            raise failed.error
        role = failed.camera
        self._tally.end({role: "camera lost"}, is_cut=True)
        self._outstanding.clear()
        self.rig.give_up(role)
        self.rig.end()
        self._chronicle.folder.mend([role])
        deadline_s = time.monotonic() + RECONNECT_TIMEOUT_S
        while True:
            yield self._chronicle.report()
            try:
                self.rig.reopen(role)
                break
            except CaptureError as error:
                if time.monotonic() > deadline_s:
                    raise error from failed.error
            time.sleep(RECONNECT_PAUSE_S)
        self._tally.failed = None
        self._chronicle.arming += 1


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt | GeneratorExit):
        return "it was stopped by hand"
    return str(error) if isinstance(error, TwinlensError) else type(error).__name__
