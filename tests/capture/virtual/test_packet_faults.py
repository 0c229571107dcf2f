"""Which packets a fault picks, without any wire."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinlens.capture.virtual.faults import Faults
from twinlens.capture.virtual.packet_faults import PacketFaults

FRACTIONS = ("drop", "drop_leader", "drop_trailer", "reorder", "duplicate", "delay", "corrupt")
PACKETS = 500


def scripts(frames=60, **faults):
    chosen = PacketFaults(Faults(**faults))
    return [chosen.script(PACKETS, frame=frame, arming=0) for frame in range(frames)]


def leaving(script, *deeds):
    """Packet ids that are sent, in order."""
    return [i for step in script.steps if step.deed in deeds for i in range(step.first, step.last + 1)]


def test_a_stream_without_faults_leaves_in_one_piece():
    (script,) = scripts(1)
    (step,) = script.steps
    assert (step.deed, step.first, step.last) == ("send", 0, PACKETS + 1)
    assert not script.dropped


@given(
    fractions=st.fixed_dictionaries({name: st.sampled_from([0.0, 0.02, 0.5, 1.0]) for name in FRACTIONS}),
    burst=st.integers(1, 2000),
    count=st.integers(1, 300),
    seed=st.integers(0, 2**63 - 1),
)
def test_every_packet_leaves_well_or_is_known_to_be_lost(fractions, burst, count, seed):
    faults = PacketFaults(Faults(**fractions, drop_burst=burst, seed=seed, delay_ms=1.0))
    script = faults.script(count, frame=3, arming=1)
    well = Counter(leaving(script, "send", "hold"))
    assert set(well) | script.dropped == set(range(count + 2))
    assert not set(well) & script.dropped
    assert set(leaving(script, "spoil")) <= script.dropped
    assert max(well.values(), default=0) <= 2
    assert script == faults.script(count, frame=3, arming=1)


@pytest.mark.parametrize("burst", [1, 5, 40])
@pytest.mark.parametrize("share", [0.01, 0.2])
def test_the_fraction_of_lost_packets_is_the_one_asked_for(share, burst):
    lost = [len(script.dropped) / PACKETS for script in scripts(100, drop=share, drop_burst=burst, seed=2)]
    # Events are independent: the mean of 100 frames of 500 packets has this error.
    error = np.sqrt(share * burst / (100 * PACKETS))
    assert np.mean(lost) == pytest.approx(share, abs=5 * error)


def test_losses_come_in_bursts_of_the_length_asked_for():
    for script in scripts(drop=0.01, drop_burst=10, seed=4):
        lost = sorted(script.dropped)
        inner = [i for i in lost if 10 <= i <= PACKETS - 10]
        for packet in inner:
            run = [i for i in range(packet - 9, packet + 10) if i in script.dropped]
            assert len(run) >= 10


def test_one_fault_does_not_change_what_another_picks():
    alone = scripts(drop=0.05, seed=9)
    together = scripts(drop=0.05, reorder=0.3, duplicate=0.3, drop_leader=0.5, seed=9)
    for one, many in zip(alone, together, strict=True):
        assert one.dropped == many.dropped - {0}


def test_seeds_frames_and_armings_differ():
    faults = PacketFaults(Faults(drop=0.05, seed=1))
    other = PacketFaults(Faults(drop=0.05, seed=2))
    drawn = {
        faults.script(PACKETS, frame=0, arming=0).dropped,
        faults.script(PACKETS, frame=1, arming=0).dropped,
        faults.script(PACKETS, frame=0, arming=1).dropped,
        other.script(PACKETS, frame=0, arming=0).dropped,
    }
    assert len(drawn) == 4


def test_a_spoilt_packet_never_passes_for_the_one_it_was():
    faults = PacketFaults(Faults(corrupt=1.0, seed=3))
    packet = bytes(range(8)) + bytes(500)
    spoilt = {faults.spoil(packet, frame=frame, arming=0) for frame in range(60)}
    assert packet not in spoilt
    assert len(spoilt) == 6, "every kind of damage occurs"


def test_the_fraction_of_missed_triggers_is_the_one_asked_for():
    faults = PacketFaults(Faults(miss=0.1, missed_triggers=(5,), seed=6))
    missed = [faults.misses(number, 0) for number in range(2000)]
    assert np.mean(missed) == pytest.approx(0.1, abs=0.03)
    assert missed[5]
    assert not faults.misses(-1, 0), "what nobody triggers cannot be missed"
