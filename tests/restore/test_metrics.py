"""The scores are those of scikit-image where it has the protocol, and hand-computed ones where it does not."""

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from twinlens.errors import RestoreError
from twinlens.pixels import Picture
from twinlens.restore.metrics import PROTOCOLS, psnr, ssim

GAUSSIAN = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
COLOUR = [name for name, protocol in PROTOCOLS.items() if 1 not in protocol.channels]
MONO = [name for name in PROTOCOLS if name not in COLOUR]


def noisy_pair(shape: tuple[int, ...], *, bits: int, seed: int = 0) -> tuple[Picture, Picture]:
    rng = np.random.default_rng(seed)
    white = 2**bits - 1
    rows = np.linspace(0, 6, shape[0]).reshape(-1, *[1] * (len(shape) - 1))
    truth = (0.5 + 0.4 * np.sin(rows + rng.normal(0, 0.2, shape))) * white
    degraded = truth + rng.normal(0, 0.05 * white, shape)
    kind = np.uint8 if bits == 8 else np.uint16
    clipped: list[NDArray[np.float64]] = [np.clip(a, 0, white) for a in (degraded, truth)]
    return clipped[0].astype(kind), clipped[1].astype(kind)


def photograph_pair(name: str) -> tuple[Picture, Picture]:
    """A photograph with noise, and without."""
    target = getattr(data, name)()[:160, 100:280]
    noise = np.random.default_rng(1).normal(0, 12, target.shape)
    return np.clip(target + noise, 0, 255).astype(np.uint8), np.ascontiguousarray(target)


CASES = [noisy_pair((64, 80), bits=8), noisy_pair((33, 47, 3), bits=8), noisy_pair((64, 80), bits=10),
         noisy_pair((33, 47, 3), bits=16), noisy_pair((41, 40), bits=16), photograph_pair("camera"),
         photograph_pair("astronaut")]  # fmt: skip
WHITES = [255.0, 255.0, 1023.0, 65535.0, 65535.0, 255.0, 255.0]


@pytest.mark.parametrize(("pair", "white"), list(zip(CASES, WHITES, strict=True)))
def test_psnr_and_ssim_agree_with_scikit_image(pair: tuple[Picture, Picture], white: float) -> None:
    picture, target = pair
    options = {"data_range": white, "channel_axis": 2 if picture.ndim == 3 else None}
    theirs = structural_similarity(target, picture, **options)
    assert ssim(picture, target, data_range=white, protocol="skimage") == pytest.approx(theirs, abs=1e-9)
    _, everywhere = structural_similarity(target, picture, full=True, **GAUSSIAN, **options)
    valid = everywhere[5:-5, 5:-5].mean()
    assert ssim(picture, target, data_range=white, protocol="wang2003") == pytest.approx(valid, abs=1e-9)
    # Given no window, scikit-image leaves out as much of the border as the Gaussian reaches: the same windows.
    theirs = structural_similarity(target, picture, **GAUSSIAN, **options)
    assert ssim(picture, target, data_range=white) == pytest.approx(theirs, abs=1e-9)
    theirs = peak_signal_noise_ratio(target, picture, data_range=white)
    for protocol in MONO:
        assert psnr(picture, target, data_range=white, protocol=protocol) == pytest.approx(theirs, abs=1e-9)


def luminance_term(a: float, b: float, white: float) -> float:
    c1 = (0.01 * white) ** 2
    return (2 * a * b + c1) / (a * a + b * b + c1)


@pytest.mark.parametrize(
    ("a", "b", "white"), [(100, 110, 255), (3, 250, 255), (500, 700, 1023), (9, 60000, 65535)]
)
def test_ssim_of_flat_pictures_is_their_luminance_term(a: int, b: int, white: int) -> None:
    kind = np.uint8 if white == 255 else np.uint16
    picture, target = np.full((20, 23), a, kind), np.full((20, 23), b, kind)
    expected = luminance_term(a, b, white)
    for protocol in MONO:
        assert ssim(picture, target, data_range=float(white), protocol=protocol) == pytest.approx(expected)
    colours = [np.repeat(one[..., None], 3, axis=2) for one in (picture, target)]
    found = ssim(*colours, data_range=float(white), protocol="matlab-rgb3d")
    assert found == pytest.approx(expected, abs=1e-9)


