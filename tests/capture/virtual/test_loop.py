"""Looped pictures: cheap, different from each other, and with something to see."""

import numpy as np
import pytest

from twinlens.capture.virtual.loop import LoopSettings, LoopSource
from twinlens.capture.virtual.source import Shot
from twinlens.errors import SettingsError

SETTINGS = LoopSettings(shape_hw=(128, 192), frames=3)


def shot(number, bit_depth=8):
    return Shot(number, 0, 0, exposure_us=1.0, gain_db=0.0, bit_depth=bit_depth)


def test_pictures_go_round_without_being_made_again():
    source = LoopSource(SETTINGS)
    first, again = ([source.frame(shot(number)) for number in range(start, start + 3)] for start in (0, 3))
    assert all(a is b for a, b in zip(first, again, strict=True))
    assert not any(picture.flags.writeable for picture in first)
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert np.mean(first[one] != first[other]) > 0.5


def test_eight_bits_are_the_upper_ones_of_ten():
    source = LoopSource(SETTINGS)
    for number in range(3):
        deep = source.frame(shot(number, 10))
        assert deep.dtype == np.uint16
        assert 255 < deep.max() <= 1023
        assert (source.frame(shot(number)) == deep >> 2).all()
    assert LoopSource(LoopSettings(shape_hw=(64, 96), bit_depth=8)).frame(shot(0, 10)).dtype == np.uint8


def test_the_seed_makes_the_pictures_and_b_sees_them_less_sharply():
    a, same, other = (LoopSource(LoopSettings(shape_hw=(128, 192), seed=seed)) for seed in (1, 1, 2))
    b = LoopSource(LoopSettings(shape_hw=(128, 192), seed=1), role="b")
    seen = [source.frame(shot(0, 10)).astype(float) for source in (a, same, other, b)]
    assert (seen[0] == seen[1]).all()
    assert (seen[0] != seen[2]).mean() > 0.5
    assert np.corrcoef(seen[0].reshape(-1), seen[3].reshape(-1))[0, 1] > 0.9
    steepest = [np.abs(np.diff(picture, axis=1)).max() for picture in seen]
    assert steepest[3] < 0.7 * steepest[0]


def test_other_depths_are_refused():
    with pytest.raises(SettingsError, match="9 bits"):
        LoopSettings(bit_depth=9)
