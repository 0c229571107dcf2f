"""Pulses, wires and action commands: who exposes, under which number, and what the log says of it."""

import itertools
import struct
import time

import pytest

from twinlens.capture.virtual.gvcp import Status
from twinlens.capture.virtual.lines import Pulse, PulseGenerator, Wire
from twinlens.capture.virtual.stamp import read_trigger

A, B = "127.0.0.2", "127.0.0.3"
SOFTWARE, LINE0, LINE2, LINE3, ACTION0 = range(5)
RISING, FALLING = 0, 1
STROBE = 1
ACTION = 0x100
DEVICE_KEY, GROUP_KEY, MASK = 0x1234, 7, 0b0110


@pytest.fixture
def camera(start_camera):
    return start_camera(address=A)


@pytest.fixture
def host(camera, connect):  # noqa: ARG001 - the camera must be there
    host = connect(A)
    host.take_control()
    return host


def arm(host, receiver, source, **features):
    host.open_stream(receiver, packet_size=1500)
    for name, value in {"TriggerSource": source, **features}.items():
        assert host.put(name, value) == 0
    host.start()


def number_of(receiver):
    frame = receiver.frame()
    return frame.block_id, read_trigger(frame.pixels)


def events(camera):
    return [(entry.trigger, entry.event) for entry in camera.log]


