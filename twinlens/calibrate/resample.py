"""One resampling through a homography with a prefiltered cubic B-spline, and which pixels it can fill.

Cubic B-splines lose 61 dB at most on sharp pictures and use exact coordinates; OpenCV's Lanczos rounds them
to 1/32 px and its cubic kernel overshoots.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage

from twinlens.pixels import Homography, Mask, Mono, MonoFloat, PointsXY

_BAND_ROWS = 64


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of whole pixels; `right` and `bottom` are the first outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def shape_hw(self) -> tuple[int, int]:
        """Height and width in px."""
        return self.bottom - self.top, self.right - self.left

    @property
    def crop(self) -> tuple[slice, slice]:
        """Index that cuts the rectangle out of an image."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def whole(shape_hw: tuple[int, int]) -> Box:
    """The rectangle of a whole image."""
    return Box(0, 0, shape_hw[1], shape_hw[0])


def resample(image: Mono | MonoFloat, target_from_source: Homography, box: Box) -> MonoFloat:
    """`image` on the target's grid inside `box`, in the image's grey levels; beyond its border it is mirrored."""
    coefficients = ndimage.spline_filter(image.astype(np.float32), order=3, output=np.float32, mode="mirror")
    source_from_target = np.linalg.inv(target_from_source)
    target = np.empty(box.shape_hw, np.float32)
    x = np.arange(box.left, box.right, dtype=np.float64)
    for first in range(0, len(target), _BAND_ROWS):
        band = target[first : first + _BAND_ROWS]
        y = np.arange(box.top + first, box.top + first + len(band), dtype=np.float64)[:, None]
        x_source, y_source, depth = (row[0] * x + row[1] * y + row[2] for row in source_from_target)
        coordinates = np.stack([y_source / depth, x_source / depth])
        ndimage.map_coordinates(coefficients, coordinates, output=band, order=3, mode="mirror", prefilter=False)
    return target


def warp_smooth(image: MonoFloat, target_from_source: Homography, shape_hw: tuple[int, int]) -> MonoFloat:
    """A smooth (blurred) image on the target's grid, bilinear: fast, exact enough where nothing is sharp."""
    height, width = shape_hw
    warped = cv2.warpPerspective(
        image, target_from_source, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(warped, np.float32)


def warp_mask(mask: Mask, target_from_source: Homography, shape_hw: tuple[int, int]) -> Mask:
    """A mask on the target's grid; what the source does not see is False."""
    height, width = shape_hw
    warped = cv2.warpPerspective(
        mask.view(np.uint8), target_from_source, (width, height), flags=cv2.INTER_NEAREST, borderValue=0
    )
    return warped.view(np.bool_)


def map_points(target_from_source: Homography, points_xy: PointsXY) -> PointsXY:
    """Points (n, 2) of the source in the target's coordinates."""
    mapped = points_xy @ target_from_source[:, :2].T + target_from_source[:, 2]
    points: PointsXY = mapped[:, :2] / mapped[:, 2:]
    return points


def corners_xy(shape_hw: tuple[int, int]) -> PointsXY:
    """Centres of the corner pixels (4, 2): top left, top right, bottom right, bottom left."""
    height, width = shape_hw
    return np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], np.float64)


def shift(x_px: float, y_px: float) -> Homography:
    """The homography that moves every point by (x, y)."""
    return np.array([[1, 0, x_px], [0, 1, y_px], [0, 0, 1]], np.float64)


def full_from_small(factor: int) -> Homography:
    """Pixels of an image reduced by `factor` in the full image.

    A reduced pixel is the mean of `factor` pixels a side: its centre lies (factor - 1) / 2 off the first of them.
    """
    centre = (factor - 1) / 2
    return np.array([[factor, 0, centre], [0, factor, centre], [0, 0, 1]], np.float64)


def enlarged(small_from_small: Homography, factor: int) -> Homography:
    """A homography between images that were reduced by `factor`, as one between the full images."""
    up = full_from_small(factor)
    return normalised(up @ small_from_small @ np.linalg.inv(up))


def reduced(full_from_full: Homography, factor: int) -> Homography:
    """A homography between full images, as one between the same images reduced by `factor`."""
    up = full_from_small(factor)
    return normalised(np.linalg.inv(up) @ full_from_full @ up)


def normalised(homography: Homography) -> Homography:
    """The same homography with 1 in its last place."""
    scaled: Homography = homography / homography[2, 2]
    return scaled
