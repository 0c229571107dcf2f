"""Nine kernels blended over a frame, against blurs that are known at every place."""

from typing import Any

import numpy as np
import pytest

from twinlens.calibrate.equalise import kernel_blurred
from twinlens.calibrate.geometry import Box
from twinlens.calibrate.spectra import zone_of
from twinlens.calibrate.zones import blurred_by_zones

SHAPE_HW = (240, 300)
INNER = (slice(16, -16), slice(16, -16))
"""Farther than a kernel reaches from the border, where the picture is wrapped."""


@pytest.fixture(scope="module")
def picture(bench: Any) -> np.ndarray:
    return (200 * bench.leaves(SHAPE_HW, 1)).astype(np.float32)


def spread(bench: Any, sigma_px: float) -> np.ndarray:
    """A Gaussian of 25 px, whatever its width."""
    kernel = bench.gaussian(sigma_px)
    return np.pad(kernel, (25 - len(kernel)) // 2)


def test_one_kernel_nine_times_is_one_kernel(bench: Any, picture: np.ndarray) -> None:
    kernel = spread(bench, 2.0)
    nine = blurred_by_zones(picture, (kernel,) * 9)
    assert nine[INNER] == pytest.approx(kernel_blurred(picture, kernel)[INNER], abs=1e-3)
    assert np.array_equal(blurred_by_zones(picture, (kernel,)), kernel_blurred(picture, kernel))


def test_a_zones_centre_has_its_kernel_alone_and_half_way_both_neighbours_count_alike(
    bench: Any, picture: np.ndarray
) -> None:
    narrow, wide = spread(bench, 1.0), spread(bench, 2.3)
    kernels = [narrow, narrow, wide] * 3  # columns of 100 px: centres at 49.5, 149.5 and 249.5
    found = blurred_by_zones(picture, kernels)
    by_narrow, by_wide = kernel_blurred(picture, narrow), kernel_blurred(picture, wide)
    assert found[INNER][:, :100] == pytest.approx(by_narrow[INNER][:, :100], abs=1e-3)
    assert found[16:-16, 250:280] == pytest.approx(by_wide[16:-16, 250:280], abs=1e-3)
    share = (199 - 149.5) / 100
    half_way = (1 - share) * by_narrow[16:-16, 199] + share * by_wide[16:-16, 199]
    assert found[16:-16, 199] == pytest.approx(half_way, abs=1e-2)


def test_kernels_are_counted_row_by_row_like_zones(picture: np.ndarray) -> None:
    still, moved = np.zeros((21, 21)), np.zeros((21, 21))
    still[10, 10] = moved[10, 13] = 1.0
    kernels = [moved if place == 5 else still for place in range(9)]
    found = blurred_by_zones(picture, kernels)
    centre = np.array([[250.0, 120.0]])
    assert zone_of(centre, SHAPE_HW).tolist() == [5]
    assert found[120, 250] == pytest.approx(picture[120, 247], abs=1)
    assert found[40, 50] == pytest.approx(picture[40, 50], abs=1e-2)


def test_a_crop_is_blurred_like_its_place_in_the_frame(bench: Any, picture: np.ndarray) -> None:
    kernels = [spread(bench, 0.8 + 0.18 * place) for place in range(9)]
    whole = blurred_by_zones(picture, kernels)
    for box in (Box(40, 30, 260, 200), Box(4, 8, 90, 70)):  # the second lies in one zone alone
        cut = blurred_by_zones(picture[box.crop], kernels, shape_hw=SHAPE_HW, box=box)
        assert cut[INNER] == pytest.approx(whole[box.crop][INNER], abs=1e-2)
