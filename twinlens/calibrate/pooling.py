"""What all tiles of all pairs ask of one mapping: eight parameters of a homography, and a field where they say so.

Every tile is one measurement of a shift with its covariance; the models are linear in their parameters, and the
weights are Cauchy's, so that cars and people do not pull (iteratively reweighted least squares).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from twinlens.calibrate.geometry import normalised
from twinlens.calibrate.mapping import Field, fitted_field, spline_basis
from twinlens.calibrate.tile_lk import TileFits
from twinlens.pixels import Homography, PointsXY

FieldKind = Literal["none", "distortion", "disparity"]
FIELD_KINDS: tuple[FieldKind, ...] = get_args(FieldKind)

_MODEL_FLOOR_PX = 0.02
"""What no mapping explains: blur differs from tile to tile."""
_CAUCHY = 5.0
"""A tile counts half where its squared distance is this many times the typical one."""
_SHIFTS = np.array([1.0, 0, 0, 1, 0, 0, 0, 0])
"""The two of a homography's parameters that only shift."""
_SMOOTHNESS = 1e-4
"""Weight of a disparity's second differences against the tiles' information."""


@dataclass(frozen=True, slots=True)
class Tiles:
    """The textured tiles of several pairs, measured with one mapping."""

    centre_xy: PointsXY
    """(n, 2) px on B's grid."""
    shift_xy: PointsXY
    """(n, 2) px by which B's picture lies beyond the template's."""
    information: NDArray[np.float64]
    """(n, 2, 2) inverse covariance, the model's floor included."""
    pair: NDArray[np.int64]
    """(n,) which pair each is of."""


@dataclass(frozen=True, slots=True)
class Model:
    """A linear model of displacements over B's frame: a small homography, and a field of one kind."""

    kind: FieldKind
    shape_hw: tuple[int, int]
    shift_only: bool = False
    """The homography may only shift: for pairs that know no more, and where its shape is known already."""
    direction_xy: tuple[float, float] = (1.0, 0.0)
    """Of a disparity: the baseline's on the sensor, unit length."""
    lattice: int = 9
    """Of a disparity: control values a side."""

    def design(self, points_xy: PointsXY) -> NDArray[np.float64]:
        """Derivative (n, 2, p) of the displacement by the parameters; the first eight are the homography's."""
        columns = [displacement_jacobian(points_xy, self.shape_hw)]
        if self.shift_only:
            columns[0] = columns[0] * _SHIFTS
        if self.kind == "distortion":
            columns.append(_cubic_columns(_unit(points_xy, self.shape_hw)))
        elif self.kind == "disparity":
            along = _spline_columns(points_xy, self.shape_hw, self.lattice)
            columns.append(along[:, None, :] * self._axis[None, :, None])
        return np.concatenate(columns, axis=2)

    def ridge(self) -> NDArray[np.float64]:
        """What keeps parameters (p, p) that no tile determines near zero, relative to the tiles' information."""
        count = {"none": 8, "distortion": 20, "disparity": 8 + self.lattice**2}[self.kind]
        ridge = np.diag(np.pad(1.0 - _SHIFTS if self.shift_only else np.zeros(8), (0, count - 8)))
        if self.kind == "distortion":
            ridge[8:, 8:] = 1e-6 * np.eye(12)
        elif self.kind == "disparity":
            ridge[8:, 8:] = _SMOOTHNESS * _roughness(self.lattice)
        return ridge

    def field(self, parameters: NDArray[np.float64]) -> Field | None:
        """The field (px) that parameters (p,) stand for."""
        if self.kind == "none":
            return None
        if self.kind == "disparity":
            values = parameters[8:].reshape(self.lattice, self.lattice)
            return Field(values[:, :, None] * self._axis, self.shape_hw)
        return fitted_field(lambda points: self.design(points)[:, :, 8:] @ parameters[8:], self.shape_hw)

    @property
    def direction_deg(self) -> float:
        """Of a disparity, clockwise on the screen from the x axis."""
        return float(np.degrees(np.arctan2(self.direction_xy[1], self.direction_xy[0])))

    @property
    def _axis(self) -> NDArray[np.float64]:
        return np.array(self.direction_xy)


