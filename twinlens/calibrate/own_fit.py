"""One pair against a calibration: its own tiles, and how far its own mapping would leave the session's.

The session's kernel equalises, never the pair's own: that would swallow the very shift that is looked for.
"""

from dataclasses import dataclass

import numpy as np

from twinlens.calibrate.gates import Fitness, fitness
from twinlens.calibrate.geometry import map_points
from twinlens.calibrate.mapping import samples_xy
from twinlens.calibrate.pooling import Correction, Model, pooled_correction, pooled_tiles
from twinlens.calibrate.settings import CalibrationSettings
from twinlens.calibrate.tile_lk import TileFits
from twinlens.errors import PoorFitError

_MIN_TILES = 8
_UNSURE_PX = 0.1
"""A pair that knows its own homography less well is asked for a shift alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFit:
    """What one pair says of its session's mapping; its own mapping is `correction.moved` after the session's."""

    fits: TileFits
    fitness: Fitness
    """With the session's mapping, as it is."""
    departure_px: float
    """Root mean square of that over the frame; infinite where the tiles are too few to tell."""
    correction: Correction | None
    """In px of the frame that the tiles lie in, which may be reduced; None where they are too few."""


def own_fit(
    fits: TileFits, shape_hw: tuple[int, int], *, overlap: float, bit_depth: int, scale: int = 1
) -> OwnFit:
    """What a pair's tiles say, measured with the session's mapping and kernels.

    Args:
        fits: the tiles.
        shape_hw: of the frame, or the crop, that they lie in.
        overlap: share of B that A sees.
        bit_depth: of the frames.
        scale: by which frames were reduced; figures in px are of full frames.
    """
    found = fitness([fits], shape_hw, residual_xy=scale * fits.shift_xy, overlap=overlap, bit_depth=bit_depth)
    if len(fits.centre_xy) < _MIN_TILES:
        return OwnFit(fits=fits, fitness=found, departure_px=float("inf"), correction=None)
    tiles = pooled_tiles([fits])
    correction = pooled_correction(tiles, Model("none", shape_hw))
    if scale * _sd_px(correction, shape_hw) > _UNSURE_PX:
        correction = pooled_correction(tiles, Model("none", shape_hw, shift_only=True))
    points = samples_xy(shape_hw)
    apart = map_points(correction.moved, points) - points
    return OwnFit(
        fits=fits,
        fitness=found,
        departure_px=scale * float(np.sqrt((apart**2).sum(axis=1).mean())),
        correction=correction,
    )


def check_drift(found: OwnFit, settings: CalibrationSettings, *, name: str) -> Correction:
    """What the pair's own mapping adds to its session's, where that is next to nothing.

    Raises:
        PoorFitError: the rig has moved, or the calibration is another's.
    """
    if found.correction is None or found.departure_px > settings.max_drift_px:
        raise PoorFitError(
            f"{name} contradicts its calibration: its own mapping leaves it by {found.departure_px:.2f} px "
            f"(at most {settings.max_drift_px:g}), its tiles by {found.fitness.residual_px:.2f} px",
            hint="leave this pair out; if it is not the only one, the rig has moved: calibrate this session",
        )
    return found.correction


def _sd_px(correction: Correction, shape_hw: tuple[int, int]) -> float:
    """Standard deviation of a homography's displacement, root mean square over the frame."""
    jacobian = correction.model.design(samples_xy(shape_hw))
    variance = np.einsum("nij,jk,nik->n", jacobian, correction.covariance, jacobian)
    return float(np.sqrt(variance.mean()))
