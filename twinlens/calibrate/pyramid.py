"""From a first guess to a fraction of a pixel: Gaussian-equalised frames, reduced ones first."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twinlens.calibrate.equalise import gaussian_blurred, smaller
from twinlens.calibrate.frames import as_float, eroded, unsaturated
from twinlens.calibrate.geometry import corners_xy, enlarged, map_points, normalised, reduced
from twinlens.calibrate.pooling import Model, pooled_correction, pooled_tiles
from twinlens.calibrate.resample import warp_mask, warp_smooth
from twinlens.calibrate.tile_lk import TileFits, fitting_tile_px, tile_fits
from twinlens.errors import DegenerateGeometryError
from twinlens.pixels import Homography, Mask, Mono, MonoFloat

WORKING_SIDE_PX = 1300
"""The finest level has about this many px: more cost time and add less than a hundredth of a px."""
_SMALLEST_SIDE_PX = 160
_STEPS = 8
_SETTLED_PX = 0.03
_MIN_ZONES = 4
"""Of 3 x 3 zones of the frame, how many must hold textured tiles."""
_FEWEST_TILES = 8
"""Tiles without which the eight parameters of a homography are not determined."""


def working_factor(shape_hw: tuple[int, int]) -> int:
    """By how much frames are reduced on the finest level."""
    return max(1, round(max(shape_hw) / WORKING_SIDE_PX))


def gaussian_refined(
    pairs: Sequence[tuple[Mono, Mono]], b_from_a: Homography, *, sigma_px: float, bit_depth: int, tile_px: int
) -> tuple[Homography, NDArray[np.float64]]:
    """b_from_a to a fraction of a px, and each pair's median tile correlation (n,), NaN without textured tiles.

    Raises:
        DegenerateGeometryError: too little texture to determine a mapping.
    """
    shape_hw = (pairs[0][0].shape[0], pairs[0][0].shape[1])
    finest = working_factor(shape_hw)
    factors = [2 * finest, finest] if min(shape_hw) >= 2 * finest * _SMALLEST_SIDE_PX else [finest]
    for factor in factors:
        small = [_small_pair(a, b, factor, sigma_px=sigma_px, bit_depth=bit_depth) for a, b in pairs]
        found, fits = _settled(small, reduced(b_from_a, factor), tile_px)
        b_from_a = enlarged(found, factor)
    return b_from_a, np.array([np.median(fit.ncc) if len(fit.ncc) else np.nan for fit in fits])


def require_texture(
    fits: Sequence[TileFits], shape_hw: tuple[int, int], *, min_tiles: int = _FEWEST_TILES
) -> None:
    """Raise `DegenerateGeometryError` unless enough textured tiles lie spread over the frame."""
    centre_xy = np.concatenate([fit.centre_xy for fit in fits])
    zones = {(int(3 * y / shape_hw[0]), int(3 * x / shape_hw[1])) for x, y in centre_xy}
    if len(centre_xy) < min_tiles or len(zones) < _MIN_ZONES:
        raise DegenerateGeometryError(
            f"{len(centre_xy)} textured tiles in {len(zones)} of 9 zones of the frame; "
            f"{min_tiles} tiles in {_MIN_ZONES} zones are needed",
            hint="aim both cameras at a scene with texture all over the frame, or add pairs of other scenes",
        )


def farthest_px(moved: Homography, shape_hw: tuple[int, int]) -> float:
    """How far a small homography moves the corner it moves most."""
    corners = corners_xy(shape_hw)
    return float(np.linalg.norm(map_points(moved, corners) - corners, axis=1).max())


def small_mask(mask: Mask, factor: int, reach: int) -> Mask:
    """Pixels of a reduced frame that hold no unusable one and lie `reach` px inside the border."""
    small: Mask = smaller(mask.astype(np.float32), factor) > 0.999
    return eroded(np.ones(small.shape, np.bool_), reach) & eroded(small, 2)


_Small = tuple[MonoFloat, MonoFloat, Mask, Mask]
"""A blurred like B, B, and the usable pixels of each."""


def _small_pair(a: Mono, b: Mono, factor: int, *, sigma_px: float, bit_depth: int) -> _Small:
    sigma_px /= factor
    reach = int(np.ceil(3 * sigma_px)) + 4
    in_a, in_b = (small_mask(unsaturated(frame, bit_depth), factor, reach) for frame in (a, b))
    return gaussian_blurred(smaller(as_float(a), factor), sigma_px), smaller(as_float(b), factor), in_a, in_b


def _settled(small: Sequence[_Small], found: Homography, tile_px: int) -> tuple[Homography, list[TileFits]]:
    shape_hw = (small[0][1].shape[0], small[0][1].shape[1])
    tile_px = fitting_tile_px(tile_px, shape_hw)
    for _ in range(_STEPS):
        fits = [
            tile_fits(warp_smooth(a, found, shape_hw), b, warp_mask(in_a, found, shape_hw) & in_b, tile_px=tile_px)
            for a, b, in_a, in_b in small
        ]
        require_texture(fits, shape_hw)
        moved = pooled_correction(pooled_tiles(fits), Model("none", shape_hw)).moved
        found = normalised(moved @ found)
        if farthest_px(moved, shape_hw) < _SETTLED_PX:
            break
    return found, fits
