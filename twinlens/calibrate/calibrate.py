"""From a session's pairs to one mapping, one blur and one brightness transfer per mirror state.

Features give a first homography; tile-wise Lucas-Kanade on Gaussian-equalised frames refines it; then kernel and
mapping are estimated in turn, every pair of the mirror state pulling at the same eight parameters.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinlens.calibrate.equalise import blur_sigma_px
from twinlens.calibrate.frames import as_float, check_pair
from twinlens.calibrate.kernel import GAUGE, kernel_sigma_px
from twinlens.calibrate.model import CalibrationSettings, RigCalibration
from twinlens.calibrate.orb import coarse_fit, consensus
from twinlens.calibrate.photometric import fit_photometric
from twinlens.calibrate.refine import Refined, gaussian_refined, kernel_refined, put_on_b, require_texture
from twinlens.calibrate.resample import corners_xy, map_points
from twinlens.calibrate.tile_lk import displacement_jacobian
from twinlens.errors import DegenerateGeometryError, PoorFitError, TooFewMatchesError
from twinlens.pixels import Homography, Mono

log = logging.getLogger(__name__)

AnyPair = tuple[NDArray[Any], NDArray[Any]]
Pairs = Iterable[AnyPair]
"""(a, b) frames (h, w) uint8 or uint16 of one mirror state; a sequence is read at evenly spread places."""
Progress = Callable[[str], None]

_MIN_COARSE_NCC = 0.6
"""Wrong scenes stay below 0.2; noisy right ones reach 0.8 with a Gaussian in place of the kernel."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the pairs come from."""

    mirror_state: str = ""
    session_ids: tuple[str, ...] = ()
    bit_depth: int | None = None
    """Significant bits of a pixel; None takes all of the dtype."""


def calibrate_session(
    pairs: Pairs,
    *,
    settings: CalibrationSettings | None = None,
    origin: Origin | None = None,
    progress: Progress = lambda _: None,
) -> RigCalibration:
    """The calibration of one mirror state from several pairs of textured scenes.

    Args:
        pairs: at most `settings.max_pairs` are read and kept in memory.
        settings: defaults suit frames from 0.5 to 5 megapixels.
        origin: labels and bit depth.
        progress: gets one sentence after every step.

    Raises:
        TooFewMatchesError: A and B do not show the same scene, or there is no texture.
        DegenerateGeometryError: the frames cannot determine a mapping, or most of a frame is saturated.
        PoorFitError: a mapping was found that the pictures contradict.
        ValueError: an array is not a mono image, or there is none.
    """
    began = time.monotonic()
    settings, origin = settings or CalibrationSettings(), origin or Origin()
    frames = _taken(pairs, settings.max_pairs)
    bit_depth = origin.bit_depth or 8 * frames[0][0].dtype.itemsize
    _check_all(frames, bit_depth)
    sigma_px = float(np.median([blur_sigma_px(a, b) for a, b in frames]))
    progress(f"{len(frames)} pairs, B is blurrier than A by {sigma_px:.2f} px")
    b_from_a = _first_guess(frames, sigma_px, settings, progress)
    b_from_a, ncc = gaussian_refined(
        frames, b_from_a, sigma_px=sigma_px, bit_depth=bit_depth, tile_px=settings.tile_px
    )
    frames = _fitting(frames, ncc)
    progress(f"first fit: {len(frames)} pairs agree, tile correlation {np.nanmedian(ncc):.3f}")
    on_b = [put_on_b(a, b, b_from_a, sigma_px=sigma_px, bit_depth=bit_depth) for a, b in frames]
    refined = kernel_refined(on_b, b_from_a, rounds=settings.rounds, tile_px=settings.tile_px, progress=progress)
    shape_hw = (frames[0][0].shape[0], frames[0][0].shape[1])
    require_texture(refined.fits, shape_hw, min_tiles=settings.min_tiles)
    _gate(refined, settings)
    return RigCalibration(
        mirror_state=origin.mirror_state,
        b_from_a=refined.b_from_a,
        kernel=refined.kernel,
        gauge=GAUGE,
        photometric=fit_photometric(refined.fits, shape_hw),
        corner_covariance=_corner_covariance(refined, shape_hw),
        pairs_used=len(frames),
        session_ids=origin.session_ids,
        shape_hw=shape_hw,
        bit_depth=bit_depth,
        sigma_px=kernel_sigma_px(refined.kernel),
        residual_px=float(np.median(refined.correction.residual_px)),
        residual_p95_px=float(np.percentile(refined.correction.residual_px, 95)),
        tile_ncc=_tile_ncc(refined),
        seconds=time.monotonic() - began,
        settings=settings,
    )


