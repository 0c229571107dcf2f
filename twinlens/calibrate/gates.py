"""Whether a pair fits its mapping: numbers, a verdict, and the reasons for it.

The limits were measured on simulated pairs, right and wrong ones: tile shifts are an error meter (applied 0.25,
0.5, 1 and 2 px read 0.25, 0.50, 0.99 and 1.97), while a correlation of 0.99 survives an error of 2 px.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from twinlens.calibrate.frames import full_scale
from twinlens.calibrate.geometry import corners_xy, map_points
from twinlens.calibrate.settings import CalibrationSettings
from twinlens.calibrate.spectra import zone_of
from twinlens.calibrate.tile_lk import TileFits, correlation_where_a_varies
from twinlens.errors import DegenerateGeometryError, PoorFitError
from twinlens.pixels import Homography, PointsXY

Verdict = Literal["good", "coarse"]

_KNOWN_SD_PX = 0.25
"""A tile that knows its shift less well, in its worst direction, is no witness."""
_CONTRAST = 0.01
"""A tile of A, blurred like B, that varies by less than this share of full scale is sky or wall."""
WRONG_PX = 1.0
_FEWEST_WITNESSES = 8
_WILD = 4.0
"""Residuals longer than this many medians are cut to it before their direction is asked."""
_ON_A_LINE = 2.5
"""Residuals spread this much more along a line than across it are no misregistration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitness:
    """How well one or more pairs fit a mapping."""

    residual_px: float
    """Median shift that the tiles still ask for; infinite without a tile that knows."""
    residual_p95_px: float
    wrong_share: float
    """Share of the tiles that ask for more than 1 px, or show something else than A where A has much texture."""
    tile_ncc: float
    """Median correlation of the tiles where A varies; 1 = the same picture."""
    varied: int
    """Tiles where A varies."""
    tiles: int
    """That know their shift well."""
    zones: int
    """Of the frame's 3 x 3 zones, how many hold such tiles."""
    overlap: float
    """Share of B's frame that A sees."""
    inliers: int = 0
    """Tiles that know their shift well and lie within 1 px."""
    along_px: float = 0.0
    """Root mean square of the tiles' residuals along the line on which they lie most."""
    across_px: float = 0.0
    """The same across it: parallax has none."""
    along_deg: float = 0.0
    """That line's direction, clockwise on the screen from the x axis, -90 to 90."""


def fitness(
    fits: Sequence[TileFits], shape_hw: tuple[int, int], *, residual_xy: PointsXY, overlap: float, bit_depth: int
) -> Fitness:
    """The figures of tiles that were measured with one mapping.

    Args:
        fits: of one or more pairs.
        shape_hw: of the frame that the tiles lie in.
        residual_xy: (n, 2) what all their tiles still ask for (px of that frame).
        overlap: share of B that A sees.
        bit_depth: of the frames.
    """
    known = np.concatenate([witnesses(fit) for fit in fits])
    residual_xy = residual_xy[known]
    residual_px = np.hypot(residual_xy[:, 0], residual_xy[:, 1])
    centre_xy = np.concatenate([fit.centre_xy for fit in fits])[known]
    contrast = _CONTRAST * full_scale(bit_depth)
    ncc = np.concatenate([correlation_where_a_varies(fit, contrast=contrast) for fit in fits])
    there = len(residual_px) > 0
    contradicting = sum(len(fit.contradicting_xy) for fit in fits)
    along_px, across_px, along_deg = _spread(residual_xy, residual_px) if there else (0.0, 0.0, 0.0)
    return Fitness(
        residual_px=float(np.median(residual_px)) if there else float("inf"),
        residual_p95_px=float(np.percentile(residual_px, 95)) if there else float("inf"),
        wrong_share=wrong_share(residual_px, contradicting),
        tile_ncc=float(np.median(ncc)) if len(ncc) else 0.0,
        varied=len(ncc),
        tiles=len(residual_px),
        zones=len(np.unique(zone_of(centre_xy, shape_hw))),
        overlap=overlap,
        inliers=int((residual_px <= WRONG_PX).sum()),
        along_px=along_px,
        across_px=across_px,
        along_deg=along_deg,
    )


def wrong_share(residual_px: NDArray[np.float64], contradicting: int) -> float:
    """Share of tiles that lie more than 1 px off or contradict A; 1 without any tile."""
    wrong = int((residual_px > WRONG_PX).sum()) + contradicting
    return wrong / max(1, len(residual_px) + contradicting) if len(residual_px) else 1.0


