"""Which GigE Vision cameras are on the wire, asked without a producer: their answers to a GVCP discovery.

It also finds cameras whose address does not fit this computer, which no producer can open. Opening and streaming
are the producer's; here only their identity and who controls them is read.
"""

import os
import selectors
import socket
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Literal

from twinlens.capture.interfaces import NetworkInterface
from twinlens.errors import CameraNotFoundError, SettingsError

GVCP_PORT = 3956
DEVICES_VARIABLE = "TWINLENS_GEV_DEVICES"
"""Addresses that are asked directly, as the bundled producer does."""
BROADCAST_VARIABLE = "TWINLENS_GEV_BROADCAST"
"""0 asks the listed addresses only."""
VIRTUAL_RIG = "127.0.0.2,127.0.0.3"
"""Asked where the variable is not set: the loopback has no broadcast."""
LISTEN_S = 0.6
ANSWER_S = 0.25
MOVE_S = 6.0
"""How long a camera may take to settle at a new address."""
_HEADER = struct.Struct(">BBHHH")
_DISCOVERY, _FORCEIP, _READREG = 0x0002, 0x0004, 0x0080
_ACK, _BROADCAST_ACK = 0x01, 0x10
_CONTROL_PRIVILEGE, _CONTROLLED_BY = 0x0A00, 0x0A14
_IP_PKTINFO = 8

