"""The words of GVSP, GigE Vision's stream protocol: one image as leader, payload packets and trailer."""

import struct
from dataclasses import dataclass

import numpy as np

from twinlens.capture.pixel_formats import Payload
from twinlens.pixels import Mono

HEADER_BYTES = 8
IP_UDP_BYTES = 28
"""IP and UDP headers, which count towards a packet's size."""
OVERHEAD_BYTES = IP_UDP_BYTES + HEADER_BYTES
LAST_BLOCK_ID = 0xFFFF
STATUS_RESENT = 0x0100
STATUS_UNAVAILABLE = 0x800C
"""GEV_STATUS_PACKET_RESEND and GEV_STATUS_PACKET_UNAVAILABLE of the GigE Vision specification."""
_LEADER, _TRAILER, _PAYLOAD = 1, 2, 3
_IMAGE = 0x0001
_HEADER = struct.Struct(">HHI")


@dataclass(frozen=True, slots=True)
class Window:
    """The part of the sensor that is sent, px."""

    x: int
    y: int
    width: int
    height: int

    def cut(self, pixels: Mono) -> Mono:
        """This part of a whole-sensor image, as a view."""
        return pixels[self.y : self.y + self.height, self.x : self.x + self.width]


def block_id(frame_index: int, first: int = 1) -> int:
    """The 16-bit id of the n-th frame since arming: `first` for the first, 1 again after 65535, never 0."""
    return (frame_index + first - 1) % LAST_BLOCK_ID + 1


def with_status(packet: bytes, status: int) -> bytes:
    """The packet with another status in its header."""
    return struct.pack(">H", status) + packet[2:]


def unavailable(block: int, packet_id: int) -> bytes:
    """The answer to a request for a packet that is not kept any more."""
    return _HEADER.pack(STATUS_UNAVAILABLE, block, _PAYLOAD << 24 | packet_id)


def leader(block: int, *, timestamp: int, pixel_format: int, window: Window) -> bytes:
    """The packet that announces an image."""
    size = (window.width, window.height, window.x, window.y)
    fields = struct.pack(">HHQIIIIIHH", 0, _IMAGE, timestamp, pixel_format, *size, 0, 0)
    return _HEADER.pack(0, block, _LEADER << 24) + fields


def trailer(block: int, *, packet_id: int, height: int) -> bytes:
    """The packet that ends an image."""
    return _HEADER.pack(0, block, _TRAILER << 24 | packet_id) + struct.pack(">HHI", 0, _IMAGE, height)


class PayloadPackets:
    """All payload packets of one image side by side in one buffer that is reused for every frame.

    Only the block ids and the pixels change from frame to frame.
    """

    def __init__(self, payload_bytes: int, *, packet_size: int) -> None:
        """Lay out packets for `payload_bytes` of pixels; `packet_size` counts the IP and UDP headers."""
        self.datagram_bytes = packet_size - IP_UDP_BYTES
        room = packet_size - OVERHEAD_BYTES
        self.count = -(-payload_bytes // room)
        self._full = payload_bytes // room
        self._rest = payload_bytes - self._full * room
        self._rows = np.zeros((self.count, self.datagram_bytes), dtype=np.uint8)
        ids = (_PAYLOAD << 24) + np.arange(1, self.count + 1, dtype=np.uint32)
        self._rows[:, 4:HEADER_BYTES] = ids.astype(">u4")[:, None].view(np.uint8)
        self.total_bytes = payload_bytes + self.count * HEADER_BYTES
        self.buffer = self._rows.reshape(-1).data[: self.total_bytes]
        """Every packet, `datagram_bytes` each, the last one shorter."""

    def packet(self, packet_id: int) -> bytes:
        """One payload packet, header included; the first is number 1."""
        start = (packet_id - 1) * self.datagram_bytes
        return bytes(self.buffer[start : start + self.datagram_bytes])

    def stamp(self, data: Payload) -> None:
        """Overwrite the first bytes of the image; they must fit into the first packet."""
        self._rows[0, HEADER_BYTES : HEADER_BYTES + len(data)] = data

    def fill(self, flat: Payload, block: int) -> None:
        """Put an image's payload bytes into the packets."""
        room = self.datagram_bytes - HEADER_BYTES
        self._rows[:, 2:4] = np.frombuffer(struct.pack(">H", block), dtype=np.uint8)
        self._rows[: self._full, HEADER_BYTES:] = flat[: self._full * room].reshape(self._full, room)
        if self._rest:
            self._rows[-1, HEADER_BYTES : HEADER_BYTES + self._rest] = flat[-self._rest :]