def until(is_true, seconds=5.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if is_true():
            return True
        time.sleep(0.01)
    return False


def test_a_pulse_makes_a_frame_with_the_pulses_number(camera, host, receiver):
    assert host.put("TriggerSource", LINE0) == 0
    assert host.put("TriggerMode", 1) == 0
    camera.receive(Pulse(4, time.monotonic_ns(), 1_000_000))
    arm(host, receiver, LINE0)
    for number in (5, 6, 9):
        camera.receive(Pulse(number, time.monotonic_ns(), 1_000_000))
        assert number_of(receiver)[1] == number
    assert until(lambda: len(camera.log) == 4)
    assert events(camera) == [(4, "not armed"), (5, "sent"), (6, "sent"), (9, "sent")]
    assert [entry.block_id for entry in camera.log] == [0, 1, 2, 3]
    assert host.get("TwinPulseCount") == 4


@pytest.mark.parametrize("source", [SOFTWARE, LINE2, LINE3, ACTION0])
def test_a_pulse_at_line_0_is_nothing_to_a_camera_that_waits_elsewhere(camera, host, receiver, source):
    arm(host, receiver, source)
    camera.receive(Pulse(0, time.monotonic_ns(), 1_000_000))
    assert receiver.is_silent(0.2)
    assert not events(camera)


def test_pulses_that_come_too_fast_are_counted_and_logged(start_camera, connect, receiver, ramp):
    camera = start_camera(ramp((480, 640)), trigger_queue=1, bytes_per_s=5e6)
    host = connect()
    host.take_control()
    arm(host, receiver, LINE0)
    for number in range(6):
        camera.receive(Pulse(number, time.monotonic_ns(), 1_000_000))
    first = number_of(receiver)
    assert first == (1, 0)
    assert until(lambda: len(camera.log) == 6)
    too_fast = [entry.trigger for entry in camera.log.entries("too fast")]
    assert host.get("TwinMissedTriggerCount") == len(too_fast) >= 4
    assert all(entry.block_id == 0 for entry in camera.log.entries("too fast"))
    sent = {entry.trigger for entry in camera.log.entries("sent")}
    assert sent | set(too_fast) == set(range(6))
    assert not sent & set(too_fast)


def test_both_cameras_answer_one_generator_under_one_number_and_time(start_camera, connect, receiver):
    cameras = [start_camera(address=A), start_camera(address=B, serial="VB0001")]
    for address in (A, B):
        host = connect(address)
        host.take_control()
        arm(host, receiver, LINE0)
    with PulseGenerator(20.0) as pulses:
        pulses.wire(*cameras)
        assert until(lambda: all(camera.log.count("sent") >= 5 for camera in cameras))
    logs = [{e.trigger: e.time_ns for e in camera.log.entries("sent")} for camera in cameras]
    shared = sorted(set(logs[0]) & set(logs[1]))
    assert len(shared) >= 5
    assert all(logs[0][number] == logs[1][number] for number in shared)
    times_ns = [logs[0][number] for number in shared]
    assert {later - earlier for earlier, later in itertools.pairwise(times_ns)} == {50_000_000}


@pytest.mark.parametrize(
    ("features", "late_us"),
    [
        ({}, 0),
        ({"TriggerDelay": 1500.0}, 1500),
        ({"TriggerActivation": FALLING}, 1030),
        ({"TriggerFilterRaisingEdge": 200.0}, 200),
        ({"TriggerFilterRaisingEdge": 2000.0}, None),
        ({"TriggerFilterFallingEdge": 2000.0}, 0),
    ],
)
def test_delay_edge_and_filters_move_the_exposure(camera, host, receiver, features, late_us):
    arm(host, receiver, LINE0, **features)
    rise_ns = time.monotonic_ns()
    camera.receive(Pulse(0, rise_ns, 1_000_000))
    if late_us is None:
        assert receiver.is_silent(0.2)
        return
    receiver.frame()
    assert until(lambda: camera.log.count("sent") == 1)
    assert camera.log.entries("sent")[0].time_ns - rise_ns == late_us * 1000


def test_an_inverted_input_starts_at_the_other_edge(camera, host, receiver):
    assert host.put("LineSelector", 0) == 0
    assert host.put("LineInverter", 1) == 0
    arm(host, receiver, LINE0)
    rise_ns = time.monotonic_ns()
    camera.receive(Pulse(0, rise_ns, 2_000_000))
    receiver.frame()
    assert until(lambda: camera.log.count("sent") == 1)
    assert camera.log.entries("sent")[0].time_ns - rise_ns == 2_000_000


@pytest.fixture
def chain(start_camera, connect, receiver):
    """A's Line1 drives B's Line0; (A, B, A's host, B's host), B armed."""
    a, b = start_camera(address=A), start_camera(address=B, serial="VB0001")
    Wire(a, b, delay_us=20.0)
    hosts = []
    for address in (A, B):
        hosts.append(connect(address))
        hosts[-1].take_control()
    arm(hosts[1], receiver, LINE0)
    return a, b, *hosts


def test_a_camera_chained_to_another_follows_it(chain, receiver):
    a, b, host_a, _host_b = chain
    assert host_a.put("LineSelector", 1) == 0
    assert host_a.put("LineSource", STROBE) == 0
    arm(host_a, receiver, SOFTWARE)
    for number in range(3):
        assert host_a.put("TriggerSoftware", 1) == 0
        assert until(lambda wanted=number + 1: b.log.count("sent") == wanted)
    assert until(lambda: a.log.count("sent") == 3)
    for of_a, of_b in zip(a.log, b.log, strict=True):
        assert (of_a.trigger, of_a.block_id) == (of_b.trigger, of_b.block_id)
        assert of_b.time_ns - of_a.time_ns == 20_000


def test_a_line_that_shows_its_user_output_drives_nobody(chain, receiver):
    a, b, host_a, _host_b = chain
    arm(host_a, receiver, SOFTWARE)
    assert host_a.put("TriggerSoftware", 1) == 0
    assert until(lambda: a.log.count("sent") == 1)
    assert not len(b.log)


def test_every_line_keeps_its_own_settings(host):
    assert host.put("LineSelector", 1) == 0
    assert host.get("LineMode") == 1
    assert host.put("LineSource", STROBE) == 0
    assert host.put("LineMode", 0) == Status.INVALID_PARAMETER, "an optocoupler has one direction"
    assert host.put("LineSelector", 2) == 0
    assert (host.get("LineMode"), host.get("LineSource")) == (0, 2)
    assert host.put("LineMode", 1) == 0
    assert host.put("LineSelector", 0) == 0
    assert host.put("LineMode", 1) == Status.INVALID_PARAMETER
    assert host.put("LineSelector", 1) == 0
    assert host.get("LineSource") == STROBE
    assert host.put("UserSetLoad", 1) == 0
    assert host.put("LineSelector", 1) == 0
    assert (host.get("LineMode"), host.get("LineSource")) == (1, 2)


def keys(host):
    for name, value in (("ActionDeviceKey", DEVICE_KEY), ("ActionGroupKey", GROUP_KEY), ("ActionGroupMask", MASK)):
        assert host.put(name, value) == 0


def test_an_action_command_triggers_every_camera_it_concerns(host, connect, receiver):
    keys(host)
    arm(host, receiver, ACTION0)
    stranger = connect(A)
    for expected in range(2):
        assert stranger.ask(ACTION, struct.pack(">III", DEVICE_KEY, GROUP_KEY, 0b0100)) == (0, b"")
        assert number_of(receiver) == (expected + 1, expected)
    assert host.read(0x908) == 1
    assert (host.read(0x90C), host.read(0x9800), host.read(0x9804)) == (DEVICE_KEY, GROUP_KEY, MASK)


@pytest.mark.parametrize("wrong", [(1, GROUP_KEY, MASK), (DEVICE_KEY, 8, MASK), (DEVICE_KEY, GROUP_KEY, 0b1001)])
def test_an_action_command_for_others_is_neither_obeyed_nor_answered(host, receiver, wrong):
    keys(host)
    arm(host, receiver, ACTION0)
    host.tell(struct.pack(">BBHHHIII", 0x42, 1, ACTION, 12, 77, *wrong))
    assert host.read(0x938) == 3000, "the next answer must be this one's"
    assert receiver.is_silent(0.2)


def test_an_action_command_without_acknowledge_is_obeyed_each_time(host, receiver):
    keys(host)
    arm(host, receiver, ACTION0)
    for expected in range(2):
        host.tell(struct.pack(">BBHHHIII", 0x42, 0, ACTION, 12, 77, DEVICE_KEY, GROUP_KEY, MASK))
        assert number_of(receiver) == (expected + 1, expected)


def test_an_action_command_to_a_camera_that_does_not_acquire_is_logged(camera, host):
    keys(host)
    assert host.put("TriggerSource", ACTION0) == 0
    assert host.put("TriggerMode", 1) == 0
    assert host.ask(ACTION, struct.pack(">III", DEVICE_KEY, GROUP_KEY, MASK)) == (0, b"")
    assert events(camera) == [(-1, "not armed")]


def scheduled(host, at_ticks):
    payload = struct.pack(">IIIQ", DEVICE_KEY, GROUP_KEY, MASK, at_ticks)
    host.tell(struct.pack(">BBHHH", 0x42, 0x81, ACTION, len(payload), 99) + payload)
    return struct.unpack_from(">H", host.hear())[0]


def test_a_scheduled_action_needs_a_master_clock_and_comes_in_time(start_camera, connect, receiver):
    camera = start_camera(offers_ptp=True)
    host = connect()
    host.take_control()
    keys(host)
    arm(host, receiver, ACTION0)
    soon_ns = time.time_ns() + 200_000_000
    assert scheduled(host, soon_ns) == Status.NO_REF_TIME
    assert host.put("PtpEnable", 1) == 0
    assert host.read(0x938) == 3000  # another request, so that the next is not taken for a repetition
    assert scheduled(host, time.time_ns() - 1_000_000) == Status.ACTION_LATE
    assert host.read(0x938) == 3000
    soon_ns = time.time_ns() + 200_000_000
    assert scheduled(host, soon_ns) == 0
    assert receiver.frame().timestamp == pytest.approx(soon_ns, abs=1_000_000)
    assert until(lambda: camera.log.count("sent") == 1)


def test_a_camera_says_which_options_it_has(start_camera, connect):
    for port, (settings, has_action, has_ptp) in enumerate(
        [({}, 1, 0), ({"offers_action": False}, 0, 0), ({"offers_ptp": True}, 1, 1)], start=45000
    ):
        start_camera(port=port, **settings)
        host = connect(port=port)
        host.take_control()
        found = {}
        for name, bit in (("Action", 6), ("ScheduledAction", 17), ("Ptp", 19), ("PacketResend", 2)):
            assert host.put("GevSupportedOptionSelector", bit) == 0
            found[name] = host.get("GevSupportedOption")
        wanted = {"Action": has_action, "ScheduledAction": has_ptp, "Ptp": has_ptp, "PacketResend": 1}
        assert found == wanted
        assert host.read(0x934) >> 6 & 1 == has_action
    assert connect(port=45001).ask(ACTION, bytes(12))[0] == Status.NOT_IMPLEMENTED
