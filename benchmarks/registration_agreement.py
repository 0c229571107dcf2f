"""How well a map fits a pair whose truth nobody knows, by means that no registration here uses itself.

The meter: A is laid onto B by the map, and squares of it are searched for in B by normalised correlation, A or B
blurred by that Gaussian which correlates best. Which squares count is decided by B alone and is the same for all.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from registration_truth import FloatArray, project
from registration_twin import MapPoints

Frame = NDArray[np.uint8]

TILE_PX = 64
REACH_PX = 4
"""How far a square is searched for; one that is not found within counts as this far off."""
SIGMAS_PX = (-3.0, -1.5, -0.7, 0.0, 0.7, 1.5, 3.0)
"""Blur given to A, or where negative to B."""
_SMOOTHING_PX = 1.0
_LEAST_SLOPE = 1.0
"""Grey levels a px, squared: least mean slope of B in a square's flattest direction."""
_NODE_PX = 16


@dataclass(frozen=True)
class Map:
    """A's points (n, 2) px on B, and B's on A."""

    b_from_a: MapPoints
    a_from_b: MapPoints

    def moved(self, left: float, top: float) -> "Map":
        """The same for whole frames, of a map between their parts that begin at (left, top)."""
        corner = np.array([left, top])
        return Map(
            lambda points: self.b_from_a(points - corner) + corner,
            lambda points: self.a_from_b(points - corner) + corner,
        )


Fit = Callable[[Frame, Frame], Map]
"""Raises `CalibrationError` where it gives up."""


@dataclass(frozen=True)
class Squares:
    """What the meter says of each square of B (n,), NaN where the square is flat or A does not see it."""

    left: FloatArray
    off_px: FloatArray
    """Length of the shift that the square still asks for."""
    ncc: FloatArray
    """Correlation as the map leaves it."""


def homography_map(b_from_a: FloatArray) -> Map:
    """The map of a homography (3, 3)."""
    a_from_b = np.linalg.inv(b_from_a)
    return Map(lambda points: project(b_from_a, points), lambda points: project(a_from_b, points))


def squares(a: Frame, b: Frame, found: Map) -> Squares:
    """Search B (h, w) for the squares of A (h, w) where `found` puts them."""
    x, y = places(found.a_from_b, (b.shape[0], b.shape[1]))
    on_b = cv2.remap(a.astype(np.float32), x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    seen = (x >= 0) & (y >= 0) & (x <= a.shape[1] - 1) & (y <= a.shape[0] - 1)
    still = b.astype(np.float32)
    layers = [(_blurred(on_b, max(sigma, 0)), _blurred(still, max(-sigma, 0))) for sigma in SIGMAS_PX]
    rows = []
    for top in range(0, b.shape[0] - TILE_PX - 2 * REACH_PX + 1, TILE_PX):
        for left in range(0, b.shape[1] - TILE_PX - 2 * REACH_PX + 1, TILE_PX):
            around = slice(top, top + TILE_PX + 2 * REACH_PX), slice(left, left + TILE_PX + 2 * REACH_PX)
            usable = seen[around].all() and _flattest_slope(layers[SIGMAS_PX.index(0)][1][around]) >= _LEAST_SLOPE
            rows.append((left, *(_search(layers, around) if usable else (np.nan, np.nan))))
    lefts, off_px, ncc = np.array(rows, np.float64).T
    return Squares(lefts, off_px, ncc)


def places(a_from_b: MapPoints, shape_hw: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """X and y (h, w) on A of B's pixels; linear between nodes, exact to 0.001 px for a smooth map."""
    height, width = shape_hw
    weights = [_hats(size) for size in (height, width)]
    at_y, at_x = (_NODE_PX * np.arange(weight.shape[1], dtype=np.float64) for weight in weights)
    grid_x, grid_y = np.meshgrid(at_x, at_y)
    nodes = a_from_b(np.stack([grid_x.ravel(), grid_y.ravel()], axis=1)).reshape(*grid_x.shape, 2)
    x, y = (np.asarray(weights[0] @ nodes[..., axis] @ weights[1].T, np.float32) for axis in range(2))
    return x, y


def apart_px(first: Map, second: Map, shape_hw: tuple[int, int]) -> float:
    """Mean distance over A's frame between where two maps put it."""
    points = frame_points(shape_hw)
    return float(np.hypot(*(first.b_from_a(points) - second.b_from_a(points)).T).mean())


def frame_points(shape_hw: tuple[int, int]) -> FloatArray:
    """Points (441, 2) over a frame."""
    x, y = np.meshgrid(np.linspace(0, shape_hw[1] - 1, 21), np.linspace(0, shape_hw[0] - 1, 21))
    return np.stack([x.ravel(), y.ravel()], axis=1)


def _hats(size: int) -> FloatArray:
    """Weights (size, nodes) of linear interpolation."""
    place = np.arange(size) / _NODE_PX
    nodes = np.arange(int(np.ceil(place[-1])) + 1)
    weights: FloatArray = np.maximum(0, 1 - np.abs(place[:, None] - nodes[None, :]))
    return weights


def _blurred(image: NDArray[np.float32], sigma_px: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), float(np.hypot(sigma_px, _SMOOTHING_PX))), np.float32)


def _flattest_slope(square: NDArray[np.float32]) -> float:
    """Smaller eigenvalue of the mean product of slopes."""
    slope_y, slope_x = np.gradient(square)
    mean = [[(u * v).mean() for v in (slope_x, slope_y)] for u in (slope_x, slope_y)]
    return float(np.linalg.eigvalsh(np.array(mean))[0])


def _search(
    layers: list[tuple[NDArray[np.float32], NDArray[np.float32]]], around: tuple[slice, slice]
) -> tuple[float, float]:
    """How far off the square lies, and its correlation as it lies, under the blur that correlates best."""
    inner = slice(REACH_PX, REACH_PX + TILE_PX)
    maps = [cv2.matchTemplate(b[around], a[around][inner, inner], cv2.TM_CCOEFF_NORMED) for a, b in layers]
    best = max(maps, key=lambda ncc: ncc.max())
    row, column = np.unravel_index(int(best.argmax()), best.shape)
    at_rest = float(best[REACH_PX, REACH_PX])
    if not (0 < row < 2 * REACH_PX and 0 < column < 2 * REACH_PX):
        return float(REACH_PX), at_rest
    near = best[row - 1 : row + 2, column - 1 : column + 2].astype(np.float64)
    slope = np.array([near[1, 2] - near[1, 0], near[2, 1] - near[0, 1]]) / 2
    cross = (near[2, 2] - near[2, 0] - near[0, 2] + near[0, 0]) / 4
    bend = np.array(
        [
            [near[1, 2] - 2 * near[1, 1] + near[1, 0], cross],
            [cross, near[2, 1] - 2 * near[1, 1] + near[0, 1]],
        ]
    )
    step = -np.linalg.lstsq(bend, slope, rcond=None)[0]
    return float(np.hypot(column - REACH_PX + step[0], row - REACH_PX + step[1])), at_rest
