"""What misregistration alone costs, where it can be known beforehand."""

from dataclasses import replace

import numpy as np
import pytest

from twinlens.dataset.paired import PairedDataset
from twinlens.errors import RestoreError
from twinlens.restore.displaced import displace, displaced_scores

PERIOD_PX = 16.0


def wave(shift_px: float) -> np.ndarray:
    x = np.arange(96)
    grey = 128 + 100 * np.cos(2 * np.pi * (x - shift_px) / PERIOD_PX)
    return np.rint(np.broadcast_to(grey, (64, 96))).astype(np.uint8)


@pytest.mark.parametrize("shift_px", [0.25, 0.5, 1.0, 2.0])
def test_a_wave_is_displaced_by_parts_of_a_pixel_and_not_blurred(shift_px: float) -> None:
    moved = displace(wave(0.0), (shift_px, 0.0), bit_depth=8)
    inside = np.s_[:, 16:-16]
    # One level of rounding in each, and little of what the mirrored border sends in.
    assert np.abs(moved[inside].astype(int) - wave(shift_px)[inside]).max() <= 3


def test_a_whole_pixel_moves_pixels_and_downwards_is_downwards() -> None:
    picture = np.random.default_rng(0).integers(0, 4096, (40, 50), dtype=np.uint16)
    moved = displace(picture, (0.0, 3.0), bit_depth=12)
    np.testing.assert_array_equal(moved[3:], picture[:-3])


def test_the_score_of_a_displaced_wave_is_the_computed_one(dataset: PairedDataset) -> None:
    y, x = np.indices((96, 96))
    slanted = np.rint(128 + 100 * np.cos(2 * np.pi * (x + y) / PERIOD_PX)).astype(np.uint8)
    pair = replace(dataset[0], target=slanted, mask=np.ones((96, 96), bool))
    (score,) = displaced_scores([pair], (1.0,))
    # A wave against itself, out of phase by 2 pi / 16 either way: mean square 2 (100 sin(pi / 16))^2.
    computed_db = 10 * np.log10(255**2 / (2 * (100 * np.sin(np.pi / PERIOD_PX)) ** 2))
    assert score.psnr_db == pytest.approx(computed_db, abs=0.1)


def test_colour_and_an_empty_split_are_refused() -> None:
    with pytest.raises(RestoreError, match="colour"):
        displace(np.zeros((32, 32, 3), np.uint8), (1.0, 0.0), bit_depth=8)
    with pytest.raises(RestoreError, match="no picture"):
        displaced_scores([], (1.0,))
