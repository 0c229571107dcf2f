"""Packets that leave after their time: those a host asks for again, and those a fault has held back."""

import heapq
import itertools
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import NamedTuple

from twinlens.capture.virtual import gvsp
from twinlens.capture.virtual.block import Block
from twinlens.capture.virtual.camera_log import CameraLog
from twinlens.capture.virtual.packet_faults import PacketFaults

log = logging.getLogger(__name__)

BLOCKS_KEPT = 9
"""The frame being sent and eight before it: 0.4 s at 20 fps."""
_REQUESTS_MAX = 1000
_HELD_MAX = 20_000
_ANSWERS_MAX = 64
"""Empty packets in answer to one request that cannot be met."""
_JOIN_TIMEOUT_S = 10.0


class History:
    """The latest frames of one acquisition; safe to use from any thread."""

    def __init__(self, camera_log: CameraLog) -> None:
        self._lock = threading.Lock()
        self._log = camera_log
        self._blocks: OrderedDict[int, Block] = OrderedDict()

    def add(self, block: Block) -> Block | None:
        """Remember a frame; the one that is forgotten for it."""
        with self._lock:
            oldest = self._blocks.pop(block.block_id, None)
            self._blocks[block.block_id] = block
            if oldest is None and len(self._blocks) > BLOCKS_KEPT:
                oldest = self._blocks.popitem(last=False)[1]
            return oldest

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._blocks.clear()

    def last_packet(self, block_id: int) -> int:
        """The packet id of a frame's trailer, -1 where the frame is not known any more."""
        with self._lock:
            block = self._blocks.get(block_id)
            return -1 if block is None else block.last_packet

    def packet(self, block_id: int, packet_id: int) -> bytes | None:
        """A packet as it is sent again."""
        with self._lock:
            block = self._blocks.get(block_id)
            return None if block is None else block.packet(packet_id, status=gvsp.STATUS_RESENT)

    def count_resent(self, block_id: int) -> None:
        """Note in the camera's log that a packet has left again."""
        with self._lock:
            block = self._blocks.get(block_id)
            if block is not None and block.log_number is not None:
                self._log.add_resent(block.log_number, 1)
            elif block is not None:
                block.resent += 1  # the frame is still being sent, and logged at its end

    def log_as(self, block: Block, log_number: int) -> None:
        """From now on the entry of this number is the frame's."""
        with self._lock:
            block.log_number = log_number
            self._log.add_resent(log_number, block.resent)


class Request(NamedTuple):
    """Packets that a host asks for."""

    run: int
    host: tuple[str, int]
    block_id: int
    first: int
    last: int


class _Held(NamedTuple):
    """A packet that a fault delays."""

    due_ns: int
    order: int
    run: int
    host: tuple[str, int]
    packet: bytes


class Resender:
    """Sends late packets from a thread of its own, between those of the frame that is on its way."""

    def __init__(
        self,
        history: History,
        faults: PacketFaults,
        send: Callable[[int, bytes, tuple[str, int]], bool],
    ) -> None:
        """`send` sends a packet of a run at the link's pace; False once that run is over."""
        self._history = history
        self._faults = faults
        self._send = send
        self._changed = threading.Condition()
        self._requests: deque[Request] = deque()
        self._held: list[_Held] = []
        self._numbers = itertools.count()
        self._is_closing = False
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._live, name="resend", daemon=True)
        self._thread.start()

    def ask(self, request: Request) -> bool:
        """Send these packets soon; False if they are gone, or too many requests wait."""
        with self._changed:
            if len(self._requests) >= _REQUESTS_MAX:
                return False
            self._requests.append(request)
            self._changed.notify()
        return request.first <= self._history.last_packet(request.block_id)

    def hold(self, packet: bytes, host: tuple[str, int], *, run: int, due_ns: int) -> None:
        """Send a packet at `due_ns`, earlier if too many wait."""
        with self._changed:
            heapq.heappush(self._held, _Held(due_ns, next(self._numbers), run, host, packet))
            self._changed.notify()

    def forget(self) -> None:
        """Drop whatever waits: its run is over."""
        with self._changed:
            self._requests.clear()
            self._held.clear()

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(_JOIN_TIMEOUT_S)

    def _live(self) -> None:
        try:
            while (late := self._next()) is not None:
                if isinstance(late, _Held):
                    self._send(late.run, late.packet, late.host)
                else:
                    self._answer(late)
        except Exception as error:  # the top of a thread: kept for whoever closes the camera
            log.exception("resend thread ended")
            self.failure = error

    def _next(self) -> Request | _Held | None:
        with self._changed:
            while not self._is_closing:
                wait_ns = self._held[0].due_ns - time.monotonic_ns() if self._held else None
                if wait_ns is not None and (wait_ns <= 0 or len(self._held) > _HELD_MAX):
                    return heapq.heappop(self._held)
                if self._requests:
                    return self._requests.popleft()
                self._changed.wait(None if wait_ns is None else wait_ns / 1e9)
            return None

    def _answer(self, request: Request) -> None:
        block_id, last = request.block_id, min(request.last, self._history.last_packet(request.block_id))
        for packet_id in range(request.first, last + 1):
            packet = self._history.packet(block_id, packet_id)
            if packet is None:
                return self._regret(request, packet_id)
            if self._faults.drops_resent():
                continue
            self._history.count_resent(block_id)
            if not self._send(request.run, packet, request.host):
                return None
        return None if request.first <= last else self._regret(request, request.first)

    def _regret(self, request: Request, first: int) -> None:
        for packet_id in range(first, min(request.last, first + _ANSWERS_MAX - 1) + 1):
            if not self._send(request.run, gvsp.unavailable(request.block_id, packet_id), request.host):
                return
