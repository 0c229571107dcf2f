"""The course of one recording: open, arm, take after take, reconnect, finish."""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from twinlens.capture.chronicle import Chronicle
from twinlens.capture.frame import CameraRole
from twinlens.capture.manifest import RecordedTake
from twinlens.capture.match_commands import Reasons
from twinlens.capture.messages import Begin, Failed
from twinlens.capture.pairing import GapReason
from twinlens.capture.preflight import require_ready
from twinlens.capture.producers import find_producer
from twinlens.capture.report import CaptureReport, Take
from twinlens.capture.rig import Rig
from twinlens.capture.rig_file import RigSettings
from twinlens.capture.trigger import Trigger
from twinlens.errors import CaptureError, FrameTimeoutError, HostLimitError, TwinlensError

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
            try:
                with suppress(CaptureError):  # what ended the recording is the news, not what it broke
                    course.finish()
            finally:
                course.break_off()
            raise
        course.finish()
        course.require_sealed()

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
        self._is_fresh = True
        """Both cameras are set as the rig's settings say."""

    def record(self, take: Take, *, reconnects: bool) -> Iterator[CaptureReport]:
        """Record one take."""
        chronicle = self._chronicle
        yield from self.idle(reconnects=reconnects, listen_s=0.0)
        recorded = chronicle.begin(take)
        yield from self._begin_part(take, recorded, reconnects=reconnects)
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
                yield from self._begin_part(take, recorded, reconnects=reconnects)
                silent_since_s = time.monotonic()
            unanswered += self._settle()
            if chronicle.pairs > pairs:
                chronicle.note_pairs(chronicle.pairs - pairs)
                pairs, unanswered, silent_since_s = chronicle.pairs, 0, time.monotonic()
            self._require_life(unanswered, silent_since_s)
            yield from self._report_when_due()
        self._end(take)
        yield chronicle.report()

    def idle(self, *, reconnects: bool, listen_s: float = LISTEN_S) -> Iterator[CaptureReport]:
        """Between two takes: hear both cameras for a moment, so that no pipe fills and a loss is noticed."""
        for message in self.rig.hear(timeout_s=listen_s):
            self._tally.hear(message)
        if self._tally.failed is not None:
            yield from self._wait_for(self._tally.failed, reconnects=reconnects)
        yield from self._report_when_due()

    def break_off(self) -> None:
        """Account for what is missing when a recording ended early."""
        self._tally.end(self._reasons(), is_cut=True)

    def finish(self) -> None:
        """Stop the streams; every frame is on the disk afterwards."""
        self._chronicle.finished, last_words = self.rig.finish()
        for message in last_words:
            self._tally.hear(message)

    def require_sealed(self) -> None:
        """Raise the error of a camera that failed after the last take."""
        if self._tally.failed is not None:
            raise self._tally.failed.error

    def _begin_part(self, take: Take, recorded: RecordedTake, *, reconnects: bool) -> Iterator[CaptureReport]:
        """Record from now on; once per take, and again after each reconnection."""
        chronicle = self._chronicle
        features = dict(take.features)
        if not self._is_fresh or take.exposure_us is not None or take.gain_db is not None:
            features |= {"ExposureTime": recorded.exposure_us, "Gain": recorded.gain_db}
        self._is_fresh = False
        begin = Begin(len(chronicle.takes) - 1, chronicle.arming, recorded.exposure_us, recorded.gain_db)
        try:
            if features:
                self.rig.write(features)
            begun = self.rig.begin(begin)
        except CaptureError as error:
            lost = self.rig.lost()
            if not lost:
                raise
            yield from self._wait_for(Failed(lost[0], error), reconnects=reconnects)
            yield from self._begin_part(take, recorded, reconnects=reconnects)
        else:
            steady, ours = self._trigger.is_steady, self._trigger.is_ours
            self._tally.begin(begin.take, begin.arming, begun, is_steady=steady, is_ours=ours)

    def _end(self, take: Take) -> None:
        """Close the account of a take: with its last pair, or with the last frame within its time."""
        if take.pairs:
            self._tally.end({}, is_cut=False)
        failed = self.rig.end()
        for message in [*self.rig.hear(timeout_s=0.0), *failed]:
            self._tally.hear(message)
        self._tally.end({}, is_cut=False)

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
        is_camera = isinstance(failed.error, CaptureError) and not isinstance(failed.error, HostLimitError)
        if not (reconnects and is_camera):
            raise failed.error
        self._tally.failed = failed
        self._outstanding.clear()
        for message in [*self.rig.end(), *self.rig.hear(timeout_s=0.0)]:
            self._tally.hear(message)
        self._tally.end(self._reasons(), is_cut=True)
        deadline_s = time.monotonic() + RECONNECT_TIMEOUT_S
        missing: set[CameraRole] = set()
        while missing := missing | self._give_up_lost():
            yield self._chronicle.report()
            try:
                for role in sorted(missing):
                    self.rig.reopen(role)
                    missing.remove(role)
            except CaptureError as error:
                if time.monotonic() > deadline_s:
                    raise error from failed.error
                time.sleep(RECONNECT_PAUSE_S)
        self._tally.failed = None
        self._chronicle.arming += 1

    def _reasons(self) -> Reasons:
        """Why nothing more came of the cameras whose processes ended."""
        reasons: dict[CameraRole, GapReason] = dict.fromkeys(self.rig.lost(), "camera lost")
        failed = self._tally.failed
        if failed is not None:
            is_host = isinstance(failed.error, HostLimitError)
            reasons[failed.camera] = "not written" if is_host else "camera lost"
        return reasons

    def _give_up_lost(self) -> set[CameraRole]:
        """The cameras whose processes ended by now; what they wrote is sealed."""
        for message in self.rig.hear(timeout_s=0.0):
            self._tally.hear(message)
        lost = self.rig.lost()
        for role in lost:
            self.rig.give_up(role)
            self._chronicle.folder.mend([role])
        return set(lost)


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt | GeneratorExit):
        return "it was stopped by hand"
    return str(error) if isinstance(error, TwinlensError) else type(error).__name__