Peer = tuple[str, int]
Access = Literal["free", "controlled", "unreachable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraOnWire:
    """One camera as it answered."""

    serial: str
    vendor: str
    model: str
    user_name: str
    mac: str
    address: IPv4Interface
    """Its address and network."""
    interface: str
    """The interface of this computer it answered through."""
    access: Access
    """"controlled" by some program; "unreachable" where it answers broadcasts and not its own address."""
    controlled_by: str = ""
    """Address of the host that controls it; empty where it does not tell."""


def find_on_wire(
    interfaces: tuple[NetworkInterface, ...], *, listed: str | None = None, port: int = GVCP_PORT
) -> tuple[CameraOnWire, ...]:
    """Every camera that answers a broadcast on any interface, or at a listed address; sorted by serial number.

    Args:
        interfaces: those of this computer.
        listed: addresses, as in TWINLENS_GEV_DEVICES; None reads that variable.

    Raises:
        SettingsError: a listed address is none.
    """
    text = os.environ.get(DEVICES_VARIABLE, VIRTUAL_RIG) if listed is None else listed
    addresses = _listed_addresses(text, port)
    if sys.platform != "linux":
        return ()
    found: dict[tuple[str, str], tuple[CameraOnWire, Peer]] = {}
    with _control_socket() as ear:
        for _attempt in range(2):
            _ask(ear, interfaces, addresses, port)
            for payload, index, peer in _answers(ear, _DISCOVERY, 1, LISTEN_S / 2):
                camera = _camera(payload, index, interfaces)
                if camera is not None:
                    found[camera.serial, camera.mac] = camera, peer
        looked = [_with_access(ear, camera, peer) for camera, peer in found.values()]
    return tuple(sorted(looked, key=lambda camera: (camera.serial, camera.mac)))


def networks_of(interface: NetworkInterface) -> tuple[IPv4Network, ...]:
    """The networks an interface belongs to."""
    return tuple(address.network for address in interface.addresses)


def is_on_its_network(camera: CameraOnWire, interfaces: tuple[NetworkInterface, ...]) -> bool:
    """Whether this computer and the camera are in one network on the interface it answered through."""
    own = [network for i in interfaces if i.name == camera.interface for network in networks_of(i)]
    return any(camera.address.ip in network for network in own)


def fitting_address(interface: NetworkInterface, cameras: tuple[CameraOnWire, ...]) -> IPv4Interface | None:
    """A free address for a camera on this interface: the first behind this computer's that no camera has."""
    taken = {camera.address.ip for camera in cameras} | {address.ip for address in interface.addresses}
    for own in interface.addresses:
        hosts = int(own.network.broadcast_address) - int(own.network.network_address)
        for step in range(1, min(hosts, 1024)):
            place = own.network.network_address + (int(own.ip) - int(own.network.network_address) + step) % hosts
            if place not in taken and place != own.network.network_address:
                return IPv4Interface(f"{place}/{own.network.prefixlen}")
    return None


def give_address(
    serial: str, address: IPv4Interface, interfaces: tuple[NetworkInterface, ...], *, port: int = GVCP_PORT
) -> CameraOnWire:
    """Order a camera to an address until its power goes off (GVCP FORCEIP); the camera as it answers there.

    Raises:
        CameraNotFoundError: it does not answer, or not at its new address.
    """
    found = find_on_wire(interfaces, port=port)
    camera = next((camera for camera in found if camera.serial == serial), None)
    if camera is None:
        seen = ", ".join(camera.serial for camera in found) or "none"
        raise CameraNotFoundError(
            f"camera {serial} did not answer; cameras on the wire: {seen}", hint="check its power and its cable"
        )
    mac = bytes.fromhex(camera.mac.replace(":", ""))
    order = bytes(2) + mac + bytes(12) + address.ip.packed + bytes(12) + address.netmask.packed + bytes(16)
    datagram = _HEADER.pack(0x42, _ACK | _BROADCAST_ACK, _FORCEIP, len(order), 1) + order
    with _control_socket() as ear:
        _send(ear, datagram, ("255.255.255.255", port), socket.if_nametoindex(camera.interface))
    deadline = time.monotonic() + MOVE_S
    while time.monotonic() < deadline:
        moved = [camera for camera in find_on_wire(interfaces, port=port) if camera.serial == serial]
        if moved and moved[0].address.ip == address.ip:
            return moved[0]
    raise CameraNotFoundError(
        f"camera {serial} does not answer at {address} after {MOVE_S:.0f} s",
        hint="a camera that some program controls keeps its address; close the program, or power it off and on",
    )


@contextmanager
def _control_socket() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        ear.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        ear.bind(("", 0))
        ear.setblocking(False)  # noqa: FBT003 - the standard library's signature
        yield ear


def _listed_addresses(text: str, port: int) -> tuple[Peer, ...]:
    found = []
    for word in text.replace(",", " ").split():
        host, _, own_port = word.partition(":")
        try:
            found.append((str(IPv4Address(host)), int(own_port or port)))
        except ValueError as cause:
            raise SettingsError(
                f"{DEVICES_VARIABLE}: {word!r} is not an IPv4 address", hint="list addresses with commas between"
            ) from cause
    return tuple(found)


def _ask(
    ear: socket.socket, interfaces: tuple[NetworkInterface, ...], listed: tuple[Peer, ...], port: int
) -> None:
    plain = _HEADER.pack(0x42, _ACK, _DISCOVERY, 0, 1)
    loud = _HEADER.pack(0x42, _ACK | _BROADCAST_ACK, _DISCOVERY, 0, 1)
    for peer in listed:
        _send(ear, plain, peer, 0)
    if os.environ.get(BROADCAST_VARIABLE) == "0":
        return
    for interface in interfaces:
        if interface.is_up and interface.addresses:
            _send(ear, loud, ("255.255.255.255", port), socket.if_nametoindex(interface.name))


def _send(ear: socket.socket, datagram: bytes, peer: Peer, interface_index: int) -> None:
    way = struct.pack("=i4s4s", interface_index, bytes(4), bytes(4))
    ancillary = [(socket.IPPROTO_IP, _IP_PKTINFO, way)] if interface_index else []
    try:
        ear.sendmsg([datagram], ancillary, 0, peer)
    except OSError:  # an address without a route, an interface going down: nobody there answers
        return


def _answers(
    ear: socket.socket, command: int, request_id: int, timeout_s: float
) -> Iterator[tuple[bytes, int, Peer]]:
    """(payload, interface index, sender) of each acknowledge in that time; a refusal has an empty payload."""
    deadline = time.monotonic() + timeout_s
    with selectors.DefaultSelector() as selector:
        selector.register(ear, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            if not selector.select(left):
                return
            try:
                datagram, ancillary, _flags, peer = ear.recvmsg(2048, socket.CMSG_SPACE(12))
            except OSError:  # an ICMP refusal of an earlier datagram ends up here
                continue
            if len(datagram) < _HEADER.size:
                continue
            status, acknowledged, _length, answered = struct.unpack_from(">HHHH", datagram)
            if (acknowledged, answered) == (command + 1, request_id):
                index = next((data[:4] for _, kind, data in ancillary if kind == _IP_PKTINFO), bytes(4))
                yield (datagram[8:] if status == 0 else b""), int.from_bytes(index, sys.byteorder), peer


def _camera(payload: bytes, interface_index: int, interfaces: tuple[NetworkInterface, ...]) -> CameraOnWire | None:
    """The identity in a discovery acknowledge: bootstrap memory from address 0 on (GigE Vision 1.2)."""
    if len(payload) < 0xF8:
        return None

    def text(start: int, size: int) -> str:
        return payload[start : start + size].split(b"\0")[0].decode("utf-8", "replace")

    try:
        address = IPv4Interface((payload[0x24:0x28], str(IPv4Address(payload[0x34:0x38]))))
    except ValueError:  # a mask that is none
        address = IPv4Interface(payload[0x24:0x28])
    name = next((i.name for i in interfaces if socket.if_nametoindex(i.name) == interface_index), "")
    return CameraOnWire(
        serial=text(0xD8, 16),
        vendor=text(0x48, 32),
        model=text(0x68, 32),
        user_name=text(0xE8, 16),
        mac=payload[10:16].hex(":"),
        address=address,
        interface=name,
        access="unreachable",
    )


def _with_access(ear: socket.socket, camera: CameraOnWire, peer: Peer) -> CameraOnWire:
    """The camera with what its control register says; anybody may read it unless one host has it for itself."""
    privilege = _read_register(ear, peer, _CONTROL_PRIVILEGE)
    if privilege is None:
        return camera
    if privilege == b"\0\0\0\0":
        return replace(camera, access="free")
    owner = _read_register(ear, peer, _CONTROLLED_BY) or bytes(4)
    return replace(camera, access="controlled", controlled_by=str(IPv4Address(owner)) if any(owner) else "")


def _read_register(ear: socket.socket, peer: Peer, address: int) -> bytes | None:
    """Four bytes; empty where the camera refuses, None where it does not answer."""
    for attempt in range(2):
        request_id = address + attempt  # no two questions to one camera share it
        _send(ear, _HEADER.pack(0x42, _ACK, _READREG, 4, request_id) + struct.pack(">I", address), peer, 0)
        for payload, _index, sender in _answers(ear, _READREG, request_id, ANSWER_S):
            if sender == peer:
                return payload[:4]
    return None
