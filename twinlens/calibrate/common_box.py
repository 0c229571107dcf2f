"""The rectangle that a dataset's frames are cut to: what both cameras see, whatever the mirror does."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from twinlens.calibrate.geometry import Box, corners_xy
from twinlens.calibrate.mapping import Mapping
from twinlens.calibrate.model import RigCalibration
from twinlens.errors import DegenerateGeometryError

Grid = Literal["a", "b"]
"""Whose pixels a pair is laid on: B's leaves the input as the camera sent it, A's the target."""

MARGIN_A_PX = 8
"""The first row carries the trigger stamp, which the spline forgets by 0.27 per px: 0.01 grey levels are left."""
MARGIN_B_PX = 4
SIDE_MULTIPLE_PX = 16
"""Sides of the common area: halves of it, as networks cut them, are still multiples of 8."""
_POINTS_PER_SIDE = 16


def valid_box(*calibrations: RigCalibration, grid: Grid = "b") -> Box:
    """The largest rectangle of one camera's grid that the other sees in every calibration, a margin inside both.

    Args:
        calibrations: of the mirror states that share the rectangle.
        grid: whose pixels the rectangle counts.

    Raises:
        ValueError: no calibration, or frames of different sizes.
        DegenerateGeometryError: the cameras share no rectangle of 128 px.
    """
    if len({calibration.shape_hw for calibration in calibrations}) != 1:
        raise ValueError(f"calibrations of one frame size are needed, got {[c.shape_hw for c in calibrations]}")
    shape_hw = calibrations[0].shape_hw
    left = np.full(shape_hw[0], float(MARGIN_B_PX))
    right = np.full(shape_hw[0], float(shape_hw[1] - 1 - MARGIN_B_PX))
    for calibration in calibrations:
        mapping = calibration.mapping if grid == "b" else calibration.mapping.inverted(shape_hw)
        a_left, a_right = _row_limits(mapping, shape_hw)
        left, right = np.maximum(left, a_left), np.minimum(right, a_right)
    return _largest_box(np.ceil(left), np.floor(right) + 1, shape_hw)


def _row_limits(mapping: Mapping, shape_hw: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First and last x per row (h,) that the other camera sees inside its margin; outside where it sees none."""
    height, width = shape_hw
    inset = corners_xy((height - 2 * MARGIN_A_PX, width - 2 * MARGIN_A_PX)) + MARGIN_A_PX
    if mapping.field is not None:  # its sides are no straight lines
        steps = np.linspace(0, 1, _POINTS_PER_SIDE, endpoint=False)[:, None]
        inset = np.concatenate(
            [p + steps * (q - p) for p, q in zip(inset, np.roll(inset, -1, axis=0), strict=True)]
        )
    corners = mapping.map_b_from_a(inset)
    rows = np.arange(height, dtype=np.float64)
    # Far outside, yet finite: limits of several calibrations are compared and subtracted.
    left, right = np.full(height, 2.0 * width), np.full(height, -1.0 * width)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        crossed = (rows >= min(y0, y1)) & (rows <= max(y0, y1))
        x = x0 + (rows[crossed] - y0) * (x1 - x0) / (y1 - y0)
        left[crossed], right[crossed] = np.minimum(left[crossed], x), np.maximum(right[crossed], x)
    return left, right


def _largest_box(left: NDArray[np.float64], right: NDArray[np.float64], shape_hw: tuple[int, int]) -> Box:
    """The largest rectangle between convex row limits (h,); `right` is exclusive."""
    best, best_area = Box(0, 0, 0, 0), 0.0
    tops = np.arange(MARGIN_B_PX, shape_hw[0] - MARGIN_B_PX)
    for height in range(SIDE_MULTIPLE_PX, shape_hw[0] - 2 * MARGIN_B_PX + 1, SIDE_MULTIPLE_PX):
        top = tops[: len(tops) - height + 1]
        # The common area is convex: what is inside in the first and the last row is inside between them.
        first, last = (
            np.maximum(left[top], left[top + height - 1]),
            np.minimum(right[top], right[top + height - 1]),
        )
        width = np.maximum(last - first, 0) // SIDE_MULTIPLE_PX * SIDE_MULTIPLE_PX
        place = int(np.argmax(width))
        if width[place] * height > best_area:
            x, y = int(first[place]), int(top[place])
            best, best_area = Box(x, y, x + int(width[place]), y + height), width[place] * height
    if min(best.shape_hw) < 128:
        raise DegenerateGeometryError(
            f"both cameras share a box of {best.shape_hw[1]}x{best.shape_hw[0]} px; 128 px a side is needed",
            hint="aim both cameras at the same part of the scene and calibrate again",
        )
    return best
