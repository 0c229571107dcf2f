"""Blocks onto the wire, with their packets' faults; nothing of a run leaves after the run is over."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from twinlens.capture.virtual import gvsp
from twinlens.capture.virtual.block import Block
from twinlens.capture.virtual.camera_log import CameraLog, LogEntry
from twinlens.capture.virtual.packet_faults import PacketFaults, Step
from twinlens.capture.virtual.resend import History, Request, Resender
from twinlens.capture.virtual.sender import PacedSender


class Transmission:
    """Sends one frame after another, and what hosts ask for again."""

    def __init__(
        self,
        sender: PacedSender,
        faults: PacketFaults,
        camera_log: CameraLog,
        *,
        changed: threading.Condition,
        delay_ns: Callable[[], int],
    ) -> None:
        """`changed` guards the run; `delay_ns` is asked for the pause between packets."""
        self._sender = sender
        self._faults = faults
        self._log = camera_log
        self._changed = changed
        self._delay_ns = delay_ns
        self._run = 0
        self._host = ("", 0)
        self._history = History(camera_log)
        self._resender = Resender(self._history, faults, self._send_late)

    @property
    def failure(self) -> BaseException | None:
        """What ended the resend thread, if anything did."""
        return self._resender.failure

    def begin(self, run: int, host: tuple[str, int] | None = None) -> None:
        """Forget all earlier runs; call with `changed` held."""
        self._run = run
        self._host = host or ("", 0)
        self._history.clear()
        self._resender.forget()

    def close(self) -> None:
        """End the resend thread."""
        self._resender.close()

    def forbid_fragments(self, *, forbid: bool) -> None:
        """Whether a packet too big for the path is dropped instead of cut."""
        self._sender.forbid_fragments(forbid=forbid)

    def send_test_packet(self, packet_size: int, host: tuple[str, int], *, do_not_fragment: bool) -> None:
        """Send one packet of `packet_size`, headers included."""
        size = packet_size - gvsp.IP_UDP_BYTES
        self._sender.forbid_fragments(forbid=do_not_fragment)
        self._sender.send(bytes(size), host, datagram_bytes=size)

    def resend(self, block_id: int, first: int, last: int) -> bool:
        """Send packets again; False if they are gone, which the host is told."""
        with self._changed:
            run, host = self._run, self._host
        return bool(host[1]) and self._resender.ask(Request(run, host, block_id, first, last))

    def send(self, block: Block, entry: LogEntry, *, run: int, frame: int, ready_ns: int) -> Block | None:
        """Send frame number `frame` since arming, which was ready at a host time, and log it as `entry`.

        A frame that is cut short because its run is over is not logged. Returns the frame forgotten for this one.
        """
        with self._changed:
            forgotten = self._history.add(block) if run == self._run else None
        script = self._faults.script(block.packets.count, frame=frame, arming=entry.arming)
        self._sender.pace.rest(ready_ns)
        if all(self._do(step, block, run=run, frame=frame, arming=entry.arming) for step in script.steps):
            number = self._log.add(replace(entry, dropped_packets=len(script.dropped)))
            self._history.log_as(block, number)
        return forgotten

    def _do(self, step: Step, block: Block, *, run: int, frame: int, arming: int) -> bool:
        """False once the run is over."""
        match step.deed:
            case "send":
                return self._send_packets(block, step, run)
            case "stall":
                return self._wait(run, self._faults.faults.stall_ms)
            case "hold":
                due_ns = time.monotonic_ns() + round(self._faults.faults.delay_ms * 1e6)
                self._resender.hold(block.packet(step.first), block.host, run=run, due_ns=due_ns)
                return True
            case "spoil":
                spoilt = self._faults.spoil(block.packet(step.first), frame=frame, arming=arming)
                return self._send_late(run, spoilt, block.host)

    def _send_packets(self, block: Block, step: Step, run: int) -> bool:
        size = block.packets.datagram_bytes
        for packets, count in block.bursts(step.first, step.last, limit=self._sender.burst_packets(size)):
            with self._changed:
                if run != self._run:
                    return False
                self._sender.send(packets, block.host, datagram_bytes=size)
            self._sender.pause(len(packets), packets=count, delay_ns=self._delay_ns())
        return True

    def _send_late(self, run: int, packet: bytes, host: tuple[str, int]) -> bool:
        with self._changed:
            if run != self._run:
                return False
            self._sender.send(packet, host, datagram_bytes=max(1, len(packet)))
        self._sender.pause(len(packet), packets=1, delay_ns=0)
        return True

    def _wait(self, run: int, time_ms: float) -> bool:
        due_ns = time.monotonic_ns() + round(time_ms * 1e6)
        with self._changed:
            while run == self._run and (left_ns := due_ns - time.monotonic_ns()) > 0:
                self._changed.wait(left_ns / 1e9)
            return run == self._run
