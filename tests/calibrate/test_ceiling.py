"""The PSNR that misregistration alone allows, against pictures that are displaced in every direction."""

from typing import Any

import numpy as np
import pytest

from twinlens.calibrate.ceiling import ceiling_db
from twinlens.calibrate.equalise import gaussian_blurred

SHAPE_HW = (256, 320)


@pytest.fixture(scope="module")
def picture(bench: Any) -> np.ndarray:
    """Smooth, as photographs are: a difference of two pixels is its slope."""
    return gaussian_blurred((200 * bench.leaves(SHAPE_HW, 4)).astype(np.float32), 2.0)


def displaced(picture: np.ndarray, x_px: float, y_px: float) -> np.ndarray:
    f_y, f_x = np.fft.fftfreq(SHAPE_HW[0])[:, None], np.fft.fftfreq(SHAPE_HW[1])[None, :]
    return np.fft.ifft2(np.fft.fft2(picture) * np.exp(-2j * np.pi * (f_x * x_px + f_y * y_px))).real


@pytest.mark.parametrize("residual_px", [0.05, 0.2, 0.5])
def test_the_ceiling_is_the_score_of_a_picture_displaced_in_every_direction(
    picture: np.ndarray, residual_px: float
) -> None:
    inner = (slice(16, -16), slice(16, -16))  # Fourier shifts wrap around
    angles = np.arange(12) * np.pi / 6
    errors = [
        ((displaced(picture, residual_px * np.cos(t), residual_px * np.sin(t)) - picture)[inner] ** 2).mean()
        for t in angles
    ]
    truth_db = 10 * np.log10(255**2 / np.mean(errors))
    assert ceiling_db(picture[inner], residual_px, bit_depth=8) == pytest.approx(truth_db, abs=0.5)


def test_twice_the_residual_costs_six_decibels(picture: np.ndarray) -> None:
    near, far = (ceiling_db(picture, residual_px, bit_depth=8) for residual_px in (0.1, 0.2))
    assert near is not None
    assert far is not None
    assert near - far == pytest.approx(20 * np.log10(2), abs=1e-6)


def test_sixteen_bits_of_the_same_picture_have_the_same_ceiling(picture: np.ndarray) -> None:
    deep = ceiling_db(picture * np.float32(257), 0.1, bit_depth=16)
    assert deep == pytest.approx(ceiling_db(picture, 0.1, bit_depth=8), abs=1e-3)


def test_only_pixels_of_the_mask_count(picture: np.ndarray) -> None:
    half = picture.copy()
    half[:, 160:] = 80
    mask = np.zeros(SHAPE_HW, np.bool_)
    mask[:, :158] = True
    masked = ceiling_db(half, 0.1, bit_depth=8, mask=mask)
    assert masked == pytest.approx(ceiling_db(picture[:, :158], 0.1, bit_depth=8), abs=0.1)
    assert masked < ceiling_db(half, 0.1, bit_depth=8)


def test_no_slope_or_no_residual_has_no_ceiling(picture: np.ndarray) -> None:
    assert ceiling_db(np.full(SHAPE_HW, 80, np.float32), 0.1, bit_depth=8) is None
    assert ceiling_db(picture, 0.0, bit_depth=8) is None
    assert ceiling_db(picture, float("inf"), bit_depth=8) is None
