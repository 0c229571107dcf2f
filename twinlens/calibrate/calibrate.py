"""From a session's pairs to one mapping, one blur and one brightness transfer per mirror state.

Features give a first homography; tile-wise Lucas-Kanade on Gaussian-equalised frames refines it; then kernel and
mapping are estimated in turn, every pair of the mirror state pulling at the same parameters. A pair whose own
mapping leaves the others' is told and left out, never absorbed.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from twinlens.calibrate.against import seen_share
from twinlens.calibrate.ceiling import ceiling_db
from twinlens.calibrate.coarse import MIN_NCC, proven_start
from twinlens.calibrate.drift import drifts, off_rig, with_gains
from twinlens.calibrate.equalise import blur_sigma_px
from twinlens.calibrate.frames import as_float
from twinlens.calibrate.gates import Fitness, check_view, fitness, witnesses
from twinlens.calibrate.kernel import GAUGE, kernel_sigma_px
from twinlens.calibrate.mapping import Mapping, samples_xy
from twinlens.calibrate.model import RigCalibration
from twinlens.calibrate.orb import consensus, orb_fit
from twinlens.calibrate.pyramid import gaussian_refined, require_texture
from twinlens.calibrate.refine import OnB, Refined, mean_kernel, put_on_b, refined
from twinlens.calibrate.registration import check_order, corner_covariance
from twinlens.calibrate.settings import CalibrationSettings
from twinlens.calibrate.state_brightness import state_brightness
from twinlens.calibrate.taken import Origin, Pairs, Taken, take
from twinlens.errors import PoorFitError, TooFewMatchesError
from twinlens.pixels import Homography

log = logging.getLogger(__name__)

Progress = Callable[[str], None]

_MOST_TILES = 200
"""That are kept for pictures."""


def calibrate_session(
    pairs: Pairs,
    *,
    reference: Pairs = (),
    settings: CalibrationSettings | None = None,
    origin: Origin | None = None,
    progress: Progress = lambda _: None,
) -> RigCalibration:
    """The calibration of one mirror state from several pairs of textured scenes.

    Args:
        pairs: at most `settings.max_pairs` are read and kept in memory.
        reference: pairs of the same rig with a flat mirror. Both cameras are sharp there, so that nothing is left
            to a gauge: they fix the mapping's shape, and `pairs` add a shift.
        settings: defaults suit frames from 0.3 to 5 megapixels.
        origin: labels, names of the pairs and bit depth.
        progress: gets one sentence after every step.

    Raises:
        TooFewMatchesError: A and B do not show the same scene, or there is no texture.
        DegenerateGeometryError: the frames cannot determine a mapping, or most of a frame is saturated.
        PoorFitError: a mapping was found that the pictures contradict.
        ValueError: an array is not a mono image, or there is none.
    """
    began = time.monotonic()
    settings, origin = settings or CalibrationSettings(), origin or Origin()
    flat: Refined | None = None
    sharp = reference if isinstance(reference, Sequence) else list(islice(reference, settings.max_pairs))
    if len(sharp):
        progress(f"{len(sharp)} reference pairs, mirror flat")
        flat = _solved(take(sharp, settings.max_pairs, replace(origin, names=())), settings, progress).found
    shape = None if flat is None else flat.mapping
    solved = _solved(take(pairs, settings.max_pairs, origin), settings, progress, shape=shape)
    found = _calibration(solved, settings, origin, flat=flat, seconds=time.monotonic() - began)
    progress(f"{found.pairs_used} pairs, residual {found.residual_px:.3f} px, correlation {found.tile_ncc:.4f}")
    return found


class _Solved:
    """The pairs that agree, and what they agree on."""

    def __init__(
        self, taken: Taken, start: Homography, on_b: list[OnB], found: Refined, *, settings: CalibrationSettings
    ) -> None:
        self.taken, self.start, self.on_b, self.found = taken, start, on_b, found
        self.settings = settings
        self.drift = drifts(
            found,
            taken.names,
            shape_hw=taken.shape_hw,
            bit_depth=taken.bit_depth,
            max_drift_px=settings.max_drift_px,
        )

    def only(self, kept: Sequence[int], refine: Callable[[list[OnB]], Refined]) -> "_Solved":
        """The same from some of the pairs; the account of drift still names all."""
        on_b = [self.on_b[index] for index in kept]
        fewer = _Solved(self.taken.only(kept), self.start, on_b, refine(on_b), settings=self.settings)
        fewer.drift = off_rig(self.drift, fewer.drift)
        return fewer


def _solved(
    taken: Taken, settings: CalibrationSettings, progress: Progress, *, shape: Mapping | None = None
) -> _Solved:
    sigma_px = float(np.median([blur_sigma_px(a, b) for a, b in taken.pairs]))
    a, b = taken.pairs[0]
    check_order(a, b, sigma_px, bit_depth=taken.bit_depth, settings=settings, name=f"{taken.names[0]} and others")
    sigma_px = max(0.0, sigma_px)
    progress(f"{len(taken.pairs)} pairs, B is blurrier than A by {sigma_px:.2f} px")
    # A mirror may tilt: even where the shape is known, features tell where it is.
    guess = _first_guess(taken, sigma_px, settings, progress)
    start, ncc = gaussian_refined(
        taken.pairs, guess, sigma_px=sigma_px, bit_depth=taken.bit_depth, tile_px=settings.tile_px
    )
    taken = _fitting(taken, ncc)
    progress(f"first fit: {len(taken.pairs)} pairs agree, tile correlation {np.nanmedian(ncc):.3f}")
    overlap = seen_share(Mapping(start), taken.shape_hw)
    check_view(start, taken.shape_hw, overlap=overlap, settings=settings, name="the rig")
    on_b = [put_on_b(a, b, start, sigma_px=sigma_px, bit_depth=taken.bit_depth) for a, b in taken.pairs]

    def refine(some: list[OnB]) -> Refined:
        return refined(some, start, sigma_px=sigma_px, settings=settings, shape=shape, progress=progress)

    solved = _Solved(taken, start, on_b, refine(on_b), settings=settings)
    on_rig = [index for index, pair in enumerate(solved.drift) if pair is None or not pair.flagged]
    if len(on_rig) == len(on_b):
        return solved
    for pair in solved.drift:
        if pair is not None and pair.flagged:
            log.warning(
                "%s is left out: its own mapping leaves the others' by %.2f px", pair.name, pair.departure_px
            )
    if 2 * len(on_rig) <= len(on_b):
        raise PoorFitError(
            f"{len(on_b) - len(on_rig)} of {len(on_b)} pairs leave their common mapping by more than "
            f"{settings.max_drift_px:g} px",
            hint="the rig moved during the session, or the scenes are near: calibrate parts of it on their own",
        )
    return solved.only(on_rig, refine)


def _first_guess(taken: Taken, sigma_px: float, settings: CalibrationSettings, progress: Progress) -> Homography:
    fits = []
    for (a, b), name in zip(taken.pairs, taken.names, strict=True):
        fits.append(orb_fit(as_float(a), as_float(b), sigma_px=sigma_px, features=settings.features))
        progress(f"{name}: {fits[-1].inliers} matches")
    good = [fit for fit in fits if fit.inliers >= settings.min_inliers]
    if good:
        return consensus(good, taken.shape_hw)
    for (a, b), orb in zip(taken.pairs, fits, strict=True):
        try:
            start = proven_start(a, b, sigma_px=sigma_px, bit_depth=taken.bit_depth, settings=settings, orb=orb)
        except TooFewMatchesError as error:
            refusal = error
            continue
        return start.b_from_a
    raise refusal


def _fitting(taken: Taken, ncc: np.ndarray) -> Taken:
    """The pairs that the first fit explains; a pair of two scenes, or without texture, is left out."""
    kept = np.nonzero(ncc >= MIN_NCC)[0]
    for index in np.nonzero(~(ncc >= MIN_NCC))[0]:
        log.warning("%s is left out: tile correlation %.2f", taken.names[index], ncc[index])
    if 2 * len(kept) < len(ncc):
        raise PoorFitError(
            f"only {len(kept)} of {len(ncc)} pairs agree with one mapping "
            f"(tile correlation at least {MIN_NCC}; median {np.nanmedian(ncc):.2f})",
            hint="check that A and B of each pair show the same scene and that the cameras did not move",
        )
    return taken.only(kept.tolist())


def _calibration(
    solved: _Solved, settings: CalibrationSettings, origin: Origin, *, flat: Refined | None, seconds: float
) -> RigCalibration:
    taken, found = solved.taken, solved.found
    shape_hw = taken.shape_hw
    require_texture(found.fits, shape_hw, min_tiles=settings.min_tiles)
    figures = fitness(
        found.fits,
        shape_hw,
        residual_xy=found.correction.residual_xy,
        overlap=seen_share(found.mapping, shape_hw),
        bit_depth=taken.bit_depth,
    )
    _gate(figures, settings)
    brightness = state_brightness(solved.on_b, found, solved.start, bit_depth=taken.bit_depth)
    kernel = mean_kernel(solved.on_b, found, solved.start)
    bent = found if flat is None else flat
    return RigCalibration(
        mirror_state=origin.mirror_state,
        b_from_a=found.mapping.b_from_a,
        field=found.mapping.field,
        field_kind=bent.kind,
        baseline_deg=bent.correction.model.direction_deg if bent.kind == "disparity" else None,
        kernel=kernel,
        kernel_zones=found.kernels if len(found.kernels) > 1 else (),
        gauge=GAUGE,
        reference_shift_xy=None if flat is None else _mean_shift(flat.mapping, found.mapping, shape_hw),
        photometric=brightness.photometric,
        corner_covariance=corner_covariance(found.correction, found.mapping, shape_hw),
        pairs_used=len(taken.pairs),
        session_ids=origin.session_ids,
        shape_hw=shape_hw,
        bit_depth=taken.bit_depth,
        sigma_px=kernel_sigma_px(kernel),
        residual_px=figures.residual_px,
        residual_p95_px=figures.residual_p95_px,
        tile_ncc=figures.tile_ncc,
        ceiling_db=ceiling_db(solved.on_b[0].a_on_b, figures.residual_px, bit_depth=taken.bit_depth),
        tiles=_some_tiles(found),
        brightness=brightness.shown,
        drift=with_gains(solved.drift, dict(zip(taken.names, brightness.gains, strict=True))),
        seconds=seconds,
        settings=settings,
    )


def _gate(found: Fitness, settings: CalibrationSettings) -> None:
    if found.residual_px > settings.max_residual_px or found.tile_ncc < settings.min_tile_ncc:
        raise PoorFitError(
            f"the tiles' median residual is {found.residual_px:.2f} px (at most {settings.max_residual_px:g}), "
            f"their correlation {found.tile_ncc:.3f} (at least {settings.min_tile_ncc:g})",
            hint="use more pairs, scenes that are farther away, and pairs of one mirror state only",
        )


def _mean_shift(shape: Mapping, found: Mapping, shape_hw: tuple[int, int]) -> tuple[float, float]:
    points = samples_xy(shape_hw)
    x, y = (found.map_b_from_a(points) - shape.map_b_from_a(points)).mean(axis=0)
    return float(x), float(y)


def _some_tiles(found: Refined) -> tuple[tuple[float, float, float, float], ...]:
    """Residuals of evenly chosen tiles that know their shift, for pictures."""
    known = np.concatenate([witnesses(fit) for fit in found.fits])
    centre_xy = np.concatenate([fit.centre_xy for fit in found.fits])[known]
    step = -(-len(centre_xy) // _MOST_TILES)
    rows = np.hstack([centre_xy, found.correction.residual_xy[known]])[::step].round(3)
    return tuple((float(x), float(y), float(dx), float(dy)) for x, y, dx, dy in rows)
