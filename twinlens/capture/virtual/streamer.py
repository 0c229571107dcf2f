"""A camera's stream: takes triggers, exposes, and sends frames from a thread of its own."""

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from twinlens.capture.virtual import gvsp
from twinlens.capture.virtual.camera_log import CameraLog, LogEntry
from twinlens.capture.virtual.faults import Faults
from twinlens.capture.virtual.sender import PacedSender
from twinlens.capture.virtual.source import ImageSource, Shot
from twinlens.capture.virtual.stamp import stamp_trigger

log = logging.getLogger(__name__)

_JOIN_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPlan:
    """What stays fixed from AcquisitionStart to AcquisitionStop."""

    host: tuple[str, int]
    packet_size: int
    do_not_fragment: bool
    pixel_format: int
    window: gvsp.Window
    frame_limit: int
    """Frames until the camera stops by itself; 0 = none."""


@dataclass(frozen=True, slots=True)
class _Exposure:
    shot: Shot
    timestamp: int
    begin_ns: int
    ready_ns: int
    """Host clock at the beginning and the end of exposure."""
    run: int


@runtime_checkable
class Director(Protocol):
    """What the stream asks the rest of the camera while it runs."""

    def look(self, trigger_index: int) -> Shot:
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
        faults: Faults | None = None,  # noqa: ARG002 - none of the stream's faults exist yet
        log: CameraLog | None = None,
    ) -> None:
        """`queue_length` triggers may wait while a frame is being sent."""
        self._source = source
        self._sender = sender
        self._director = director
        self._queue_length = queue_length
        self._log = log or CameraLog()
        self._changed = threading.Condition()
        self._queue: deque[_Exposure] = deque()
        self._plan: StreamPlan | None = None
        self._packets: gvsp.PayloadPackets | None = None
        self._run = 0
        self._triggers = self._frames = 0
        self._next_ns = 0
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
        payload = plan.window.width * plan.window.height
        packets = gvsp.PayloadPackets(payload, packet_size=plan.packet_size)
        with self._changed:
            self._sender.forbid_fragments(forbid=plan.do_not_fragment)
            self._plan, self._packets = plan, packets
            self._begin_run()

    def restart(self, host: tuple[str, int]) -> None:
        """Send a running acquisition to `host` from now on, counting from the beginning."""
        with self._changed:
            if self._plan is not None:
                self._plan = replace(self._plan, host=host)
                self._begin_run()

    def _begin_run(self) -> None:
        self._run += 1
        self._queue.clear()
        self._triggers = self._frames = self.missed_triggers = 0
        self._next_ns = time.monotonic_ns()
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
            self.stop()

    def send_test_packet(self, packet_size: int, host: tuple[str, int], *, do_not_fragment: bool) -> None:
        """Send one packet of `packet_size` so that the host learns whether the path carries it."""
        with self._changed:
            self._sender.forbid_fragments(forbid=do_not_fragment)
            self._sender.send_one(bytes(packet_size - gvsp.IP_UDP_BYTES), host)

    def resend(self, block_id: int, first_packet: int, last_packet: int) -> bool:
        """Send packets of a block again; False, because nothing is kept yet."""
        log.debug("block %d: packets %d to %d are gone", block_id, first_packet, last_packet)
        return False

    def trigger(self, number: int | None = None, *, at_ns: int | None = None) -> bool:
        """Expose at a host time, by default now; False if too many triggers are waiting already, which is counted.

        `number` is stamped into the pixels; by default triggers are counted since arming.
        """
        with self._changed:
            index = self._triggers if number is None else number
            at_ns = time.monotonic_ns() if at_ns is None else at_ns
            self._triggers += 1
            if len(self._queue) >= self._queue_length:
                self.missed_triggers += 1
                self._log.add(LogEntry(trigger=index, block_id=0, event="too fast", time_ns=at_ns))
                return False
            self._queue.append(self._expose(index, at_ns))
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

    def _expose(self, trigger_index: int, at_ns: int) -> _Exposure:
        shot = self._director.look(trigger_index)
        self._director.strobe(trigger_index, at_ns)
        ready_ns = at_ns + int(shot.exposure_us * 1e3)
        return _Exposure(shot, self._director.clock(at_ns), at_ns, ready_ns, self._run)

    def _live(self) -> None:
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
                    # A frame that came late does not make the following ones hurry.
                    self._next_ns = max(self._next_ns + period_ns, time.monotonic_ns())
                    self._triggers += 1
                    return self._expose(self._triggers - 1, time.monotonic_ns())
                self._changed.wait(1.0 if wait_ns is None else min(1.0, wait_ns / 1e9))
            return None

    def _finish(self, exposure: _Exposure) -> None:
        pixels = self._source.frame(exposure.shot)
        with self._changed:
            while (left_ns := exposure.ready_ns - time.monotonic_ns()) > 0 and self._is_wanted(exposure):
                self._changed.wait(left_ns / 1e9)
            plan, packets = self._plan, self._packets
            if plan is None or packets is None or not self._is_wanted(exposure):
                return
            block = gvsp.block_id(self._frames)
            self._frames += 1
        seen = plan.window.cut(pixels)
        stamp_trigger(seen, exposure.shot.trigger_index)
        packets.fill(seen, block)
        self._send(exposure, plan, packets, block=block)
        with self._changed:
            if plan.frame_limit and self._frames >= plan.frame_limit and self._is_wanted(exposure):
                self.stop()

    def _is_wanted(self, exposure: _Exposure) -> bool:
        return exposure.run == self._run and self._plan is not None

    def _send(self, exposure: _Exposure, plan: StreamPlan, packets: gvsp.PayloadPackets, *, block: int) -> None:
        first = gvsp.leader(
            block, timestamp=exposure.timestamp, pixel_format=plan.pixel_format, window=plan.window
        )
        last = gvsp.trailer(block, packet_id=packets.count + 1, height=plan.window.height)
        size = packets.datagram_bytes
        burst = self._sender.burst_bytes(size)
        with self._changed:
            if exposure.run != self._run:
                return
            self._sender.send_one(first, plan.host)
        for start in range(0, packets.total_bytes, burst):
            part = packets.buffer[start : start + burst]
            with self._changed:
                if exposure.run != self._run:
                    return
                self._sender.send_burst(part, plan.host, datagram_bytes=size)
            self._sender.pause(len(part), packets=-(-len(part) // size), delay_ns=self._director.packet_delay_ns())
        with self._changed:
            if exposure.run == self._run:
                self._sender.send_one(last, plan.host)
                number, begin_ns = exposure.shot.trigger_index, exposure.begin_ns
                self._log.add(LogEntry(trigger=number, block_id=block, event="sent", time_ns=begin_ns))
