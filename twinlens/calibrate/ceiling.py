"""The score that misregistration alone allows: a perfect restoration against a displaced target."""

import numpy as np

from twinlens.calibrate.frames import full_scale
from twinlens.pixels import Mask, MonoFloat


def ceiling_db(target: MonoFloat, residual_px: float, *, bit_depth: int, mask: Mask | None = None) -> float | None:
    """PSNR (dB) of a picture against itself, displaced by `residual_px` in an unknown direction.

    A small displacement d changes a picture by its slope along d; over all directions the mean square is
    d^2 / 2 of the squared gradient's: six dB per octave. None where there is no slope or no residual.

    Args:
        target: (h, w) grey levels.
        residual_px: length of the displacement.
        bit_depth: of the grey levels.
        mask: pixels that count.
    """
    slope_x = (target[1:-1, 2:] - target[1:-1, :-2]) / 2
    slope_y = (target[2:, 1:-1] - target[:-2, 1:-1]) / 2
    squared = slope_x**2 + slope_y**2
    power = float(squared.mean() if mask is None else squared[mask[1:-1, 1:-1]].mean())
    error = power * residual_px**2 / 2
    if not np.isfinite(error) or error <= 0:
        return None
    return float(10 * np.log10(full_scale(bit_depth) ** 2 / error))