@dataclass(frozen=True, slots=True)
class Correction:
    """What all tiles ask of the mapping."""

    moved: Homography
    """Left factor for b_from_a."""
    bent: Field | None
    """To be added to the mapping's field."""
    model: Model
    covariance: NDArray[np.float64]
    """(p, p) of the model's parameters; robust, scaled to the residuals seen."""
    residual_xy: PointsXY
    """(n, 2) px that every tile still asks for afterwards."""

    @property
    def residual_px(self) -> NDArray[np.float64]:
        """(n,) lengths of `residual_xy`."""
        return np.hypot(self.residual_xy[:, 0], self.residual_xy[:, 1])


def pooled_tiles(fits: Sequence[TileFits]) -> Tiles:
    """The tiles of several pairs as one list."""
    covariance = np.concatenate([fit.covariance for fit in fits]) + _MODEL_FLOOR_PX**2 * np.eye(2)
    return Tiles(
        centre_xy=np.concatenate([fit.centre_xy for fit in fits]),
        shift_xy=np.concatenate([fit.shift_xy for fit in fits]),
        information=np.asarray(np.linalg.inv(covariance), np.float64),
        pair=np.repeat(np.arange(len(fits)), [len(fit.centre_xy) for fit in fits]),
    )


def pooled_correction(tiles: Tiles, model: Model) -> Correction:
    """The small change of the mapping that all pairs' tiles agree on."""
    parameters, covariance = _solve(tiles, model, np.ones(len(tiles.pair), np.bool_))
    return Correction(
        moved=_as_homography(parameters[:8], model.shape_hw),
        bent=model.field(parameters),
        model=model,
        covariance=covariance,
        residual_xy=tiles.shift_xy - model.design(tiles.centre_xy) @ parameters,
    )


def held_out_loss(tiles: Tiles, model: Model, folds: NDArray[np.int64]) -> float:
    """Mean squared distance (whitened, worst tenth left out) of tiles that the fit did not see."""
    distance2 = np.empty(len(folds))
    for fold in np.unique(folds):
        held = folds == fold
        parameters, _ = _solve(tiles, model, ~held)
        rest = tiles.shift_xy[held] - model.design(tiles.centre_xy[held]) @ parameters
        distance2[held] = _distance2(rest, tiles.information[held])
    return float(np.sort(distance2)[: max(1, int(0.9 * len(distance2)))].mean())


def displacement_jacobian(points_xy: PointsXY, shape_hw: tuple[int, int]) -> NDArray[np.float64]:
    """Derivative (n, 2, 8) of where points of B's grid go, by the parameters of a small homography."""
    x, y = _unit(points_xy, shape_hw).T
    zero, one = np.zeros_like(x), np.ones_like(x)
    rows = [[one, x, y, zero, zero, zero, x * x, x * y], [zero, zero, zero, one, x, y, x * y, y * y]]
    jacobian: NDArray[np.float64] = np.moveaxis(np.array(rows), 2, 0)
    return jacobian


def spline_field(tiles: Tiles, shape_hw: tuple[int, int], *, lattice: int) -> Field:
    """A free smooth field through the tiles' shifts, for asking in which direction they point."""
    basis = _spline_columns(tiles.centre_xy, shape_hw, lattice)
    design = np.zeros((len(basis), 2, 2 * basis.shape[1]))
    design[:, 0, : basis.shape[1]] = design[:, 1, basis.shape[1] :] = basis
    roughness = np.asarray(_SMOOTHNESS * np.kron(np.eye(2), _roughness(lattice)), np.float64)
    parameters, _ = _robust(tiles.shift_xy, tiles.information, design, ridge=roughness)
    return Field(np.moveaxis(parameters.reshape(2, lattice, lattice), 0, 2), shape_hw)


