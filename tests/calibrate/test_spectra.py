"""Windows and zones of spectra, and the Gaussian that they tell."""

from typing import Any

import numpy as np
import pytest

from twinlens.calibrate.equalise import gaussian_blurred
from twinlens.calibrate.kernel import gaussian_sigma_px, kernel_in_gauge, kernel_sigma_px
from twinlens.calibrate.spectra import Spectra, pooled, window_px_for, zone_of, zone_spectra, zone_window_px
from twinlens.errors import DegenerateGeometryError

SHAPE_HW = (512, 640)


@pytest.fixture(scope="module")
def picture(bench: Any) -> np.ndarray:
    return (200 * bench.leaves(SHAPE_HW, 8)).astype(np.float32)


def test_zones_are_counted_row_by_row_and_hold_their_border() -> None:
    points = np.array([[0.0, 0], [639, 0], [320, 256], [0, 511], [639, 511], [-3, 600]])
    assert zone_of(points, SHAPE_HW).tolist() == [0, 2, 4, 6, 8, 6]


def test_windows_shrink_with_the_frame_and_zones_take_half() -> None:
    assert [window_px_for(shape_hw) for shape_hw in ((2048, 2448), (512, 640), (300, 400), (128, 160))] == [
        256,
        256,
        128,
        64,
    ]
    assert zone_window_px(SHAPE_HW, sigma_px=2.0) == 128
    assert zone_window_px(SHAPE_HW, sigma_px=8.5) == 256  # a quarter of 128 px would cut such a blur's tail


def test_every_window_counts_in_one_zone(picture: np.ndarray) -> None:
    usable = np.ones(SHAPE_HW, np.bool_)
    of_zones = zone_spectra(picture, picture, usable, window_px=128)
    assert len(of_zones) == 9
    assert sum(one.windows for one in of_zones) == 7 * 9
    both = pooled(of_zones)
    assert both.windows == 63
    assert both.xy.real == pytest.approx(both.xx)  # a picture against itself


def test_windows_with_holes_are_left_out(picture: np.ndarray) -> None:
    usable = np.ones(SHAPE_HW, np.bool_)
    usable[:, 400:] = False
    of_zones = zone_spectra(picture, picture, usable, window_px=128)
    assert [one.windows for one in of_zones[2::3]] == [0, 0, 0]
    assert sum(one.windows for one in of_zones) == 7 * 5


@pytest.mark.parametrize("sigma_px", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("noise_dn", [0.0, 8.0])
def test_the_gaussian_between_registered_frames_is_told_through_noise(
    picture: np.ndarray, sigma_px: float, noise_dn: float
) -> None:
    rng = np.random.default_rng(1)
    b = gaussian_blurred(picture, sigma_px) + noise_dn * rng.standard_normal(SHAPE_HW).astype(np.float32)
    found = pooled(zone_spectra(picture, b, np.ones(SHAPE_HW, np.bool_), window_px=128))
    assert gaussian_sigma_px(found) == pytest.approx(sigma_px, rel=0.06)


def test_frames_that_do_not_correlate_tell_no_gaussian(bench: Any, picture: np.ndarray) -> None:
    other = (200 * bench.leaves(SHAPE_HW, 9)).astype(np.float32)
    found = pooled(zone_spectra(picture, other, np.ones(SHAPE_HW, np.bool_), window_px=128))
    assert gaussian_sigma_px(found) is None
    nothing = np.zeros((128, 65))
    assert gaussian_sigma_px(Spectra(nothing, nothing, nothing.astype(np.complex128), 0)) is None


def test_a_kernel_sums_to_one_and_has_the_second_moment_of_the_blur(picture: np.ndarray) -> None:
    b = gaussian_blurred(picture, 2.0)
    found = pooled(zone_spectra(picture, b, np.ones(SHAPE_HW, np.bool_), window_px=128))
    kernel, shift_xy = kernel_in_gauge(found)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    assert kernel_sigma_px(kernel) == pytest.approx(2, abs=0.1)
    assert shift_xy == pytest.approx((0, 0), abs=0.02)


def test_a_picture_turned_into_its_negative_has_no_kernel() -> None:
    rng = np.random.default_rng(2)
    a = rng.standard_normal(SHAPE_HW).astype(np.float32)
    found = pooled(zone_spectra(a, -a, np.ones(SHAPE_HW, np.bool_), window_px=128))
    with pytest.raises(DegenerateGeometryError, match="drowns in noise in all 63 windows of 128 px") as no:
        kernel_in_gauge(found)
    assert no.value.hint
