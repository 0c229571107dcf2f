"""A camera's control sockets: its own address, and the broadcast address hosts search on."""

import fcntl
import socket
import struct
from ipaddress import IPv4Address, IPv4Network

from twinlens.errors import HostLimitError, SettingsError

_BROADCAST = "255.255.255.255"
_IP_PKTINFO = 8
_SIOCGIFADDR, _SIOCGIFBRDADDR, _SIOCGIFNETMASK = 0x8915, 0x8919, 0x891B


def control_socket(address: str, port: int) -> socket.socket:
    """A UDP socket on the camera's own address.

    Raises:
        HostLimitError: the address is not this computer's, or the port is taken.
    """
    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    return _bound(own, address, port)


def broadcast_sockets(interface: int, port: int) -> list[socket.socket]:
    """UDP sockets that hear what is broadcast to `port`, to everyone or to the interface's network only.

    Every camera has its own, and each hears everything.

    Raises:
        HostLimitError: another program keeps the port for itself.
    """
    ears: list[socket.socket] = []
    try:
        for address in (_BROADCAST, *_network_broadcast(interface)):
            ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            ear.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            ear.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
            ears.append(_bound(ear, address, port))
    except HostLimitError:
        for ear in ears:
            ear.close()
        raise
    return ears


def receive(ear: socket.socket) -> tuple[bytes, tuple[str, int], int]:
    """(datagram, sender, index of the interface it came in by; 0 where the socket does not tell)."""
    datagram, ancillary, _flags, peer = ear.recvmsg(2048, socket.CMSG_SPACE(12))
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
            return datagram, peer, int(struct.unpack_from("i", data)[0])
    return datagram, peer, 0


def interface_of(address: str) -> tuple[int, str]:
    """(index, netmask) of the network interface whose network holds `address`; (0, host mask) if none does.

    Raises:
        SettingsError: `address` is not the IPv4 address of one computer.
    """
    if not _is_one_host(address):
        raise SettingsError(
            f"a virtual camera cannot live at {address!r}; it needs one IPv4 address of this computer",
            hint="give an address such as 127.0.0.2",
        )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for index, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                own = fcntl.ioctl(probe, _SIOCGIFADDR, request)[20:24]
                mask = fcntl.ioctl(probe, _SIOCGIFNETMASK, request)[20:24]
            except OSError:  # an interface without an IPv4 address
                continue
            netmask = str(IPv4Address(mask))
            if IPv4Address(address) in IPv4Network((int.from_bytes(own, "big"), netmask), strict=False):
                return index, netmask
    return 0, "255.255.255.255"


def _network_broadcast(interface: int) -> list[str]:
    """The interface's own broadcast address; the loopback has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            name = socket.if_indextoname(interface)
            found = fcntl.ioctl(probe, _SIOCGIFBRDADDR, struct.pack("256s", name.encode()[:15]))[20:24]
        except OSError:
            return []
    address = str(IPv4Address(found))
    return [] if address in ("0.0.0.0", _BROADCAST) or address.startswith("127.") else [address]  # noqa: S104


def _is_one_host(address: str) -> bool:
    try:
        parsed = IPv4Address(address)
    except ValueError:
        return False
    return not (parsed.is_unspecified or parsed.is_multicast or address == _BROADCAST)


def _bound(unbound: socket.socket, address: str, port: int) -> socket.socket:
    unbound.settimeout(0.0)
    try:
        unbound.bind((address, port))
    except OSError as cause:
        unbound.close()
        raise HostLimitError(
            f"a virtual camera cannot use {address}, UDP port {port}: {cause.strerror}",
            hint=f"stop the program that holds port {port} (ss -lnup shows it), or give another address",
        ) from cause
    return unbound