def _solve(
    tiles: Tiles, model: Model, chosen: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    design = model.design(tiles.centre_xy[chosen])
    return _robust(tiles.shift_xy[chosen], tiles.information[chosen], design, ridge=model.ridge())


def _robust(
    shift_xy: PointsXY,
    information: NDArray[np.float64],
    design: NDArray[np.float64],
    *,
    ridge: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Parameters (p,) and their covariance (p, p)."""
    weighted = np.einsum("nij,njk->nik", information, design)
    own = np.trace(information.sum(axis=0)) / 2
    weights = np.ones(len(shift_xy))
    for _ in range(20):
        flat = (weights[:, None, None] * weighted).reshape(-1, design.shape[2])
        normal = flat.T @ design.reshape(-1, design.shape[2]) + own * ridge
        parameters = np.linalg.solve(normal, flat.T @ shift_xy.reshape(-1))
        distance2 = _distance2(shift_xy - design @ parameters, information)
        # The median of a chi-square of two degrees of freedom is 1.386: this is the noise scale actually seen.
        scale2 = max(1e-6, float(np.median(distance2)) / 1.386)
        before, weights = weights, 1 / (1 + distance2 / (_CAUCHY * scale2))
        if np.abs(weights - before).max() < 1e-3:
            break
    return parameters, np.linalg.inv(normal) * scale2


def _distance2(rest_xy: PointsXY, information: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.einsum("ni,nij,nj->n", rest_xy, information, rest_xy, optimize=True)
    return found


def _cubic_columns(unit_xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Displacements (n, 2, 12) of second and third order that no small homography holds."""
    x, y = unit_xy.T
    zero = np.zeros_like(x)
    of_x = [y * y, zero, x * x, x * y, x**3, x * x * y, x * y * y, y**3, zero, zero, zero, zero]
    of_y = [zero, x * x, -x * y, -y * y, zero, zero, zero, zero, x**3, x * x * y, x * y * y, y**3]
    return np.moveaxis(np.array([of_x, of_y]), 2, 0)


def _spline_columns(points_xy: PointsXY, shape_hw: tuple[int, int], lattice: int) -> NDArray[np.float64]:
    """Weights (n, lattice^2) of a square lattice's control values."""
    along_y = spline_basis(points_xy[:, 1], shape_hw[0], count=lattice)
    along_x = spline_basis(points_xy[:, 0], shape_hw[1], count=lattice)
    products: NDArray[np.float64] = np.einsum("nr,nc->nrc", along_y, along_x).reshape(len(points_xy), -1)
    return products


def _roughness(lattice: int) -> NDArray[np.float64]:
    """Sum of squared second differences of a square lattice, as a quadratic form; a little of its size as well."""
    second = np.diff(np.eye(lattice), n=2, axis=0)
    down = np.kron(second.T @ second, np.eye(lattice))
    across = np.kron(np.eye(lattice), second.T @ second)
    roughness: NDArray[np.float64] = down + across + 1e-3 * np.eye(len(down))
    return roughness


def _unit(points_xy: PointsXY, shape_hw: tuple[int, int]) -> NDArray[np.float64]:
    """Points as shares of half the longer side from the frame's centre."""
    unit: NDArray[np.float64] = (points_xy - _centre(shape_hw)) / (max(shape_hw) / 2)
    return unit


def _as_homography(parameters: NDArray[np.float64], shape_hw: tuple[int, int]) -> Homography:
    scale_px = max(shape_hw) / 2
    p = parameters / scale_px
    small = np.array([[1 + p[1], p[2], p[0]], [p[4], 1 + p[5], p[3]], [-p[6], -p[7], 1]])
    centre = _centre(shape_hw)
    px_from_unit = np.array([[scale_px, 0, centre[0]], [0, scale_px, centre[1]], [0, 0, 1]])
    return normalised(px_from_unit @ small @ np.linalg.inv(px_from_unit))


def _centre(shape_hw: tuple[int, int]) -> NDArray[np.float64]:
    return np.array([(shape_hw[1] - 1) / 2, (shape_hw[0] - 1) / 2])
