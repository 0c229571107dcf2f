"""The doctor's verdicts: on a virtual rig that is well, and on worlds where one thing is wrong."""

import json
import os
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

import pytest

from twinlens.capture.discovery import CameraOnWire, find_on_wire, fitting_address, give_address
from twinlens.capture.doctor import examine
from twinlens.capture.findings import Finding, worst
from twinlens.capture.interfaces import NetworkInterface, network_interfaces
from twinlens.capture.network_findings import World, camera_findings, network_findings, port_findings
from twinlens.capture.producer_probe import ProducerFacts, ask_producer
from twinlens.capture.producers import bundled_producer
from twinlens.capture.rig_file import RigSettings, write_rig_file
from twinlens.capture.virtual.rehearse import virtual_rig
from twinlens.capture.virtual.twin import TwinSettings
from twinlens.cli import run
from twinlens.errors import CameraNotFoundError, CaptureError, SettingsError

ADDRESSES = ("127.0.6.12", "127.0.6.13")
SERIALS = ("DA01", "DB01")
RIG = RigSettings(a=SERIALS[0], b=SERIALS[1])


@pytest.fixture(autouse=True)
def _bundled_producer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GENICAM_GENTL64_PATH", raising=False)


@pytest.fixture(scope="module")
def _served() -> Iterator[None]:
    settings = TwinSettings(shape_hw=(96, 128), rms_waves=(0.0,), seed=5)
    with virtual_rig(settings, addresses=ADDRESSES, serials=SERIALS, scene_limit=1):
        yield


def by_subject(findings: list[Finding] | tuple[Finding, ...]) -> dict[str, Finding]:
    return {finding.subject: finding for finding in findings}


