"""The numbers a pair gets when it is stored: how far input is from target, and how sharp each is."""

import cv2
import numpy as np

from twinlens.pixels import Mask, Mono

ROUNDING_MSE = 1 / 12
"""Variance in grey levels squared of rounding to integers: no two pictures are known to agree better."""


def psnr_db(input: Mono, target: Mono, mask: Mask, *, bit_depth: int) -> float:  # noqa: A002 -- the role's name
    """PSNR of `input` against `target` over valid pixels, against the full scale 2**bit_depth - 1.

    At least `ROUNDING_MSE` counts as error, so that equal pictures have a finite value (58.9 dB at 8 bit).
    """
    valid = max(int(np.count_nonzero(mask)), 1)
    squared = cv2.norm(input, target, cv2.NORM_L2SQR, mask.view(np.uint8))
    return float(10 * np.log10((2**bit_depth - 1) ** 2 / max(squared / valid, ROUNDING_MSE)))


def laplacian_variance(pixels: Mono, mask: Mask) -> float:
    """Variance of the 3x3 Laplacian over valid pixels, in grey levels squared: large where edges are sharp."""
    laplacian = cv2.Laplacian(pixels, cv2.CV_32F)
    _, deviation = cv2.meanStdDev(laplacian, mask=mask.view(np.uint8))
    return float(deviation.item() ** 2)
