"""The network interfaces of this computer, and which of them reaches a camera (Linux; none are told elsewhere)."""

import ctypes
import socket
import struct
import sys
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

from twinlens.capture.link import Route
from twinlens.errors import HostLimitError

_IFF_UP, _IFF_LOOPBACK = 0x1, 0x8
_SIOCGIFMTU = 0x8921
_GVCP_PORT = 3956


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkInterface:
    """One network interface."""

    name: str
    addresses: tuple[IPv4Interface, ...] = ()
    mtu: int = 0
    speed_mbit: int | None = None
    """None where it is unknown or makes no sense (loopback, no cable)."""
    is_up: bool = False
    is_loopback: bool = False
    reverse_path_filter: int = 0
    """1 drops what comes from a foreign subnet, so that a camera there cannot be seen; 0 and 2 mostly do not."""

    def route(self) -> Route:
        """How frames come through it."""
        return Route(self.name, self.mtu, self.speed_mbit, is_loopback=self.is_loopback)


def network_interfaces(
    sys_folder: Path = Path("/sys"), proc: Path = Path("/proc")
) -> tuple[NetworkInterface, ...]:
    """Every network interface, by name; speeds and filters are read below the folders given."""
    if sys.platform != "linux":
        return ()
    return tuple(
        replace(
            found,
            mtu=_mtu(found.name),
            speed_mbit=_speed(sys_folder / "class/net" / found.name / "speed"),
            reverse_path_filter=_reverse_path_filter(proc / "sys/net/ipv4/conf", found.name),
        )
        for found in sorted(_from_c_library().values(), key=lambda interface: interface.name)
    )


def interface_towards(address: str, interfaces: tuple[NetworkInterface, ...]) -> NetworkInterface | None:
    """The interface through which this computer reaches an address; None without a route. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, _GVCP_PORT))
        except OSError:
            return None
        own = IPv4Address(probe.getsockname()[0])
    return next((found for found in interfaces if own in {place.ip for place in found.addresses}), None)


def route_to(address: str) -> Route:
    """How frames of the camera at `address` reach this computer, as link.py wants to know it.

    Raises:
        HostLimitError: no interface reaches it.
    """
    interface = interface_towards(address, network_interfaces())
    if interface is None:
        raise HostLimitError(
            f"no network interface of this computer reaches {address}",
            hint="'twinlens doctor' names the address that would fit",
        )
    return interface.route()


def _mtu(name: str) -> int:
    import fcntl  # noqa: PLC0415 - only there on Unix

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        answer = fcntl.ioctl(probe, _SIOCGIFMTU, struct.pack("16s24x", name.encode()))
    return int(struct.unpack_from("i", answer, 16)[0])


def _speed(place: Path) -> int | None:
    try:
        speed = int(place.read_text())
    except (OSError, ValueError):  # without a cable it cannot even be read
        return None
    return speed if speed > 0 else None


def _reverse_path_filter(folder: Path, name: str) -> int:
    """The kernel takes the larger of the interface's and the general value."""
    places = (folder / owner / "rp_filter" for owner in ("all", name))
    return max((int(place.read_text()) for place in places if place.is_file()), default=0)


class _SocketAddress(ctypes.Structure):
    """struct sockaddr_in."""

    _fields_ = (("family", ctypes.c_ushort), ("port", ctypes.c_ushort), ("address", ctypes.c_ubyte * 4))


class _InterfaceAddress(ctypes.Structure):
    """struct ifaddrs; the fields after the netmask are not read."""


_InterfaceAddress._fields_ = (
    ("next", ctypes.POINTER(_InterfaceAddress)),
    ("name", ctypes.c_char_p),
    ("flags", ctypes.c_uint),
    ("address", ctypes.POINTER(_SocketAddress)),
    ("netmask", ctypes.POINTER(_SocketAddress)),
)


def _from_c_library() -> dict[str, NetworkInterface]:
    """Names, flags and IPv4 addresses, from getifaddrs: right in any network namespace, as /sys is not."""
    library = ctypes.CDLL(None)
    first = ctypes.POINTER(_InterfaceAddress)()
    if library.getifaddrs(ctypes.byref(first)) != 0:
        return {}
    found: dict[str, NetworkInterface] = {}
    try:
        entry = first
        while entry:
            row = entry.contents
            name = row.name.decode().partition(":")[0]  # eth0:1 is an old way to write a second address
            known = found.get(name) or NetworkInterface(
                name=name, is_up=bool(row.flags & _IFF_UP), is_loopback=bool(row.flags & _IFF_LOOPBACK)
            )
            found[name] = replace(known, addresses=(*known.addresses, *_address(row)))
            entry = row.next
    finally:
        library.freeifaddrs(first)
    return found


def _address(row: _InterfaceAddress) -> tuple[IPv4Interface, ...]:
    if not (row.address and row.netmask and row.address.contents.family == socket.AF_INET):
        return ()
    own, mask = (IPv4Address(bytes(part.contents.address)) for part in (row.address, row.netmask))
    return (IPv4Interface(f"{own}/{mask}"),)