@contextmanager
def controlled(address: str) -> Iterator[None]:
    """Another program that controls a camera."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as host:
        host.settimeout(5.0)
        for privilege in (2, 0):
            host.sendto(
                struct.pack(">BBHHHII", 0x42, 1, 0x82, 8, 1 + privilege, 0xA00, privilege), (address, 3956)
            )
            assert host.recv(64)[:2] == b"\0\0"
            if privilege:
                yield


@pytest.mark.usefixtures("_served")
def test_a_virtual_rig_is_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_rig_file(Path("rig.toml"), RIG)
    assert run(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["verdict"] in ("OK", "WARN")  # the disk or the governor of this computer may earn a WARN
    verdicts = {finding["subject"]: finding["verdict"] for finding in report["findings"]}
    for subject in ("producer", "lo", "camera DA01", "camera DB01", "ports", "link", "clock source"):
        assert verdicts[subject] in ("OK", "WARN"), subject
    assert {"receive buffer", "disk", "cpu governor"} <= set(verdicts)
    assert [path.name for path in tmp_path.iterdir()] == ["rig.toml"]


@pytest.mark.usefixtures("_served")
def test_what_is_wrong_is_told_in_lines_of_80_columns_with_what_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_rig_file(Path("rig.toml"), replace(RIG, b="MISSING"))
    with controlled(ADDRESSES[0]):
        assert run(["doctor", "--out", "/proc/nothing"]) == 1
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert all(len(line) <= 80 for line in lines if "->" not in line)
    starts = [line[:24].split(maxsplit=1) for line in lines if line[:1] != " "]
    failed = [subject.strip() for verdict, subject in starts if verdict == "FAIL"]
    assert failed == ["camera DA01", "camera B", "disk"]
    assert "MISSING does not answer" in told.out
    assert "is controlled by 127.0.0.1" in " ".join(told.out.split())
    assert told.out.count("->") >= 3
    assert "camera DA01, camera B, disk" in told.err


@pytest.mark.usefixtures("_served")
def test_cameras_are_found_on_the_wire_with_who_controls_them() -> None:
    interfaces = network_interfaces()
    with controlled(ADDRESSES[1]):
        found = find_on_wire(interfaces)
    assert [camera.serial for camera in found] == list(SERIALS)
    assert [camera.access for camera in found] == ["free", "controlled"]
    assert [str(camera.address.ip) for camera in found] == list(ADDRESSES)
    assert {camera.interface for camera in found} == {"lo"}
    assert len({camera.mac for camera in found}) == 2
    with pytest.raises(CameraNotFoundError, match="DA01, DB01"):
        give_address("NOBODY", IPv4Interface("127.0.6.14/8"), interfaces)
    with pytest.raises(SettingsError, match="'here' is not an IPv4 address"):
        find_on_wire(interfaces, listed="127.0.6.12, here")


def test_without_cameras_the_doctor_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINLENS_GEV_DEVICES", "127.0.9.9")
    monkeypatch.setenv("TWINLENS_GEV_BROADCAST", "0")
    found = by_subject(list(examine(RigSettings(), out=tmp_path)))
    assert found["cameras"].verdict == "FAIL"
    assert "twinlens simulate" in found["cameras"].remedy
    assert found["producer"].verdict == "OK"


def test_a_missing_producer_and_a_computer_with_a_slow_clock_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWINLENS_GEV_DEVICES", "127.0.9.9")
    monkeypatch.setenv("TWINLENS_GEV_BROADCAST", "0")
    for name, text in {
        "cpu/cpu0/cpufreq/scaling_governor": "powersave",
        "clocksource/clocksource0/current_clocksource": "hpet",
        "clocksource/clocksource0/available_clocksource": "hpet tsc",
    }.items():
        place = tmp_path / "devices/system" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    settings = RigSettings(producer="/no/such.cti")
    found = by_subject(list(examine(settings, out=tmp_path, sys_folder=tmp_path)))
    assert found["producer"].verdict == "FAIL"
    assert "/no/such.cti" in found["producer"].seen
    assert (found["cpu governor"].verdict, found["clock source"].verdict) == ("WARN", "WARN")
    assert found["cpu governor"].remedy == "sudo cpupower frequency-set -g performance"
    assert found["clock source"].remedy.startswith("echo tsc | sudo tee /sys/")


def test_a_producer_that_crashes_or_hangs_does_not_take_the_doctor_with_it(
    tmp_path: Path, system_tool: Callable[[str, str], str]
) -> None:
    source = tmp_path / "crash.c"
    source.write_text("#include <stdlib.h>\nint GCInitLib(void) { abort(); }\n")
    crash = tmp_path / "crash.cti"
    compiler = system_tool("cc", "gcc")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(crash), str(source)], check=True)
    with pytest.raises(CaptureError, match=r"crash\.cti crashed.*exit code -6"):
        ask_producer(crash)
    with pytest.raises(CaptureError, match="did not list its cameras within 0 s"):
        ask_producer(bundled_producer(), timeout_s=0.0)


ETH1 = NetworkInterface(
    name="eth1", addresses=(IPv4Interface("192.168.5.10/24"),), mtu=9000, speed_mbit=1000, is_up=True
)
ETH2 = replace(ETH1, name="eth2", addresses=(IPv4Interface("192.168.6.10/24"),))


def on_wire(serial: str, address: str, interface: str, **changed: Any) -> CameraOnWire:
    camera = CameraOnWire(
        serial=serial, vendor="Daheng Imaging", model="MER-530-20GM-P", user_name="", mac="00:21:49:00:00:01",
        address=IPv4Interface(address), interface=interface, access="free",
    )  # fmt: skip
    return replace(camera, **changed)


A, B = on_wire("A1", "192.168.5.20/24", "eth1"), on_wire("B1", "192.168.6.20/24", "eth2")
LAB = RigSettings(a="A1", b="B1")


def world(
    *cameras: CameraOnWire, interfaces: tuple[NetworkInterface, ...] = (ETH1, ETH2), rig: RigSettings = LAB
) -> World:
    return World(rig, interfaces, cameras)


def judged(of: World) -> tuple[Finding, ...]:
    producer = ProducerFacts(str(bundled_producer()), "twinlens", "1", tuple(c.serial for c in of.cameras))
    return (*network_findings(of), *camera_findings(of, producer), *port_findings(of))


def test_one_port_for_each_camera_is_well() -> None:
    findings = judged(world(A, B))
    assert worst(findings) == "OK", findings
    assert by_subject(findings)["ports"].seen == "eth1 and eth2: one for each camera"
    assert "23.3 fps" in by_subject(findings)["link"].seen


def test_two_cameras_on_one_port_are_told_what_fits() -> None:
    here = world(A, replace(B, address=IPv4Interface("192.168.5.21/24"), interface="eth1"))
    found = by_subject(judged(here))
    assert (found["ports"].verdict, found["link"].verdict) == ("WARN", "WARN")
    assert "11.6 fps fit" in found["link"].seen
    at_a_rate = replace(here, settings=replace(LAB, rate_hz=15.0))
    assert by_subject(judged(at_a_rate))["link"].verdict == "FAIL"
    fast = replace(here, interfaces=(replace(ETH1, speed_mbit=10_000),))
    assert worst(judged(fast)) == "OK"


def test_a_camera_on_the_wrong_subnet_is_told_the_address_that_would_fit() -> None:
    stray = on_wire("A1", "169.254.7.7/16", "eth1", access="unreachable")
    found = by_subject(judged(world(stray, B)))["camera A1"]
    assert found.verdict == "FAIL"
    assert "169.254.7.7/16 does not fit eth1 (192.168.5.10/24); 192.168.5.11/24 would" in found.seen
    assert found.remedy == "twinlens cameras --give-address A1 192.168.5.11/24"


def test_the_address_that_would_fit_is_nobodys() -> None:
    taken = tuple(on_wire(f"C{n}", f"192.168.5.{n}/24", "eth1") for n in (11, 12))
    assert fitting_address(ETH1, taken) == IPv4Interface("192.168.5.13/24")
    last = replace(ETH1, addresses=(IPv4Interface("192.168.5.254/24"),))
    assert fitting_address(last, ()) == IPv4Interface("192.168.5.1/24")
    pair = replace(ETH1, addresses=(IPv4Interface("10.0.0.1/30"),))
    assert fitting_address(pair, (on_wire("C", "10.0.0.2/30", "eth1"),)) is None


@pytest.mark.parametrize(
    ("interfaces", "subject", "verdict", "remedy"),
    [
        ((replace(ETH1, mtu=1500), ETH2), "eth1", "WARN", "sudo ip link set dev eth1 mtu 9000"),
        ((ETH1, replace(ETH2, speed_mbit=100)), "eth2", "FAIL", "ethtool -s eth2"),
        (
            (ETH1, replace(ETH2, addresses=ETH1.addresses)),
            "eth1, eth2",
            "FAIL",
            "sudo ip address flush dev eth2 && sudo ip address add 192.168.200.1/24 dev eth2",
        ),
        (
            (ETH1, ETH2, replace(ETH1, name="eth3", addresses=(), reverse_path_filter=1)),
            "eth3",
            "WARN",
            "rp_filter=2",
        ),
    ],
)
def test_a_network_that_is_not_well_is_told(
    interfaces: tuple[NetworkInterface, ...], subject: str, verdict: str, remedy: str
) -> None:
    found = by_subject(tuple(network_findings(world(A, B, interfaces=interfaces))))[subject]
    assert found.verdict == verdict
    assert remedy in found.remedy


@pytest.mark.parametrize(
    ("access", "seen"), [("controlled", "is controlled by 192.168.5.77"), ("unreachable", "at its own address")]
)
def test_a_camera_that_cannot_be_had_is_told_why(access: Any, seen: str) -> None:
    found = by_subject(judged(world(replace(A, access=access, controlled_by="192.168.5.77"), B)))["camera A1"]
    assert found.verdict == "FAIL"
    assert seen in found.seen


def test_a_camera_the_producer_does_not_list_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWINLENS_GEV_BROADCAST", raising=False)
    vendors = ProducerFacts("/opt/vendor.cti", "vendor", "1", ())
    found = by_subject(tuple(camera_findings(world(A, B), vendors)))["camera A1"]
    assert "vendor.cti does not list it" in found.seen
    assert 'producer = ""' in found.remedy
    ours = replace(vendors, path=str(bundled_producer()))
    monkeypatch.setitem(os.environ, "TWINLENS_GEV_BROADCAST", "0")
    assert "unset" in by_subject(tuple(camera_findings(world(A, B), ours)))["camera A1"].remedy
