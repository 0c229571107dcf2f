"""The two ends around the producer: a GenTL client in ctypes, and a device that sends exactly what it is told.

harvesters hides incomplete frames and the virtual cameras lose none, so faults need both of these.
"""

import contextlib
import ctypes
import re
import socket
import struct
import threading
from dataclasses import dataclass
from pathlib import Path

from genicam.gentl import BUFFER_INFO_CMD_LIST, STREAM_INFO_CMD_LIST

CCP, SCP, SCPS, SCDA = 0x0A00, 0x0D00, 0x0D04, 0x0D18
CAPABILITY, RESEND_OFFERED = 0x0934, 1 << 2
_CUSTOM = ("incomplete", "lost_packets", "delivered", "packet_size", "receive_buffer", "receive_buffer_request")
_CUSTOM += ("lost_frames", "resends_asked", "resends_recovered", "duplicates", "invalid")
STATISTICS = {name: 1000 + number for number, name in enumerate(_CUSTOM)}
_UDP_SEGMENT = 103
_GUARD = b"\xee\xdd"
_READ_REGISTER, _WRITE_REGISTER, _DISCOVERY, _RESEND = 0x80, 0x82, 0x02, 0x40


class ScriptedDevice:
    """Answers discovery and registers on a loopback address; the test itself sends the stream packets."""

    def __init__(self, address="127.0.0.9"):
        self.address = address
        self.largest_test_packet = 9000
        """Test packets up to this size come through; 0 for a device that knows none."""
        self.packet_sizes = []
        """Every packet size written, without test packets."""
        self.heartbeats = 0
        self.deaf_to = 0
        """So many commands are lost on their way here."""
        self.lost_ids = []
        self.asked = []
        """(block, first packet, last packet) of every resend command."""
        self.resend = None
        """resend(block, packet id): the packets sent for each one asked for."""
        self.registers = {CCP: 0, SCPS: 0, SCP: 0, SCDA: 0, 0x0938: 3000, 0x093C: 0, 0x0940: 1_000_000}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 0))
        self._socket.settimeout(0.05)
        self.port = self._socket.getsockname()[1]
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._live)
        self._thread.start()

    def close(self):
        self._ends.set()
        self._thread.join(5)
        self._socket.close()

    def send(self, *packets):
        for packet in packets:
            self._socket.sendto(packet, ("127.0.0.1", self.registers[SCP]))

    def send_merged(self, sent):
        """Sends packets, all of one size but the last, as one message that the kernel may leave in one piece."""
        size = struct.pack("H", len(sent[0]))
        target = ("127.0.0.1", self.registers[SCP])
        self._socket.sendmsg([b"".join(sent)], [(socket.IPPROTO_UDP, _UDP_SEGMENT, size)], 0, target)

    def _live(self):
        while not self._ends.is_set():
            with contextlib.suppress(TimeoutError):
                self._answer(*self._socket.recvfrom(2048))

    def _answer(self, datagram, peer):
        command, _length, request_id = struct.unpack_from(">HHH", datagram, 2)
        if self.deaf_to > 0:
            self.deaf_to -= 1
            self.lost_ids.append(request_id)
            return
        status, payload = 0, b""
        if command == _RESEND:
            self._send_again(datagram)
            return
        if command == _DISCOVERY:
            payload = bytearray(248)
            payload[10:16] = bytes([2, 0, 0, 0, 0, 9])
            payload[216:222] = b"SCRIPT"
        elif command == _READ_REGISTER:
            (address,) = struct.unpack_from(">I", datagram, 8)
            self.heartbeats += address == CCP
            payload = struct.pack(">I", self.registers.get(address, 0))
        elif command == _WRITE_REGISTER:
            address, value = struct.unpack_from(">II", datagram, 8)
            self.registers[address] = value
            if address == SCPS:
                self._take_packet_size(value)
            payload = struct.pack(">HH", 0, 1)
        else:
            status = 0x8001
        self._socket.sendto(struct.pack(">HHHH", status, command + 1, len(payload), request_id) + payload, peer)

    def _send_again(self, datagram):
        extended = bool(datagram[1] & 0x10)
        assert len(datagram) == (28 if extended else 20)
        block, first, last = struct.unpack_from(">HII", datagram, 10)
        if extended:
            (block,) = struct.unpack_from(">Q", datagram, 20)
        self.asked.append((block, first, last))
        for packet_id in range(first, last + 1 if self.resend else first):
            self.send(*self.resend(block, packet_id))

    def _take_packet_size(self, value):
        size = value & 0xFFFF
        if not value >> 31:
            self.packet_sizes.append(size)
        elif size <= self.largest_test_packet:
            self.send(bytes(size - 28))


