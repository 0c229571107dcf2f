"""The doctor at one end of a cable: cameras found by broadcast, a stray one moved to where it can be reached."""

from pathlib import Path

import network_lab as network
import test_network as programs

EXAMINE = """
import json, os
from dataclasses import asdict
from pathlib import Path
os.environ["TWINLENS_GEV_DEVICES"] = ""
from twinlens.capture.doctor import examine
from twinlens.capture.rig_file import RigSettings
if __name__ == "__main__":
    found = examine(RigSettings(a={a!r}, b={b!r}, rate_hz={rate_hz}), out=Path({out!r}))
    print(json.dumps([asdict(finding) for finding in found]))
"""
MOVE = """
import json
from ipaddress import IPv4Interface
from twinlens.capture.discovery import give_address
from twinlens.capture.interfaces import network_interfaces
moved = give_address("STRAY", IPv4Interface("10.77.0.2/24"), network_interfaces())
print(json.dumps([str(moved.address), moved.interface, moved.mac]))
"""


def examined(lab, tmp_path: Path, *, a: str, b: str, rate_hz: float) -> dict[str, dict[str, str]]:
    program = EXAMINE.format(a=a, b=b, rate_hz=rate_hz, out=str(tmp_path))
    return {finding["subject"]: finding for finding in lab.ask(lab.host, program)}


def test_two_cameras_behind_one_cable_are_found_and_their_link_is_reckoned(make_lab, tmp_path: Path) -> None:
    with make_lab(1500) as lab:
        lab.start(lab.far, programs.CAMERAS.format(addresses=network.CAMERA_ADDRESSES))
        found = examined(lab, tmp_path, a="NA", b="NB", rate_hz=22.0)
        too_fast = examined(lab, tmp_path, a="NA", b="NB", rate_hz=23.0)
    assert found["camera NA"]["verdict"] == "OK"
    assert "10.77.0.2/24, free" in found["camera NA"]["seen"]
    assert "10.77.0.3/24, free" in found["camera NB"]["seen"]
    assert "2 cameras" in found["producer"]["seen"]
    assert found["cable"]["verdict"] == "WARN"
    assert found["cable"]["remedy"] == "sudo ip link set dev cable mtu 9000"
    assert found["link"]["verdict"] == "OK"
    assert too_fast["link"]["verdict"] == "FAIL"
    assert "22.4 fps fit" in too_fast["link"]["seen"]


def test_a_camera_on_the_wrong_subnet_is_told_an_address_and_moved_there(make_lab, tmp_path: Path) -> None:
    with make_lab(9000) as lab:
        lab.start(lab.far, programs.STRAY.format(here=str(network.HERE)))
        found = examined(lab, tmp_path, a="STRAY", b="", rate_hz=0.0)["camera STRAY"]
        moved = lab.ask(lab.host, MOVE)
        after = examined(lab, tmp_path, a="STRAY", b="", rate_hz=0.0)["camera STRAY"]
    assert found["verdict"] == "FAIL"
    assert "192.168.9.5/24 does not fit cable (10.77.0.1/24); 10.77.0.2/24 would" in found["seen"]
    assert found["remedy"] == "twinlens cameras --give-address STRAY 10.77.0.2/24"
    assert moved == ["10.77.0.2/24", "cable", "02:00:00:00:00:07"]
    assert "does not fit" not in after["seen"]
