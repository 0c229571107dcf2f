"""How much blurrier one frame is than another, and A blurred as much."""

from typing import Any

import numpy as np
import pytest

from twinlens.calibrate.equalise import (
    blur_sigma_px,
    gaussian_blurred,
    gaussian_kernel,
    kernel_blurred,
    locally_normalised,
    reduced_kernel,
    smaller,
)
from twinlens.calibrate.kernel import centroid_xy, kernel_sigma_px

SHAPE_HW = (512, 640)


@pytest.mark.parametrize("sigma_px", [1.0, 2.0, 4.0])
def test_the_blur_between_two_frames_is_measured_without_aligning_them(bench: Any, sigma_px: float) -> None:
    rig = bench.rig(kernel=bench.gaussian(sigma_px), b_from_a=bench.homography(SHAPE_HW, shift_xy=(25, -14)))
    assert blur_sigma_px(*rig.pair(0)) == pytest.approx(sigma_px, rel=0.25)


@pytest.mark.parametrize("sigma_px", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("noise_dn", [0.3, 3.0])
def test_swapped_frames_differ_by_the_same_blur_below_zero(bench: Any, sigma_px: float, noise_dn: float) -> None:
    a, b = bench.rig(kernel=bench.gaussian(sigma_px), noise_dn=noise_dn).pair(0)
    # Seen from the blurrier frame most frequencies are noise: their ratio once told 0.6 px for 2, and +0.6 for 4.
    assert blur_sigma_px(b, a) == pytest.approx(-sigma_px, rel=0.1)


def test_equal_frames_need_no_blur(bench: Any) -> None:
    a = bench.rig().pair(0)[0]
    assert abs(blur_sigma_px(a, a)) < 0.3


def test_two_sharp_cameras_are_not_taken_for_swapped_ones_because_they_are_noisy(bench: Any) -> None:
    noisy = bench.rig(kernel=bench.gaussian(0.01), noise_dn=30.0)
    a, b = noisy.pair(0)
    assert blur_sigma_px(a, b) > -0.8
    assert blur_sigma_px(b, a) > -0.8


def test_blurring_with_a_gaussian_kernel_is_gaussian_blurring(bench: Any) -> None:
    picture = bench.leaves(SHAPE_HW, 5).astype(np.float32)
    inner = (slice(16, -16), slice(16, -16))
    by_kernel = kernel_blurred(picture, gaussian_kernel(2.0))[inner]
    assert np.abs(by_kernel - gaussian_blurred(picture, 2.0)[inner]).max() < 2e-3


def test_a_gaussian_too_narrow_to_sample_is_one_pixel() -> None:
    assert gaussian_kernel(0.19).tolist() == [[1.0]]
    assert kernel_sigma_px(gaussian_kernel(1.5)) == pytest.approx(1.5, abs=0.01)
    assert gaussian_kernel(3.0).sum() == pytest.approx(1, abs=1e-5)


def test_a_reduced_kernel_does_to_reduced_frames_what_the_kernel_does_to_full_ones(bench: Any) -> None:
    kernel = bench.aberrated(0.5)
    picture = gaussian_blurred((200 * bench.leaves(SHAPE_HW, 5)).astype(np.float32), 2.0)
    full_first = smaller(kernel_blurred(picture, kernel), 2)
    small_first = kernel_blurred(smaller(picture, 2), reduced_kernel(kernel, 2))
    inner = (slice(40, -40), slice(40, -40))
    # Cutting the kernel's tail and what reduction aliases leave less than a grey level of 200.
    assert np.abs(full_first - small_first)[inner].max() < 1.0
    small = reduced_kernel(kernel, 2)
    assert small.sum() == pytest.approx(1)
    assert 2 * np.array(centroid_xy(small)) == pytest.approx(np.array(centroid_xy(kernel)), abs=0.1)
    assert reduced_kernel(kernel, 1) is kernel


def test_a_reduced_pixel_is_the_mean_of_those_it_replaces() -> None:
    picture = np.arange(36, dtype=np.float32).reshape(6, 6)
    assert smaller(picture, 3)[0, 0] == pytest.approx(picture[:3, :3].mean())
    assert smaller(picture[:, :5], 2).shape == (3, 2)


def test_shade_does_not_show_in_locally_normalised_pictures(bench: Any) -> None:
    picture = (200 * bench.leaves(SHAPE_HW, 5)).astype(np.float32)
    shade = np.linspace(0.5, 1.0, SHAPE_HW[1], dtype=np.float32)
    plain, shaded = (locally_normalised(each).astype(np.float64) for each in (picture, picture * shade))
    assert np.corrcoef(plain.ravel(), shaded.ravel())[0, 1] > 0.97
