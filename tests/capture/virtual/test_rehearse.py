"""The whole rig in a process of its own: both cameras, their wires, their faults and their logs."""

import contextlib
import os
import time

import pytest

from twinlens.capture.virtual.camera_log import read_log
from twinlens.capture.virtual.camera_settings import VirtualCameraSettings
from twinlens.capture.virtual.faults import Faults
from twinlens.capture.virtual.gvcp import GVCP_PORT
from twinlens.capture.virtual.loop import LoopSettings
from twinlens.capture.virtual.rehearse import virtual_rig
from twinlens.capture.virtual.stamp import read_trigger

LOOP = LoopSettings(shape_hw=(64, 96), frames=2)
ADDRESSES, SERIALS = ("127.54.0.2", "127.54.0.3"), ("VR1", "VR2")
SOFTWARE, LINE0 = 0, 1


@pytest.fixture
def logs(tmp_path):
    return tmp_path / "a.jsonl", tmp_path / "b.jsonl"


@contextlib.contextmanager
def rig(logs, **bench):
    with virtual_rig(LOOP, addresses=ADDRESSES, serials=SERIALS, logs=logs, **bench):
        yield


def arm(connect, receiver, address, source):
    host = connect(address, GVCP_PORT)
    host.take_control()
    host.open_stream(receiver, packet_size=1500)
    assert host.put("TriggerSource", source) == 0
    host.start()
    return host


def sent(path):
    return [(entry.trigger, entry.block_id) for entry in read_log(path) if entry.event == "sent"]


def test_pulses_reach_both_cameras_and_the_logs_are_complete(logs, connect, receiver):
    with rig(logs, pulses_hz=50.0):
        assert os.environ["TWINLENS_GEV_DEVICES"] == ",".join(ADDRESSES)
        arm(connect, receiver, ADDRESSES[0], LINE0)
        seen = []
        for _ in range(5):
            frame = receiver.frame()
            seen.append((read_trigger(frame.pixels), frame.block_id))
    assert sent(logs[0])[:5] == seen
    assert read_log(logs[1]) == [], "nobody told B to look at its line"


def test_a_chained_rig_drives_b_from_a(logs, connect, receiver):
    settings = (VirtualCameraSettings(user_name="left"), VirtualCameraSettings())
    with rig(logs, chained=True, settings=settings):
        b = arm(connect, receiver, ADDRESSES[1], LINE0)
        a = connect(ADDRESSES[0], GVCP_PORT)
        assert a.ask(0x02)[1][0xE8:].rstrip(b"\0") == b"left"
        assert b.ask(0x02)[1][0xE8:].rstrip(b"\0") == b"b"
        a.take_control()
        a.write(0xD18, 0x7F000001)
        a.write(0xD00, 9)  # where A's own frames go does not matter
        assert a.put("LineSelector", 1) == a.put("LineSource", 1) == 0
        a.start()
        for expected in range(3):
            assert a.put("TriggerSoftware", 1) == 0
            assert read_trigger(receiver.frame().pixels) == expected
    assert sent(logs[1]) == [(0, 1), (1, 2), (2, 3)]


def test_each_camera_has_its_own_faults(logs, connect, receiver):
    with rig(logs, faults=(Faults(), Faults(unplug_after_frames=1))):
        for address in ADDRESSES:
            host = arm(connect, receiver, address, SOFTWARE)
            for _ in range(2):
                assert host.put("TriggerSoftware", 1) == 0
                until_sent(receiver)
    assert [entry.event for entry in read_log(logs[0])] == ["sent", "sent"]
    assert [entry.event for entry in read_log(logs[1])] == ["sent", "unplugged"]


def until_sent(receiver):
    """Take packets until a trailer, or until none comes."""
    deadline = time.monotonic() + 5.0
    with contextlib.suppress(TimeoutError):
        while time.monotonic() < deadline and receiver.datagram(0.5)[4] != 2:
            pass
