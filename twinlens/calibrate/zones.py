"""Blur that changes over the frame: one kernel for each of 3 x 3 zones, blended between their centres."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twinlens.calibrate.equalise import kernel_blurred
from twinlens.calibrate.geometry import Box, whole
from twinlens.calibrate.spectra import ZONES
from twinlens.pixels import Kernel, MonoFloat


def blurred_by_zones(
    image: MonoFloat, kernels: Sequence[Kernel], *, shape_hw: tuple[int, int] | None = None, box: Box | None = None
) -> MonoFloat:
    """`image` (h, w) convolved with the kernel of each place, bilinear between the zones' centres.

    Args:
        image: grey levels; as with one kernel, the border within its radius is not real.
        kernels: nine, row by row; or one for the whole frame.
        shape_hw: the frame that the zones divide; None where `image` is the whole frame.
        box: where `image` lies in that frame.
    """
    if len(kernels) == 1:
        return kernel_blurred(image, kernels[0])
    height, width = shape_hw or (image.shape[0], image.shape[1])
    box = box or whole((height, width))
    along_y, along_x = _weights(height)[:, box.top : box.bottom], _weights(width)[:, box.left : box.right]
    blended = np.zeros_like(image)
    for row in range(ZONES):
        for column in range(ZONES):
            rows, columns = _span(along_y[row]), _span(along_x[column])
            part = _part_blurred(image, kernels[row * ZONES + column], rows, columns)
            blended[rows, columns] += along_y[row, rows, None] * along_x[column, None, columns] * part
    return blended


def _weights(size: int) -> NDArray[np.float32]:
    """Share (zones, size) that each zone has in every row or column; 1 in all."""
    places = np.clip((np.arange(size) + 0.5) / size * ZONES - 0.5, 0, ZONES - 1)
    return np.asarray(np.clip(1 - np.abs(places - np.arange(ZONES)[:, None]), 0, 1), np.float32)


def _span(weight: NDArray[np.float32]) -> slice:
    """From the first to the last place with a weight; empty where a crop lies outside the zone."""
    used = np.nonzero(weight)[0]
    return slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 0)


def _part_blurred(image: MonoFloat, kernel: Kernel, rows: slice, columns: slice) -> MonoFloat:
    if rows.stop == 0 or columns.stop == 0:
        return np.zeros((rows.stop, columns.stop), np.float32)
    radius = len(kernel) // 2
    top, left = max(rows.start - radius, 0), max(columns.start - radius, 0)
    part = kernel_blurred(image[top : rows.stop + radius, left : columns.stop + radius], kernel)
    inner = part[rows.start - top :, columns.start - left :]
    return inner[: rows.stop - rows.start, : columns.stop - columns.start]
