"""The wires between and outside the cameras."""

import itertools
import threading

import pytest

from twinlens.capture.virtual.lines import Pulse, PulseGenerator, Wire


class Scope:
    """Remembers what it saw; done after `count` pulses."""

    def __init__(self, count):
        self.seen, self._count, self.is_done = [], count, threading.Event()

    def receive(self, pulse):
        self.seen.append(pulse)
        if len(self.seen) >= self._count:
            self.is_done.set()


def test_all_wired_cameras_get_the_same_pulses_at_a_steady_pace():
    a, b = Scope(40), Scope(40)
    with PulseGenerator(200.0) as pulses:
        pulses.wire(a, b)
        assert a.is_done.wait(10)
        assert b.is_done.wait(10)
    assert a.seen[: len(b.seen)] == b.seen[: len(a.seen)]
    numbers = [pulse.number for pulse in a.seen]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    gaps_ns = {later.rise_ns - earlier.rise_ns for earlier, later in itertools.pairwise(a.seen)}
    assert gaps_ns == {5_000_000}
    after = len(a.seen)
    assert pulses.pulses == numbers[0] + after, "a closed generator makes no more pulses"


def test_jitter_moves_single_edges_and_not_the_pace():
    scope = Scope(100)
    with PulseGenerator(1000.0, jitter_us=50.0, seed=4) as pulses:
        pulses.wire(scope)
        assert scope.is_done.wait(10)
    gaps_us = [(b.rise_ns - a.rise_ns) / 1e3 for a, b in itertools.pairwise(scope.seen)]
    assert max(gaps_us) - min(gaps_us) > 50
    assert (scope.seen[-1].rise_ns - scope.seen[0].rise_ns) / (len(scope.seen) - 1) == pytest.approx(1e6, rel=0.01)


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, 1e6, float("nan")])
def test_a_generator_without_a_rate_is_refused(rate_hz):
    with pytest.raises(ValueError, match="pulses at"):
        PulseGenerator(rate_hz)


def test_a_wire_delays_and_changes_nothing_else():
    class Output:
        def connect(self, sink):
            self.sink = sink

    output, scope = Output(), Scope(1)
    Wire(output, scope, delay_us=20.0)
    output.sink(Pulse(7, 1_000_000, 500))
    assert scope.seen == [Pulse(7, 1_020_000, 500)]
