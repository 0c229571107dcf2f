"""How close a picture is to its target: PSNR, and SSIM by named protocol.

The range is always given, never guessed from the pixels, and scores are computed in float64.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from twinlens.pixels import Mask, Picture

PROTOCOL = "wang2003"
"""SSIM of Wang et al. 2004 as in the authors' code: 11x11 Gaussian, sigma 1.5, only whole windows count."""
_WINDOW = 11
_SIGMA = 1.5


def psnr(picture: Picture, target: Picture, *, data_range: float, mask: Mask | None = None) -> float:
    """Peak signal-to-noise ratio in dB; infinite where the two are equal.

    Args:
        picture: what is judged, (h, w) or (h, w, 3).
        target: the truth, of the same shape and dtype.
        data_range: largest minus smallest possible value, 255 for 8 bit.
        mask: the pixels that count; all by default.
    """
    _require_alike(picture, target, mask)
    difference = picture.astype(np.float64) - target
    squares = np.square(difference if mask is None else difference[mask])
    error = float(squares.mean())
    return math.inf if error == 0 else 10 * math.log10(data_range**2 / error)


def ssim(
    picture: Picture, target: Picture, *, data_range: float, mask: Mask | None = None, protocol: str = PROTOCOL
) -> float:
    """Structural similarity, at most 1; colours are averaged.

    Args:
        picture: what is judged, (h, w) or (h, w, 3), at least 11 px high and wide.
        target: the truth, of the same shape and dtype.
        data_range: largest minus smallest possible value.
        mask: a window counts where all of its pixels are True; all by default.
        protocol: only "wang2003" yet.
    """
    if protocol != PROTOCOL:
        raise ValueError(f"SSIM protocol {protocol!r} is not known; {PROTOCOL!r} is")
    _require_alike(picture, target, mask)
    if min(picture.shape[:2]) < _WINDOW:
        raise ValueError(f"a picture of {picture.shape[:2]} px is smaller than the {_WINDOW} px SSIM window")
    counted = slice(None) if mask is None else _whole_windows(mask)
    planes = zip(_planes(picture), _planes(target), strict=True)
    return float(np.mean([_ssim_map(a, b, data_range)[counted].mean() for a, b in planes]))


def _require_alike(picture: Picture, target: Picture, mask: Mask | None) -> None:
    if picture.shape != target.shape or picture.dtype != target.dtype:
        raise ValueError(
            f"picture {picture.shape} {picture.dtype} and target {target.shape} {target.dtype} differ"
        )
    if mask is not None and (mask.shape != picture.shape[:2] or not mask.any()):
        raise ValueError(f"a mask of {picture.shape[:2]} with a True pixel is needed, got {mask.shape}")


def _planes(picture: Picture) -> list[NDArray[np.float64]]:
    stack = picture[..., None] if picture.ndim == 2 else picture
    return [np.ascontiguousarray(stack[..., c], dtype=np.float64) for c in range(stack.shape[2])]


def _ssim_map(a: NDArray[np.float64], b: NDArray[np.float64], data_range: float) -> NDArray[np.float64]:
    """SSIM at every whole window, (h - 10, w - 10); Wang et al. 2004, equation 13 with K1 0.01 and K2 0.03."""
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    mean_a, mean_b = _window_mean(a), _window_mean(b)
    product = mean_a * mean_b
    power = mean_a * mean_a + mean_b * mean_b
    covariance = _window_mean(a * b) - product
    variances = _window_mean(a * a + b * b) - power
    similarity: NDArray[np.float64] = ((2 * product + c1) * (2 * covariance + c2)) / (
        (power + c1) * (variances + c2)
    )
    return similarity


def _window_mean(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    offsets = np.arange(_WINDOW) - _WINDOW // 2
    weights = np.exp(-0.5 * (offsets / _SIGMA) ** 2)
    weights /= weights.sum()
    edge = _WINDOW // 2
    return np.asarray(cv2.sepFilter2D(plane, -1, weights, weights)[edge:-edge, edge:-edge], dtype=np.float64)


def _whole_windows(mask: Mask) -> Mask:
    edge = _WINDOW // 2
    whole = cv2.erode(mask.astype(np.uint8), np.ones((_WINDOW, _WINDOW), np.uint8))[edge:-edge, edge:-edge] > 0
    if not whole.any():
        raise ValueError(f"no {_WINDOW}x{_WINDOW} px window of the picture is free of masked pixels")
    return whole
