"""The classical baselines are as strong as they can be made: a weak one would flatter the network."""

import numpy as np
import pytest
from scipy import ndimage
from skimage import data, restoration

from twinlens.errors import RestoreError
from twinlens.pixels import Kernel, Mono8
from twinlens.restore.baselines import ORACLE_GRID, best_wiener, shift_kernel, wiener
from twinlens.restore.metrics import psnr


def coma_like_kernel() -> Kernel:
    """Not symmetric, so that a mirrored or moved kernel is noticed; its centroid is the centre pixel."""
    kernel = np.zeros((15, 15))
    for step in range(8):
        kernel[7 - step // 2 : 8 + step // 2, 3 + step] += 8 - step
    kernel /= kernel.sum()
    return shift_kernel(kernel, tuple(-c for c in centroid_xy(kernel)))  # type: ignore[arg-type]


def centroid_xy(kernel: Kernel) -> tuple[float, float]:
    rows, columns = (np.arange(side) - side // 2 for side in kernel.shape)
    return float((kernel.sum(0) * columns).sum()), float((kernel.sum(1) * rows).sum())


def blurred(target: Mono8, kernel: Kernel, *, noise: float) -> Mono8:
    image = ndimage.convolve(target.astype(np.float64), kernel, mode="mirror")
    image += np.random.default_rng(0).normal(0, noise, image.shape)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def target() -> Mono8:
    return np.ascontiguousarray(data.camera()[100:357, 120:400])


def test_wiener_undoes_a_blur_without_noise_almost_wholly(target: Mono8) -> None:
    kernel = coma_like_kernel()
    picture = blurred(target, kernel, noise=0.0)
    restored = wiener(picture, kernel, 1e-4, bit_depth=8)
    assert restored.dtype == picture.dtype
    assert psnr(restored, target, data_range=255.0) > psnr(picture, target, data_range=255.0) + 6


def test_the_oracle_beats_the_best_of_scikit_images_wiener(target: Mono8) -> None:
    kernel = coma_like_kernel()
    picture = blurred(target, kernel, noise=2.5)
    theirs = []
    for balance in 10.0 ** np.arange(-4, 1, 0.5):
        restored = restoration.wiener(picture / 255.0, kernel, balance)
        theirs.append(psnr(np.clip(restored * 255, 0, 255).astype(np.uint8), target, data_range=255.0))
    ours = best_wiener(picture, target, kernel, bit_depth=8)
    assert ours.noise_to_signal in ORACLE_GRID
    assert ours.psnr_db == psnr(ours.picture, target, data_range=255.0)
    assert ours.psnr_db > max(theirs) - 0.05


def test_a_kernel_off_its_centre_costs_the_wiener_filter_decibels(target: Mono8) -> None:
    kernel = coma_like_kernel()
    picture = blurred(target, kernel, noise=2.5)
    right = best_wiener(picture, target, kernel, bit_depth=8).psnr_db
    moved = best_wiener(picture, target, shift_kernel(kernel, (1.5, 0.0)), bit_depth=8).psnr_db
    mirrored = best_wiener(picture, target, np.ascontiguousarray(kernel[:, ::-1]), bit_depth=8).psnr_db
    assert max(moved, mirrored) < right - 1


def test_a_flat_picture_stays_as_bright_as_it_is() -> None:
    flat = np.full((80, 90), 3000, np.uint16)
    np.testing.assert_array_equal(wiener(flat, coma_like_kernel(), 0.01, bit_depth=12), flat)


@pytest.mark.parametrize("shift_xy", [(0.0, 0.0), (1.0, -2.0), (0.37, 1.61)])
def test_a_shifted_kernel_has_moved_its_centroid_by_the_shift(shift_xy: tuple[float, float]) -> None:
    x = np.arange(-10, 11)
    kernel = np.exp(-(x[:, None] ** 2 + (x[None, :] - 1) ** 2) / 6)
    kernel /= kernel.sum()
    moved = shift_kernel(kernel, shift_xy)
    assert moved.sum() == pytest.approx(1.0)
    expected = np.add(centroid_xy(kernel), shift_xy)
    np.testing.assert_allclose(centroid_xy(moved), expected, atol=1e-3)


def test_only_valid_pixels_choose_the_oracles_setting(target: Mono8) -> None:
    kernel = coma_like_kernel()
    picture = blurred(target, kernel, noise=2.5)
    mask = np.zeros(target.shape, np.bool_)
    mask[40:200, 40:200] = True
    spoiled = target.copy()
    spoiled[~mask] = 0
    masked = best_wiener(picture, spoiled, kernel, bit_depth=8, mask=mask)
    inside = psnr(masked.picture, target, data_range=255.0, mask=mask)
    assert masked.psnr_db == pytest.approx(inside)


def test_a_picture_in_colour_is_refused() -> None:
    with pytest.raises(RestoreError, match=r"\(40, 40, 3\) is in colour"):
        wiener(np.zeros((40, 40, 3), np.uint8), coma_like_kernel(), 0.01, bit_depth=8)
