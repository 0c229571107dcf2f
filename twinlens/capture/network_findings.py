"""Judgements on networks, cameras and ports: does each camera reach this computer, alone and fast enough?"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import combinations
from pathlib import Path

from twinlens.capture.discovery import (
    BROADCAST_VARIABLE,
    CameraOnWire,
    fitting_address,
    is_on_its_network,
    networks_of,
)
from twinlens.capture.findings import Finding
from twinlens.capture.frame import CameraRole
from twinlens.capture.interfaces import NetworkInterface
from twinlens.capture.link import Route, fitting_rate_hz, floor_rate, require_rig_fits
from twinlens.capture.pixel_formats import bytes_per_frame
from twinlens.capture.producer_probe import ProducerFacts
from twinlens.capture.producers import bundled_producer
from twinlens.capture.rig_file import RigSettings
from twinlens.errors import HostLimitError

FULL_SHAPE_HW = (2048, 2592)
"""Of the MER-530 (data sheet); taken where the rig names no region."""
FULL_RATE_HZ = 20.0
"""Of the MER-530 (data sheet); taken where the rig names no rate."""
GOOD_MTU = 8000
FAST_MBIT = 2500
"""A port this fast carries two cameras at full rate."""


@dataclass(frozen=True, slots=True)
class World:
    """What the judgements on the network are made from."""

    settings: RigSettings
    interfaces: tuple[NetworkInterface, ...]
    cameras: tuple[CameraOnWire, ...]


def network_findings(world: World) -> Iterator[Finding]:
    """One line for each interface that is up, and one for each way in which they are in each other's way."""
    for interface in world.interfaces:
        if interface.is_up and interface.addresses:
            yield _interface(interface, world)
    used = {camera.interface for camera in world.cameras}
    wired = [interface for interface in world.interfaces if interface.is_up and not interface.is_loopback]
    for one, other in combinations(wired, 2):
        shared = any(mine.overlaps(its) for mine in networks_of(one) for its in networks_of(other))
        if shared and used & {one.name, other.name}:
            place = _free_network(world.interfaces)
            yield Finding(
                "FAIL",
                f"{one.name}, {other.name}",
                "both are in one network: this computer would answer through one of them only",
                f"sudo ip address flush dev {other.name} && sudo ip address add {place[1]}/24 dev {other.name}",
            )
    for interface in wired:
        if interface.reverse_path_filter == 1 and interface.name not in used:
            yield Finding(
                "WARN",
                interface.name,
                "rp_filter is 1: cameras with an address of another network stay unseen",
                f"sudo sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.{interface.name}.rp_filter=2",
            )


def _interface(interface: NetworkInterface, world: World) -> Finding:
    here = ", ".join(camera.serial for camera in world.cameras if camera.interface == interface.name)
    speed = f", {interface.speed_mbit} Mbit/s" if interface.speed_mbit else ""
    places = ", ".join(map(str, interface.addresses))
    seen = f"{places}, MTU {interface.mtu}{speed}; {f'cameras {here}' if here else 'no camera'}"
    if not here or interface.is_loopback:
        return Finding("OK", interface.name, seen)
    needed_mbit = world.settings.link_mbit
    if interface.speed_mbit is not None and interface.speed_mbit < needed_mbit:
        remedy = f"change the cable, then: sudo ethtool -s {interface.name} autoneg on"
        return Finding("FAIL", interface.name, f"{seen}; {needed_mbit} Mbit/s are needed", remedy)
    if interface.mtu < GOOD_MTU:
        remedy = f"sudo ip link set dev {interface.name} mtu 9000"
        return Finding("WARN", interface.name, f"{seen}; small packets cost processor time", remedy)
    return Finding("OK", interface.name, seen)


def _free_network(interfaces: tuple[NetworkInterface, ...]) -> IPv4Network:
    """The first private network from 192.168.200.0/24 on that no interface is in."""
    taken = [network for interface in interfaces for network in networks_of(interface)]
    some = (IPv4Network(f"192.168.{third}.0/24") for third in range(200, 256))
    return next(network for network in some if not any(network.overlaps(known) for known in taken))


def camera_findings(world: World, producer: ProducerFacts | None) -> Iterator[Finding]:
    """One line for each camera that answers, and one for each that should."""
    for camera in world.cameras:
        yield _camera(camera, world, producer)
    serials = {camera.serial for camera in world.cameras} | set(producer.serials if producer else ())
    for role, serial in (("A", world.settings.a), ("B", world.settings.b)):
        if serial and serial not in serials:
            remedy = "check its power, its cable and the lamp of its network port"
            yield Finding("FAIL", f"camera {role}", f"{serial} does not answer", remedy)
    if not serials:
        remedy = "check power and cables; without cameras, in another terminal: twinlens simulate"
        yield Finding("FAIL", "cameras", "no camera answers", remedy)
    elif not (world.settings.a and world.settings.b):
        some = " ".join([*sorted(serials), "SERIAL_B"][:2])
        remedy = f"twinlens cameras --assign {some}"
        yield Finding("WARN", "rig", "which camera is A and which is B is not written down", remedy)


