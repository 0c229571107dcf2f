"""How well one pair fits its calibration: the figures that travel with it, and a refusal where it contradicts."""

from dataclasses import dataclass

import numpy as np

from twinlens.calibrate.against import seen_share
from twinlens.calibrate.ceiling import ceiling_db
from twinlens.calibrate.frames import as_float, eroded
from twinlens.calibrate.gates import WRONG_PX, Verdict, judge, witnesses
from twinlens.calibrate.geometry import Box
from twinlens.calibrate.kernel import kernel_sigma_px
from twinlens.calibrate.model import RigCalibration
from twinlens.calibrate.own_fit import OwnFit, check_drift, own_fit
from twinlens.calibrate.photometric import fit_gain_offset
from twinlens.calibrate.spectra import ZONES, zone_of
from twinlens.calibrate.tile_lk import fitting_tile_px, tile_fits
from twinlens.calibrate.zones import blurred_by_zones
from twinlens.pixels import Mask, Mono, MonoFloat


@dataclass(frozen=True, slots=True, kw_only=True)
class Passport:
    """How well one pair fits its calibration, in numbers."""

    residual_px: float
    """Median shift that the pair's own tiles still ask for."""
    residual_p95_px: float = 0.0
    """95th percentile of the same."""
    zone_residual_px: tuple[float | None, ...] = ()
    """Median of the same in each of 3 x 3 zones, row by row; None where no tile can tell."""
    departure_px: float = 0.0
    """Root mean square over the frame by which the pair's own mapping leaves the session's."""
    ncc: float
    """Median correlation of the tiles after registration and blur equalisation, 1 = the same picture."""
    tiles: int = 0
    """That know their shift well."""
    inliers: int = 0
    """Those of them that lie within 1 px."""
    moving_share: float = 0.0
    """Share of tiles that lie more than 1 px off or show something else: cars, people, trees; they are masked."""
    gain: float
    """The pair's own brightness factor against the session's; 1 = as in the session. The target has it."""
    offset: float
    """The pair's own brightness offset against the session's, in grey levels; 0 = as in the session."""
    kernel_sigma_px: float
    """Second moment of the blur from A to B."""
    overlap: float
    """Share of B's whole frame that A sees."""
    saturated_fraction: float
    """Share of the crop that is masked: saturated in B, or within the spline's reach of such a pixel of A."""
    ceiling_db: float | None = None
    """PSNR that a perfect restoration could reach, given the pair's residual."""
    verdict: Verdict = "good"
    """"good" for a dataset, or "coarse"."""
    reasons: tuple[str, ...] = ()
    """Why it is not good, or what to look at."""


def pair_fit(exact: MonoFloat, cut: Mono, usable: Mask, calibration: RigCalibration, *, box: Box) -> OwnFit:
    """The pair's own tiles inside `box` of B's grid.

    Args:
        exact: A on B's grid and in B's brightness.
        cut: the same pixels of B.
        usable: those that both cameras saw, below saturation.
        calibration: of the pair's mirror state.
        box: where they lie in B's frame.
    """
    template = blurred_by_zones(exact, calibration.kernels, shape_hw=calibration.shape_hw, box=box)
    reach = max(len(kernel) for kernel in calibration.kernels) // 2
    inside = eroded(np.ones(cut.shape, np.bool_), reach)
    usable = inside & eroded(usable, min(reach, int(np.ceil(2 * calibration.sigma_px)) + 1))
    tile_px = fitting_tile_px(calibration.settings.tile_px, calibration.shape_hw)
    return own_fit(
        tile_fits(template, as_float(cut), usable, tile_px=tile_px),
        box.shape_hw,
        overlap=seen_share(calibration.mapping, calibration.shape_hw),
        bit_depth=calibration.bit_depth,
    )


def passport(own: OwnFit, target: MonoFloat, usable: Mask, calibration: RigCalibration, *, name: str) -> Passport:
    """The figures of a pair.

    Args:
        own: its own tiles.
        target: A on B's grid and in B's brightness.
        usable: pixels that both cameras saw, below saturation.
        calibration: of the pair's mirror state.
        name: of the pair, for errors.

    Raises:
        PoorFitError: the pair contradicts the calibration.
        DegenerateGeometryError: too few tiles to tell.
    """
    settings, found = calibration.settings, own.fitness
    verdict, reasons = judge(found, settings, name=name)
    check_drift(own, settings, name=name)
    gain, offset = fit_gain_offset(own.fits)
    if abs(gain - 1) > settings.max_gain_drift:
        reasons = (*reasons, f"gain {gain:.3f} of the session's: the exposure or the light changed")
    return Passport(
        residual_px=found.residual_px,
        residual_p95_px=found.residual_p95_px,
        zone_residual_px=_zone_residuals(own, (target.shape[0], target.shape[1])),
        departure_px=own.departure_px,
        ncc=found.tile_ncc,
        tiles=found.tiles,
        inliers=found.inliers,
        moving_share=found.wrong_share,
        gain=gain,
        offset=offset,
        kernel_sigma_px=kernel_sigma_px(calibration.kernel),
        overlap=found.overlap,
        saturated_fraction=1 - float(np.mean(usable)),
        ceiling_db=ceiling_db(target, found.residual_px, bit_depth=calibration.bit_depth, mask=usable),
        verdict=verdict,
        reasons=reasons,
    )


def still_pixels(own: OwnFit, shape_hw: tuple[int, int], *, tile_px: int) -> Mask:
    """False (h, w) in tiles whose content lies more than 1 px off or is not there: something moved meanwhile."""
    still = np.ones(shape_hw, np.bool_)
    moving = witnesses(own.fits) & (np.hypot(own.fits.shift_xy[:, 0], own.fits.shift_xy[:, 1]) > WRONG_PX)
    for x, y in np.concatenate([own.fits.centre_xy[moving], own.fits.contradicting_xy]):
        left, top = max(0, round(x - tile_px / 2)), max(0, round(y - tile_px / 2))
        still[top : top + tile_px, left : left + tile_px] = False
    return still


def _zone_residuals(own: OwnFit, shape_hw: tuple[int, int]) -> tuple[float | None, ...]:
    known = witnesses(own.fits)
    residual_px = np.hypot(own.fits.shift_xy[:, 0], own.fits.shift_xy[:, 1])[known]
    zone = zone_of(own.fits.centre_xy[known], shape_hw)
    of_zones = [residual_px[zone == place] for place in range(ZONES**2)]
    return tuple(float(np.median(some)) if len(some) else None for some in of_zones)
