"""A camera's stream: takes triggers, exposes, and sends frames from a thread of its own."""

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np

from twinlens.capture.pixel_formats import Payload
from twinlens.capture.virtual import gvsp
from twinlens.capture.virtual.camera_log import CameraLog, Event, LogEntry
from twinlens.capture.virtual.dispatch import Dispatch, StreamPlan
from twinlens.capture.virtual.faults import Faults
from twinlens.capture.virtual.packing import pack
from twinlens.capture.virtual.sender import PacedSender, sharpen_sleeps
from twinlens.capture.virtual.source import ImageSource, Shot
from twinlens.capture.virtual.stamp import trigger_stamp

__all__ = ["Director", "StreamPlan", "Streamer"]

log = logging.getLogger(__name__)

_JOIN_TIMEOUT_S = 10.0
_UNASKED = -1
"""The number of a frame that nobody triggered."""


@dataclass(frozen=True, slots=True)
class _Exposure:
    shot: Shot
    number: int
    timestamp: int
    began_ns: int
    ready_ns: int
    """Host clock at the end of exposure."""
    run: int


@runtime_checkable
class Director(Protocol):
    """What the stream asks the rest of the camera while it runs."""

    def look(self, number: int) -> Shot:
        """The shot of a trigger with the camera's present settings."""
        ...

    def clock(self, at_ns: int | None = None) -> int:
        """The camera's clock at a host time, ticks."""
        ...

    def strobe(self, number: int, at_ns: int) -> None:
        """An exposure begins."""
        ...

    def period_ns(self) -> int | None:
        """Time between free-running frames, or None where triggers start frames."""
        ...

    def packet_delay_ns(self) -> int:
        """Pause between two packets."""
        ...


