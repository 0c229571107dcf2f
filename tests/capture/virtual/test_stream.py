"""Frames as they arrive over GVSP, compared with what the scene was."""

import time

import pytest

from twinlens.capture.virtual.camera import VirtualCamera
from twinlens.capture.virtual.gvcp import Status
from twinlens.capture.virtual.source import Shot
from twinlens.capture.virtual.stamp import STAMP_WIDTH, read_trigger
from twinlens.errors import CaptureError


@pytest.fixture
def host(start_camera, connect):
    start_camera()
    host = connect()
    host.take_control()
    return host


def shot(trigger_index, *, scene=0, mirror=0):
    return Shot(
        trigger_index=trigger_index, scene_index=scene, mirror_state_index=mirror, exposure_us=1e4, gain_db=0.0
    )


def fire(host):
    assert host.put("TriggerSoftware", 1) == 0


def assert_shows(pixels, expected, trigger_index):
    assert read_trigger(pixels) == trigger_index
    assert (pixels[1:] == expected[1:]).all()
    assert (pixels[0, STAMP_WIDTH:] == expected[0, STAMP_WIDTH:]).all()


@pytest.fixture(params=[True, False], ids=["segmented", "single"])
def full_size_host(request, start_camera, connect, ramp):
    start_camera(ramp((2048, 2592)), use_segmentation=request.param)
    host = connect()
    host.take_control()
    return host


@pytest.mark.parametrize("packet_size", [1500, 8000])
def test_a_full_size_frame_arrives_bit_exactly(full_size_host, receiver, ramp, packet_size):
    host, source = full_size_host, ramp((2048, 2592))
    host.open_stream(receiver, packet_size=packet_size)
    host.start()
    for trigger in range(2):
        fire(host)
        received = receiver.frame()
        assert received.block_id == trigger + 1
        assert_shows(received.pixels, source.frame(shot(trigger)), trigger)
        assert max(received.packet_sizes) == packet_size


def test_block_ids_and_triggers_count_from_the_beginning_at_every_start(host, receiver):
    host.open_stream(receiver, packet_size=1500)
    for _ in range(3):
        host.start()
        for trigger in range(2):
            fire(host)
            received = receiver.frame()
            assert (received.block_id, read_trigger(received.pixels)) == (trigger + 1, trigger)
        assert host.put("AcquisitionStop", 1) == 0


def test_reopening_the_stream_counts_from_the_beginning(host, receiver):
    host.open_stream(receiver, packet_size=1500)
    host.start()
    for expected in (1, 2):
        fire(host)
        assert receiver.frame().block_id == expected
    assert host.write(0xD00, receiver.port) == 0
    fire(host)
    assert receiver.frame().block_id == 1


def test_closing_the_stream_port_stops_a_frame_on_the_wire(start_camera, connect, receiver, ramp):
    start_camera(ramp((2048, 2592)), bytes_per_s=5e6)
    host = connect()
    host.take_control()
    host.open_stream(receiver, packet_size=1500)
    host.start()
    fire(host)
    receiver.datagram()
    assert host.write(0xD00, 0) == 0
    assert 2 not in kinds_until_silence(receiver), "the frame was finished after its stream was closed"


def kinds_until_silence(receiver):
    kinds = []
    try:
        while True:
            kinds.append(receiver.datagram(0.2)[4])
    except TimeoutError:
        return kinds


def test_both_selectors_work_while_streaming(host, receiver, ramp):
    host.open_stream(receiver, packet_size=1500)
    assert host.put("TLParamsLocked", 1) == 0
    host.start()
    for trigger, (scene, mirror) in enumerate([(0, 0), (4, 0), (2, 1), (2, 2)]):
        assert host.put("TwinSceneSelector", scene) == 0
        assert host.put("TwinMirrorStateSelector", mirror) == 0
        fire(host)
        expected = ramp().frame(shot(trigger, scene=scene, mirror=mirror))
        assert_shows(receiver.frame().pixels, expected, trigger)


