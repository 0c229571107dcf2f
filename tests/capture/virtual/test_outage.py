"""Cameras that vanish, are stolen, fall silent or keep a bad clock, as a host sees them."""

import contextlib
import itertools
import socket
import struct
import time

import pytest

from twinlens.capture.virtual.camera_log import read_log
from twinlens.capture.virtual.faults import Faults
from twinlens.capture.virtual.gvcp import Status
from twinlens.capture.virtual.oscillator import Oscillator
from twinlens.capture.virtual.stamp import read_trigger

VERSION, CCP, HEARTBEAT, SCP = 0x0, 0xA00, 0x938, 0xD00
OWNER_PORT, OWNER_ADDRESS = 0xA04, 0xA14
CAPABILITY = 0x934


def until(is_true, seconds=10.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if is_true():
            return True
        time.sleep(0.02)
    return False


def control(connect):
    host = connect()
    host.take_control()
    return host


def answers(host):
    """Whether the camera answers a read within a moment."""
    host._socket.settimeout(0.3)
    try:
        host.read(VERSION)
    except (TimeoutError, ConnectionRefusedError):
        return False
    return True


def fire(host):
    assert host.put("TriggerSoftware", 1) == 0


def test_an_unplugged_camera_vanishes_in_the_middle_of_a_frame(start_camera, connect, receiver, ramp):
    camera = start_camera(ramp((480, 640)), faults=Faults(unplug_after_frames=2))
    host = control(connect)
    host.open_stream(receiver, packet_size=1500)
    host.start()
    for expected in range(2):
        fire(host)
        assert read_trigger(receiver.frame().pixels) == expected
    fire(host)
    kinds = kinds_until_silence(receiver)
    assert kinds[:2] == [1, 3], "the third frame begins"
    assert 2 not in kinds, "and never ends"
    assert not answers(host)
    assert not camera.is_powered
    assert [(e.trigger, e.block_id, e.event) for e in camera.log][-1] == (2, 3, "unplugged")
    # Nothing is left on the address: another program may have it.
    assert until(lambda: is_free(camera, host))


def kinds_until_silence(receiver):
    kinds = []
    with contextlib.suppress(TimeoutError):
        while True:
            kinds.append(receiver.datagram(0.5)[4])
    return kinds


def is_free(camera, host):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((camera.address, host._peer[1]))
        except OSError:
            return False
    return True


def test_a_camera_plugged_in_again_starts_from_nothing(start_camera, connect, receiver, tmp_path):
    path = tmp_path / "a.jsonl"
    faults = Faults(unplug_after_frames=1, replug_after_s=0.2)
    camera = start_camera(faults=faults, log_path=path)
    host = control(connect)
    assert host.put("ExposureTime", 77.0) == 0
    host.open_stream(receiver, packet_size=1500)
    host.start()
    fire(host)
    receiver.frame()
    fire(host)
    assert until(lambda: not camera.is_powered)
    assert until(lambda: camera.is_powered)
    assert until(lambda: answers(host))
    assert (host.read(CCP), host.read(SCP), host.get("ExposureTime")) == (0, 0, 10_000.0)
    while not receiver.is_silent(0.1):
        pass
    host.take_control()
    host.open_stream(receiver, packet_size=1500)
    host.start()
    for expected in range(3):
        fire(host)
        frame = receiver.frame()
        assert (frame.block_id, read_trigger(frame.pixels)) == (expected + 1, expected)
        assert frame.timestamp < 60e9, "the clock started again"
    camera.close()
    assert [entry.event for entry in read_log(path)] == ["sent", "unplugged", "sent", "sent", "sent"]


def test_a_stolen_camera_refuses_its_old_owner_and_names_the_new(start_camera, connect, receiver):
    start_camera(faults=Faults(steal_control_after_s=0.5))
    host = control(connect)
    host.open_stream(receiver, packet_size=1500)
    host.start(triggered=False)
    assert host.read(CCP) == 2
    assert until(lambda: host.read(CCP) != 2)
    assert host.write(HEARTBEAT, 1000) == Status.ACCESS_DENIED
    assert host.ask(0x80, struct.pack(">I", HEARTBEAT))[0] == Status.ACCESS_DENIED
    assert host.write(CCP, 2) == Status.ACCESS_DENIED
    assert host.read(OWNER_ADDRESS) == int.from_bytes(socket.inet_aton("192.0.2.99"), "big")
    assert host.read(OWNER_PORT) > 0
    while not receiver.is_silent(0.3):
        pass


def test_a_mute_camera_streams_on_until_its_owner_is_gone(start_camera, connect, receiver):
    camera = start_camera(faults=Faults(mute_heartbeat_after_s=0.4))
    host, other = control(connect), connect()
    assert host.write(HEARTBEAT, 1000) == 0
    host.open_stream(receiver, packet_size=1500)
    host.start(triggered=False)
    assert until(lambda: not answers(host))
    assert not answers(other)
    before = camera.log.count("sent")
    assert until(lambda: camera.log.count("sent") > before + 3), "frames still come"
    assert until(lambda: answers(other)), "a freed camera is well again"
    assert other.read(CCP) == 0


def test_a_camera_that_ignores_test_packets_says_yes_and_sends_nothing(start_camera, connect, receiver):
    start_camera(faults=Faults(ignores_test_packets=True))
    host = control(connect)
    host.open_stream(receiver, packet_size=1500)
    assert host.write(0xD04, 0xC0000000 | 1500) == 0
    assert receiver.is_silent(0.2)


def test_a_camera_without_resend_says_so(start_camera, connect):
    start_camera(faults=Faults(offers_resend=False))
    assert connect().read(CAPABILITY) & 0x4 == 0
    start_camera(address="127.0.0.3", serial="VB0001")
    assert connect("127.0.0.3").read(CAPABILITY) & 0x4


def test_a_clock_begins_where_it_is_told_and_is_reset_to_zero(start_camera, connect):
    start_camera(faults=Faults(clock_offset_s=1000.0))
    host = control(connect)
    assert host.put("TimestampLatch", 2) == 0
    assert 1000e9 <= host.get("TimestampLatchValue") < 1060e9
    assert host.put("TimestampReset", 1) == 0
    assert host.put("GevTimestampControlLatch", 2) == 0
    assert host.get("GevTimestampValue") == host.get("TimestampLatchValue") < 60e9


def test_a_clock_drifts_as_much_as_it_is_told():
    clock = Oscillator(Faults(clock_drift_ppm=80.0, clock_offset_s=5.0))
    start_ns = time.monotonic_ns()
    hour_ns = 3600 * 10**9
    assert clock.ticks(start_ns + hour_ns) - clock.ticks(start_ns) == pytest.approx(hour_ns + 288_000_000, abs=2)
    assert clock.host_ns(clock.ticks(start_ns + hour_ns)) == pytest.approx(start_ns + hour_ns, abs=1000)
    assert clock.stamp(start_ns) == clock.ticks(start_ns), "no jitter unless asked for"


def test_jitter_moves_timestamps_and_not_the_clock(start_camera, connect, receiver):
    start_camera(faults=Faults(clock_jitter_us=2000.0, seed=2))
    host = control(connect)
    host.open_stream(receiver, packet_size=1500)
    assert host.put("AcquisitionFrameRate", 20.0) == 0
    host.start(triggered=False)
    stamps = [receiver.frame().timestamp for _ in range(12)]
    gaps_us = [(later - earlier) / 1e3 for earlier, later in itertools.pairwise(stamps)]
    assert max(gaps_us) - min(gaps_us) > 2000


def test_a_slow_command_is_announced_and_then_done(start_camera, connect):
    start_camera(slow_command_ms=300)
    host = control(connect)
    assert host.read(CAPABILITY) & 0x20
    assert host.read(0x958) == 300
    assert host.put("ExposureTime", 77.0) == 0
    address, _length, _kind = host.place("UserSetLoad")
    host.tell(struct.pack(">BBHHHII", 0x42, 1, 0x82, 8, 0xBEEF, address, 1))
    begin = time.monotonic()
    assert struct.unpack(">HHHHHH", host.hear()) == (0, 0x89, 4, 0xBEEF, 0, 300)
    assert struct.unpack_from(">HHHH", host.hear()) == (0, 0x83, 4, 0xBEEF)
    assert time.monotonic() - begin >= 0.29
    assert host.get("ExposureTime") == 10_000.0


def test_a_quick_camera_announces_nothing(start_camera, connect):
    start_camera()
    host = control(connect)
    assert host.read(CAPABILITY) & 0x20 == 0
    assert host.put("UserSetLoad", 1) == 0
