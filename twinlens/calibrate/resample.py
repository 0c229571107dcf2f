"""One resampling through a mapping with a prefiltered cubic B-spline, and which pixels it can fill.

Cubic B-splines lose 61 dB at most on sharp pictures and use exact coordinates; OpenCV's Lanczos rounds them
to 1/32 px and its cubic kernel overshoots.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from twinlens.calibrate.geometry import Box, inverse, whole
from twinlens.calibrate.mapping import Field
from twinlens.pixels import Homography, Mask, Mono, MonoFloat

_BAND_ROWS = 64


def resample(
    image: Mono | MonoFloat, target_from_source: Homography, box: Box, *, field: Field | None = None
) -> MonoFloat:
    """`image` on the target's grid inside `box`, in the image's grey levels; beyond its border it is mirrored.

    Args:
        image: (h, w) on the source's grid.
        target_from_source: homography.
        box: part of the target's grid.
        field: what the target's grid is displaced by beyond the homography.
    """
    coefficients = ndimage.spline_filter(image.astype(np.float32), order=3, output=np.float32, mode="mirror")
    target = np.empty(box.shape_hw, np.float32)
    for band, x, y in _source_places(inverse(target_from_source), box, field):
        ndimage.map_coordinates(
            coefficients, np.stack([y, x]), output=target[band], order=3, mode="mirror", prefilter=False
        )
    return target


def warp_smooth(
    image: MonoFloat, target_from_source: Homography, shape_hw: tuple[int, int], *, field: Field | None = None
) -> MonoFloat:
    """A smooth (blurred) image on the target's grid, bilinear: fast, exact enough where nothing is sharp."""
    if field is None:
        warped = cv2.warpPerspective(
            image, target_from_source, shape_hw[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        )
    else:
        x, y = _source_map(target_from_source, shape_hw, field)
        warped = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(warped, np.float32)


def warp_mask(
    mask: Mask, target_from_source: Homography, shape_hw: tuple[int, int], *, field: Field | None = None
) -> Mask:
    """A mask on the target's grid; what the source does not see is False."""
    levels = mask.view(np.uint8)
    if field is None:
        warped = cv2.warpPerspective(
            levels, target_from_source, shape_hw[::-1], flags=cv2.INTER_NEAREST, borderValue=0
        )
    else:
        x, y = _source_map(target_from_source, shape_hw, field)
        warped = cv2.remap(levels, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return warped.view(np.bool_)


def _source_map(
    target_from_source: Homography, shape_hw: tuple[int, int], field: Field
) -> tuple[MonoFloat, MonoFloat]:
    """X and y (h, w) of every target pixel on the source's grid."""
    x_source, y_source = np.empty((2, *shape_hw), np.float32)
    for band, x, y in _source_places(inverse(target_from_source), whole(shape_hw), field):
        x_source[band], y_source[band] = x, y
    return x_source, y_source


def _source_places(
    source_from_target: Homography, box: Box, field: Field | None
) -> Iterator[tuple[slice, NDArray[np.float64], NDArray[np.float64]]]:
    """Rows of `box`, band by band, and x and y (rows, w) of their pixels on the source's grid."""
    height = box.shape_hw[0]
    columns = np.arange(box.left, box.right, dtype=np.float64)
    for first in range(0, height, _BAND_ROWS):
        last = min(first + _BAND_ROWS, height)
        x, y = columns, np.arange(box.top + first, box.top + last, dtype=np.float64)[:, None]
        if field is not None:
            d_x, d_y = field.over(Box(box.left, box.top + first, box.right, box.top + last))
            x, y = x - d_x, y - d_y
        x_source, y_source, depth = (row[0] * x + row[1] * y + row[2] for row in source_from_target)
        yield slice(first, last), x_source / depth, y_source / depth
