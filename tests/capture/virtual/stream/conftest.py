"""A camera's stream without the rest of the camera, and a receiver that keeps every packet."""

import socket
import struct
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pytest

from twinlens.capture.virtual.camera_log import CameraLog
from twinlens.capture.virtual.faults import Faults
from twinlens.capture.virtual.gvsp import Window
from twinlens.capture.virtual.sender import PacedSender
from twinlens.capture.virtual.source import Shot
from twinlens.capture.virtual.streamer import Streamer, StreamPlan

SHAPE_HW = (64, 96)
MONO8 = 0x0108_0001


class Packet(NamedTuple):
    """One GVSP packet, as it arrived."""

    status: int
    block: int
    kind: int
    """1 leader, 2 trailer, 3 payload."""
    packet_id: int
    data: bytes


class Director:
    """The rest of the camera: settings, a clock that shows the host's, and a strobe line."""

    def __init__(self):
        self.strobes = []
        self.period = None

    def look(self, number):
        return Shot(number, 0, 0, exposure_us=50.0, gain_db=0.0)

    def clock(self, at_ns=None):
        return time.monotonic_ns() if at_ns is None else at_ns

    def strobe(self, number, at_ns):
        self.strobes.append((number, at_ns))

    def period_ns(self):
        return self.period

    def packet_delay_ns(self):
        return 0


class Bench:
    """A stream under test."""

    def __init__(self, source, faults, *, use_segmentation):
        self._receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._receiver.bind(("127.0.0.1", 0))
        self._sender = PacedSender("127.0.0.1", bytes_per_s=125e6, use_segmentation=use_segmentation)
        self.source, self.log, self.director = source, CameraLog(), Director()
        self.streamer = Streamer(
            source, self._sender, director=self.director, queue_length=100, faults=faults, log=self.log
        )
        self.plan = StreamPlan(
            host=self._receiver.getsockname(),
            packet_size=576,
            do_not_fragment=True,
            pixel_format=MONO8,
            window=Window(0, 0, source.shape_hw[1], source.shape_hw[0]),
            frame_limit=0,
        )

    def close(self):
        self.streamer.close()
        self._sender.close()
        self._receiver.close()
        assert self.streamer.failure is None

    def fire(self, *numbers):
        """Trigger, and wait until the log has an entry for each."""
        for number in numbers:
            wanted = len(self.log) + 1
            self.streamer.trigger(number)
            self.await_entries(wanted)

    def await_entries(self, count):
        deadline = time.monotonic() + 10.0
        while len(self.log) < count:
            assert time.monotonic() < deadline, f"{len(self.log)} of {count} entries after 10 s: {list(self.log)}"
            time.sleep(0.001)

    def packets(self, wait_s=0.0):
        """What has arrived; on the loopback that is all that was sent. Waits so long for the first."""
        found = []
        self._receiver.settimeout(wait_s)
        try:
            while True:
                found.append(self._receiver.recv(65535))
                self._receiver.settimeout(0.0)
        except (TimeoutError, BlockingIOError):
            return [parse(packet) for packet in found]

    def packets_until(self, is_enough, seconds=10.0):
        """What arrives until that is enough."""
        found, deadline = [], time.monotonic() + seconds
        while not is_enough(found):
            left_s = deadline - time.monotonic()
            assert left_s > 0, f"only {len(found)} packets"
            found += self.packets(left_s)
        return found

    def image(self, packets, dtype=np.uint8):
        """The pixels in the payload packets, put together by their ids."""
        parts = dict(sorted((p.packet_id, p.data) for p in packets if p.kind == 3 and not p.status & 0x8000))
        assert list(parts) == list(range(1, len(parts) + 1))
        return np.frombuffer(b"".join(parts.values()), dtype).reshape(self.source.shape_hw)


def parse(packet):
    if len(packet) < 8:
        return Packet(0, 0, -1, 0, packet)
    status, block, word = struct.unpack_from(">HHI", packet)
    return Packet(status, block, word >> 24, word & 0xFFFFFF, packet[8:])


@pytest.fixture
def by_block() -> Callable:
    """Sorts packets by block id, in the order of their arrival."""

    def sort(packets):
        blocks = defaultdict(list)
        for packet in packets:
            blocks[packet.block].append(packet)
        return dict(blocks)

    return sort


class Levels:
    """Pixels that tell where they are and which trigger they answer, of 8 or 10 bits."""

    scene_count = mirror_state_count = 1

    def __init__(self, shape_hw=SHAPE_HW, *, bit_depth=8):
        self.shape_hw = shape_hw
        y, x = np.mgrid[: shape_hw[0], : shape_hw[1]]
        self._ramp = x + 3 * y
        self._modulus, self._dtype = (251, np.uint8) if bit_depth == 8 else (1021, np.uint16)

    def frame(self, shot):
        return ((self._ramp + 31 * shot.trigger_index) % self._modulus).astype(self._dtype)


@pytest.fixture
def levels() -> type[Levels]:
    return Levels


@pytest.fixture(params=[True, False], ids=["segmented", "single"])
def make_bench(request) -> Iterator[Callable[..., Bench]]:
    """Makes benches; fails the test if one of their threads failed."""
    benches = []

    def make(source=None, **faults):
        bench = Bench(source or Levels(), Faults(**faults), use_segmentation=request.param)
        benches.append(bench)
        return bench

    yield make
    for bench in benches:
        bench.close()


@pytest.fixture
def start_bench(make_bench) -> Callable[..., Bench]:
    """Makes benches whose stream runs."""

    def start(source=None, **faults):
        bench = make_bench(source, **faults)
        bench.streamer.start(bench.plan)
        return bench

    return start