def header(kind, block, packet_id, *, status=0, extended=False):
    """Standard ids in 8 bytes, extended ones (GigE Vision 2) in 20."""
    if extended:
        return struct.pack(">HHIQI", status, 0, (0x80 | kind) << 24, block, packet_id)
    return struct.pack(">HHI", status, block, kind << 24 | packet_id)


def leader(block, *, shape_hw, ticks=1, extended=False):
    fields = struct.pack(">HHQIIIIIHH", 0, 1, ticks, 0x01080001, shape_hw[1], shape_hw[0], 0, 0, 0, 0)
    return header(1, block, 0, extended=extended) + fields


def payload(block, packet_id, data, *, extended=False):
    return header(3, block, packet_id, extended=extended) + data


def trailer(block, packet_id, *, height, extended=False):
    return header(2, block, packet_id, extended=extended) + struct.pack(">HHI", 0, 1, height)


def image_packets(block, pixels, *, stride, ticks=None, extended=False):
    """Leader, payload packets and trailer of a Mono8 image."""
    data = pixels.tobytes()
    parts = [data[start : start + stride] for start in range(0, len(data), stride)]
    return [
        leader(block, shape_hw=pixels.shape, ticks=block if ticks is None else ticks, extended=extended),
        *(payload(block, number, part, extended=extended) for number, part in enumerate(parts, start=1)),
        trailer(block, len(parts) + 1, height=pixels.shape[0], extended=extended),
    ]


@dataclass(frozen=True)
class Delivered:
    """One buffer as the new-buffer event handed it over."""

    handle: int
    frame_id: int
    is_incomplete: bool
    larger_than_buffer: bool
    data: bytes


