"""A first mapping that is proven by the tiles: features where they suffice, other means where they do not."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from twinlens.calibrate.fallbacks import phase_fit, sift_fit
from twinlens.calibrate.frames import as_float
from twinlens.calibrate.orb import CoarseFit, orb_fit
from twinlens.calibrate.pyramid import gaussian_refined
from twinlens.calibrate.settings import CalibrationSettings
from twinlens.errors import DegenerateGeometryError, TooFewMatchesError
from twinlens.pixels import Homography, Mono

MIN_NCC = 0.6
"""Wrong scenes stay below 0.2; noisy right ones reach 0.8 with a Gaussian in place of the kernel."""
_SURE_NCC = 0.8
_FEWEST_INLIERS = 6


@dataclass(frozen=True, slots=True)
class Start:
    """Where refinement may begin."""

    b_from_a: Homography
    """Refined on Gaussian-equalised frames."""
    method: str
    """"ORB", "SIFT" or "phase"."""
    inliers: int
    """Feature matches that agree; 0 for "phase"."""
    ncc: float
    """Median correlation of the tiles."""


def proven_start(
    a: Mono,
    b: Mono,
    *,
    sigma_px: float,
    bit_depth: int,
    settings: CalibrationSettings,
    orb: CoarseFit | None = None,
) -> Start:
    """The first of ORB, SIFT and phase correlation whose mapping the tiles confirm.

    Args:
        a: (h, w).
        b: (h, w).
        sigma_px: by how much B is blurrier than A.
        bit_depth: of the frames.
        settings: numbers.
        orb: what ORB found, where that is known.

    Raises:
        TooFewMatchesError: none is confirmed.
    """
    a_float, b_float = as_float(a), as_float(b)
    methods: dict[str, Callable[[], CoarseFit]] = {
        "ORB": lambda: orb or orb_fit(a_float, b_float, sigma_px=sigma_px, features=settings.features),
        "SIFT": lambda: sift_fit(a_float, b_float, sigma_px=sigma_px, features=settings.features),
        "phase": lambda: phase_fit(a_float, b_float, sigma_px=sigma_px),
    }
    tried: list[Start] = []
    for name, method in methods.items():
        tried.append(_tried(name, method(), (a, b), sigma_px=sigma_px, bit_depth=bit_depth, settings=settings))
        best = max(tried, key=lambda start: start.ncc)
        sure = best.ncc >= _SURE_NCC or (best.ncc >= MIN_NCC and best.inliers >= settings.min_inliers)
        if sure:
            return best
    if best.ncc < MIN_NCC:
        told = ", ".join(f"{start.method} {start.inliers} matches and {start.ncc:.2f}" for start in tried)
        raise TooFewMatchesError(
            f"no mapping makes A look like B; matches that agree, and the tiles' correlation then: {told}; "
            f"{settings.min_inliers} matches or a correlation of {MIN_NCC:g} are needed",
            hint="check that A and B show the same textured scene, in focus on A",
        )
    return best


def _tried(
    name: str,
    fit: CoarseFit,
    pair: tuple[Mono, Mono],
    *,
    sigma_px: float,
    bit_depth: int,
    settings: CalibrationSettings,
) -> Start:
    if name != "phase" and fit.inliers < _FEWEST_INLIERS:
        return Start(fit.b_from_a, name, fit.inliers, 0.0)
    try:
        found, ncc = gaussian_refined(
            [pair], fit.b_from_a, sigma_px=sigma_px, bit_depth=bit_depth, tile_px=settings.tile_px
        )
    except DegenerateGeometryError:
        return Start(fit.b_from_a, name, fit.inliers, 0.0)
    return Start(found, name, fit.inliers, float(np.nan_to_num(ncc[0])))