def _camera(camera: CameraOnWire, world: World, producer: ProducerFacts | None) -> Finding:
    subject, seen = f"camera {camera.serial}", f"{camera.model} at {camera.address}"
    interface = next((found for found in world.interfaces if found.name == camera.interface), None)
    if interface is not None and not is_on_its_network(camera, world.interfaces):
        place = fitting_address(interface, world.cameras)
        own = ", ".join(map(str, interface.addresses))
        remedy = f"twinlens cameras --give-address {camera.serial} {place}"
        return Finding("FAIL", subject, f"{seen} does not fit {interface.name} ({own}); {place} would", remedy)
    if camera.access == "unreachable":
        remedy = f"give no other device {camera.address.ip}, then: sudo ip neighbour flush {camera.address.ip}"
        return Finding("FAIL", subject, f"{seen} does not answer at its own address", remedy)
    if camera.access == "controlled":
        by = f" by {camera.controlled_by}" if camera.controlled_by else ""
        remedy = "close the program that controls it, or wait 3 s for its heartbeat to end"
        return Finding("FAIL", subject, f"{seen} is controlled{by}", remedy)
    if producer is not None and camera.serial not in producer.serials:
        return Finding(
            "FAIL",
            subject,
            f"{seen} answers, and {Path(producer.path).name} does not list it",
            _unlisted(producer),
        )
    return Finding("OK", subject, f"{seen}, free")


def _unlisted(producer: ProducerFacts) -> str:
    if os.environ.get(BROADCAST_VARIABLE) == "0":
        return f"unset {BROADCAST_VARIABLE}"
    if Path(producer.path) == bundled_producer():
        return "twinlens cameras"
    return 'set producer = "" in rig.toml: the bundled producer lists every GigE Vision camera'


def port_findings(world: World) -> Iterator[Finding]:
    """Has each camera a port for itself, and does the link carry the rate?"""
    wanted = [camera for camera in world.cameras if camera.serial in (world.settings.a, world.settings.b)]
    chosen = wanted if len(wanted) == 2 else list(world.cameras[:2])
    if len(chosen) < 2:
        return
    by_name = {interface.name: interface.route() for interface in world.interfaces}
    if not all(camera.interface in by_name for camera in chosen):
        return  # they answered through an interface that is gone by now
    routes: dict[CameraRole, Route] = {"a": by_name[chosen[0].interface], "b": by_name[chosen[1].interface]}
    yield _shared_port(routes)
    yield _link(world.settings, routes)


def _shared_port(routes: dict[CameraRole, Route]) -> Finding:
    a, b = routes["a"], routes["b"]
    if a.is_loopback:
        return Finding("OK", "ports", "virtual cameras on the loopback share it freely")
    if a.interface != b.interface:
        return Finding("OK", "ports", f"{a.interface} and {b.interface}: one for each camera")
    if a.speed_mbit is not None and a.speed_mbit >= FAST_MBIT:
        return Finding("OK", "ports", f"both cameras share {a.interface}, which is fast enough")
    return Finding("WARN", "ports", f"both cameras share {a.interface}", "plug each camera into a port of its own")


def _link(settings: RigSettings, routes: dict[CameraRole, Route]) -> Finding:
    shape_hw = (settings.height or FULL_SHAPE_HW[0], settings.width or FULL_SHAPE_HW[1])
    rate_hz = settings.rate_hz or FULL_RATE_HZ
    what = f"{settings.pixel_format} {shape_hw[1]}x{shape_hw[0]} at {rate_hz:g} fps"
    try:
        require_rig_fits(
            settings.pixel_format,
            shape_hw,
            rate_hz=rate_hz,
            routes=routes,
            camera_mbit=settings.link_mbit,
            shared_link=settings.shared_link,
        )
    except HostLimitError as error:
        # Without a rate of its own, the rig goes as fast as pairs arrive: slower than the camera could.
        return Finding("FAIL" if settings.rate_hz else "WARN", "link", error.message, error.hint)
    if all(route.is_loopback for route in routes.values()):
        return Finding("OK", "link", f"{what}: nothing but memory limits the loopback")
    fits_hz = fitting_rate_hz(
        bytes_per_frame(settings.pixel_format, shape_hw),
        packet_size=min(route.mtu for route in routes.values()),
        link_bits_per_s=settings.link_mbit * 1e6,
    )
    return Finding(
        "OK", "link", f"{what} fits; a port of {settings.link_mbit} Mbit/s carries {floor_rate(fits_hz)} fps"
    )
