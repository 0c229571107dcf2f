"""The words of GVSP, GigE Vision's stream protocol: one image as leader, payload packets and trailer.

Packet 0 of a block is its leader, 1 to n are its payload and n + 1 is its trailer.
"""

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
_WITH_CHUNKS = 0x4000
"""Flag of a payload type: chunk data follows the image, tags last."""
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
    """The 16-bit id of the n-th frame since arming: `first` for frame 0, 1 again after 65535, never 0."""
    return (first - 1 + frame_index) % LAST_BLOCK_ID + 1


def leader(block: int, *, timestamp: int, pixel_format: int, window: Window, has_chunks: bool = False) -> bytes:
    """The packet that announces an image."""
    size = (window.width, window.height, window.x, window.y)
    fields = struct.pack(">HHQIIIIIHH", 0, _kind(has_chunks=has_chunks), timestamp, pixel_format, *size, 0, 0)
    return _HEADER.pack(0, block, _LEADER << 24) + fields


def trailer(block: int, *, packet_id: int, height: int, chunk_bytes: int = 0) -> bytes:
    """The packet that ends an image; `chunk_bytes` is the whole payload's size where it has chunks, else 0."""
    fields = struct.pack(">HHI", 0, _kind(has_chunks=bool(chunk_bytes)), height)
    if chunk_bytes:
        fields += struct.pack(">II", chunk_bytes, 0)
    return _HEADER.pack(0, block, _TRAILER << 24 | packet_id) + fields


def payload_header(block: int, packet_id: int, *, status: int = 0) -> bytes:
    """The header of one payload packet."""
    return _HEADER.pack(status, block, _PAYLOAD << 24 | packet_id)


def unavailable(block: int, packet_id: int) -> bytes:
    """The answer to a request for a packet that is not kept any more."""
    return payload_header(block, packet_id, status=STATUS_UNAVAILABLE)


def with_status(packet: bytes, status: int) -> bytes:
    """A packet with another status."""
    return struct.pack(">H", status) + packet[2:]


def _kind(*, has_chunks: bool) -> int:
    return _IMAGE | (_WITH_CHUNKS if has_chunks else 0)


class PayloadPackets:
    """All payload packets of one image side by side in one buffer.

    Only the block ids and the payload change from frame to frame.
    """

    def __init__(self, payload_bytes: int, *, packet_size: int) -> None:
        """Lay out packets for so much payload; `packet_size` counts the IP and UDP headers."""
        self.datagram_bytes = packet_size - IP_UDP_BYTES
        self.payload_bytes = payload_bytes
        self._room = packet_size - OVERHEAD_BYTES
        self.count = -(-payload_bytes // self._room)
        self._rows = np.zeros((self.count, self.datagram_bytes), dtype=np.uint8)
        ids = (_PAYLOAD << 24) + np.arange(1, self.count + 1, dtype=np.uint32)
        self._rows[:, 4:HEADER_BYTES] = ids.astype(">u4")[:, None].view(np.uint8)
        self.total_bytes = payload_bytes + self.count * HEADER_BYTES
        self.buffer = self._rows.reshape(-1).data[: self.total_bytes]
        """Every packet, `datagram_bytes` each, the last one shorter."""

    def fill(self, payload: Payload, *, start: int = 0) -> None:
        """Put bytes (n,) into the payload from byte `start` on."""
        room, done = self._room, 0
        if start % room == 0 and (whole := len(payload) // room):
            row = start // room
            self._rows[row : row + whole, HEADER_BYTES:] = payload[: whole * room].reshape(whole, room)
            done = whole * room
        while done < len(payload):
            row, column = divmod(start + done, room)
            part = payload[done : done + room - column]
            self._rows[row, HEADER_BYTES + column : HEADER_BYTES + column + len(part)] = part
            done += len(part)

    def name(self, block: int) -> None:
        """Write the block id into every header."""
        self._rows[:, 2:4] = np.frombuffer(struct.pack(">H", block), dtype=np.uint8)

    def packets(self, first: int, last: int) -> memoryview:
        """Payload packets `first` to `last` (1 to `count`), side by side."""
        return self.buffer[(first - 1) * self.datagram_bytes : last * self.datagram_bytes]
