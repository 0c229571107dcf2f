"""Packets that a host asks for again: which ones come, with what in them, and what the log says."""

import pytest

from twinlens.capture.virtual.resend import BLOCKS_KEPT
from twinlens.capture.virtual.stamp import read_trigger

RESENT, UNAVAILABLE = 0x0100, 0x800C
LAST_OF_ALL = 0xFFFFFF
LARGE_HW = (256, 384)


def ask(bench, block, first, last, *, count):
    """What comes of a request, once `count` packets have."""
    bench.streamer.resend(block, first, last)
    return bench.packets_until(lambda found: len(found) >= count)


def same(packet):
    """A packet without its status."""
    return packet._replace(status=0)


@pytest.mark.parametrize(("first", "last"), [(0, 0), (1, 1), (3, 6), (0, 13), (12, 13), (4, LAST_OF_ALL)])
def test_resent_packets_are_the_ones_that_were_sent(start_bench, first, last):
    bench = start_bench()
    bench.fire(8, 9)
    sent = [p for p in bench.packets() if p.block == 1]
    wanted = sent[first : last + 1]
    again = ask(bench, 1, first, last, count=len(wanted))
    assert [same(p) for p in again] == wanted
    assert {p.status for p in again} == {RESENT}
    assert [(e.block_id, e.resent_packets) for e in bench.log] == [(1, len(wanted)), (2, 0)]


def test_frames_lie_ready_until_eight_more_have_followed(start_bench):
    bench = start_bench()
    bench.fire(*range(12))
    sent = bench.packets()
    oldest = 12 - BLOCKS_KEPT + 1
    for block in range(oldest, 13):
        assert bench.streamer.resend(block, 1, 1)
        (again,) = bench.packets_until(len)
        assert same(again) in sent
        assert again.block == block
    assert not bench.streamer.resend(oldest - 1, 1, 1)
    (regret,) = bench.packets_until(len)
    assert regret == (UNAVAILABLE, oldest - 1, 3, 1, b"")


def test_every_packet_that_is_gone_is_regretted(start_bench):
    bench = start_bench()
    bench.fire(0)
    bench.packets()
    regrets = ask(bench, 77, 3, 5, count=3)
    assert [(p.status, p.block, p.packet_id) for p in regrets] == [(UNAVAILABLE, 77, i) for i in (3, 4, 5)]
    (beyond,) = ask(bench, 1, 500, 500, count=1)
    assert (beyond.status, beyond.packet_id) == (UNAVAILABLE, 500)
    assert [e.resent_packets for e in bench.log] == [0]


def test_a_picture_that_comes_again_is_resent_with_the_old_frames_stamp(start_bench, levels):
    class Two(levels):
        def __init__(self):
            super().__init__()
            self._pictures = [super(Two, self).frame(type("S", (), {"trigger_index": i})) for i in (0, 1)]
            for picture in self._pictures:
                picture.setflags(write=False)

        def frame(self, shot):
            return self._pictures[shot.trigger_index % 2]

    bench = start_bench(Two())
    bench.fire(*range(6))
    sent = bench.packets()
    for number in range(6):
        again = ask(bench, number + 1, 0, LAST_OF_ALL, count=14)
        assert [same(p) for p in again] == [p for p in sent if p.block == number + 1]
        assert read_trigger(bench.image(again)) == number


def test_a_host_that_asks_until_all_is_there_gets_every_frame(start_bench, levels):
    bench = start_bench(levels(LARGE_HW), drop=0.1, drop_leader=0.5, drop_trailer=0.5, resends_drop=0.3, seed=1)
    whole = set(range(-(-256 * 384 // 540) + 2))
    came = []
    for number in range(5):
        bench.fire(number)
        got = {}
        for attempt in range(200):
            came += bench.packets(0.05)
            got = {0 if p.kind == 1 else p.packet_id: p for p in came if p.block == number + 1}
            missing = whole - set(got)
            if not missing:
                break
            assert attempt or len(missing) == bench.log.entries()[-1].dropped_packets
            for packet_id in sorted(missing):
                bench.streamer.resend(number + 1, packet_id, packet_id)
        assert read_trigger(bench.image(got.values())) == number
    came += bench.packets(0.3)
    for entry in bench.log:
        resent = [p for p in came if p.block == entry.block_id and p.status == RESENT]
        assert len(resent) == entry.resent_packets >= entry.dropped_packets


def test_a_new_run_knows_nothing_of_the_old_ones_frames(start_bench):
    bench = start_bench()
    bench.fire(0)
    bench.packets()
    bench.streamer.start(bench.plan)
    assert not bench.streamer.resend(1, 1, 1)
    assert bench.packets_until(len)[0].status == UNAVAILABLE
    bench.streamer.halt()
    assert not bench.streamer.resend(1, 1, 1)
    assert not bench.packets(0.1), "after a halt no packet follows"


def test_a_frame_can_be_asked_for_while_it_is_being_sent(start_bench, levels):
    bench = start_bench(levels(LARGE_HW), stall_at_frame=0, stall_ms=500.0)
    bench.streamer.trigger(0)
    first = bench.packets_until(lambda found: len(found) == 92)  # half of them: then it stalls
    again = ask(bench, 1, 2, 3, count=2)
    assert [same(p) for p in again] == first[2:4]
    bench.await_entries(1)
    assert bench.log.entries()[0].resent_packets == 2
