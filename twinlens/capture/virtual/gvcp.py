"""The words of GVCP, GigE Vision's control protocol: what a command and its acknowledge look like in bytes.

Only formats live here; who may do what is decided in `control`.
"""

import socket
import struct
from dataclasses import dataclass
from enum import IntEnum

GVCP_PORT = 3956
MAX_PAYLOAD = 540
"""Longest payload of a command or acknowledge, so that a packet stays within 576 bytes."""
MAX_BLOCK = 536
"""Longest READMEM or WRITEMEM block, bytes."""
_KEY = 0x42
_ACK_WANTED = 0x01
_HEADER = struct.Struct(">BBHHH")


class Command(IntEnum):
    """Commands that have a name here; the acknowledge's code is one higher."""

    DISCOVERY = 0x0002
    FORCEIP = 0x0004
    PACKETRESEND = 0x0040
    READREG = 0x0080
    WRITEREG = 0x0082
    READMEM = 0x0084
    WRITEMEM = 0x0086
    PENDING = 0x0088
    """Only its acknowledge exists."""
    ACTION = 0x0100


class Status(IntEnum):
    """Status codes of acknowledges."""

    SUCCESS = 0x0000
    NOT_IMPLEMENTED = 0x8001
    INVALID_PARAMETER = 0x8002
    INVALID_ADDRESS = 0x8003
    WRITE_PROTECT = 0x8004
    BAD_ALIGNMENT = 0x8005
    ACCESS_DENIED = 0x8006
    BUSY = 0x8007
    LOCAL_PROBLEM = 0x8008
    INVALID_HEADER = 0x800E
    NO_REF_TIME = 0x8013
    ACTION_LATE = 0x8016


@dataclass(frozen=True, slots=True)
class Request:
    """One command as it arrived."""

    code: int
    payload: bytes
    request_id: int
    flags: int
    is_intact: bool
    """False when the header's length contradicts the datagram."""

    @property
    def wants_answer(self) -> bool:
        """Whether an acknowledge is due."""
        return bool(self.flags & _ACK_WANTED)


class NotGvcpError(ValueError):
    """A datagram is no GVCP command; it deserves no answer."""


class RefusedError(Exception):
    """A command cannot be obeyed; `status` says why, `done` how many registers or bytes were written before."""

    def __init__(self, status: Status, *, done: int = 0) -> None:
        super().__init__(status.name)
        self.status = status
        self.done = done


def parse_request(datagram: bytes) -> Request:
    """The command in a datagram.

    Raises:
        NotGvcpError: too short, not GVCP, or request id 0, which the standard forbids.
    """
    if len(datagram) < _HEADER.size:
        raise NotGvcpError(f"{len(datagram)} bytes are no GVCP command")
    key, flags, code, length, request_id = _HEADER.unpack_from(datagram)
    if key != _KEY or request_id == 0:
        raise NotGvcpError(f"key 0x{key:02x}, request id {request_id}")
    payload = datagram[_HEADER.size :]
    return Request(
        code=code,
        payload=payload,
        request_id=request_id,
        flags=flags,
        is_intact=len(payload) == length <= MAX_PAYLOAD,
    )


def acknowledge(request: Request, status: Status, payload: bytes = b"") -> bytes:
    """The answer to `request`."""
    code = (request.code + 1) & 0xFFFF
    return struct.pack(">HHHH", status, code, len(payload), request.request_id) + payload


def pending(request: Request, time_ms: int) -> bytes:
    """Tell the host to wait: the answer to `request` comes in about `time_ms`."""
    return struct.pack(">HHHHHH", Status.SUCCESS, Command.PENDING + 1, 4, request.request_id, 0, time_ms)


def command(code: Command, payload: bytes, *, request_id: int) -> bytes:
    """A command as a host sends it, an acknowledge wanted."""
    return _HEADER.pack(_KEY, _ACK_WANTED, code, len(payload), request_id) + payload


def read_addresses(payload: bytes) -> list[int]:
    """Addresses of a READREG."""
    if not payload or len(payload) % 4:
        raise RefusedError(Status.INVALID_HEADER)
    return [int(word) for (word,) in struct.iter_unpack(">I", payload)]


def read_writes(payload: bytes) -> list[tuple[int, bytes]]:
    """(address, four bytes) of each register of a WRITEREG."""
    if not payload or len(payload) % 8:
        raise RefusedError(Status.INVALID_HEADER)
    return [(int(address), data) for address, data in struct.iter_unpack(">I4s", payload)]


def read_block(payload: bytes) -> tuple[int, int]:
    """(address, byte count) of a READMEM."""
    if len(payload) != 8:
        raise RefusedError(Status.INVALID_HEADER)
    address, count = struct.unpack(">IxxH", payload)
    if not 0 < count <= MAX_BLOCK:
        raise RefusedError(Status.INVALID_PARAMETER)
    if address % 4 or count % 4:
        raise RefusedError(Status.BAD_ALIGNMENT)
    return address, count


def read_written_block(payload: bytes) -> tuple[int, bytes]:
    """(address, data) of a WRITEMEM."""
    if not 4 < len(payload) <= MAX_BLOCK + 4:
        raise RefusedError(Status.INVALID_HEADER)
    (address,) = struct.unpack_from(">I", payload)
    if address % 4 or len(payload) % 4:
        raise RefusedError(Status.BAD_ALIGNMENT)
    return address, payload[4:]


def count_payload(count: int) -> bytes:
    """Payload of a WRITEREG or WRITEMEM acknowledge: how much was written."""
    return struct.pack(">HH", 0, count)


def read_resend(payload: bytes) -> tuple[int, int, int]:
    """(block id, first packet id, last packet id) of a PACKETRESEND."""
    if len(payload) != 12:
        raise RefusedError(Status.INVALID_HEADER)
    block, first, last = struct.unpack(">xxHII", payload)
    return block, first & 0xFFFFFF, last & 0xFFFFFF


def read_force_ip(payload: bytes) -> tuple[bytes, str]:
    """(MAC address, new IPv4 address) of a FORCEIP."""
    if len(payload) != 56:
        raise RefusedError(Status.INVALID_HEADER)
    return payload[2:8], socket.inet_ntoa(payload[20:24])
