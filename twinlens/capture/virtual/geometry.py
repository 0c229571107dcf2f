"""Where camera B looks, seen from camera A, and B's view of a canvas."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from twinlens.pixels import Homography, MonoFloat, PointsXY

_SPLINE_MARGIN_PX = 12
"""A cubic B-spline forgets a border by 0.27 per px: 12 px away it is below 1e-6."""
_BAND_ROWS = 128


def homography(
    shape_hw: tuple[int, int],
    *,
    rotation_deg: float,
    scale: float,
    shift_xy: tuple[float, float],
    perspective_xy: tuple[float, float],
) -> Homography:
    """b_from_a: turn and magnify about the image centre, tilt, then shift.

    Args:
        shape_hw: the sensor, whose centre ((w - 1) / 2, (h - 1) / 2) stays when the shift is 0.
        rotation_deg: positive turns the picture clockwise on the screen.
        scale: above 1, B sees the scene larger than A.
        shift_xy: px on B.
        perspective_xy: relative change of magnification from the centre to the right and lower edge.
    """
    height, width = shape_hw
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    turn = math.radians(rotation_deg)
    c, s = scale * math.cos(turn), scale * math.sin(turn)
    similarity = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    tilt = np.eye(3)
    # Where the denominator falls to 1 - p, points move outwards by 1 / (1 - p): the magnification grows by p.
    tilt[2, :2] = -np.asarray(perspective_xy) / centre
    chain = _shift(*(centre + shift_xy)) @ tilt @ similarity @ _shift(*-centre)
    b_from_a: Homography = chain / chain[2, 2]
    return b_from_a


def map_points(target_from_source: Homography, points_xy: PointsXY) -> PointsXY:
    """Points (n, 2) of the source in the target's coordinates."""
    mapped = points_xy @ target_from_source[:, :2].T + target_from_source[:, 2]
    points: PointsXY = mapped[:, :2] / mapped[:, 2:]
    return points


@dataclass(frozen=True, slots=True)
class Field:
    """The part of the scene both cameras need, in A's pixel grid."""

    left: int
    """Columns to the left of A's first."""
    top: int
    """Rows above A's first."""
    shape_hw: tuple[int, int]


def common_field(shape_hw: tuple[int, int], b_from_a: Homography, *, reach_a: int, reach_b: int) -> Field:
    """The smallest canvas from which A and B can be rendered without inventing borders.

    Args:
        shape_hw: both sensors.
        b_from_a: B's chief rays from A's.
        reach_a: half width of A's PSF in px.
        reach_b: half width of the widest PSF of B in px.
    """
    height, width = shape_hw
    x0, y0 = -reach_b, -reach_b
    x1, y1 = width - 1 + reach_b, height - 1 + reach_b
    corners_b = np.array([[x0, y0], [x1, y0], [x0, y1], [x1, y1]], np.float64)
    corners = map_points(np.linalg.inv(b_from_a).astype(np.float64), corners_b)
    own = np.array([[-reach_a, -reach_a], [width - 1 + reach_a, height - 1 + reach_a]], np.float64)
    both = np.vstack([corners, own])
    first = np.floor(both.min(axis=0)).astype(int) - _SPLINE_MARGIN_PX
    last = np.ceil(both.max(axis=0)).astype(int) + _SPLINE_MARGIN_PX
    columns, rows = (last - first + 1).tolist()
    return Field(left=-int(first[0]), top=-int(first[1]), shape_hw=(rows, columns))


def look_through(
    canvas: MonoFloat, b_from_a: Homography, *, field: Field, shape_hw: tuple[int, int], reach: int
) -> MonoFloat:
    """The canvas on B's grid, `reach` px beyond the sensor on every side, by a prefiltered cubic B-spline."""
    coefficients = ndimage.spline_filter(canvas, order=3, output=np.float32, mode="mirror")
    canvas_from_b = _shift(field.left, field.top) @ np.linalg.inv(b_from_a) @ _shift(-reach, -reach)
    height, width = (size + 2 * reach for size in shape_hw)
    view = np.empty((height, width), np.float32)
    x = np.arange(width, dtype=np.float64)
    for top in range(0, height, _BAND_ROWS):
        y = np.arange(top, min(top + _BAND_ROWS, height), dtype=np.float64)[:, None]
        u, v, w = (row[0] * x + row[1] * y + row[2] for row in canvas_from_b)
        # SciPy's coordinates are (row, column) with integers at pixel centres, as ours.
        ndimage.map_coordinates(
            coefficients, (v / w, u / w), order=3, prefilter=False, output=view[top : top + len(y)]
        )
    return view


def _shift(dx: float, dy: float) -> Homography:
    return np.array([[1.0, 0.0, dx], [0.0, 1.0, dy], [0.0, 0.0, 1.0]])
