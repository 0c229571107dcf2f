"""Pixels of either depth in every format, and the chunks behind them."""

import struct
from dataclasses import replace

import numpy as np
import pytest

from twinlens.capture.pixel_formats import PIXEL_FORMATS, decode
from twinlens.capture.virtual import chunk
from twinlens.capture.virtual.gvsp import Window
from twinlens.capture.virtual.stamp import STAMP_WIDTH, read_trigger

NAMES = tuple(chunk.TAGS)


def payload(packets):
    return b"".join(p.data for p in packets if p.kind == 3)


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("name", PIXEL_FORMATS)
def test_every_format_carries_the_picture_and_the_stamp(make_bench, levels, name, bit_depth):
    bench = make_bench(levels(bit_depth=bit_depth))
    plan = replace(bench.plan, pixel_format=PIXEL_FORMATS[name].code, window=Window(32, 6, 40, 50))
    bench.streamer.start(plan)
    bench.fire(300)
    packets = bench.packets()
    assert int.from_bytes(packets[0].data[12:16], "big") == PIXEL_FORMATS[name].code
    data = payload(packets)
    assert len(data) == plan.payload_bytes
    pixels = decode(np.frombuffer(data, np.uint8), name, (50, 40))
    assert read_trigger(pixels) == 300
    seen = levels(bit_depth=bit_depth).frame(bench.director.look(300))[6:56, 32:72]
    if name == "Mono8":
        expected = seen if bit_depth == 8 else (seen >> 2).astype(np.uint8)
    else:
        expected = seen if bit_depth == 10 else seen.astype(np.uint16) << 2
    assert (pixels.reshape(-1)[STAMP_WIDTH:] == expected.reshape(-1)[STAMP_WIDTH:]).all()


def test_a_source_is_asked_for_the_depth_that_the_format_carries(make_bench, levels):
    asked = []

    class Asked(levels):
        def frame(self, shot):
            asked.append(shot.bit_depth)
            return super().frame(shot)

    bench = make_bench(Asked())
    for name in PIXEL_FORMATS:
        bench.streamer.start(replace(bench.plan, pixel_format=PIXEL_FORMATS[name].code))
        bench.fire(0)
    assert asked == [8, 10, 10, 10]


@pytest.mark.parametrize("names", [NAMES, NAMES[:1], NAMES[1:3]])
def test_chunks_follow_the_image_and_tell_its_number_and_time(make_bench, names):
    bench = make_bench()
    plan = replace(bench.plan, chunks=names)
    bench.streamer.start(plan)
    for block, number in enumerate((40, 41), start=1):
        bench.fire(number)
        packets = bench.packets()
        assert packets[0].data[2:4] == packets[-1].data[2:4] == b"\x40\x01", "an image with chunks"
        data = payload(packets)
        assert int.from_bytes(packets[-1].data[8:12], "big") == len(data) == plan.payload_bytes
        found = chunk.read_chunks(data)
        assert set(found) == {chunk.IMAGE_TAG, *(chunk.TAGS[name] for name in names)}
        image = np.frombuffer(found[chunk.IMAGE_TAG], np.uint8).reshape(bench.source.shape_hw)
        assert read_trigger(image) == number
        expected = {
            "FrameID": struct.pack(">Q", block),
            "Timestamp": packets[0].data[4:12],
            "CounterValue": struct.pack(">q", number),
            "ExposureTime": struct.pack(">d", 50.0),
        }
        for name in names:
            assert found[chunk.TAGS[name]] == expected[name]


def test_chunks_are_resent_as_they_were(make_bench):
    bench = make_bench()
    bench.streamer.start(replace(bench.plan, chunks=NAMES))
    bench.fire(1, 2)
    sent = [p for p in bench.packets() if p.block == 1]
    bench.streamer.resend(1, 0, 0xFFFFFF)
    again = bench.packets_until(lambda found: len(found) == len(sent))
    assert [p._replace(status=0) for p in again] == sent


@pytest.mark.parametrize("damaged", [b"\0" * 5, struct.pack(">II", 1, 4), struct.pack(">III", 0, 1, 2**31)])
def test_chunks_that_do_not_fit_are_refused(damaged):
    with pytest.raises(ValueError, match=r"left in front|does not fit"):
        chunk.read_chunks(damaged)


def test_a_host_chooses_chunks_by_feature(start_camera, connect, receiver):
    start_camera()
    host = connect()
    host.take_control()
    plain = host.get("PayloadSize")
    assert host.put("ChunkModeActive", 1) == 0
    assert host.get("PayloadSize") == plain
    for place in (0, 3):
        assert host.put("ChunkSelector", place) == 0
        assert host.put("ChunkEnable", 1) == 0
    assert host.get("PayloadSize") == plain + chunk.tail_bytes(("FrameID", "ExposureTime"))
    assert host.put("ExposureTime", 1234.0) == 0
    host.open_stream(receiver, packet_size=1500)
    host.start()
    assert host.put("TriggerSoftware", 1) == 0
    data = b""
    while (packet := receiver.datagram())[4] != 2:
        data += packet[8:] if packet[4] == 3 else b""
    found = chunk.read_chunks(data)
    assert set(found) == {chunk.IMAGE_TAG, chunk.TAGS["FrameID"], chunk.TAGS["ExposureTime"]}
    assert struct.unpack(">d", found[chunk.TAGS["ExposureTime"]]) == (1234.0,)
