"""A camera's stream: takes triggers, exposes, and sends frames from a thread of its own."""

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

from twinlens.capture.virtual import gvsp
from twinlens.capture.virtual.block import Packer
from twinlens.capture.virtual.camera_log import CameraLog, Event, LogEntry
from twinlens.capture.virtual.chunk import FrameFacts
from twinlens.capture.virtual.faults import Faults
from twinlens.capture.virtual.metronome import Metronome
from twinlens.capture.virtual.packet_faults import PacketFaults
from twinlens.capture.virtual.plan import StreamPlan
from twinlens.capture.virtual.sender import PacedSender
from twinlens.capture.virtual.source import ImageSource, Shot
from twinlens.capture.virtual.transmission import Transmission

__all__ = ["Director", "StreamPlan", "Streamer"]

log = logging.getLogger(__name__)

_JOIN_TIMEOUT_S = 10.0
_NOBODY = -1
"""The number of a frame that nobody triggered."""
_FREE_RUNNING_QUEUE = 2
"""Exposures that may wait in free-running mode; it slows down where a frame takes longer than its period."""


@dataclass(frozen=True, slots=True)
class _Exposure:
    shot: Shot
    number: int
    event: Literal["sent", "extra", "lost"]
    """What the log will call it."""
    timestamp: int
    begin_ns: int
    ready_ns: int
    """Host clock at the beginning and the end of exposure."""
    run: int


