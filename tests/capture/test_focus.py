"""Focus and saturation: they follow the blur and the light, not the exposure or the format."""

import cv2
import numpy as np
import pytest

from twinlens.capture.focus import focus_score, saturated_fraction

RNG = np.random.default_rng(3)


def scene(shape_hw: tuple[int, int], level: float = 100.0) -> np.ndarray:
    """Squares of random brightness, as float grey levels."""
    height, width = shape_hw
    coarse = RNG.uniform(0.2, 1.8, size=(height // 8 + 1, width // 8 + 1))
    return level * np.kron(coarse, np.ones((8, 8)))[:height, :width]


def blurred(picture: np.ndarray, sigma_px: float) -> np.ndarray:
    soft = cv2.GaussianBlur(picture, (0, 0), sigma_px) if sigma_px else picture
    return np.rint(soft + RNG.normal(0, 1.5, picture.shape)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape_hw", [(96, 128), (2048, 2592)])
def test_the_score_falls_with_every_bit_of_blur(shape_hw: tuple[int, int]) -> None:
    picture = scene(shape_hw)
    scores = [focus_score(blurred(picture, sigma_px)) for sigma_px in (0, 0.5, 1, 1.5, 2, 3, 5, 8)]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == len(scores)
    assert scores[0] > 3 * scores[-1]


def test_neither_exposure_nor_format_changes_the_score() -> None:
    bright = scene((600, 800))
    eight = np.rint(bright).astype(np.uint8)
    expected = focus_score(eight)
    assert focus_score(np.rint(bright / 2).astype(np.uint8)) == pytest.approx(expected, rel=0.02)
    assert focus_score(np.rint(4 * bright).astype(np.uint16)) == pytest.approx(expected, rel=0.02)


def test_the_noise_of_a_covered_camera_is_no_sharpness() -> None:
    covered = RNG.poisson(1.0, size=(2048, 2592)).astype(np.uint8)
    assert focus_score(covered) < focus_score(blurred(scene((2048, 2592)), 1.0))


def test_the_score_of_a_ramp_is_its_slope() -> None:
    ramp = np.tile(np.arange(0, 200, 2, dtype=np.uint8), (50, 1))
    assert focus_score(ramp) == pytest.approx(100 * 2 / ramp.mean(), rel=1e-4)


def test_a_frame_too_small_to_judge_scores_nothing() -> None:
    assert focus_score(np.zeros((2, 9), np.uint8)) == 0.0


@pytest.mark.parametrize(("dtype", "bit_depth", "white"), [(np.uint8, 8, 255), (np.uint16, 10, 1023)])
def test_only_pixels_at_white_are_saturated(dtype: type, bit_depth: int, white: int) -> None:
    frame = np.full((2048, 640), white - 1, dtype=dtype)
    assert saturated_fraction(frame, bit_depth=bit_depth) == 0.0
    frame[:512] = white
    assert saturated_fraction(frame, bit_depth=bit_depth) == pytest.approx(0.25)
    small = np.array([[white, 0], [0, 0]], dtype=dtype)
    assert saturated_fraction(small, bit_depth=bit_depth) == 0.25
