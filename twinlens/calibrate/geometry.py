"""Rectangles of pixels, and the algebra of homographies on (x, y) px."""

from dataclasses import dataclass

import numpy as np

from twinlens.pixels import Homography, PointsXY


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


def inverse(target_from_source: Homography) -> Homography:
    """source_from_target."""
    return np.asarray(np.linalg.inv(target_from_source), np.float64)


def normalised(homography: Homography) -> Homography:
    """The same homography with 1 in its last place."""
    scaled: Homography = homography / homography[2, 2]
    return scaled