class GenTLClient:
    """Opens the first camera of a producer and its stream, with buffers of `size` bytes."""

    def __init__(self, path: Path, *, buffer_count, size, access=4):
        self.library = ctypes.CDLL(str(path))
        self._call("GCInitLib")
        self.system, self.interface, self.device, self.stream, self.event = (ctypes.c_void_p() for _ in range(5))
        self._call("TLOpen", ctypes.byref(self.system))
        self._call("TLOpenInterface", self.system, b"twinlens_gev_0", ctypes.byref(self.interface))
        self._call("IFUpdateDeviceList", self.interface, None, ctypes.c_uint64(1000))
        name, length = ctypes.create_string_buffer(64), ctypes.c_size_t(64)
        self._call("IFGetDeviceID", self.interface, 0, name, ctypes.byref(length))
        self._call("IFOpenDevice", self.interface, name, access, ctypes.byref(self.device))
        self._call("DevOpenDataStream", self.device, b"stream0", ctypes.byref(self.stream))
        self._call("GCRegisterEvent", self.stream, 1, ctypes.byref(self.event))
        self.memory = [
            ctypes.create_string_buffer(_GUARD * (size // 2 + 32), size + 64) for _ in range(buffer_count)
        ]
        self._size = size
        for memory in self.memory:
            buffer = ctypes.c_void_p()
            self._call("DSAnnounceBuffer", self.stream, memory, ctypes.c_size_t(size), None, ctypes.byref(buffer))
            self.queue(buffer.value)

    def close(self):
        self._call("GCCloseLib")

    def has_overrun(self):
        """Whether a byte behind a buffer was written."""
        return any(memory.raw[self._size :] != _GUARD * 32 for memory in self.memory)

    def queue(self, handle):
        self._call("DSQueueBuffer", self.stream, ctypes.c_void_p(handle))

    def start(self):
        self._call("DSStartAcquisition", self.stream, 0, ctypes.c_uint64(2**64 - 1))

    def stop(self, *, kill=True):
        self._call("DSStopAcquisition", self.stream, int(kill))

    def wait(self, timeout_ms=5000):
        """(error code, buffer handle) of EventGetData."""
        data, size = (ctypes.c_uint64 * 2)(), ctypes.c_size_t(16)
        return self.library.EventGetData(self.event, data, ctypes.byref(size), ctypes.c_uint64(timeout_ms)), data[
            0
        ]

    def fetch(self):
        code, handle = self.wait()
        assert code == 0, (code, self.last_error())
        base = self.about(handle, BUFFER_INFO_CMD_LIST.BUFFER_INFO_BASE)
        size = self.about(handle, BUFFER_INFO_CMD_LIST.BUFFER_INFO_SIZE)
        return Delivered(
            handle,
            self.about(handle, BUFFER_INFO_CMD_LIST.BUFFER_INFO_FRAMEID),
            bool(self.about(handle, BUFFER_INFO_CMD_LIST.BUFFER_INFO_IS_INCOMPLETE)),
            bool(self.about(handle, BUFFER_INFO_CMD_LIST.BUFFER_INFO_DATA_LARGER_THAN_BUFFER)),
            ctypes.string_at(base, size),
        )

    def about(self, handle, command):
        """A number from DSGetBufferInfo."""
        value, size = ctypes.c_uint64(0), ctypes.c_size_t(8)
        target = (None, ctypes.byref(value), ctypes.byref(size))
        self._call("DSGetBufferInfo", self.stream, ctypes.c_void_p(handle), int(command), *target)
        return value.value

    def count(self, name):
        """A statistic of the stream."""
        command = STATISTICS.get(name) or STREAM_INFO_CMD_LIST[f"STREAM_INFO_{name.upper()}"]
        value, size = ctypes.c_uint64(0), ctypes.c_size_t(8)
        self._call("DSGetInfo", self.stream, int(command), None, ctypes.byref(value), ctypes.byref(size))
        return value.value

    def write_node(self, name, value):
        """Writes an integer of the stream module, as GenApi would: by the address in the module's XML."""
        xml, size = ctypes.create_string_buffer(1 << 16), ctypes.c_size_t(512)
        self._call("GCGetPortURL", self.stream, xml, ctypes.byref(size))
        _file, address, length = xml.value.decode().split(";")
        size.value = int(length, 16)
        self._call("GCReadPort", self.stream, ctypes.c_uint64(int(address, 16)), xml, ctypes.byref(size))
        found = re.search(
            f'<IntReg Name="{name}".*?<Address>(0x[0-9a-f]+)</Address>', xml.value.decode(), re.DOTALL
        )
        assert found is not None
        number, size = ctypes.c_uint64(value), ctypes.c_size_t(8)
        where = ctypes.c_uint64(int(found[1], 16))
        return self.library.GCWritePort(self.stream, where, ctypes.byref(number), ctypes.byref(size))

    def last_error(self):
        code, size, text = ctypes.c_int32(), ctypes.c_size_t(512), ctypes.create_string_buffer(512)
        self.library.GCGetLastError(ctypes.byref(code), text, ctypes.byref(size))
        return text.value.decode()

    def _call(self, name, *arguments):
        code = getattr(self.library, name)(*arguments)
        assert code == 0, f"{name}: {code}, {self.last_error()}"