def test_a_region_shows_its_part_of_the_sensor(host, receiver, ramp):
    for feature, value in (("Width", 32), ("Height", 10), ("OffsetX", 40), ("OffsetY", 20)):
        assert host.put(feature, value) == 0
    host.open_stream(receiver, packet_size=576)
    host.start()
    fire(host)
    received = receiver.frame()
    assert received.offset_xy == (40, 20)
    assert_shows(received.pixels, ramp().frame(shot(0))[20:30, 40:72], 0)


def test_triggers_that_come_too_fast_are_queued_then_counted(start_camera, connect, receiver):
    start_camera(trigger_queue=2)
    host = connect()
    host.take_control()
    host.open_stream(receiver, packet_size=1500)
    assert host.put("ExposureTime", 500_000.0) == 0
    host.start()
    for _ in range(8):
        fire(host)
    missed = host.get("TwinMissedTriggerCount")
    received = [receiver.frame() for _ in range(8 - missed)]
    assert missed >= 5, "two wait, at most one is being exposed"
    assert [frame.block_id for frame in received] == list(range(1, 9 - missed))
    assert receiver.is_silent(0.2)


def test_a_missed_trigger_shows_as_stamp_and_block_id_apart(start_camera, connect, receiver):
    start_camera(trigger_queue=1)
    host = connect()
    host.take_control()
    host.open_stream(receiver, packet_size=1500)
    assert host.put("ExposureTime", 300_000.0) == 0
    host.start()
    for _ in range(6):
        fire(host)
    missed = host.get("TwinMissedTriggerCount")
    for _ in range(6 - missed):
        receiver.frame()
    fire(host)
    late = receiver.frame()
    assert read_trigger(late.pixels) == 6
    assert late.block_id == 7 - missed < 7


def test_the_timestamp_is_the_triggers(host, receiver):
    host.open_stream(receiver, packet_size=1500)
    assert host.put("ExposureTime", 200_000.0) == 0
    host.start()
    assert host.write(0x944, 2) == 0
    before = host.get("GevTimestampValue")
    fire(host)
    assert host.write(0x944, 2) == 0
    after = host.get("GevTimestampValue")
    assert before <= receiver.frame().timestamp <= after


def test_a_frame_comes_after_its_exposure(host, receiver):
    host.open_stream(receiver, packet_size=1500)
    assert host.put("ExposureTime", 300_000.0) == 0
    host.start()
    begin = time.monotonic()
    fire(host)
    receiver.frame()
    assert time.monotonic() - begin >= 0.3


def test_a_free_running_camera_keeps_its_rate(host, receiver):
    host.open_stream(receiver, packet_size=1500)
    assert host.put("AcquisitionFrameRate", 20.0) == 0
    host.start(triggered=False)
    stamps = [receiver.frame().timestamp for _ in range(21)]
    assert (stamps[-1] - stamps[0]) / 20 == pytest.approx(50e6, rel=0.1)


def test_single_frame_mode_sends_one_frame(host, receiver):
    host.open_stream(receiver, packet_size=1500)
    assert host.put("AcquisitionMode", 1) == 0
    for _ in range(2):
        host.start(triggered=False)
        assert receiver.frame().block_id == 1
        assert receiver.is_silent(0.2)


def test_a_source_that_fails_is_told_to_whoever_serves_the_camera(free_port, connect, receiver, ramp):
    class Broken(ramp):
        def frame(self, shot):
            raise OSError(f"no film at trigger {shot.trigger_index}")

    camera = VirtualCamera(Broken(), address="127.0.0.2", port=free_port)
    host = connect()
    host.take_control()
    host.open_stream(receiver, packet_size=1500)
    host.start()
    fire(host)
    with pytest.raises(CaptureError, match="no film at trigger 0"):
        check_for(camera, seconds=5)
    with pytest.raises(CaptureError, match="no film at trigger 0"):
        camera.close()


def check_for(camera, *, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        camera.check()


def test_a_trigger_is_refused_when_nothing_would_come_of_it(host, receiver):
    assert host.put("TriggerSoftware", 1) == Status.ACCESS_DENIED
    assert host.put("AcquisitionStart", 1) == Status.ACCESS_DENIED, "nobody said where to send"
    host.open_stream(receiver, packet_size=1500)
    host.start(triggered=False)
    assert host.put("TriggerSoftware", 1) == Status.ACCESS_DENIED
