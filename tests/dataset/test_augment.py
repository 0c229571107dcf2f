"""Input, target and mask are changed alike, and only as far as allowed."""

import numpy as np
import pytest

from twinlens.dataset import Augment, Crop
from twinlens.dataset.augment import augmented
from twinlens.errors import SettingsError


def crop_of(levels: np.ndarray) -> Crop:
    """A crop whose target says what its input says, and whose mask says it is an odd level."""
    return Crop(levels, levels.copy(), levels % 2 == 1, 0, 0, 0)


def numbered(dtype: type = np.uint8) -> Crop:
    return crop_of(np.arange(49).reshape(7, 7).astype(dtype))


def test_nothing_is_done_unless_asked() -> None:
    crop = numbered()
    assert augmented(crop, Augment(), bit_depth=8, rng=np.random.default_rng(0)) is crop


def test_all_eight_turns_come_and_keep_the_three_aligned() -> None:
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(100):
        turned = augmented(numbered(), Augment(dihedral=True), bit_depth=8, rng=rng)
        np.testing.assert_array_equal(turned.target, turned.input)
        np.testing.assert_array_equal(turned.mask, turned.input % 2 == 1)
        seen.add(turned.input.tobytes())
    assert len(seen) == 8


@pytest.mark.parametrize(("bit_depth", "dtype"), [(8, np.uint8), (10, np.uint16)])
def test_brightness_is_one_factor_within_its_bounds(bit_depth: int, dtype: type) -> None:
    crop = Crop(*(np.full((4, 4), level, dtype) for level in (100, 50)), np.ones((4, 4), np.bool_), 0, 0, 0)
    levels = []
    for seed in range(200):
        changed = augmented(
            crop, Augment(brightness_jitter=0.2), bit_depth=bit_depth, rng=np.random.default_rng(seed)
        )
        assert changed.input.dtype == dtype
        assert abs(int(changed.input[0, 0]) - 2 * int(changed.target[0, 0])) <= 1
        levels.append(int(changed.input[0, 0]))
    assert min(levels) in range(80, 83)
    assert max(levels) in range(118, 121)


@pytest.mark.parametrize(("bit_depth", "dtype"), [(8, np.uint8), (10, np.uint16)])
def test_pixels_that_reach_full_scale_are_masked_in_both(bit_depth: int, dtype: type) -> None:
    full = 2**bit_depth - 1
    input_ = np.array([[full - 1, 10], [10, 10]], dtype)
    target = np.array([[10, full - 1], [10, 10]], dtype)
    rng = np.random.default_rng(1)
    while True:
        crop = Crop(input_, target, np.ones((2, 2), np.bool_), 0, 0, 0)
        changed = augmented(crop, Augment(brightness_jitter=0.5), bit_depth=bit_depth, rng=rng)
        if changed.input[1, 1] > 11:  # brighter, that is
            break
    assert changed.input.max() == changed.target.max() == full
    np.testing.assert_array_equal(changed.mask, [[False, False], [True, True]])


def test_what_was_masked_stays_masked() -> None:
    crop = Crop(*np.full((2, 3, 3), 200, np.uint8), np.zeros((3, 3), np.bool_), 0, 0, 0)
    rng = np.random.default_rng(0)
    assert not augmented(crop, Augment(brightness_jitter=0.5), bit_depth=8, rng=rng).mask.any()


@pytest.mark.parametrize("jitter", [-0.1, 1.0])
def test_a_jitter_that_could_blacken_is_refused(jitter: float) -> None:
    with pytest.raises(SettingsError, match="0 to below 1"):
        Augment(brightness_jitter=jitter)
