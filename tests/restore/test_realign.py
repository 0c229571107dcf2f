"""A picture that lies beside its target is moved back by what it was moved, and scores as if it never had been."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from skimage import data

from twinlens.pixels import Mask, Picture
from twinlens.restore.metrics import psnr, ssim
from twinlens.restore.realign import MOST_PX, Realigned, realign


@pytest.fixture(scope="module")
def scene() -> NDArray[np.float64]:
    """A photograph without what aliases when it is moved."""
    return np.asarray(ndimage.gaussian_filter(data.camera()[60:300, 80:360].astype(np.float64), 0.8))


def moved(scene: NDArray[np.float64], shift_xy: tuple[float, float]) -> NDArray[np.float64]:
    """Exactly, in the Fourier domain."""
    y, x = np.fft.fftfreq(scene.shape[0])[:, None], np.fft.rfftfreq(scene.shape[1])[None]
    phase = np.exp(-2j * np.pi * (x * shift_xy[0] + y * shift_xy[1]))
    return np.fft.irfft2(np.fft.rfft2(scene) * phase, s=scene.shape)


def levels(scene: NDArray[np.float64], *, white: int = 255) -> Picture:
    kind = np.uint8 if white == 255 else np.uint16
    return np.clip(np.rint(scene * white / 255), 0, white).astype(kind)


def inner(shape_hw: tuple[int, int]) -> Mask:
    """Away from the borders, over which the Fourier shift wraps around."""
    mask = np.zeros(shape_hw, np.bool_)
    mask[12:-12, 12:-12] = True
    return mask


def done(found: Realigned | None) -> Realigned:
    assert found is not None
    return found


@pytest.mark.parametrize("noise", [0.0, 3.0])
@pytest.mark.parametrize("shift_xy", [(0.3, 0.0), (0.0, -0.3), (-1.27, 0.61), (2.5, 2.5), (0.0, 0.0)])
def test_a_shift_is_found_to_a_fiftieth_of_a_pixel(
    scene: NDArray[np.float64], shift_xy: tuple[float, float], noise: float
) -> None:
    rng = np.random.default_rng(0)
    soft = ndimage.gaussian_filter(scene, 0.7) + rng.normal(0, noise, scene.shape)
    found = done(
        realign(levels(moved(soft, shift_xy)), levels(scene), inner(scene.shape), method="shift", data_range=255.0)
    )
    np.testing.assert_allclose(found.target_from_picture[:2, 2], np.negative(shift_xy), atol=0.02)
    assert found.moved_px == pytest.approx(np.hypot(*shift_xy), abs=0.02)
    assert found.gain == 1.0


@pytest.mark.parametrize("method", ["shift", "homography"])
@pytest.mark.parametrize("white", [255, 1023])
def test_a_moved_picture_scores_as_the_one_that_was_not(
    scene: NDArray[np.float64], method: str, white: int
) -> None:
    soft, target, mask = ndimage.gaussian_filter(scene, 0.7), levels(scene, white=white), inner(scene.shape)
    in_place, beside = levels(soft, white=white), levels(moved(soft, (0.3, -0.2)), white=white)
    found = done(realign(beside, target, mask, method=method, data_range=float(white)))
    options = {"data_range": float(white), "mask": found.mask}
    # What is moved twice is rounded to levels twice.
    assert psnr(found.picture, target, **options) == pytest.approx(psnr(in_place, target, **options), abs=0.2)
    assert ssim(found.picture, target, **options) == pytest.approx(ssim(in_place, target, **options), abs=3e-3)
    assert psnr(beside, target, **options) < psnr(in_place, target, **options) - 1
    assert found.picture.dtype == target.dtype


def test_a_homography_and_a_brightness_are_undone(scene: NDArray[np.float64]) -> None:
    height, width = scene.shape
    a, x0, y0 = np.deg2rad(0.3), width / 2, height / 2
    y, x = np.mgrid[:height, :width].astype(np.float64)
    at = (y0 + np.sin(a) * (x - x0) + np.cos(a) * (y - y0) - 0.4, x0 + np.cos(a) * (x - x0) - np.sin(a) * (y - y0))
    turned = levels(0.9 * ndimage.map_coordinates(scene, at, order=5, mode="mirror"))
    target, mask = levels(scene), inner(scene.shape)
    found = done(realign(turned, target, mask, method="homography", data_range=255.0))
    assert found.gain == pytest.approx(1 / 0.9, abs=0.005)
    only_moved = done(realign(turned, target, mask, method="shift", data_range=255.0))
    assert psnr(found.picture, target, data_range=255.0, mask=found.mask) > 40
    assert psnr(only_moved.picture, target, data_range=255.0, mask=only_moved.mask) < 30


def test_colours_move_together(scene: NDArray[np.float64]) -> None:
    target = np.stack([levels(scene), levels(255 - scene), levels(0.5 * scene)], axis=2)
    beside = np.stack(
        [levels(moved(plane.astype(np.float64), (0.3, 0.2))) for plane in target.transpose(2, 0, 1)], 2
    )
    found = done(realign(beside, target, inner(scene.shape), method="shift", data_range=255.0))
    assert psnr(found.picture, target, data_range=255.0, mask=found.mask) > 48


def test_brightness_does_not_pull_at_the_shift(scene: NDArray[np.float64]) -> None:
    darker = levels(0.8 * moved(scene, (0.3, 0.0)) + 20)
    found = done(realign(darker, levels(scene), inner(scene.shape), method="shift", data_range=255.0))
    np.testing.assert_allclose(found.target_from_picture[:2, 2], (-0.3, 0.0), atol=0.02)


def test_masked_pixels_neither_pull_nor_count(scene: NDArray[np.float64]) -> None:
    target, mask = levels(scene), inner(scene.shape)
    mask[100:140, 100:150] = False
    beside = levels(moved(scene, (0.3, 0.0)))
    spoiled = target.copy()
    spoiled[~mask] = 0
    clean = done(realign(beside, target, mask, method="shift", data_range=255.0))
    found = done(realign(beside, spoiled, mask, method="shift", data_range=255.0))
    np.testing.assert_allclose(found.target_from_picture, clean.target_from_picture, atol=0.005)
    assert not (found.mask & ~mask).any()
    assert found.mask.sum() < mask.sum()


@pytest.mark.parametrize("method", ["shift", "homography"])
def test_what_fits_nowhere_near_is_not_moved(scene: NDArray[np.float64], method: str) -> None:
    target, mask = levels(scene), inner(scene.shape)
    options = {"method": method, "data_range": 255.0}
    assert realign(np.full_like(target, 100), target, mask, **options) is None
    assert realign(levels(moved(scene, (2 * MOST_PX, 0.0))), target, mask, **options) is None
    narrow = np.zeros_like(mask)
    narrow[50:70, 50:70] = True
    assert realign(target, target, narrow, **options) is None


def test_an_unknown_way_is_refused(scene: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="'affine' is not known; shift, homography are"):
        realign(levels(scene), levels(scene), inner(scene.shape), method="affine", data_range=255.0)


@pytest.mark.parametrize("gain", [0.3, 0.5, 1.2])
def test_a_difference_in_brightness_does_not_pull(scene: NDArray[np.float64], gain: float) -> None:
    picture = levels(gain * moved(scene * 0.8, (0.3, -0.2)))
    found = done(realign(picture, levels(scene * 0.8), inner(scene.shape), method="shift", data_range=255.0))
    np.testing.assert_allclose(found.target_from_picture[:2, 2], (-0.3, 0.2), atol=0.02)
