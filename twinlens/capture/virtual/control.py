"""Who may do what to a camera: answers GVCP commands, guards its control, notices silent owners."""

import logging
import struct
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv4Address

from twinlens.capture.virtual import bootstrap, gvcp
from twinlens.capture.virtual.gvcp import Command, RefusedError, Request, Status
from twinlens.capture.virtual.registers import RegisterFile

log = logging.getLogger(__name__)

Peer = tuple[str, int]
_CCP_ADDRESS = 0x0A00
_REMEMBERED_PEERS = 32
_REMEMBERED_NS = 2_000_000_000
"""How long an answer is kept for a host that asks again because the answer got lost."""


class Control:
    """One camera's control channel, without the sockets."""

    def __init__(self, registers: RegisterFile, *, on_owner_change: Callable[[], None]) -> None:
        """`on_owner_change` frees the stream when control is taken, given up or lost."""
        self._registers = registers
        self._on_owner_change = on_owner_change
        self._owner: Peer | None = None
        self._heard_ns = 0
        self._answers: OrderedDict[Peer, tuple[bytes, bytes | None, int]] = OrderedDict()
        self._deeds: dict[int, Callable[[Request, Peer], bytes]] = {
            Command.DISCOVERY: self._discover,
            Command.READREG: self._read_registers,
            Command.WRITEREG: self._write_registers,
            Command.READMEM: self._read_memory,
            Command.WRITEMEM: self._write_memory,
        }

    def answer(self, datagram: bytes, peer: Peer) -> bytes | None:
        """The acknowledge for a datagram, or None where none is due.

        A repeated request is answered as before and not obeyed twice.
        """
        try:
            request = gvcp.parse_request(datagram)
        except gvcp.NotGvcpError as error:
            log.debug("ignored a datagram from %s:%d: %s", *peer, error)
            return None
        now_ns = time.monotonic_ns()
        if peer == self._owner:
            self._heard_ns = now_ns
        known = self._answers.get(peer)
        if known is not None and known[0] == datagram and now_ns - known[2] < _REMEMBERED_NS:
            return known[1]
        answer = self._obey(request, peer)
        self._remember(peer, datagram, answer)
        return answer

    def check_heartbeat(self) -> None:
        """Free the camera if its owner has been silent for longer than the heartbeat timeout."""
        timeout_ns = self._registers.integer("GevHeartbeatTimeout") * 1_000_000
        if self._owner is not None and time.monotonic_ns() - self._heard_ns > timeout_ns:
            log.info("owner %s:%d is silent: camera freed", *self._owner)
            self._give_to(None, 0)

    def _obey(self, request: Request, peer: Peer) -> bytes | None:
        try:
            answer = gvcp.acknowledge(request, Status.SUCCESS, self._deed(request)(request, peer))
        except RefusedError as refusal:
            wrote = request.code in (Command.WRITEREG, Command.WRITEMEM) and request.is_intact
            answer = gvcp.acknowledge(request, refusal.status, gvcp.count_payload(refusal.done) if wrote else b"")
        return answer if request.wants_answer else None

    def _deed(self, request: Request) -> Callable[[Request, Peer], bytes]:
        if not request.is_intact:
            raise RefusedError(Status.INVALID_HEADER)
        if request.code not in self._deeds:
            raise RefusedError(Status.NOT_IMPLEMENTED)
        return self._deeds[request.code]

    def _remember(self, peer: Peer, datagram: bytes, answer: bytes | None) -> None:
        self._answers[peer] = (datagram, answer, time.monotonic_ns())
        self._answers.move_to_end(peer)
        while len(self._answers) > _REMEMBERED_PEERS:
            self._answers.popitem(last=False)

    def _discover(self, request: Request, _peer: Peer) -> bytes:
        if request.payload:
            raise RefusedError(Status.INVALID_HEADER)
        return self._registers.read(0, bootstrap.DISCOVERY_BYTES)

    def _read_registers(self, request: Request, peer: Peer) -> bytes:
        addresses = gvcp.read_addresses(request.payload)
        for address in addresses:
            self._check_may_read(peer, address)
            if address % 4:
                raise RefusedError(Status.BAD_ALIGNMENT)
        return b"".join(self._registers.read(address, 4) for address in addresses)

    def _read_memory(self, request: Request, peer: Peer) -> bytes:
        address, count = gvcp.read_block(request.payload)
        self._check_may_read(peer, address)
        return struct.pack(">I", address) + self._registers.read(address, count)

    def _write_registers(self, request: Request, peer: Peer) -> bytes:
        done = 0
        for address, data in gvcp.read_writes(request.payload):
            try:
                self._write(peer, address, data)
            except RefusedError as refusal:
                raise RefusedError(refusal.status, done=done) from refusal
            done += 1
        return gvcp.count_payload(done)

    def _write_memory(self, request: Request, peer: Peer) -> bytes:
        address, data = gvcp.read_written_block(request.payload)
        self._write(peer, address, data)
        return gvcp.count_payload(len(data))

    def _write(self, peer: Peer, address: int, data: bytes) -> None:
        if address % 4:
            raise RefusedError(Status.BAD_ALIGNMENT)
        if address == _CCP_ADDRESS:
            if len(data) != 4:
                raise RefusedError(Status.INVALID_PARAMETER)
            self._ask_for_control(peer, int.from_bytes(data, "big"))
        elif peer != self._owner:
            raise RefusedError(Status.ACCESS_DENIED)
        else:
            self._registers.write(address, data)

    def _check_may_read(self, peer: Peer, address: int) -> None:
        is_closed = self._owner not in (None, peer) and bool(
            self._registers.integer("GevCCP") & bootstrap.EXCLUSIVE
        )
        if is_closed and address != _CCP_ADDRESS:
            raise RefusedError(Status.ACCESS_DENIED)

    def _ask_for_control(self, peer: Peer, value: int) -> None:
        privilege = value & (bootstrap.EXCLUSIVE | bootstrap.CONTROL)
        if self._owner not in (None, peer):
            raise RefusedError(Status.ACCESS_DENIED)
        if not privilege:
            if self._owner is not None:
                self._give_to(None, 0)
        elif self._owner is None:
            self._give_to(peer, privilege)
        else:
            self._registers.put("GevCCP", privilege)

    def _give_to(self, peer: Peer | None, privilege: int) -> None:
        self._owner = peer
        self._heard_ns = time.monotonic_ns()
        self._registers.put("GevCCP", privilege)
        address, port = ("0.0.0.0", 0) if peer is None else peer  # noqa: S104 - nobody, not a bind
        self._registers.put("GevPrimaryApplicationIPAddress", int(IPv4Address(address)))
        self._registers.put("GevPrimaryApplicationSocket", port)
        self._on_owner_change()
