"""Whether a homography is enough: a field must predict tiles that it was not fitted to clearly better."""

import logging

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
_TILES_PER_PARAMETER = 3
_HOMOGRAPHYS = 8
"""Its parameters."""
_LEAST_LATTICE, _LARGEST_LATTICE = 5, 12
"""Control values a side of a disparity: a ground plane has a bend, which a coarser lattice smears."""


def choose_model(tiles: Tiles, shape_hw: tuple[int, int]) -> Model:
    """The simplest model that predicts held-out tiles well."""
    best = Model("none", shape_hw)
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
        direction_xy, ratio = _main_direction(tiles, shape_hw, lattice)
        if ratio >= _ALONG_OVER_ACROSS:
            candidates.append(Model("disparity", shape_hw, direction_xy=direction_xy, lattice=lattice))
    return candidates


def _main_direction(tiles: Tiles, shape_hw: tuple[int, int], lattice: int) -> tuple[tuple[float, float], float]:
    """The line along which a free smooth field moves most, and how much more than across it."""
    moved = spline_field(tiles, shape_hw, lattice=lattice).at(tiles.centre_xy)
    moved = moved - moved.mean(axis=0)
    variance, axes = np.linalg.eigh(moved.T @ moved / len(moved))
    x, y = axes[:, 1] if axes[0, 1] >= 0 else -axes[:, 1]
    return (float(x), float(y)), float(np.sqrt(variance[1] / max(variance[0], 1e-12)))


def _folds(tiles: Tiles, shape_hw: tuple[int, int]) -> NDArray[np.int64]:
    """Which fold (n,) each tile belongs to: that of its pair, or, with few pairs, blocks of the frame in turn."""
    if len(np.unique(tiles.pair)) >= _FOLDS:
        of_pair: NDArray[np.int64] = tiles.pair % _FOLDS
        return of_pair
    block_px = max(shape_hw) / _BLOCKS_ACROSS
    column, row = np.floor(tiles.centre_xy / block_px).astype(np.int64).T
    folds: NDArray[np.int64] = (column + 2 * row) % _FOLDS
    return folds
