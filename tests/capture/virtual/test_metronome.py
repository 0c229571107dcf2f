"""A free-running camera's beats."""

import itertools
import threading
import time

import pytest

from twinlens.capture.virtual.metronome import Metronome

PERIOD_NS = 150_000_000
"""Longer than a busy machine keeps a thread waiting."""


@pytest.fixture
def start():
    metronomes = []

    def make(period_ns, beat):
        metronomes.append(Metronome(period_ns, beat))
        metronomes[-1].start()
        return metronomes[-1]

    yield make
    for metronome in metronomes:
        metronome.close()
        assert metronome.failure is None


def test_beats_keep_their_grid_while_each_is_handled_late(start):
    beats, is_enough = [], threading.Event()

    def beat(due_ns):
        beats.append(due_ns)
        time.sleep(0.02)
        if len(beats) == 5:
            is_enough.set()
        return True

    start(lambda: PERIOD_NS, beat)
    assert is_enough.wait(10)
    assert {later - before for before, later in itertools.pairwise(beats[:5])} == {PERIOD_NS}


def test_beats_wait_for_room_and_then_go_on_from_there(start):
    beats, is_enough = [], threading.Event()

    def beat(due_ns):
        beats.append(due_ns)
        if len(beats) == 24:
            is_enough.set()
        return len(beats) > 20

    start(lambda: PERIOD_NS, beat)
    assert is_enough.wait(30)
    taken = beats[20:24]
    assert taken[0] > beats[0], "the grid has moved"
    assert all(later - before == PERIOD_NS for before, later in itertools.pairwise(taken))


def test_a_stopped_metronome_is_silent_and_a_triggered_camera_has_none(start):
    beats = []
    period = [None]

    def beat(due_ns):
        beats.append(due_ns)
        return True

    metronome = start(lambda: period[0], beat)
    time.sleep(0.3)
    assert not beats
    period[0] = 1_000_000
    deadline = time.monotonic() + 10
    while len(beats) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    metronome.stop()
    time.sleep(0.05)
    before = len(beats)
    time.sleep(0.1)
    assert len(beats) == before >= 3
