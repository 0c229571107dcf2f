"""A camera reduced to its control channel: it answers exactly as a test tells it, pauses and lies included."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

DISCOVERY, FORCE_IP, READ_REGISTER, WRITE_REGISTER, READ_MEMORY, ACTION = 0x02, 0x04, 0x80, 0x82, 0x84, 0x100
CCP, OWNER_PORT, OWNER_ADDRESS, FIRST_URL = 0x0A00, 0x0A04, 0x0A14, 0x0200
MAC = bytes([2, 0, 0, 0, 0, 7])

Answers = list[bytes]


def acknowledge(command: int, request_id: int, payload: bytes = b"", *, status: int = 0) -> bytes:
    """An acknowledge as GigE Vision lays it out."""
    return struct.pack(">HHHH", status, command + 1, len(payload), request_id) + payload


def pending(request_id: int, wait_ms: int) -> bytes:
    """PENDING_ACK: the real answer comes within `wait_ms`."""
    return struct.pack(">HHHHHH", 0, 0x0089, 4, request_id, 0, wait_ms)


def identity(serial: str = "PEER", *, mac: bytes = MAC, address: str = "0.0.0.0", mask: str = "0.0.0.0") -> bytes:  # noqa: S104
    """The 248 bytes of a discovery acknowledge."""
    data = bytearray(248)
    data[10:16] = mac
    data[36:40], data[52:56] = socket.inet_aton(address), socket.inet_aton(mask)
    data[72:80], data[104:108] = b"twinlens", b"peer"
    data[216 : 216 + len(serial)] = serial.encode()
    return bytes(data)


class ControlPeer:
    """Registers, memory, and a hook through which every answer goes."""

    def __init__(self, address: str = "127.0.0.7") -> None:
        self.address = address
        self.registers = {CCP: 0, 0x0938: 3000, 0x093C: 0, 0x0940: 1_000_000}
        self.memory: dict[int, bytes] = {}
        """Start address -> bytes behind it."""
        self.largest_read = 536
        self.requests: list[tuple[int, int, bytes]] = []
        """(command, request id, payload) of everything that came, repeats included."""
        self.hook: Callable[[int, int, bytes, bytes], Answers] = lambda _command, _id, _payload, answer: [answer]
        """(command, request id, payload, the right answer) -> what is really sent."""
        self.tells_owner = True
        self.last_from = ("", 0)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 0))
        self._socket.settimeout(0.05)
        self.port = int(self._socket.getsockname()[1])
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._live)
        self._thread.start()

    def close(self) -> None:
        self._ends.set()
        self._thread.join(5)
        self._socket.close()

    def fall_silent(self) -> None:
        """As if the cable was pulled."""
        self.hook = lambda *_: []

    def send(self, packet: bytes, to: tuple[str, int]) -> None:
        """An answer out of turn."""
        self._socket.sendto(packet, to)

    def count(self, command: int) -> int:
        return sum(request[0] == command for request in self.requests)

    def _live(self) -> None:
        while not self._ends.is_set():
            with contextlib.suppress(TimeoutError):
                datagram, peer = self._socket.recvfrom(2048)
                self.last_from = peer
                command, _size, request_id = struct.unpack_from(">HHH", datagram, 2)
                payload = datagram[8:]
                self.requests.append((command, request_id, payload))
                answer = self._right_answer(command, request_id, payload, peer)
                for packet in self.hook(command, request_id, payload, answer):
                    self._socket.sendto(packet, peer)

    def _right_answer(self, command: int, request_id: int, payload: bytes, peer: tuple[str, int]) -> bytes:
        if command == DISCOVERY:
            return acknowledge(command, request_id, identity())
        if command == READ_REGISTER:
            (address,) = struct.unpack(">I", payload)
            return acknowledge(command, request_id, struct.pack(">I", self.registers.get(address, 0)))
        if command == WRITE_REGISTER:
            address, value = struct.unpack(">II", payload)
            self.registers[address] = value
            if address == CCP and self.tells_owner:
                self.registers[OWNER_ADDRESS] = int.from_bytes(socket.inet_aton(peer[0]), "big")
                self.registers[OWNER_PORT] = peer[1]
            return acknowledge(command, request_id, struct.pack(">HH", 0, 1))
        if command == READ_MEMORY:
            address, size = struct.unpack(">II", payload)
            if size > self.largest_read:
                return acknowledge(command, request_id, status=0x8002)
            return acknowledge(command, request_id, payload[:4] + self._read(address, size))
        return acknowledge(command, request_id, status=0x8001)

    def _read(self, address: int, size: int) -> bytes:
        for start, data in self.memory.items():
            if start <= address < start + len(data):
                return data[address - start : address - start + size].ljust(size, b"\0")
        return bytes(size)


@contextmanager
def control_peer() -> Iterator[ControlPeer]:
    peer = ControlPeer()
    try:
        yield peer
    finally:
        peer.close()
