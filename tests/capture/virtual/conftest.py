"""A tiny GigE Vision host and a world to look at, so that the virtual cameras are judged from outside."""

import io
import itertools
import socket
import struct
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from twinlens.capture.virtual.camera import VirtualCamera, VirtualCameraSettings

NS = "{http://www.genicam.org/GenApi/Version_1_1}"
DISCOVERY, READREG, WRITEREG, READMEM, WRITEMEM = 0x02, 0x80, 0x82, 0x84, 0x86
CCP, SCP, SCDA = 0x0A00, 0x0D00, 0x0D18


class Ramp:
    """A scene whose every pixel tells where it is, which trigger it answers and what was selected."""

    scene_count = 5
    mirror_state_count = 3

    def __init__(self, shape_hw=(64, 96)):
        self.shape_hw = shape_hw
        y, x = np.mgrid[: shape_hw[0], : shape_hw[1]]
        self._ramp = x + 3 * y

    def frame(self, shot):
        shift = 31 * shot.trigger_index + 7 * shot.scene_index + 11 * shot.mirror_state_index
        return ((self._ramp + shift) % 251).astype(np.uint8)


class Host:
    """Speaks GVCP to one camera from one UDP port."""

    def __init__(self, address, port):
        self._peer = (address, port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(2.0)
        self._ids = itertools.cycle(range(1, 0xFF00))
        self._registers = None

    def close(self):
        self._socket.close()

    def tell(self, datagram):
        self._socket.sendto(datagram, self._peer)

    def hear(self):
        return self._socket.recvfrom(2048)[0]

    def ask(self, code, payload=b""):
        """(status, payload) of the acknowledge."""
        request_id = next(self._ids)
        self.tell(struct.pack(">BBHHH", 0x42, 1, code, len(payload), request_id) + payload)
        while True:
            answer = self.hear()
            status, answered, length, answer_id = struct.unpack_from(">HHHH", answer)
            if (answered, answer_id) == (code + 1, request_id):
                assert length == len(answer) - 8
                return status, answer[8:]

    def read(self, address):
        status, data = self.ask(READREG, struct.pack(">I", address))
        assert status == 0, hex(status)
        return int.from_bytes(data, "big")

    def write(self, address, value):
        """The status of a WRITEREG."""
        return self.ask(WRITEREG, struct.pack(">II", address, value))[0]

    def read_memory(self, address, count):
        data = b""
        while len(data) < count:
            block = min(512, -(-(count - len(data)) // 4) * 4)
            status, part = self.ask(READMEM, struct.pack(">IHH", address + len(data), 0, block))
            assert status == 0, hex(status)
            data += part[4:]
        return data[:count]

    def write_memory(self, address, data):
        """The status of a WRITEMEM."""
        return self.ask(WRITEMEM, struct.pack(">I", address) + data)[0]

    def take_control(self, privilege=2):
        assert self.write(CCP, privilege) == 0

    def xml(self):
        url = self.read_memory(0x200, 512).split(b"\0")[0].decode()
        assert url.startswith("Local:")
        name, address, length = url.removeprefix("Local:").split(";")
        with zipfile.ZipFile(io.BytesIO(self.read_memory(int(address, 16), int(length, 16)))) as archive:
            assert name.endswith(".zip")
            return archive.read(archive.namelist()[0])

    def place(self, feature):
        """(address, length, is a float) of the register behind a feature, as the XML says."""
        if self._registers is None:
            self._registers = {
                node.get("Name"): (int(node.findtext(f"{NS}Address"), 16), int(node.findtext(f"{NS}Length")), kind)
                for kind in ("IntReg", "FloatReg", "MaskedIntReg")
                for node in ET.fromstring(self.xml()).iter(f"{NS}{kind}")  # noqa: S314 - our own camera's
            }
        return self._registers[f"{feature}Reg"]

    def get(self, feature):
        address, length, kind = self.place(feature)
        data = self.read_memory(address, length)
        return struct.unpack(">d", data)[0] if kind == "FloatReg" else int.from_bytes(data, "big")

    def put(self, feature, value):
        """The status of writing a feature."""
        address, length, kind = self.place(feature)
        data = struct.pack(">d", value) if kind == "FloatReg" else value.to_bytes(length, "big")
        return self.write_memory(address, data)

    def open_stream(self, receiver, *, packet_size):
        assert self.write(0x0D04, packet_size) == 0
        assert self.write(SCDA, 0x7F000001) == 0
        assert self.write(SCP, receiver.port) == 0

    def start(self, *, triggered=True):
        assert self.put("TriggerMode", int(triggered)) == 0
        assert self.put("AcquisitionStart", 1) == 0


@dataclass(frozen=True)
class Received:
    """One reassembled image."""

    block_id: int
    timestamp: int
    offset_xy: tuple[int, int]
    pixels: np.ndarray
    packet_sizes: frozenset[int]
    """IP packet sizes of the payload packets."""


class Receiver:
    """Listens for GVSP on a UDP port of its own."""

    def __init__(self):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]

    def close(self):
        self._socket.close()

    def datagram(self, timeout_s=5.0):
        self._socket.settimeout(timeout_s)
        return self._socket.recv(65535)

    def frame(self, timeout_s=10.0):
        """The next complete image; fails on a hole, a foreign block or silence."""
        deadline = time.monotonic() + timeout_s
        first = self.datagram(deadline - time.monotonic())
        block = _header(first, kind=1, packet_id=0)
        _kind, timestamp, pixel_format, width, height, x, y = struct.unpack_from(">HQIIIII", first, 10)
        assert pixel_format == 0x01080001
        parts, sizes = [], set()
        while True:
            packet = self.datagram(deadline - time.monotonic())
            packet_id = len(parts) + 1
            if packet[4] == 2:
                assert _header(packet, kind=2, packet_id=packet_id) == block
                assert struct.unpack_from(">I", packet, 12) == (height,)
                break
            assert _header(packet, kind=3, packet_id=packet_id) == block
            parts.append(packet[8:])
            sizes.add(len(packet) + 28)
        pixels = np.frombuffer(b"".join(parts), dtype=np.uint8).reshape(height, width)
        return Received(block, timestamp, (x, y), pixels, frozenset(sizes))

    def is_silent(self, for_s):
        """True if nothing arrives for so long."""
        try:
            self.datagram(for_s)
        except TimeoutError:
            return True
        return False


def _header(packet, *, kind, packet_id):
    status, block, word = struct.unpack_from(">HHI", packet)
    assert status == 0
    assert word == kind << 24 | packet_id
    return block


@pytest.fixture
def ramp() -> type[Ramp]:
    return Ramp


@pytest.fixture
def free_port() -> int:
    """A UDP port nobody holds, so that tests run beside other cameras."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("0.0.0.0", 0))  # noqa: S104
        return probe.getsockname()[1]


@pytest.fixture
def start_camera(free_port: int) -> Iterator[Callable[..., VirtualCamera]]:
    """Starts cameras; fails the test if a camera's thread failed."""
    cameras = []

    def start(
        source=None,
        *,
        address="127.0.0.2",
        serial="VA0001",
        port=free_port,
        faults=None,
        log_path=None,
        **settings,
    ):
        settings.setdefault("bytes_per_s", 40e6)
        camera = VirtualCamera(
            source or Ramp(),
            address=address,
            serial=serial,
            port=port,
            settings=VirtualCameraSettings(**settings),
            faults=faults,
            log_path=log_path,
        )
        cameras.append(camera)
        return camera

    yield start
    for camera in cameras:
        camera.close()


@pytest.fixture
def connect(free_port: int) -> Iterator[Callable[..., Host]]:
    """Makes hosts, each with its own UDP port."""
    hosts = []

    def make(address="127.0.0.2", port=free_port):
        hosts.append(Host(address, port))
        return hosts[-1]

    yield make
    for host in hosts:
        host.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    listening = Receiver()
    yield listening
    listening.close()