def _taken(pairs: Pairs, count: int) -> list[AnyPair]:
    """At most `count` pairs: spread evenly over a sequence, the first of anything else."""
    if isinstance(pairs, Sequence):
        places = np.unique(np.linspace(0, len(pairs) - 1, min(count, len(pairs))).round().astype(int))
        taken = [pairs[int(place)] for place in places]
    else:
        taken = list(islice(pairs, count))
    if not taken:
        raise ValueError("no pair was given; at least 1 is needed")
    return taken


def _check_all(frames: Sequence[AnyPair], bit_depth: int) -> None:
    for index, (a, b) in enumerate(frames):
        check_pair(a, b, bit_depth=bit_depth, name=f"pair {index + 1} of {len(frames)}")
        if a.shape != frames[0][0].shape or a.dtype != frames[0][0].dtype:
            raise DegenerateGeometryError(
                f"pair {index + 1} is {a.shape} {a.dtype}, pair 1 is {frames[0][0].shape} {frames[0][0].dtype}",
                hint="calibrate pairs that were recorded with one region of interest and pixel format",
            )


def _first_guess(
    frames: Sequence[tuple[Mono, Mono]], sigma_px: float, settings: CalibrationSettings, progress: Progress
) -> Homography:
    fits = []
    for index, (a, b) in enumerate(frames):
        fit = coarse_fit(as_float(a), as_float(b), sigma_px=sigma_px, features=settings.features)
        progress(f"pair {index + 1} of {len(frames)}: {fit.inliers} matches")
        fits.append(fit)
    good = [fit for fit in fits if fit.inliers >= settings.min_inliers]
    if not good:
        best = max(fits, key=lambda fit: fit.inliers)
        raise TooFewMatchesError(
            f"the best of {len(fits)} pairs has {best.inliers} matches that agree "
            f"({best.features} features); {settings.min_inliers} are needed",
            hint="check that A and B of each pair show the same textured scene, in focus on A",
        )
    return consensus(good, (frames[0][0].shape[0], frames[0][0].shape[1]))


def _fitting(frames: list[tuple[Mono, Mono]], ncc: NDArray[np.float64]) -> list[tuple[Mono, Mono]]:
    """The pairs that the first fit explains; a pair of two scenes, or without texture, is left out."""
    fits = ncc >= _MIN_COARSE_NCC
    for index in np.nonzero(~fits)[0]:
        log.warning("pair %d of %d is left out: tile correlation %.2f", index + 1, len(frames), ncc[index])
    if 2 * fits.sum() < len(frames):
        raise PoorFitError(
            f"only {fits.sum()} of {len(frames)} pairs agree with one mapping "
            f"(tile correlation at least {_MIN_COARSE_NCC}; median {np.nanmedian(ncc):.2f})",
            hint="check that A and B of each pair show the same scene and that the cameras did not move",
        )
    return [pair for pair, fit in zip(frames, fits, strict=True) if fit]


def _gate(refined: Refined, settings: CalibrationSettings) -> None:
    residual_px, ncc = float(np.median(refined.correction.residual_px)), _tile_ncc(refined)
    if residual_px > settings.max_residual_px or ncc < settings.min_tile_ncc:
        raise PoorFitError(
            f"the tiles' median residual is {residual_px:.2f} px (at most {settings.max_residual_px:g}), "
            f"their correlation {ncc:.3f} (at least {settings.min_tile_ncc:g})",
            hint="use more pairs, scenes that are farther away, and pairs of one mirror state only",
        )


def _tile_ncc(refined: Refined) -> float:
    return float(np.median(np.concatenate([fit.ncc for fit in refined.fits])))


def _corner_covariance(refined: Refined, shape_hw: tuple[int, int]) -> NDArray[np.float64]:
    corners = map_points(refined.b_from_a, corners_xy(shape_hw))
    jacobian = displacement_jacobian(corners, shape_hw).reshape(8, 8)
    covariance = jacobian @ refined.correction.covariance @ jacobian.T
    # Four digits: a person reads this in the file.
    return np.array([[float(f"{value:.4g}") for value in row] for row in covariance])
