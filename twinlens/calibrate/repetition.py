"""Whether a scene repeats itself: on a facade a shift by one window looks like no shift at all."""

import cv2
import numpy as np
from scipy import fft

from twinlens.calibrate.equalise import gaussian_blurred, locally_normalised, smaller
from twinlens.calibrate.orb import reduction
from twinlens.pixels import MonoFloat

_ALIKE = 0.9
"""Correlation of a scene with itself, displaced: photographs of real facades stay below 0.6."""
_LEAST_OVERLAP = 0.5


def period_px(a: MonoFloat, *, sigma_px: float) -> float | None:
    """The shortest shift (px) by which A, blurred like B, looks like itself again; None where there is none.

    Args:
        a: (h, w) grey levels.
        sigma_px: by how much B is blurrier than A.
    """
    factor = reduction(a)
    levels = locally_normalised(gaussian_blurred(smaller(a, factor), sigma_px / factor)).astype(np.float64)
    levels -= levels.mean()
    size_hw = tuple(fft.next_fast_len(2 * side - 1, real=True) for side in levels.shape)
    there, squared, mask = (fft.rfft2(image, size_hw) for image in (levels, levels**2, np.ones_like(levels)))
    product, power, overlap = (
        fft.irfft2(one, size_hw) for one in (there * np.conj(there), np.conj(squared) * mask, mask * np.conj(mask))
    )
    # The energy of the overlapping part of either copy: one is the other's mirror image.
    other = np.roll(power[::-1, ::-1], (1, 1), axis=(0, 1))
    correlation = product / np.sqrt(np.maximum(power * other, 1e-6 * power.max() ** 2))
    alike = fft.fftshift((correlation > _ALIKE) & (overlap > _LEAST_OVERLAP * levels.size))
    _, labels, _, centres = cv2.connectedComponentsWithStats(alike.astype(np.uint8))
    middle = np.array([size_hw[1] // 2, size_hw[0] // 2])
    around_zero = labels[middle[1], middle[0]]
    others = [centre - middle for label, centre in enumerate(centres) if label not in (0, around_zero)]
    return factor * float(min(np.hypot(x, y) for x, y in others)) if others else None