@runtime_checkable
class Director(Protocol):
    """What the stream asks the rest of the camera while it runs."""

    def look(self, number: int) -> Shot:
        """The shot of a trigger with the camera's present settings."""
        ...

    def clock(self, at_ns: int | None = None) -> int:
        """The camera's timestamp of a host time, ticks."""
        ...

    def strobe(self, number: int, at_ns: int) -> None:
        """Told at every exposure when, on the host's clock, it begins."""
        ...

    def period_ns(self) -> int | None:
        """Time between free-running frames, or None where triggers start frames."""
        ...

    def packet_delay_ns(self) -> int:
        """Pause between two packets; asked after the leader and after every burst."""
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
        self._director = director
        self._queue_length = queue_length
        self._log = log or CameraLog()
        self._faults = PacketFaults(faults or Faults())
        self._changed = threading.Condition()
        self._queue: deque[_Exposure] = deque()
        self._plan: StreamPlan | None = None
        self._packer: Packer | None = None
        self._run, self._arming = 0, -1
        self._triggers = self._frames = 0
        self._is_closing = False
        self.missed_triggers = 0
        self._failure: BaseException | None = None
        self._wire = Transmission(
            sender, self._faults, self._log, changed=self._changed, delay_ns=director.packet_delay_ns
        )
        self._metronome = Metronome(director.period_ns, self._beat)
        self._thread = threading.Thread(target=self._live, name="stream", daemon=True)
        self._thread.start()

    @property
    def is_acquiring(self) -> bool:
        """True from start to stop."""
        return self._plan is not None

    @property
    def failure(self) -> BaseException | None:
        """What ended one of the stream's threads, if anything did."""
        return self._failure or self._metronome.failure or self._wire.failure

    def start(self, plan: StreamPlan) -> None:
        """Begin a new run: indices and block ids count from the beginning, nothing of an older run follows."""
        packer = Packer(plan)
        with self._changed:
            self._wire.forbid_fragments(forbid=plan.do_not_fragment)
            self._plan, self._packer = plan, packer
            self._begin_run()

    def restart(self, host: tuple[str, int]) -> None:
        """Send a running acquisition to `host` from now on, counting from the beginning."""
        with self._changed:
            if self._plan is not None:
                self._plan = replace(self._plan, host=host)
                self._packer = Packer(self._plan)
                self._begin_run()

    def stop(self) -> None:
        """Take no further triggers; the frame on the wire is finished."""
        with self._changed:
            self._plan = None
            self._empty_queue()
            self._metronome.stop()
            self._changed.notify_all()

    def halt(self) -> None:
        """Stop in the middle of whatever is being sent: when this returns, no packet follows."""
        with self._changed:
            self._run += 1
            self._wire.begin(self._run)
            self.stop()

    def send_test_packet(self, packet_size: int, host: tuple[str, int], *, do_not_fragment: bool) -> None:
        """Send one packet of `packet_size` so that the host learns whether the path carries it."""
        with self._changed:
            self._wire.send_test_packet(packet_size, host, do_not_fragment=do_not_fragment)

    def resend(self, block_id: int, first_packet: int, last_packet: int) -> bool:
        """Send packets of a recent frame again; False if they are gone, which the host is told."""
        return self._wire.resend(block_id, first_packet, last_packet)

    def trigger(self, number: int | None = None, *, at_ns: int | None = None) -> bool:
        """Expose at a host time, by default now; False if too many triggers are waiting already, which is counted.

        `number` is stamped into the pixels; by default triggers are counted since arming.
        """
        with self._changed:
            if self._plan is None:
                return True
            number = self._triggers if number is None else number
            at_ns = time.monotonic_ns() if at_ns is None else at_ns
            at_ns += self._faults.late_ns(number)
            self._triggers += 1
            if len(self._queue) >= self._queue_length:
                self.missed_triggers += 1
                self._note(number, "too fast", at_ns)
                return False
            is_exposed = self._take(number, at_ns)
        if is_exposed:
            self._director.strobe(number, at_ns)
        return True

    def close(self) -> None:
        """End the threads."""
        with self._changed:
            self._is_closing = True
            self.halt()
        self._metronome.close()
        self._wire.close()
        self._thread.join(_JOIN_TIMEOUT_S)
        if self._thread.is_alive():
            log.warning("stream thread still busy %g s after close", _JOIN_TIMEOUT_S)

    def _begin_run(self) -> None:
        self._run += 1
        self._arming += 1
        self._wire.begin(self._run, self._plan.host if self._plan is not None else None)
        self._queue.clear()
        self._triggers = self._frames = self.missed_triggers = 0
        begin_ns = time.monotonic_ns()
        for _ in range(self._faults.faults.extra_frames):
            exposure = self._expose(_NOBODY, begin_ns, "extra")
            self._queue.append(exposure)
            begin_ns = exposure.ready_ns
        self._metronome.start()
        self._changed.notify_all()

    def _beat(self, at_ns: int) -> bool:
        """Expose in free-running mode; False while too many exposures wait."""
        with self._changed:
            plan = self._plan
            if plan is None or (plan.frame_limit and self._triggers >= plan.frame_limit):
                return True
            if len(self._queue) >= _FREE_RUNNING_QUEUE:
                return False
            number = self._triggers
            self._triggers += 1
            is_exposed = self._take(number, at_ns)
        if is_exposed:
            self._director.strobe(number, at_ns)
        return True

    def _take(self, number: int, at_ns: int) -> bool:
        """Queue an exposure, unless a fault overlooks the trigger."""
        if self._faults.misses(number, self._arming):
            self._note(number, "missed", at_ns)
            return False
        self._queue.append(self._expose(number, at_ns, "lost" if self._faults.loses(number) else "sent"))
        self._changed.notify_all()
        return True

    def _expose(self, number: int, at_ns: int, event: Literal["sent", "extra", "lost"]) -> _Exposure:
        shot = self._director.look(number)
        depth = self._plan.bit_depth if self._plan is not None else 8
        shot = replace(shot, trigger_index=max(0, shot.trigger_index), bit_depth=depth)
        ready_ns = at_ns + int(shot.exposure_us * 1e3)
        return _Exposure(shot, number, event, self._director.clock(at_ns), at_ns, ready_ns, self._run)

    def _empty_queue(self) -> None:
        while self._queue:
            exposure = self._queue.popleft()
            if exposure.number != _NOBODY and self._director.period_ns() is None:
                self._note(exposure.number, "not armed", exposure.begin_ns)

    def _note(self, number: int, event: Event, at_ns: int) -> None:
        self._log.add(LogEntry(trigger=number, block_id=0, event=event, time_ns=at_ns, arming=self._arming))

    def _live(self) -> None:
        try:
            while (exposure := self._next_exposure()) is not None:
                self._finish(exposure)
        except Exception as error:  # the top of a thread: kept for whoever closes the camera
            log.exception("stream thread ended")
            self._failure = error

    def _next_exposure(self) -> _Exposure | None:
        with self._changed:
            while not self._queue and not self._is_closing:
                self._changed.wait()
            return None if self._is_closing else self._queue.popleft()

    def _finish(self, exposure: _Exposure) -> None:
        asked_ns = time.monotonic_ns()
        pixels = self._source.frame(exposure.shot) if exposure.event != "lost" else None
        got_ns = time.monotonic_ns()
        # Rendering delays a frame; waiting behind another frame is the link's business.
        ready_ns = max(exposure.ready_ns, min(got_ns, exposure.ready_ns + got_ns - asked_ns))
        with self._changed:
            while (left_ns := ready_ns - time.monotonic_ns()) > 0 and self._is_wanted(exposure):
                self._changed.wait(left_ns / 1e9)
            plan, packer = self._plan, self._packer
            if plan is None or packer is None or not self._is_wanted(exposure):
                return
            frame, arming = self._frames, self._arming
            self._frames += 1
        block_id = gvsp.block_id(frame, self._faults.faults.first_block_id)
        entry = LogEntry(
            trigger=exposure.number,
            block_id=block_id,
            event=exposure.event,
            dropped_packets=packer.packet_count + 2,
            time_ns=exposure.begin_ns,
            arming=arming,
        )
        if pixels is None:
            self._log.add(entry)
        else:
            facts = FrameFacts(
                block_id=block_id,
                timestamp=exposure.timestamp,
                number=exposure.number,
                exposure_us=exposure.shot.exposure_us,
            )
            block = packer.pack(pixels, facts)
            forgotten = self._wire.send(block, entry, run=exposure.run, frame=frame, ready_ns=ready_ns)
            if forgotten is not None:
                packer.reuse(forgotten)
        with self._changed:
            if plan.frame_limit and self._frames >= plan.frame_limit and self._is_wanted(exposure):
                self.stop()

    def _is_wanted(self, exposure: _Exposure) -> bool:
        return exposure.run == self._run and self._plan is not None
