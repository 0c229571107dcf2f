"""Is this computer ready to capture? Facts from the network, the producer, the disk and the clock, each judged.

The facts themselves are read in interfaces.py, discovery.py, producer_probe.py and host.py; what is said about
networks and cameras is in network_findings.py.
"""

from collections.abc import Iterator
from pathlib import Path

from twinlens.capture import host
from twinlens.capture.discovery import find_on_wire
from twinlens.capture.findings import Finding, Verdict
from twinlens.capture.interfaces import network_interfaces
from twinlens.capture.network_findings import (
    FULL_RATE_HZ,
    FULL_SHAPE_HW,
    World,
    camera_findings,
    network_findings,
    port_findings,
)
from twinlens.capture.pixel_formats import bytes_per_frame
from twinlens.capture.producer_probe import ProducerFacts, ask_producer
from twinlens.capture.producers import find_producer
from twinlens.capture.rig_file import RigSettings
from twinlens.errors import HostLimitError, TwinlensError

SHORT_OF_DISK_S = 600.0
GOOD_CLOCKS = ("tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page", "xen")
"""Read without leaving the processor; the others cost microseconds at every look."""


def examine(settings: RigSettings, *, out: Path, sys_folder: Path = host.SYS) -> Iterator[Finding]:
    """Look at everything a capture needs, one finding after the other; a few seconds in all.

    Args:
        settings: the rig as it is to be used; without serial numbers any camera is as good as any other.
        out: where sessions are to be written; it need not exist yet.
        sys_folder: /sys.
    """
    producer, finding = _producer(settings)
    yield finding
    interfaces = network_interfaces(sys_folder)
    try:
        cameras = find_on_wire(interfaces)
    except TwinlensError as error:
        yield Finding("FAIL", "cameras", error.message, error.hint)
        cameras = ()
    world = World(settings, interfaces, cameras)
    yield from network_findings(world)
    yield from camera_findings(world, producer)
    yield from port_findings(world)
    yield _receive_buffer()
    yield _disk(settings, out)
    yield _governor(sys_folder)
    yield _clock(sys_folder)


def _producer(settings: RigSettings) -> tuple[ProducerFacts | None, Finding]:
    try:
        facts = ask_producer(find_producer(settings.producer or None))
    except TwinlensError as error:
        return None, Finding("FAIL", "producer", error.message, error.hint)
    who = f"{Path(facts.path).name} {facts.version or 'of unknown version'} ({facts.vendor or 'unknown vendor'})"
    return facts, Finding("OK", "producer", f"{who} lists {len(facts.serials)} cameras")


def _receive_buffer() -> Finding:
    granted, needed = host.granted_receive_buffer(), host.RECEIVE_BUFFER_NEEDED
    seen = f"{granted / 2**20:.1f} MiB granted, {needed >> 20} MiB per camera needed"
    if granted >= needed:
        return Finding("OK", "receive buffer", seen)
    remedy = "echo net.core.rmem_max=33554432 | sudo tee /etc/sysctl.d/90-twinlens.conf && sudo sysctl --system"
    return Finding("WARN", "receive buffer", f"{seen}: frames may be lost at full rate", remedy)


def _disk(settings: RigSettings, out: Path) -> Finding:
    shape_hw = (settings.height or FULL_SHAPE_HW[0], settings.width or FULL_SHAPE_HW[1])
    needed = 2 * bytes_per_frame(settings.pixel_format, shape_hw) * (settings.rate_hz or FULL_RATE_HZ)
    subject = "disk"
    try:
        rate, free = host.disk_rate(out), host.free_bytes(out)
    except HostLimitError as error:
        return Finding("FAIL", subject, error.message, error.hint)
    seen = (
        f"{host.existing_parent(out)}: {rate / 1e6:.0f} MB/s, {free / 1e9:.0f} GB free: "
        f"{free / needed / 60:.0f} min of capture at {needed / 1e6:.0f} MB/s"
    )
    if rate < needed:
        # Without a rate of its own, the rig goes as fast as pairs reach the disk.
        verdict: Verdict = "FAIL" if settings.rate_hz else "WARN"
        return Finding(verdict, subject, f"{seen}: too slow", "record to a faster disk with --out FOLDER")
    if free < needed * SHORT_OF_DISK_S:
        return Finding("WARN", subject, seen, "free some room, or record to another disk with --out FOLDER")
    return Finding("OK", subject, seen)


def _governor(sys_folder: Path) -> Finding:
    governors = host.cpu_governors(sys_folder)
    if not governors:
        return Finding("OK", "cpu governor", "none (a virtual machine, or a fixed frequency)")
    seen = ", ".join(governors)
    if governors == ("performance",):
        return Finding("OK", "cpu governor", seen)
    remedy = "sudo cpupower frequency-set -g performance"
    return Finding("WARN", "cpu governor", f"{seen}: a processor that sleeps wakes late for packets", remedy)


def _clock(sys_folder: Path) -> Finding:
    current, others = host.clock_source(sys_folder)
    if not current:
        return Finding("OK", "clock source", "not told by this system")
    if current in GOOD_CLOCKS:
        return Finding("OK", "clock source", current)
    better = next((name for name in GOOD_CLOCKS if name in others), "")
    place = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
    remedy = f"echo {better} | sudo tee {place}" if better else "boot with clocksource=tsc"
    return Finding("WARN", "clock source", f"{current} is slow to read", remedy)
