"""Where A's pixels land on B: a homography, and a smooth field for what bends it (lens, disparity)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twinlens.calibrate.geometry import Box, enlarged, inverse, map_points, normalised, reduced
from twinlens.pixels import Homography, PointsXY

_FIXED_POINT_STEPS = 6
"""A field's slope is some 0.02 at most: each step takes off two digits."""
_BORDER_PX = 1e-6
_INVERSE_LATTICE = 7
"""The inverse of a bicubic is none: so many control values a side leave less than a thousandth of a px."""


@dataclass(frozen=True, slots=True)
class Field:
    """A displacement that varies smoothly over B's frame: a uniform cubic B-spline; constant beyond the frame.

    A lattice of 4 x 4 is one bicubic polynomial.
    """

    lattice: NDArray[np.float64]
    """(rows, columns, 2) control values, x and y in px; at least 4 a side."""
    shape_hw: tuple[int, int]
    """B's frame."""

    def at(self, points_xy: PointsXY) -> PointsXY:
        """Displacement (n, 2) px at points (n, 2) of B's grid."""
        rows, columns = self.lattice.shape[:2]
        along_y = spline_basis(points_xy[:, 1], self.shape_hw[0], count=rows)
        along_x = spline_basis(points_xy[:, 0], self.shape_hw[1], count=columns)
        found: PointsXY = np.einsum("nr,nc,rck->nk", along_y, along_x, self.lattice, optimize=True)
        return found

    def over(self, box: Box) -> NDArray[np.float32]:
        """Displacement (2, h, w) px, x then y, at every pixel of `box`."""
        rows, columns = self.lattice.shape[:2]
        along_y = spline_basis(np.arange(box.top, box.bottom), self.shape_hw[0], count=rows).astype(np.float32)
        along_x = spline_basis(np.arange(box.left, box.right), self.shape_hw[1], count=columns).astype(np.float32)
        lattice = np.moveaxis(self.lattice, 2, 0).astype(np.float32)
        return np.asarray(along_y @ lattice @ along_x.T)

    @property
    def rms_px(self) -> float:
        """Root mean square length over the frame."""
        return float(np.sqrt((self.at(samples_xy(self.shape_hw)) ** 2).sum(axis=1).mean()))


@dataclass(frozen=True, slots=True)
class Mapping:
    """A's pixels on B: b = q + field(b), where q is the homography's answer.

    The field lives on B's grid, so that resampling A onto it asks the field at known places.
    """

    b_from_a: Homography
    field: Field | None = None

    def map_b_from_a(self, points_xy: PointsXY) -> PointsXY:
        """Points (n, 2) of A in B's coordinates."""
        through_homography = map_points(self.b_from_a, points_xy)
        if self.field is None:
            return through_homography
        found = through_homography
        for _ in range(_FIXED_POINT_STEPS):
            found = through_homography + self.field.at(found)
        return found

    def map_a_from_b(self, points_xy: PointsXY) -> PointsXY:
        """Points (n, 2) of B in A's coordinates."""
        straight = points_xy if self.field is None else points_xy - self.field.at(points_xy)
        return map_points(inverse(self.b_from_a), straight)

    def reduced(self, factor: int) -> "Mapping":
        """The same between frames that are reduced by `factor`."""
        return self._scaled(reduced(self.b_from_a, factor), 1 / factor, (1 / factor - 1) / 2)

    def enlarged(self, factor: int, shape_hw: tuple[int, int]) -> "Mapping":
        """The same between full frames of `shape_hw`, for a mapping of frames that are reduced by `factor`."""
        return self._scaled(enlarged(self.b_from_a, factor), factor, (factor - 1) / 2, shape_hw)

    def _scaled(
        self, b_from_a: Homography, scale: float, centre: float, shape_hw: tuple[int, int] | None = None
    ) -> "Mapping":
        """With the field on a grid whose pixels p are scale * p' + centre of this one's p'."""
        field = self.field
        if field is None:
            return Mapping(b_from_a)
        height, width = shape_hw or (int(field.shape_hw[0] * scale), int(field.shape_hw[1] * scale))
        return Mapping(
            b_from_a,
            fitted_field(
                lambda points: scale * field.at((points - centre) / scale),
                (height, width),
                lattice_hw=(field.lattice.shape[0], field.lattice.shape[1]),
            ),
        )

    def inverted(self, shape_hw: tuple[int, int]) -> "Mapping":
        """A's pixels of B's, with the field on A's grid, for frames of `shape_hw`."""
        a_from_b = inverse(self.b_from_a)
        if self.field is None:
            return Mapping(a_from_b)
        rows, columns = self.field.lattice.shape[:2]
        # Beyond B's border the field stops short, and a spline that followed it there would bend inside as well.
        on_a = np.concatenate([samples_xy(shape_hw), self.map_a_from_b(samples_xy(self.field.shape_hw))])
        shared = _inside(on_a, shape_hw) & _inside(self.map_b_from_a(on_a), self.field.shape_hw)
        bent = fitted_field(
            lambda points: points - map_points(a_from_b, self.map_b_from_a(points)),
            shape_hw,
            lattice_hw=(max(rows, _INVERSE_LATTICE), max(columns, _INVERSE_LATTICE)),
            points_xy=on_a[shared],
        )
        return Mapping(a_from_b, bent)

    def corrected(self, moved: Homography, bent: Field | None) -> "Mapping":
        """This mapping followed by a small homography, and its field with `bent` added."""
        return Mapping(normalised(moved @ self.b_from_a), added(self.field, bent))


