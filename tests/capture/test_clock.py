"""Skew is what is left when the offset of the clocks is taken off."""

import dataclasses

import pytest

from twinlens.capture.clock import clock_offsets_ns, measure_skew
from twinlens.capture.frame import FrameRecord

A = FrameRecord(
    camera="a",
    trigger_index=0,
    frame_id=1,
    camera_time_ns=1000,
    host_time_ns=0,
    exposure_us=1.0,
    gain_db=0.0,
    complete=True,
    lost_packets=0,
    xxh3=0,
)


def pairs(*skews_ns: int, offset_ns: int = 0) -> list[tuple[FrameRecord, FrameRecord]]:
    times = [10_000_000 * (i + 1) for i in range(len(skews_ns))]
    return [
        (
            dataclasses.replace(A, camera_time_ns=time_ns),
            dataclasses.replace(A, camera="b", camera_time_ns=time_ns + offset_ns + skew_ns),
        )
        for time_ns, skew_ns in zip(times, skews_ns, strict=True)
    ]


@pytest.mark.parametrize("offset_ns", [0, -7_000_000, 123_456_789])
def test_the_offset_of_the_clocks_is_no_skew(offset_ns: int) -> None:
    skew = measure_skew(pairs(-4000, 0, 3000, 0, 0, offset_ns=offset_ns))
    assert skew is not None
    assert (skew.median_us, skew.max_us) == pytest.approx((0.0, 4.0))
    assert set(clock_offsets_ns(pairs(-4000, 0, 3000, 0, 0, offset_ns=offset_ns))) == {offset_ns}


def test_too_few_pairs_or_cameras_without_time_claim_no_skew() -> None:
    assert measure_skew(pairs(0, 5000)) is None
    timeless = [(dataclasses.replace(a, camera_time_ns=0), b) for a, b in pairs(0, 0, 0, 0)]
    assert measure_skew(timeless) is None
    assert set(clock_offsets_ns(timeless)) == {0}
