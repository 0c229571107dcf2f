"""Scenes that repeat: a facade's period, and none where nothing does."""

from typing import Any

import numpy as np
import pytest

from twinlens.calibrate.repetition import period_px


def facade(period: int, shape_hw: tuple[int, int] = (512, 640)) -> np.ndarray:
    """Windows in rows and columns, all alike."""
    y, x = np.mgrid[: shape_hw[0], : shape_hw[1]] % period / period
    windows = (x > 0.25) & (x < 0.75) & (y > 0.2) & (y < 0.7)
    noise = np.random.default_rng(1).standard_normal(shape_hw)
    return (np.where(windows, 50, 150) + 1.2 * noise).astype(np.float32)


@pytest.mark.parametrize("period", [25, 40, 64])
@pytest.mark.parametrize("sigma_px", [0.0, 3.0])
def test_the_period_of_a_facade_is_found_to_a_pixel(period: int, sigma_px: float) -> None:
    assert period_px(facade(period), sigma_px=sigma_px) == pytest.approx(period, abs=1)


def test_a_large_facade_repeats_in_full_pixels() -> None:
    assert period_px(facade(80, (900, 1200)), sigma_px=2.0) == pytest.approx(80, abs=2)


@pytest.mark.parametrize("seed", range(4))
def test_leaves_do_not_repeat(bench: Any, seed: int) -> None:
    assert period_px(bench.rig().pair(seed)[0].astype(np.float32), sigma_px=2.0) is None


def test_a_facade_with_curtains_and_people_does_not_look_the_same_everywhere(bench: Any) -> None:
    lived_in = 0.5 * facade(40) + 100 * bench.leaves((512, 640), 3).astype(np.float32)
    assert period_px(lived_in, sigma_px=2.0) is None