def spline_basis(places: NDArray[np.float64] | NDArray[np.int64], size: int, *, count: int) -> NDArray[np.float64]:
    """Weights (n, count) of the uniform cubic B-splines over `size` pixels at `places` (n,)."""
    t = np.clip(np.asarray(places, np.float64) / max(size - 1, 1), 0, 1) * (count - 3)
    first = np.minimum(t.astype(int), count - 4)
    u = t - first
    weights = np.zeros((len(t), count))
    pieces = ((1 - u) ** 3, 3 * u**3 - 6 * u**2 + 4, -3 * u**3 + 3 * u**2 + 3 * u + 1, u**3)
    for offset, piece in enumerate(pieces):
        weights[np.arange(len(t)), first + offset] = piece / 6
    return weights


def fitted_field(
    displacement: Callable[[PointsXY], PointsXY],
    shape_hw: tuple[int, int],
    *,
    lattice_hw: tuple[int, int] = (4, 4),
    points_xy: PointsXY | None = None,
) -> Field:
    """The spline nearest to a function of B's points (n, 2) px; exact for what the lattice can hold.

    Args:
        displacement: the function.
        shape_hw: of B's frame.
        lattice_hw: control values a side.
        points_xy: where it is asked; None takes places all over the frame.
    """
    points = samples_xy(shape_hw) if points_xy is None else points_xy
    along_y = spline_basis(points[:, 1], shape_hw[0], count=lattice_hw[0])
    along_x = spline_basis(points[:, 0], shape_hw[1], count=lattice_hw[1])
    design = np.einsum("nr,nc->nrc", along_y, along_x).reshape(len(points), -1)
    control = np.linalg.lstsq(design, displacement(points), rcond=None)[0]
    return Field(control.reshape(*lattice_hw, 2), shape_hw)


def _inside(points_xy: PointsXY, shape_hw: tuple[int, int]) -> NDArray[np.bool_]:
    last_xy = np.array([shape_hw[1] - 1, shape_hw[0] - 1])
    inside: NDArray[np.bool_] = np.all((points_xy > -_BORDER_PX) & (points_xy < last_xy + _BORDER_PX), axis=1)
    return inside


def added(first: Field | None, second: Field | None) -> Field | None:
    """The sum of two fields of one frame, on the finer lattice: one piece of a cubic fits into several."""
    if first is None or second is None:
        return first or second
    finer_hw = (
        max(first.lattice.shape[0], second.lattice.shape[0]),
        max(first.lattice.shape[1], second.lattice.shape[1]),
    )
    return fitted_field(lambda points: first.at(points) + second.at(points), first.shape_hw, lattice_hw=finer_hw)


def samples_xy(shape_hw: tuple[int, int]) -> PointsXY:
    """Points (625, 2) spread evenly over a frame."""
    x, y = np.meshgrid(np.linspace(0, shape_hw[1] - 1, 25), np.linspace(0, shape_hw[0] - 1, 25))
    return np.stack([x.ravel(), y.ravel()], axis=1)
