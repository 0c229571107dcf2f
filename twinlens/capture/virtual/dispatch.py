"""Turns a frame's payload into packets and sends them, with whatever faults were chosen."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from twinlens.capture.pixel_formats import Payload, pixel_format_of_code
from twinlens.capture.virtual import gvsp
from twinlens.capture.virtual.faults import Faults
from twinlens.capture.virtual.history import History, SentBlock
from twinlens.capture.virtual.packet_faults import PacketFaults, PacketPlan
from twinlens.capture.virtual.sender import PacedSender

RESENDS_MAX = 512
"""Packets that one request may ask for; a host asks again for the rest."""


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

    @property
    def bit_depth(self) -> int:
        """Bits of a pixel that carry information."""
        found = pixel_format_of_code(self.pixel_format)
        return found.bit_depth if found is not None else 8

    @property
    def payload_bytes(self) -> int:
        """Bytes of one picture."""
        found = pixel_format_of_code(self.pixel_format)
        bits = found.bits_per_pixel if found is not None else 8
        return -(-self.window.width * self.window.height * bits // 8)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, ready to be sent."""

    sent: SentBlock
    plan: PacketPlan


class Dispatch:
    """Sends the frames of one run to one host, and packets of the last ones again."""

    def __init__(self, plan: StreamPlan, sender: PacedSender, faults: Faults) -> None:
        self._plan = plan
        self._sender = sender
        self._faults = faults
        self._packet_faults = PacketFaults(faults)
        self._history = History(plan.payload_bytes, packet_size=plan.packet_size)
        self._rng = np.random.default_rng((faults.seed, 1))
        self._due: tuple[int, int] = (0, 0)

    def lay_out(self, index: int, block: int, payload: Payload, *, timestamp: int, stamp: Payload | None) -> Frame:
        """Put a picture into packets; `stamp` overwrites its first bytes."""
        plan = self._plan
        packets = self._history.next_packets()
        packets.fill(payload, block)
        if stamp is not None:
            packets.stamp(stamp)
        sent = SentBlock(
            block,
            gvsp.leader(block, timestamp=timestamp, pixel_format=plan.pixel_format, window=plan.window),
            packets,
            gvsp.trailer(block, packet_id=packets.count + 1, height=plan.window.height),
        )
        self._history.keep(sent)
        if self._packet_faults.are_none:
            return Frame(sent, PacketPlan(order=tuple(range(1, packets.count + 1))))
        return Frame(sent, self._packet_faults.plan(index, packets.count))

    def steps(self, frame: Frame) -> Iterator[Callable[[], None]]:
        """Each step sends a few packets; call `pause` after each."""
        sent, plan = frame.sent, frame.plan
        if plan.leader:
            yield partial(self._one, sent.leader)
        if plan.corrupted:
            yield partial(self._one, sent.packets.packet(plan.corrupted)[:-5])
        count = 0
        for first, last in self._runs(sent, plan):
            yield partial(self._burst, sent, first, last)
            count += last - first + 1
            if count == plan.stall_after:
                time.sleep(self._faults.stall_ms / 1e3)
        if plan.held_back:
            time.sleep(self._faults.delay_ms / 1e3)
            for packet in plan.held_back:
                yield partial(self._one, sent.packets.packet(packet))
        if plan.trailer:
            yield partial(self._one, sent.trailer)

    def pause(self, delay_ns: int) -> None:
        """Wait until the link would have carried what was sent last."""
        size, packets = self._due
        self._due = (0, 0)
        if packets:
            self._sender.pause(size, packets=packets, delay_ns=delay_ns)

    def resend(self, block: int, first: int, last: int) -> tuple[int, int]:
        """Send packets again; the frame's entry in the log (-1: none yet), and how many were sent."""
        found = self._history.find(block)
        count = 0
        for packet_id in range(first, min(last, first + RESENDS_MAX - 1) + 1):
            packet = found.packet(packet_id) if found is not None else None
            if packet is None:
                if found is not None and packet_id > found.packets.count + 1:
                    break  # "to the last one" asks beyond the trailer
                self._sender.send_one(gvsp.unavailable(block, packet_id), self._plan.host)
            elif self._packet_faults.survives_resend(self._rng):
                self._sender.send_one(gvsp.with_status(packet, gvsp.STATUS_RESENT), self._plan.host)
                count += 1
        if found is not None:
            found.resent += count
        return (found.log_number if found is not None else -1), count

    def _runs(self, sent: SentBlock, plan: PacketPlan) -> Iterator[tuple[int, int]]:
        """Runs of packets, none longer than a burst."""
        most = max(1, self._sender.burst_bytes(sent.packets.datagram_bytes) // sent.packets.datagram_bytes)
        whole = [(1, sent.packets.count)] if self._packet_faults.are_none else plan.runs()
        for first, last in whole:
            for start in range(first, last + 1, most):
                yield start, min(last, start + most - 1)

    def _one(self, packet: bytes) -> None:
        self._sender.send_one(packet, self._plan.host)
        self._due = (len(packet), 1)

    def _burst(self, sent: SentBlock, first: int, last: int) -> None:
        size = sent.packets.datagram_bytes
        part = sent.packets.buffer[(first - 1) * size : last * size]
        self._sender.send_burst(part, self._plan.host, datagram_bytes=size)
        self._due = (len(part), last - first + 1)
