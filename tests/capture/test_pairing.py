"""Trigger indices and pairs against small truths."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from twinlens.capture.frame import FrameRecord
from twinlens.capture.pairing import BLOCK_ID_MAX, TriggerCounter, pair_records


def record(camera: str, trigger_index: int, *, complete: bool = True) -> FrameRecord:
    return FrameRecord(
        camera=camera,  # type: ignore[arg-type]
        trigger_index=trigger_index,
        frame_id=trigger_index + 1,
        camera_time_ns=0,
        host_time_ns=0,
        exposure_us=1.0,
        gain_db=0.0,
        complete=complete,
        lost_packets=0,
        xxh3=0,
    )


def wire_id(trigger_index: int, first: int) -> int:
    return (first - 1 + trigger_index) % BLOCK_ID_MAX + 1


@given(first=st.integers(1, BLOCK_ID_MAX), gaps=st.lists(st.integers(1, 1000), max_size=200))
def test_ids_that_skip_and_wrap_give_the_trigger_that_was_fired(first: int, gaps: list[int]) -> None:
    counter, trigger_index = TriggerCounter(first), 0
    for gap in gaps:
        trigger_index += gap
        assert counter.index_of(wire_id(trigger_index, first)) == trigger_index


def test_a_frame_lost_by_camera_a_costs_one_pair() -> None:
    a = [record("a", i) for i in range(6) if i != 2]
    b = [record("b", i) for i in range(6)]
    pairs = pair_records(a, b)
    assert [(x.trigger_index, y.trigger_index) for x, y in pairs] == [(i, i) for i in (0, 1, 3, 4, 5)]


def test_an_incomplete_frame_is_never_paired() -> None:
    broken = dataclasses.replace(record("b", 1), complete=False)
    assert [
        x.trigger_index for x, _ in pair_records([record("a", 0), record("a", 1)], [record("b", 0), broken])
    ] == [0]


@given(a=st.lists(st.integers(0, 50), unique=True), b=st.lists(st.integers(0, 50), unique=True))
def test_order_of_arrival_does_not_matter_and_no_frame_is_used_twice(a: list[int], b: list[int]) -> None:
    pairs = pair_records([record("a", i) for i in a], [record("b", i) for i in b])
    assert [x.trigger_index for x, _ in pairs] == sorted(set(a) & set(b))
    assert all(x.trigger_index == y.trigger_index for x, y in pairs)
