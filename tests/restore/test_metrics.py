"""The scores are those of scikit-image under the same protocol, and hand-computed ones on masks."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from twinlens.pixels import Picture
from twinlens.restore.metrics import psnr, ssim


def noisy_pair(shape: tuple[int, ...], *, bits: int, seed: int = 0) -> tuple[Picture, Picture]:
    rng = np.random.default_rng(seed)
    white = 2**bits - 1
    rows = np.linspace(0, 6, shape[0]).reshape(-1, *[1] * (len(shape) - 1))
    truth = (0.5 + 0.4 * np.sin(rows + rng.normal(0, 0.2, shape))) * white
    degraded = truth + rng.normal(0, 0.05 * white, shape)
    kind = np.uint8 if bits == 8 else np.uint16
    clipped: list[NDArray[np.float64]] = [np.clip(a, 0, white) for a in (degraded, truth)]
    return clipped[0].astype(kind), clipped[1].astype(kind)


@pytest.mark.parametrize("shape", [(64, 80), (33, 47, 3)])
@pytest.mark.parametrize("bits", [8, 10, 16])
def test_psnr_and_ssim_agree_with_scikit_image(shape: tuple[int, ...], bits: int) -> None:
    picture, target = noisy_pair(shape, bits=bits)
    white = float(2**bits - 1)
    assert psnr(picture, target, data_range=white) == pytest.approx(
        peak_signal_noise_ratio(target, picture, data_range=white), abs=1e-9
    )
    _, everywhere = structural_similarity(
        target.astype(np.float64),
        picture.astype(np.float64),
        data_range=white,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=2 if len(shape) == 3 else None,
        full=True,
    )
    assert ssim(picture, target, data_range=white) == pytest.approx(everywhere[5:-5, 5:-5].mean(), abs=1e-9)


def test_equal_pictures_score_one_and_infinity() -> None:
    picture, _ = noisy_pair((20, 20), bits=8)
    assert ssim(picture, picture, data_range=255.0) == pytest.approx(1.0)
    assert psnr(picture, picture, data_range=255.0) == math.inf


def test_psnr_of_a_constant_error_is_the_hand_computed_one() -> None:
    target = np.full((12, 12), 100, np.uint8)
    assert psnr(target + np.uint8(10), target, data_range=255.0) == pytest.approx(20 * math.log10(25.5))


def test_masked_pixels_count_for_nothing() -> None:
    picture, target = noisy_pair((60, 60), bits=8)
    mask = np.ones((60, 60), np.bool_)
    mask[:, 40:] = False
    spoiled = picture.copy()
    spoiled[~mask] = 0
    for metric in (psnr, ssim):
        clean = metric(picture[:, :40].copy(), target[:, :40].copy(), data_range=255.0)
        assert metric(spoiled, target, data_range=255.0, mask=mask) == pytest.approx(clean, abs=1e-12)
        assert metric(spoiled, target, data_range=255.0) < clean


def test_what_cannot_be_scored_is_refused() -> None:
    picture, target = noisy_pair((20, 20), bits=8)
    with pytest.raises(ValueError, match="differ"):
        psnr(picture, target[:10], data_range=255.0)
    with pytest.raises(ValueError, match="differ"):
        psnr(picture, target.astype(np.uint16), data_range=255.0)
    with pytest.raises(ValueError, match="protocol"):
        ssim(picture, target, data_range=255.0, protocol="matlab-rgb3d")
    with pytest.raises(ValueError, match="smaller"):
        ssim(picture[:10], target[:10], data_range=255.0)
    with pytest.raises(ValueError, match="True pixel"):
        psnr(picture, target, data_range=255.0, mask=np.zeros((20, 20), np.bool_))