class Streamer:
    """Frames out of an image source, one per trigger or at a steady rate."""

    def __init__(
        self,
        source: ImageSource,
        sender: PacedSender,
        *,
        director: Director,
        queue_length: int,
        faults: Faults | None = None,
        log: CameraLog | None = None,
    ) -> None:
        """`queue_length` triggers may wait while a frame is being sent."""
        self._source = source
        self._sender = sender
        self._director = director
        self._queue_length = queue_length
        self._faults = faults or Faults()
        self._log = log or CameraLog()
        self._changed = threading.Condition()
        self._queue: deque[_Exposure] = deque()
        self._dispatch: Dispatch | None = None
        self._plan: StreamPlan | None = None
        self._run = 0
        self._armings = -1
        self._triggers = self._frames = 0
        self._next_ns = 0
        self._rng = np.random.default_rng(self._faults.seed)
        self._is_closing = False
        self.missed_triggers = 0
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._live, name="stream", daemon=True)
        self._thread.start()

    @property
    def is_acquiring(self) -> bool:
        """True from start to stop."""
        return self._plan is not None

    def start(self, plan: StreamPlan) -> None:
        """Begin a new run: indices and block ids count from the beginning, nothing of an older run follows."""
        dispatch = Dispatch(plan, self._sender, self._faults)
        with self._changed:
            self._sender.forbid_fragments(forbid=plan.do_not_fragment)
            self._plan, self._dispatch = plan, dispatch
            self._begin_run()

    def restart(self, host: tuple[str, int]) -> None:
        """Send a running acquisition to `host` from now on, counting from the beginning."""
        with self._changed:
            if self._plan is not None:
                self._plan = replace(self._plan, host=host)
                self._dispatch = Dispatch(self._plan, self._sender, self._faults)
                self._begin_run()

    def _begin_run(self) -> None:
        self._run += 1
        self._armings += 1
        self._queue.clear()
        self._triggers = self._frames = self.missed_triggers = 0
        self._next_ns = time.monotonic_ns()
        for _ in range(self._faults.extra_frames):
            self._queue.append(self._expose(_UNASKED, time.monotonic_ns()))
        self._changed.notify_all()

    def stop(self) -> None:
        """Take no further triggers; the frame on the wire is finished."""
        with self._changed:
            self._plan = None
            self._queue.clear()
            self._changed.notify_all()

    def halt(self) -> None:
        """Stop in the middle of whatever is being sent: when this returns, no packet follows."""
        with self._changed:
            self._run += 1
            self._dispatch = None
            self.stop()

    def send_test_packet(self, packet_size: int, host: tuple[str, int], *, do_not_fragment: bool) -> None:
        """Send one packet of `packet_size` so that the host learns whether the path carries it."""
        with self._changed:
            self._sender.forbid_fragments(forbid=do_not_fragment)
            self._sender.send_one(bytes(packet_size - gvsp.IP_UDP_BYTES), host)

    def resend(self, block_id: int, first: int, last: int) -> bool:
        """Send packets again, or say that they are gone; False if none could be sent."""
        with self._changed:
            dispatch = self._dispatch
            if dispatch is None:
                return False
            entry, count = dispatch.resend(block_id, first, last)
            if entry >= 0:
                self._log.add_resent(entry, count)
            return count > 0

    def trigger(self, number: int | None = None, *, at_ns: int | None = None) -> bool:
        """Expose now; False if that makes no frame, which stands in the log.

        `number` is stamped into the frame, the count of triggers since arming by default; `at_ns` is when the
        trigger came, on the host's monotonic clock.
        """
        with self._changed:
            number = self._triggers if number is None else number
            at_ns = time.monotonic_ns() if at_ns is None else at_ns
            self._triggers += 1
            if self._overlooks(number):
                self._note(number, "missed", at_ns)
                return False
            if len(self._queue) >= self._queue_length:
                self.missed_triggers += 1
                self._note(number, "too fast", at_ns)
                return False
            late_ms = self._faults.late_ms if number in self._faults.late_triggers else 0.0
            self._queue.append(self._expose(number, at_ns + int(late_ms * 1e6)))
            self._changed.notify_all()
            return True

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._is_closing = True
            self.halt()
        self._thread.join(_JOIN_TIMEOUT_S)
        if self._thread.is_alive():
            log.warning("stream thread still busy %g s after close", _JOIN_TIMEOUT_S)

    def _overlooks(self, number: int) -> bool:
        return number in self._faults.missed_triggers or (
            self._faults.miss > 0 and self._rng.random() < self._faults.miss
        )

    def _expose(self, number: int, at_ns: int) -> _Exposure:
        shot = self._director.look(max(number, 0))
        if number >= 0:
            self._director.strobe(number, at_ns)
        ready_ns = at_ns + int(shot.exposure_us * 1e3)
        return _Exposure(shot, number, self._director.clock(at_ns), at_ns, ready_ns, self._run)

    def _live(self) -> None:
        sharpen_sleeps()
        try:
            while (exposure := self._next_exposure()) is not None:
                self._finish(exposure)
        except Exception as error:  # the top of a thread: kept for whoever closes the camera
            log.exception("stream thread ended")
            self.failure = error

    def _next_exposure(self) -> _Exposure | None:
        with self._changed:
            while not self._is_closing:
                if self._queue:
                    return self._queue.popleft()
                period_ns = self._director.period_ns() if self._plan is not None else None
                wait_ns = None if period_ns is None else self._next_ns - time.monotonic_ns()
                if period_ns is not None and wait_ns is not None and wait_ns <= 0:
                    number, at_ns = self._triggers, self._next_ns
                    # A frame that came late does not make the following ones hurry.
                    self._next_ns = max(self._next_ns + period_ns, time.monotonic_ns())
                    self._triggers += 1
                    if self._overlooks(number):
                        self._note(number, "missed", at_ns)
                        continue
                    return self._expose(number, at_ns)
                self._changed.wait(1.0 if wait_ns is None else min(1.0, wait_ns / 1e9))
            return None

    def _finish(self, exposure: _Exposure) -> None:
        pixels = self._source.frame(exposure.shot)
        with self._changed:
            while (left_ns := exposure.ready_ns - time.monotonic_ns()) > 0 and self._is_wanted(exposure):
                self._changed.wait(left_ns / 1e9)
            plan, dispatch = self._plan, self._dispatch
            if plan is None or dispatch is None or not self._is_wanted(exposure):
                return
            index = self._frames
            self._frames += 1
        block = gvsp.block_id(index, self._faults.first_block_id)
        if exposure.number in self._faults.lost_frames:
            self._note(exposure.number, "lost", exposure.began_ns, block=block)
        else:
            payload = pack(plan.window.cut(pixels), plan.pixel_format)
            stamp = None
            if exposure.number >= 0:
                stamp = pack(trigger_stamp(exposure.number, bit_depth=plan.bit_depth), plan.pixel_format)
            self._send(dispatch, exposure, index=index, payload=payload, stamp=stamp)
        with self._changed:
            if plan.frame_limit and self._frames >= plan.frame_limit and self._is_wanted(exposure):
                self.stop()

    def _is_wanted(self, exposure: _Exposure) -> bool:
        return exposure.run == self._run and self._plan is not None

    def _send(
        self,
        dispatch: Dispatch,
        exposure: _Exposure,
        *,
        index: int,
        payload: Payload,
        stamp: Payload | None,
    ) -> None:
        block = gvsp.block_id(index, self._faults.first_block_id)
        with self._changed:
            frame = dispatch.lay_out(index, block, payload, timestamp=exposure.timestamp, stamp=stamp)
        for act in dispatch.steps(frame):
            with self._changed:
                if exposure.run != self._run:
                    return
                act()
            dispatch.pause(self._director.packet_delay_ns())
        event: Event = "sent" if exposure.number >= 0 else "extra"
        with self._changed:
            frame.sent.log_number = self._log.add(
                LogEntry(
                    trigger=exposure.number,
                    block_id=block,
                    event=event,
                    dropped_packets=frame.plan.dropped,
                    resent_packets=frame.sent.resent,
                    time_ns=exposure.began_ns,
                    arming=self._armings,
                )
            )

    def _note(self, number: int, event: Event, at_ns: int, *, block: int = 0) -> None:
        self._log.add(
            LogEntry(trigger=number, block_id=block, event=event, time_ns=at_ns, arming=max(self._armings, 0))
        )
