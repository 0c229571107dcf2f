"""Sums over a series against numpy on the whole stack."""

import gc
import tracemalloc

import numpy as np
import pytest

from twinlens.calibrate.series import FrameSeries


def noisy(count: int, *, seed: int = 0, sigma: float = 3.0, shape_hw: tuple[int, int] = (100, 120)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    field = rng.uniform(100, 400, shape_hw)
    return np.rint(field + sigma * rng.standard_normal((count, *shape_hw))).astype(np.uint16)


def summed(frames: np.ndarray, bit_depth: int = 10) -> FrameSeries:
    series = FrameSeries(bit_depth)
    for frame in frames:
        series.add(frame)
    return series


def test_mean_and_noise_are_those_of_the_stack() -> None:
    frames = noisy(20)
    series = summed(frames)
    assert (series.count, series.shape_hw) == (20, (100, 120))
    np.testing.assert_allclose(series.mean(), frames.mean(axis=0), rtol=1e-6)
    # Noise of 3 grey levels and its rounding; 230 000 differences tell a variance to 0.5 %.
    assert series.temporal_variance == pytest.approx(9 + 1 / 12, rel=0.02)


def test_a_lamp_that_drifts_is_no_noise() -> None:
    drifting = noisy(20) + 5 * np.arange(20, dtype=np.uint16)[:, None, None]
    assert summed(drifting).temporal_variance == pytest.approx(9 + 1 / 12, rel=0.02)


def test_pixels_that_blink_do_not_count_as_everybodys_noise() -> None:
    blinking = noisy(20)
    blinking[::2, 0, :8] = 1000  # as the virtual cameras' trigger stamp does
    assert summed(blinking).temporal_variance == pytest.approx(9 + 1 / 12, rel=0.02)


def test_the_share_at_full_scale_is_counted() -> None:
    frames = noisy(4)
    frames[:, :10] = 1023
    assert summed(frames).saturated_fraction == pytest.approx(0.1)


def test_memory_does_not_grow_with_the_number_of_frames() -> None:
    def peak_bytes(count: int) -> int:
        gc.collect()
        tracemalloc.start()
        series = FrameSeries(10)
        for seed in range(count):
            series.add(noisy(1, seed=seed)[0])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(4)
    assert peak_bytes(40) - peak_bytes(8) < 24_000  # a frame


def test_frames_that_do_not_belong_together_are_refused() -> None:
    series = summed(noisy(1))
    with pytest.raises(ValueError, match="frame 1 is uint8"):
        series.add(np.zeros((100, 120), np.uint8))
    with pytest.raises(ValueError, match="10 bit end at 1023"):
        series.add(np.full((100, 120), 1024, np.uint16))
    with pytest.raises(ValueError, match="2 are needed"):
        _ = series.temporal_variance
    with pytest.raises(ValueError, match="no frame"):
        FrameSeries(8).mean()
