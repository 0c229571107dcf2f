"""Independent stacks meet the virtual cameras."""

import re
import subprocess
import threading

import pytest

from twinlens.capture.virtual.camera import VirtualCamera
from twinlens.capture.virtual.faults import Faults
from twinlens.capture.virtual.gvcp import GVCP_PORT
from twinlens.capture.virtual.serve import serve_rig
from twinlens.errors import SettingsError

ADDRESSES = ("127.53.0.2", "127.53.0.3")
SERIALS = ("VTA901", "VTB901")


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    return done.stdout


@pytest.fixture
def rig(ramp, start_camera):
    for address, serial in zip(ADDRESSES, SERIALS, strict=True):
        start_camera(ramp((480, 640)), address=address, serial=serial, port=GVCP_PORT)


@pytest.mark.usefixtures("rig")
def test_aravis_lists_both_cameras_by_broadcast_and_reads_and_writes_a_feature(system_tool):
    tool = system_tool("arv-tool-0.8", "aravis-tools-cli")
    listed = run(tool)
    for address, serial in zip(ADDRESSES, SERIALS, strict=True):
        assert f"twinlens-MER-530-20GM-virtual-{serial} ({address})" in listed
    name = f"twinlens-MER-530-20GM-virtual-{SERIALS[1]}"
    run(tool, "-n", name, "control", "ExposureTime=2345", "TwinSceneSelector=3")
    read_back = run(tool, "-n", name, "control", "ExposureTime", "TwinSceneSelector", "DeviceSerialNumber")
    assert "ExposureTime = 2345 us min:5 max:1e+06" in read_back
    assert "TwinSceneSelector = 3" in read_back
    assert SERIALS[1] in read_back


@pytest.mark.usefixtures("rig")
def test_aravis_streams_at_the_rate_it_asked_for_and_finds_the_largest_packet(system_tool):
    tool = system_tool("arv-camera-test-0.8", "aravis-tools")
    name = f"twinlens-MER-530-20GM-virtual-{SERIALS[0]}"
    options = ("--no-packet-socket", "--auto", "--packet-size-adjustment=always", "--duration=2", "--frequency=10")
    told = run(tool, "-n", name, *options)
    figures = {key: int(value) for key, value in re.findall(r"^(\w[\w ]*?) *= (\d+)", told, flags=re.MULTILINE)}
    assert figures["n_failures"] == figures["n_missing_packets"] == 0
    assert 16 <= figures["n_completed_buffers"] <= 22
    assert figures["gv packet size"] > 8900


@pytest.mark.parametrize("drop", [0.0, 0.01])
def test_aravis_takes_every_frame_of_single_packets_through_its_packet_socket(
    system_tool, start_camera, ramp, drop
):
    """Raw sockets, which root gets, see segments before the kernel has cut them: the camera must not offload."""
    tool = system_tool("arv-camera-test-0.8", "aravis-tools")
    camera = start_camera(
        ramp((480, 640)),
        address=ADDRESSES[0],
        serial="VTA902",
        port=GVCP_PORT,
        use_segmentation=False,
        faults=Faults(drop=drop),
    )
    options = ("--auto", "--duration=2", "--frequency=20")
    told = run(tool, "-n", "twinlens-MER-530-20GM-virtual-VTA902", *options)
    figures = {key: int(value) for key, value in re.findall(r"^(\w[\w ]*?) *= (\d+)", told, flags=re.MULTILINE)}
    assert figures["n_failures"] == figures["n_missing_packets"] == figures["n_missing_frames"] == 0
    assert figures["n_completed_buffers"] >= 30
    assert bool(figures["n_resent_packets"]) == bool(sum(entry.dropped_packets for entry in camera.log))


def test_a_served_rig_ends_when_it_is_told_to(ramp):
    stop, ready = threading.Event(), threading.Event()
    serving = threading.Thread(
        target=serve_rig,
        args=((ramp(), ramp()), stop),
        kwargs={"addresses": ADDRESSES, "serials": SERIALS, "on_ready": ready.set},
    )
    serving.start()
    assert ready.wait(10)
    stop.set()
    serving.join(10)
    assert not serving.is_alive()
    VirtualCamera(ramp(), address=ADDRESSES[0], serial=SERIALS[0]).close()


def test_a_rig_needs_two_different_cameras(ramp):
    with pytest.raises(SettingsError, match="serial number"):
        serve_rig((ramp(), ramp()), threading.Event(), serials=("V1", "V1"))