def _spread(residual_xy: PointsXY, residual_px: NDArray[np.float64]) -> tuple[float, float, float]:
    """Along, across (px) and direction (degrees) of the line on which residuals lie most; wild ones are cut."""
    longest_px = _WILD * float(np.median(residual_px)) + 1e-9
    cut = residual_xy * np.minimum(1, longest_px / np.maximum(residual_px, 1e-9))[:, None]
    variance, axes = np.linalg.eigh(cut.T @ cut / len(cut))
    x, y = axes[:, 1] if axes[0, 1] >= 0 else -axes[:, 1]
    across_px, along_px = np.sqrt(np.maximum(variance, 0)).tolist()
    return along_px, across_px, float(np.degrees(np.arctan2(y, x)))


def witnesses(fit: TileFits) -> NDArray[np.bool_]:
    """The tiles (n,) whose shift is known well in every direction."""
    if not len(fit.covariance):
        return np.zeros(0, np.bool_)
    known: NDArray[np.bool_] = np.linalg.eigvalsh(fit.covariance)[:, 1] < _KNOWN_SD_PX**2
    return known


def judge(found: Fitness, settings: CalibrationSettings, *, name: str) -> tuple[Verdict, tuple[str, ...]]:
    """Whether a fit is good for a dataset or only coarse, and why.

    Raises:
        PoorFitError: it is neither.
        DegenerateGeometryError: too few tiles can tell.
    """
    if found.varied < _FEWEST_WITNESSES:
        raise DegenerateGeometryError(
            f"{name} has {found.varied} textured tiles; {_FEWEST_WITNESSES} are needed to tell whether it fits",
            hint="leave this pair out, or record a scene with texture; tell bit_depth if 16-bit pixels hold less",
        )
    knows = found.tiles >= _FEWEST_WITNESSES
    against = []
    if found.tile_ncc < settings.coarse_tile_ncc:
        against.append(f"tile correlation {found.tile_ncc:.2f} (at least {settings.coarse_tile_ncc:g})")
    if knows and found.residual_px > settings.coarse_residual_px:
        against.append(
            f"{found.tiles} tiles that know their shift lie {found.residual_px:.2f} px off (median; at most "
            f"{settings.coarse_residual_px:g})"
        )
    if against:
        raise PoorFitError(
            f"{name} contradicts its mapping: {', '.join(against)}",
            hint="leave this pair out; if all are like it, check that A and B show the same distant scene",
        )
    if not knows:
        raise DegenerateGeometryError(
            f"{name} has {found.tiles} tiles with texture in two directions; {_FEWEST_WITNESSES} are needed",
            hint="leave this pair out, or record a scene that shows more than sky, walls or parallel lines",
        )
    reasons = []
    if found.residual_px > settings.max_residual_px:
        reasons.append(f"residual {found.residual_px:.2f} px, at most {settings.max_residual_px:g} is good")
    if found.wrong_share > settings.max_wrong_share:
        reasons.append(
            f"{found.wrong_share:.0%} of the tiles lie more than 1 px off or show something else, at most "
            f"{settings.max_wrong_share:.0%} is good: parallax, or much of the scene moved"
        )
    if reasons and found.along_px > _ON_A_LINE * found.across_px:
        reasons.append(
            f"residuals lie along {found.along_deg:.0f} degrees ({found.along_px:.2f} px, across "
            f"{found.across_px:.2f} px), as a near scene's parallax does: use scenes that are farther away"
        )
    if found.tile_ncc < settings.min_tile_ncc:
        reasons.append(f"tile correlation {found.tile_ncc:.3f}, at least {settings.min_tile_ncc:g} is good")
    return ("coarse" if reasons else "good"), tuple(reasons)


def check_view(
    b_from_a: Homography, shape_hw: tuple[int, int], *, overlap: float, settings: CalibrationSettings, name: str
) -> None:
    """Refuse cameras that look elsewhere or are turned against each other.

    Raises:
        DegenerateGeometryError: the overlap is too small, or the rotation too large.
    """
    if overlap < settings.min_overlap:
        raise DegenerateGeometryError(
            f"{name}: A sees {overlap:.0%} of what B sees; {settings.min_overlap:.0%} are needed",
            hint="aim both cameras at the same part of the scene",
        )
    turned_deg = rotation_deg(b_from_a, shape_hw)
    if abs(turned_deg) > settings.max_rotation_deg:
        raise DegenerateGeometryError(
            f"{name}: B is turned by {turned_deg:.1f} degrees against A; at most "
            f"{settings.max_rotation_deg:g} are registered",
            hint="turn one camera in its mount",
        )


def rotation_deg(b_from_a: Homography, shape_hw: tuple[int, int]) -> float:
    """By how much B's picture is turned clockwise against A's, on the screen, across the frame's width."""
    top_left, top_right, bottom_right, bottom_left = map_points(b_from_a, corners_xy(shape_hw))
    x, y = (top_right + bottom_right - top_left - bottom_left) / 2
    return float(np.degrees(np.arctan2(y, x)))
