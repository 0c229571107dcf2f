"""How fast packets may leave, with a clock that the test turns."""

import pytest

from twinlens.capture.virtual import pace
from twinlens.capture.virtual.pace import Pace

MS = 1_000_000
BURST = 50_000
"""Bytes; half a millisecond at 100 MB/s."""


class Clock:
    now_ns = 10**12

    def monotonic_ns(self):
        return self.now_ns


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(pace, "time", clock)
    return clock


def send(link, clock, bursts, *, oversleep_ns=0, delay_ns=0):
    """Send and sleep as told, a little longer each time; the time taken, ns."""
    began_ns = clock.now_ns
    for _ in range(bursts):
        clock.now_ns += max(0, link.charge(BURST, delay_ns=delay_ns)) + oversleep_ns
    return clock.now_ns - began_ns


@pytest.fixture
def link(clock):
    link = Pace(100e6)
    link.rest(clock.now_ns)
    return link


def test_bursts_leave_at_the_links_pace(link, clock):
    assert send(link, clock, 100) == 50 * MS


def test_sleeps_that_end_late_do_not_slow_the_stream_down(link, clock):
    assert send(link, clock, 200, oversleep_ns=200_000) == pytest.approx(100 * MS, rel=0.01)


def test_a_late_wake_up_is_made_up_for_at_no_more_than_twice_the_pace(link, clock):
    send(link, clock, 10)
    clock.now_ns += 10 * MS
    times = [send(link, clock, 1) for _ in range(60)]
    assert min(times) >= MS / 4
    assert sum(times) == pytest.approx((60 * 0.5 - 10) * MS, rel=0.02)
    assert times[-1] == MS / 2, "then the pace is steady again"


def test_a_pause_with_nothing_to_send_earns_no_credit(link, clock):
    send(link, clock, 10)
    clock.now_ns += 30 * MS
    link.rest(clock.now_ns)
    assert send(link, clock, 10) == 5 * MS


def test_what_was_lost_beyond_a_frame_stays_lost(link, clock):
    clock.now_ns += 1000 * MS
    assert send(link, clock, 1000) == pytest.approx((500 - 50) * MS, rel=0.01)


def test_packet_delays_come_on_top(link, clock):
    assert send(link, clock, 10, delay_ns=2 * MS) == 25 * MS