def test_the_gaussian_over_the_colours_repeats_the_outer_ones() -> None:
    # Flat planes of one colour each: what is left of the filter is its 11 taps over R, G and B.
    taps = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    taps /= taps.sum()
    a, b = (10.0, 120.0, 240.0), (30.0, 90.0, 200.0)
    expected = []
    for colour in range(3):
        seen = [min(max(colour + offset, 0), 2) for offset in range(-5, 6)]
        mean_a, mean_b = (sum(t * v[k] for t, k in zip(taps, seen, strict=True)) for v in (a, b))
        mean_aa, mean_bb, mean_ab = (
            sum(t * v[k] * w[k] for t, k in zip(taps, seen, strict=True)) for v, w in ((a, a), (b, b), (a, b))
        )
        c2 = (0.03 * 255) ** 2
        structure = (2 * (mean_ab - mean_a * mean_b) + c2) / (mean_aa - mean_a**2 + mean_bb - mean_b**2 + c2)
        expected.append(luminance_term(mean_a, mean_b, 255) * structure)
    pictures = [np.broadcast_to(np.array(v, np.uint8), (15, 15, 3)).copy() for v in (a, b)]
    found = ssim(*pictures, data_range=255.0, protocol="matlab-rgb3d")
    assert found == pytest.approx(sum(expected) / 3, abs=1e-9)


def brute_force_3d(picture: Picture, target: Picture, white: float) -> float:
    """SSIM under a 11x11x11 Gaussian at every value, by the definition, voxel by voxel."""
    height, width, colours = picture.shape
    reach = range(-5, 6)
    weights = {o: math.exp(-(o[0] ** 2 + o[1] ** 2 + o[2] ** 2) / (2 * 1.5**2))
               for o in itertools.product(reach, reach, reach)}  # fmt: skip
    total = sum(weights.values())
    c1, c2 = (0.01 * white) ** 2, (0.03 * white) ** 2
    found = []
    for y, x, c in itertools.product(range(height), range(width), range(colours)):
        a, b, w = [], [], []
        for (dy, dx, dc), weight in weights.items():
            place = (min(max(y + dy, 0), height - 1), min(max(x + dx, 0), width - 1), min(max(c + dc, 0), 2))
            a.append(float(picture[place]))
            b.append(float(target[place]))
            w.append(weight / total)
        mean_a, mean_b = np.dot(w, a), np.dot(w, b)
        deviation_a, deviation_b = np.subtract(a, mean_a), np.subtract(b, mean_b)
        covariance = np.dot(w, deviation_a * deviation_b)
        variances = np.dot(w, deviation_a**2) + np.dot(w, deviation_b**2)
        found.append(
            (2 * mean_a * mean_b + c1) * (2 * covariance + c2) / ((mean_a**2 + mean_b**2 + c1) * (variances + c2))
        )
    return float(np.mean(found))


def test_matlabs_ssim_of_a_colour_picture_is_the_sum_over_its_voxels() -> None:
    picture, target = noisy_pair((11, 12, 3), bits=8, seed=3)
    expected = brute_force_3d(picture, target, 255.0)
    assert ssim(picture, target, data_range=255.0, protocol="matlab-rgb3d") == pytest.approx(expected, abs=1e-9)
    per_channel = ssim(picture, target, data_range=255.0)
    assert abs(per_channel - expected) > 0.01  # another protocol, another number


# BT.601: white is 235, black 16; red is round(16 + 65.481) = 81, green round(144.553), blue round(40.966).
LUMA = {(255, 255, 255): 235, (0, 0, 0): 16, (255, 0, 0): 81, (0, 255, 0): 145, (0, 0, 255): 41, (1, 2, 3): 18}


@pytest.mark.parametrize(("colour", "level"), LUMA.items())
def test_luma_is_the_hand_computed_level(colour: tuple[int, int, int], level: int) -> None:
    black = np.zeros((12, 12, 3), np.uint8)
    picture = np.broadcast_to(np.array(colour, np.uint8), black.shape).copy()
    options = {"data_range": 255.0, "protocol": "y"}
    expected = math.inf if level == 16 else 20 * math.log10(255 / (level - 16))
    assert psnr(picture, black, **options) == pytest.approx(expected, abs=1e-9)
    assert ssim(picture, black, **options) == pytest.approx(luminance_term(level, 16, 255), abs=1e-9)


