"""Who may do what to a camera: answers GVCP commands, guards its control, notices silent owners."""

import logging
import struct
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Address

from twinlens.capture.virtual import bootstrap, gvcp
from twinlens.capture.virtual.faults import Faults
from twinlens.capture.virtual.gvcp import Command, RefusedError, Request, Status
from twinlens.capture.virtual.registers import RegisterFile

log = logging.getLogger(__name__)

Peer = tuple[str, int]
Deed = Callable[[Request, Peer], bytes | None]
"""Obeys a command; the payload of its acknowledge, None where none is due."""
THIEF: Peer = ("192.0.2.99", 49152)
"""The host that steals control; the address is reserved for examples (RFC 5737), so it is nobody's."""
_CCP_ADDRESS = 0x0A00
_ALWAYS_READABLE = (_CCP_ADDRESS, 0x0A04, 0x0A14)
"""Under exclusive control, others still learn that there is an owner and who it is."""
_REMEMBERED_PEERS = 32
_REMEMBERED_NS = 2_000_000_000
"""How long an answer is kept for a host that asks again because the answer got lost."""


class Control:
    """One camera's control channel, without the sockets."""

    def __init__(
        self,
        registers: RegisterFile,
        *,
        on_owner_change: Callable[[], None],
        deeds: Mapping[int, Deed],
        slow_addresses: frozenset[int] = frozenset(),
        faults: Faults,
    ) -> None:
        """`on_owner_change` frees the stream when control is taken, given up or lost.

        Writing to `slow_addresses` takes as long as the register GevGVCPPendingTimeout says.
        """
        self._registers = registers
        self._on_owner_change = on_owner_change
        self._slow_addresses = slow_addresses
        self._faults = faults
        self._owner: Peer | None = None
        self._heard_ns = 0
        self._first_taken_ns: int | None = None
        self._was_mute = False
        self._answers: OrderedDict[Peer, tuple[bytes, bytes | None, int]] = OrderedDict()
        self._deeds: dict[int, Deed] = {
            Command.DISCOVERY: self._discover,
            Command.READREG: self._read_registers,
            Command.WRITEREG: self._write_registers,
            Command.READMEM: self._read_memory,
            Command.WRITEMEM: self._write_memory,
            **deeds,
        }

    @property
    def owner(self) -> Peer | None:
        """Who controls the camera."""
        return self._owner

    def answers(self, datagram: bytes, peer: Peer) -> Iterator[bytes]:
        """What to send back for a datagram: nothing, the acknowledge, or first a notice that it takes time.

        A repeated request is answered as before and not obeyed twice.
        """
        try:
            request = gvcp.parse_request(datagram)
        except gvcp.NotGvcpError as error:
            log.debug("ignored a datagram from %s:%d: %s", *peer, error)
            return
        now_ns = time.monotonic_ns()
        if peer == self._owner:
            self._heard_ns = now_ns
        if self._is_mute(now_ns):
            return
        known = self._answers.get(peer)
        if known is not None and known[0] == datagram and now_ns - known[2] < _REMEMBERED_NS:
            answer = known[1]
        else:
            if self._is_slow(request, peer):
                yield from self._take_time(request)
            answer = self._obey(request, peer)
            # Without an acknowledge nobody can miss one: an equal datagram is then a new command.
            if request.wants_answer:
                self._remember(peer, datagram, answer)
        if answer is not None:
            yield answer

    def tick(self) -> None:
        """Do what time brings: free the camera of a silent owner, or let another host steal it."""
        now_ns = time.monotonic_ns()
        steal_s = self._faults.steal_control_after_s
        if self._owner == THIEF:
            return
        timeout_ns = self._registers.integer("GevHeartbeatTimeout") * 1_000_000
        if self._owner is not None and now_ns - self._heard_ns > timeout_ns:
            log.info("owner %s:%d is silent: camera freed", *self._owner)
            self._was_mute = self._was_mute or self._is_mute(now_ns)
            self._give_to(None, 0)
        elif steal_s and self._held_s(now_ns) >= steal_s:
            log.info("another host takes control")
            # Both privileges at once: whatever the owner had, it reads something else now.
            self._give_to(THIEF, bootstrap.EXCLUSIVE | bootstrap.CONTROL)

    def _held_s(self, now_ns: int) -> float:
        return -1.0 if self._first_taken_ns is None else (now_ns - self._first_taken_ns) / 1e9

    def _is_mute(self, now_ns: int) -> bool:
        mute_s = self._faults.mute_heartbeat_after_s
        return bool(mute_s) and self._held_s(now_ns) >= mute_s and not self._was_mute

    def _is_slow(self, request: Request, peer: Peer) -> bool:
        if not self._slow_addresses or peer != self._owner or not (request.is_intact and request.wants_answer):
            return False
        if request.code not in (Command.WRITEREG, Command.WRITEMEM) or len(request.payload) < 4:
            return False
        return int.from_bytes(request.payload[:4], "big") in self._slow_addresses

    def _take_time(self, request: Request) -> Iterator[bytes]:
        time_ms = self._registers.integer("GevGVCPPendingTimeout")
        yield gvcp.pending(request, time_ms)
        time.sleep(time_ms / 1e3)
        self._heard_ns = time.monotonic_ns()  # the owner could not be heard meanwhile

    def _obey(self, request: Request, peer: Peer) -> bytes | None:
        try:
            payload = self._deed(request)(request, peer)
        except RefusedError as refusal:
            wrote = request.code in (Command.WRITEREG, Command.WRITEMEM) and request.is_intact
            answer = gvcp.acknowledge(request, refusal.status, gvcp.count_payload(refusal.done) if wrote else b"")
        else:
            if payload is None:
                return None
            answer = gvcp.acknowledge(request, Status.SUCCESS, payload)
        return answer if request.wants_answer else None

    def _deed(self, request: Request) -> Deed:
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
        if is_closed and address not in _ALWAYS_READABLE:
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
        if peer is not None and self._first_taken_ns is None:
            self._first_taken_ns = self._heard_ns
        self._registers.put("GevCCP", privilege)
        address, port = ("0.0.0.0", 0) if peer is None else peer  # noqa: S104 - nobody, not a bind
        self._registers.put("GevPrimaryApplicationIPAddress", int(IPv4Address(address)))
        self._registers.put("GevPrimaryApplicationSocket", port)
        self._on_owner_change()
