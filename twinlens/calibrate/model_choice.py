"""Whether a homography is enough: a field must predict tiles that it was not fitted to clearly better."""

import logging
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from twinlens.calibrate.pooling import Model, Tiles, held_out_loss, pooled_correction, spline_field

log = logging.getLogger(__name__)

_FOLDS = 4
_BLOCKS_ACROSS = 8
"""Neighbouring tiles are held out together: what they share must not help to predict them."""
_WORTH = 0.85
"""A richer model must lower the held-out loss at least to this share."""
_MIN_RMS_PX = 0.03
"""A smaller field is not worth its parameters."""
_ALONG_OVER_ACROSS = 3.0
"""A disparity's displacements lie along one line: this much larger along it than across, root mean square."""
_LINE_STEP_DEG = 1.0
"""A baseline's line is sought to this; 3 px of disparity leave 0.05 px across it then."""
_LINE_LATTICE = 9
"""Control values a side while it is sought: a coarser lattice leaves the bend to the homography."""
_TILES_PER_PARAMETER = 3
_HOMOGRAPHYS = 8
"""Its parameters."""
_LEAST_LATTICE, _LARGEST_LATTICE = 5, 12
"""Control values a side of a disparity: a ground plane has a bend, which a coarser lattice smears."""


def choose_model(tiles: Tiles, shape_hw: tuple[int, int]) -> Model:
    """The simplest model that predicts held-out tiles well."""
    best = Model("none", shape_hw)
    if spline_field(tiles, shape_hw, lattice=_LEAST_LATTICE).rms_px < _MIN_RMS_PX:
        return best
    folds = _folds(tiles, shape_hw)
    loss = held_out_loss(tiles, best, folds)
    for model in _candidates(tiles, shape_hw):
        if len(tiles.pair) < _TILES_PER_PARAMETER * len(model.ridge()):
            continue
        richer = held_out_loss(tiles, model, folds)
        field = pooled_correction(tiles, model).bent
        log.debug("%s: held-out loss %.3f against %.3f", model.kind, richer, loss)
        if richer < _WORTH * loss and field is not None and field.rms_px >= _MIN_RMS_PX:
            best, loss = model, richer
    return best


def _candidates(tiles: Tiles, shape_hw: tuple[int, int]) -> list[Model]:
    candidates = [Model("distortion", shape_hw)]
    lattice = int(np.sqrt(max(0.0, len(tiles.pair) / _TILES_PER_PARAMETER - _HOMOGRAPHYS)))
    if lattice >= _LEAST_LATTICE:
        lattice = min(lattice, _LARGEST_LATTICE)
        direction_xy, ratio = _main_direction(tiles, shape_hw, min(lattice, _LINE_LATTICE))
        if ratio >= _ALONG_OVER_ACROSS:
            candidates.append(Model("disparity", shape_hw, direction_xy=direction_xy, lattice=lattice))
    return candidates


def _main_direction(tiles: Tiles, shape_hw: tuple[int, int], lattice: int) -> tuple[tuple[float, float], float]:
    """The line of the disparity that fits best beside a homography, and how much more moves along than across it.

    A homography that was fitted alone bends across the baseline as well, to follow the disparity along it: a line
    cannot be read off its residuals, only off fits of both.
    """
    step_deg, trials_deg = 15.0, np.arange(0, 180, 15.0)
    while step_deg > _LINE_STEP_DEG:
        losses = [_loss_along(tiles, angle, shape_hw, lattice) for angle in trials_deg]
        best_deg, step_deg = float(trials_deg[int(np.argmin(losses))]), step_deg / 2
        trials_deg = best_deg + step_deg * np.array([-1.0, 0, 1])
    x, y = _line(best_deg)
    fitted = pooled_correction(tiles, _disparity_along(best_deg, shape_hw, lattice))
    moved = np.zeros_like(tiles.shift_xy) if fitted.bent is None else fitted.bent.at(tiles.centre_xy)
    left = spline_field(replace(tiles, shift_xy=fitted.residual_xy), shape_hw, lattice=_LEAST_LATTICE)
    across = left.at(tiles.centre_xy) @ np.array([-y, x])
    return (x, y), float(np.sqrt(moved.var(axis=0).sum() / max(across.var(), 1e-12)))


def _loss_along(tiles: Tiles, angle_deg: float, shape_hw: tuple[int, int], lattice: int) -> float:
    """Mean squared residual (worst tenth left out) beside a disparity along a line."""
    residual_px = np.sort(pooled_correction(tiles, _disparity_along(angle_deg, shape_hw, lattice)).residual_px)
    return float((residual_px[: max(1, int(0.9 * len(residual_px)))] ** 2).mean())


def _disparity_along(angle_deg: float, shape_hw: tuple[int, int], lattice: int) -> Model:
    return Model("disparity", shape_hw, direction_xy=_line(angle_deg), lattice=lattice)


def _line(angle_deg: float) -> tuple[float, float]:
    return float(np.cos(np.deg2rad(angle_deg))), float(np.sin(np.deg2rad(angle_deg)))


def _folds(tiles: Tiles, shape_hw: tuple[int, int]) -> NDArray[np.int64]:
    """Which fold (n,) each tile belongs to: that of its pair, or, with few pairs, blocks of the frame in turn."""
    if len(np.unique(tiles.pair)) >= _FOLDS:
        of_pair: NDArray[np.int64] = tiles.pair % _FOLDS
        return of_pair
    block_px = max(shape_hw) / _BLOCKS_ACROSS
    column, row = np.floor(tiles.centre_xy / block_px).astype(np.int64).T
    folds: NDArray[np.int64] = (column + 2 * row) % _FOLDS
    return folds