def test_luma_of_16_bit_is_scaled_to_the_range() -> None:
    # rgb2ycbcr of uint16: 257 times the levels of 8 bit, so 16 * 257 + 65.481 * 257 for red.
    black = np.zeros((12, 12, 3), np.uint16)
    red = black.copy()
    red[..., 0] = 65535
    difference = round(16 * 257 + 65.481 * 257) - 16 * 257
    found = psnr(red, black, data_range=65535.0, protocol="y")
    assert found == pytest.approx(20 * math.log10(65535 / difference), abs=1e-9)


def test_equal_pictures_score_one_and_infinity() -> None:
    picture, _ = noisy_pair((20, 20, 3), bits=8)
    for protocol in PROTOCOLS:
        assert ssim(picture, picture, data_range=255.0, protocol=protocol) == pytest.approx(1.0)
        assert psnr(picture, picture, data_range=255.0, protocol=protocol) == math.inf


def test_psnr_of_a_constant_error_is_the_hand_computed_one() -> None:
    target = np.full((12, 12), 100, np.uint8)
    assert psnr(target + np.uint8(10), target, data_range=255.0) == pytest.approx(20 * math.log10(25.5))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_masked_pixels_count_for_nothing(protocol: str) -> None:
    picture, target = noisy_pair((60, 60, 3), bits=8)
    mask = np.ones((60, 60), np.bool_)
    mask[:, 40:] = False
    spoiled = picture.copy()
    spoiled[~mask] = 0
    options = {"data_range": 255.0, "protocol": protocol}
    for metric in (psnr, ssim):
        untouched = metric(picture, target, mask=mask, **options)
        assert metric(spoiled, target, mask=mask, **options) == pytest.approx(untouched, abs=1e-12)
        assert metric(spoiled, target, **options) < untouched
        if protocol != "matlab-rgb3d" or metric is psnr:  # whose cut would have a border of its own
            clean = metric(picture[:, :40].copy(), target[:, :40].copy(), **options)
            assert untouched == pytest.approx(clean, abs=1e-12)


def test_matlabs_ssim_counts_windows_at_the_border_where_their_pixels_are_valid() -> None:
    picture, target = noisy_pair((30, 40, 3), bits=8)
    mask = np.ones((30, 40), np.bool_)
    options = {"data_range": 255.0, "protocol": "matlab-rgb3d"}
    assert ssim(picture, target, mask=mask, **options) == ssim(picture, target, **options)


@pytest.mark.parametrize("protocol", COLOUR)
def test_protocols_of_colour_refuse_mono(protocol: str) -> None:
    picture, target = noisy_pair((20, 20), bits=8)
    for metric in (psnr, ssim):
        with pytest.raises(
            RestoreError, match=f"{protocol} scores pictures of 3 channels, these have 1"
        ) as refused:
            metric(picture, target, data_range=255.0, protocol=protocol)
        assert refused.value.hint == "score them by wang2003 or skimage"


def test_what_cannot_be_scored_is_refused() -> None:
    picture, target = noisy_pair((20, 20), bits=8)
    with pytest.raises(ValueError, match="differ"):
        psnr(picture, target[:10], data_range=255.0)
    with pytest.raises(ValueError, match="differ"):
        psnr(picture, target.astype(np.uint16), data_range=255.0)
    with pytest.raises(ValueError, match="protocol 'matlab' is not known; wang2003, matlab-rgb3d, y, skimage are"):
        ssim(picture, target, data_range=255.0, protocol="matlab")
    with pytest.raises(ValueError, match="smaller"):
        ssim(picture[:10], target[:10], data_range=255.0)
    with pytest.raises(ValueError, match="True pixel"):
        psnr(picture, target, data_range=255.0, mask=np.zeros((20, 20), np.bool_))
    scattered = np.ones((20, 20), np.bool_)
    scattered[::5, ::5] = False
    with pytest.raises(RestoreError, match="no 11x11 px window"):
        ssim(picture, target, data_range=255.0, mask=scattered)
