"""What a network link carries: frames per second for a format, a region, a packet size and a number of cameras.

Pure arithmetic of Ethernet and GigE Vision; which interface reaches a camera is told in host.py.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from twinlens.capture.frame import CameraRole
from twinlens.capture.pixel_formats import bytes_per_frame
from twinlens.errors import HostLimitError

ETHERNET_BYTES = 38
"""Around each IP packet: preamble 8, addresses and type 14, check sum 4, gap 12 (IEEE 802.3)."""
PACKET_HEADER_BYTES = 36
"""Inside each packet: IP 20, UDP 8, GVSP 8."""
_SMALLEST_IP_PACKET = 46
"""Shorter ones are padded (IEEE 802.3)."""
_LEADER_BYTES, _TRAILER_BYTES = 36, 8
"""Payload of an image leader and trailer (GigE Vision 1.2)."""
PACKET_SIZE_MAX = 9000
"""No GigE Vision camera is asked for larger packets here, whatever the interface carries (loopback: 65536)."""


@dataclass(frozen=True, slots=True)
class Route:
    """How the frames of one camera reach this computer."""

    interface: str
    """Network interface of this computer; cameras with the same one share it."""
    mtu: int
    """Largest IP packet, bytes."""
    speed_mbit: int | None
    """None where the interface does not tell."""
    is_loopback: bool = False
    """True where nothing but memory limits the rate."""


def wire_bytes(payload_bytes: int, packet_size: int) -> int:
    """Bytes one frame takes on an Ethernet wire, leader, trailer, headers and gaps included."""
    per_packet = packet_size - PACKET_HEADER_BYTES
    if per_packet <= 0:
        raise ValueError(
            f"a packet of {packet_size} bytes has no room behind its {PACKET_HEADER_BYTES} of headers"
        )
    whole, rest = divmod(payload_bytes, per_packet)
    return whole * _on_wire(per_packet) + (_on_wire(rest) if rest else 0) + _LEADER_AND_TRAILER


def _on_wire(data_bytes: int) -> int:
    return max(data_bytes + PACKET_HEADER_BYTES, _SMALLEST_IP_PACKET) + ETHERNET_BYTES


_LEADER_AND_TRAILER = _on_wire(_LEADER_BYTES) + _on_wire(_TRAILER_BYTES)


def fitting_rate_hz(payload_bytes: int, *, packet_size: int, link_bits_per_s: float, cameras: int = 1) -> float:
    """Frames per second of each of `cameras` cameras that a link carries."""
    return link_bits_per_s / (8 * wire_bytes(payload_bytes, packet_size) * cameras)


def require_link_carries(
    pixel_format: str,
    shape_hw: tuple[int, int],
    *,
    rate_hz: float,
    mtu: int,
    link_bits_per_s: float,
    cameras_on_link: int = 1,
) -> None:
    """Refuse a rate that the link cannot carry.

    Args:
        rate_hz: frames per second of each camera.
        mtu: size of a stream packet with IP, UDP and GVSP headers; at most the smallest MTU on the way.
        cameras_on_link: how many cameras send through it at the same time.

    Raises:
        HostLimitError: it does not fit; the message says which rate does.
    """
    payload = bytes_per_frame(pixel_format, shape_hw)
    packet_size = min(mtu, PACKET_SIZE_MAX)
    fits_hz = fitting_rate_hz(
        payload, packet_size=packet_size, link_bits_per_s=link_bits_per_s, cameras=cameras_on_link
    )
    if rate_hz <= fits_hz:
        return
    each = "one camera at" if cameras_on_link == 1 else f"{cameras_on_link} cameras on one link, each at"
    needed_mbit = cameras_on_link * rate_hz * 8e-6 * wire_bytes(payload, packet_size)
    raise HostLimitError(
        f"{each} {rate_hz:g} fps {pixel_format} {shape_hw[1]}x{shape_hw[0]}, need {needed_mbit:.0f} Mbit/s in "
        f"packets of {packet_size} bytes; the link carries {link_bits_per_s * 1e-6:.0f}: "
        f"{floor_rate(fits_hz)} fps fit",
        hint=_remedy(pixel_format, fits_hz, cameras_on_link),
    )


def require_rig_fits(
    pixel_format: str,
    shape_hw: tuple[int, int],
    *,
    rate_hz: float,
    routes: Mapping[CameraRole, Route],
    camera_mbit: int,
    shared_link: bool = False,
) -> None:
    """Refuse a rate that the cameras' own ports, or the interfaces they share, cannot carry.

    Args:
        routes: how A and B reach this computer; loopback is not limited.
        camera_mbit: speed of each camera's own port.
        shared_link: both cameras come through one cable as fast as a camera's port.

    Raises:
        HostLimitError: it does not fit; the message says which rate does.
    """
    sharing = Counter(route.interface for route in routes.values())
    for route in routes.values():
        if route.is_loopback:
            continue
        limits = [(camera_mbit, 2 if shared_link else 1)]
        if route.speed_mbit is not None:
            limits.append((route.speed_mbit, 2 if shared_link else sharing[route.interface]))
        mbit, cameras_on_link = min(limits, key=lambda limit: limit[0] / limit[1])
        require_link_carries(
            pixel_format,
            shape_hw,
            rate_hz=rate_hz,
            mtu=route.mtu,
            link_bits_per_s=mbit * 1e6,
            cameras_on_link=cameras_on_link,
        )


def _remedy(pixel_format: str, fits_hz: float, cameras_on_link: int) -> str:
    ways = [f"set rate_hz = {floor_rate(fits_hz)} or less"]
    if cameras_on_link > 1:
        ways.append("give each camera a network port of its own")
    if pixel_format != "Mono8":
        ways.append('set pixel_format = "Mono8"' if pixel_format == "Mono10p" else 'set pixel_format = "Mono10p"')
    ways.append("choose a smaller region")
    return ", or ".join(ways)


def floor_rate(rate_hz: float) -> str:
    """The rate with one decimal, never rounded up: the rate told must fit."""
    return f"{int(rate_hz * 10) / 10:g}" if rate_hz >= 0.1 else f"{rate_hz:.1g}"
