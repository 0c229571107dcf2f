"""Every fault of the stream on the wire, against what the camera's log says of it."""

import time

import numpy as np
import pytest

from twinlens.capture.virtual.stamp import STAMP_WIDTH, read_trigger

LARGE_HW = (256, 384)
LEADER, TRAILER, PAYLOAD = 1, 2, 3


def ids(packets):
    """Packet ids as they came; the trailer's is the last."""
    return [0 if p.kind == LEADER else p.packet_id for p in packets]


def whole(bench):
    """The ids of a whole frame."""
    height, width = bench.source.shape_hw
    return list(range(-(-height * width // (576 - 36)) + 2))


def sent(bench):
    return bench.log.entries("sent", "extra")


def test_without_faults_every_packet_leaves_once_in_order(start_bench, by_block):
    bench = start_bench()
    bench.fire(5, 6, 9)
    blocks = by_block(bench.packets())
    assert list(blocks) == [1, 2, 3]
    for number, packets in zip((5, 6, 9), blocks.values(), strict=True):
        assert ids(packets) == whole(bench)
        assert read_trigger(bench.image(packets)) == number
    assert [(e.trigger, e.block_id, e.event, e.dropped_packets, e.arming) for e in bench.log] == [
        (5, 1, "sent", 0, 0),
        (6, 2, "sent", 0, 0),
        (9, 3, "sent", 0, 0),
    ]


@pytest.mark.parametrize(
    "faults",
    [
        {"drop": 0.05},
        {"drop": 0.2, "drop_burst": 7},
        {"drop_leader": 0.5},
        {"drop_trailer": 0.5},
        {"drop": 0.1, "drop_leader": 0.3, "drop_trailer": 0.3, "reorder": 0.2, "duplicate": 0.2},
    ],
)
def test_the_log_counts_exactly_the_packets_that_did_not_come(start_bench, levels, by_block, faults):
    bench = start_bench(levels(LARGE_HW), seed=7, **faults)
    bench.fire(*range(20))
    blocks = by_block(bench.packets())
    missing = [len(set(whole(bench)) - set(ids(blocks.get(e.block_id, [])))) for e in sent(bench)]
    assert missing == [e.dropped_packets for e in sent(bench)]
    assert sum(missing) > 0


def test_the_same_seed_loses_the_same_packets(start_bench, levels, by_block):
    seen = []
    for seed in (3, 3, 4):
        bench = start_bench(levels(LARGE_HW), drop=0.05, reorder=0.1, duplicate=0.1, seed=seed)
        bench.fire(*range(4))
        seen.append({block: ids(packets) for block, packets in by_block(bench.packets()).items()})
    assert seen[0] == seen[1] != seen[2]


def test_reordered_packets_come_behind_their_successors(start_bench, levels):
    bench = start_bench(levels(LARGE_HW), reorder=0.2)
    bench.fire(0)
    packets = bench.packets()
    came = ids(packets)
    assert sorted(came) == whole(bench) != came
    places = np.argsort(came)
    assert np.abs(places - np.arange(len(came))).max() == 1
    assert read_trigger(bench.image(packets)) == 0


def test_duplicates_come_twice_with_the_same_content(start_bench, levels):
    bench = start_bench(levels(LARGE_HW), duplicate=0.2)
    bench.fire(0)
    packets = bench.packets()
    assert set(ids(packets)) == set(whole(bench))
    assert len(packets) > len(whole(bench))
    assert len(set(packets)) == len(whole(bench)), "a copy is equal"


def test_delayed_packets_come_after_the_trailer(start_bench, levels):
    bench = start_bench(levels(LARGE_HW), delay=0.1, delay_ms=100.0)
    bench.fire(0)
    packets = bench.packets_until(lambda found: set(ids(found)) == set(whole(bench)))
    came = ids(packets)
    late = came[came.index(max(came)) + 1 :]
    assert late
    assert late == sorted(late)
    assert read_trigger(bench.image(packets)) == 0
    assert sent(bench)[0].dropped_packets == 0


def test_a_corrupt_packet_takes_the_place_of_a_good_one(start_bench, levels):
    bench = start_bench(levels(LARGE_HW), corrupt=1.0)
    bench.fire(*range(12))
    packets, frame = bench.packets(), levels(LARGE_HW).frame
    # Only what is right in header and length counts as a packet.
    room, rest = 576 - 36, LARGE_HW[0] * LARGE_HW[1] % (576 - 36)
    last = len(whole(bench)) - 2
    good = [
        p for p in packets
        if p.block in range(1, 13) and p.kind == PAYLOAD and p.packet_id <= last
        and len(p.data) == (rest if p.packet_id == last else room)
    ]  # fmt: skip
    assert len(good) == 12 * (last - 1)
    assert all(entry.dropped_packets == 1 for entry in sent(bench))
    for packet in good:
        expected = frame(bench.director.look(packet.block - 1)).tobytes()[(packet.packet_id - 1) * room :][:room]
        assert packet.packet_id == 1 or packet.data == expected


def test_a_stalled_frame_pauses_in_its_middle_and_is_whole(start_bench, levels):
    bench = start_bench(levels(LARGE_HW), stall_at_frame=1, stall_ms=300.0)
    bench.fire(0)
    began = time.monotonic()
    bench.fire(1)
    assert time.monotonic() - began >= 0.3
    packets = [p for p in bench.packets() if p.block == 2]
    assert ids(packets) == whole(bench)


def test_a_halt_ends_a_stall_and_the_frame(start_bench, levels):
    bench = start_bench(levels(LARGE_HW), stall_at_frame=0, stall_ms=60_000.0)
    bench.streamer.trigger(0)
    packets = bench.packets_until(lambda found: len(found) > 50)
    bench.streamer.halt()
    packets += bench.packets()
    assert not any(p.kind == TRAILER for p in packets)
    assert not bench.packets(0.1)
    assert not sent(bench)


def test_missed_triggers_make_no_frame_and_use_no_block_id(start_bench, by_block):
    bench = start_bench(missed_triggers=(1, 3))
    bench.fire(*range(5))
    blocks = by_block(bench.packets())
    assert {block: read_trigger(bench.image(packets)) for block, packets in blocks.items()} == {1: 0, 2: 2, 3: 4}
    assert [(e.trigger, e.block_id) for e in bench.log.entries("missed")] == [(1, 0), (3, 0)]
    assert [number for number, _at_ns in bench.director.strobes] == [0, 2, 4], "no exposure, no strobe"


def test_a_fraction_of_triggers_is_missed_and_logged(start_bench, by_block):
    bench = start_bench(miss=0.3, seed=5)
    bench.fire(*range(40))
    came = {read_trigger(bench.image(packets)) for packets in by_block(bench.packets()).values()}
    missed = {e.trigger for e in bench.log.entries("missed")}
    assert came | missed == set(range(40))
    assert not came & missed
    assert 4 <= len(missed) <= 22


def test_extra_frames_come_first_without_a_stamp(start_bench, by_block, levels):
    bench = start_bench(extra_frames=2)
    bench.await_entries(2)
    bench.fire(0)
    blocks = by_block(bench.packets())
    assert [(e.trigger, e.block_id, e.event) for e in bench.log] == [
        (-1, 1, "extra"),
        (-1, 2, "extra"),
        (0, 3, "sent"),
    ]
    plain = levels().frame(bench.director.look(0))
    assert (bench.image(blocks[1]) == plain).all()
    assert read_trigger(bench.image(blocks[3])) == 0


def test_a_lost_frame_uses_its_block_id_and_sends_nothing(start_bench, by_block):
    bench = start_bench(lost_frames=(1,))
    bench.fire(*range(3))
    assert list(by_block(bench.packets())) == [1, 3]
    (lost,) = bench.log.entries("lost")
    assert (lost.trigger, lost.block_id, lost.dropped_packets) == (1, 2, len(whole(bench)))


def test_a_late_trigger_is_exposed_late_and_says_so(start_bench):
    bench = start_bench(late_triggers=(1,), late_ms=40.0)
    at_ns = time.monotonic_ns()
    for number in range(3):
        bench.streamer.trigger(number, at_ns=at_ns)
    bench.await_entries(3)
    assert [(e.trigger, e.time_ns - at_ns) for e in bench.log] == [(0, 0), (1, 40_000_000), (2, 0)]
    leaders = [p for p in bench.packets() if p.kind == LEADER]
    assert [int.from_bytes(p.data[4:12], "big") - at_ns for p in leaders] == [0, 40_000_000, 0]


def test_block_ids_begin_where_told_at_every_start_and_wrap_to_one(start_bench, by_block):
    bench = start_bench(first_block_id=65534)
    for arming in range(2):
        bench.fire(*range(4))
        assert list(by_block(bench.packets())) == [65534, 65535, 1, 2]
        assert {e.arming for e in list(bench.log)[4 * arming :]} == {arming}
        bench.streamer.start(bench.plan)


def test_a_read_only_picture_is_sent_with_every_triggers_own_stamp(start_bench, by_block, levels):
    class Still(levels):
        def __init__(self):
            super().__init__()
            self._picture = super().frame(self.shot0)
            self._picture.setflags(write=False)

        shot0 = type("S", (), {"trigger_index": 0})

        def frame(self, _shot):
            return self._picture

    bench = start_bench(Still(), extra_frames=1)
    bench.await_entries(1)
    bench.fire(7, 8, 2**31)
    images = [bench.image(packets) for packets in by_block(bench.packets()).values()]
    picture = bench.source.frame(None)
    assert (images[0] == picture).all(), "nobody triggered it"
    assert [read_trigger(image) for image in images[1:]] == [7, 8, 2**31]
    for image in images:
        assert (image.reshape(-1)[STAMP_WIDTH:] == picture.reshape(-1)[STAMP_WIDTH:]).all()
