"""Refining one homography over all pairs of a mirror state: first with Gaussian, then with kernel equalisation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twinlens.calibrate.equalise import gaussian_blurred, kernel_blurred, smaller
from twinlens.calibrate.frames import as_float, eroded, unsaturated
from twinlens.calibrate.kernel import Spectra, kernel_in_gauge, pair_spectra, pooled, window_px_for
from twinlens.calibrate.resample import (
    corners_xy,
    enlarged,
    map_points,
    normalised,
    reduced,
    resample,
    shift,
    warp_mask,
    warp_smooth,
    whole,
)
from twinlens.calibrate.tile_lk import Correction, TileFits, fitting_tile_px, pooled_correction, tile_fits
from twinlens.errors import DegenerateGeometryError
from twinlens.pixels import Homography, Kernel, Mask, Mono, MonoFloat

COARSE_SIDE_PX = 1300
"""The Gaussian stage works on frames reduced to about this: it only has to bring the kernel stage within a px."""
_SETTLED_PX = 0.01
_GAUSSIAN_STEPS, _KERNEL_STEPS = 6, 3
_MIN_ZONES = 5
_FEWEST_TILES = 8
"""Tiles without which the eight parameters of a homography are not determined."""
"""Of 3 x 3 zones of the frame, how many must hold textured tiles."""


@dataclass(frozen=True, slots=True)
class OnB:
    """One pair on B's grid."""

    a_on_b: MonoFloat
    b: Mono
    usable: Mask


@dataclass(frozen=True, slots=True)
class Refined:
    """Where the refinement ended."""

    b_from_a: Homography
    kernel: Kernel
    fits: tuple[TileFits, ...]
    """One per pair, with the last template."""
    correction: Correction


def gaussian_refined(
    pairs: Sequence[tuple[Mono, Mono]], b_from_a: Homography, *, sigma_px: float, bit_depth: int, tile_px: int
) -> tuple[Homography, NDArray[np.float64]]:
    """b_from_a to a fraction of a px, and each pair's median tile correlation (n,), NaN without textured tiles.

    Raises:
        DegenerateGeometryError: too little texture to determine a mapping.
    """
    shape_hw = (pairs[0][0].shape[0], pairs[0][0].shape[1])
    factor = max(1, round(max(shape_hw) / COARSE_SIDE_PX))
    small = [_small_pair(a, b, factor, sigma_px=sigma_px, bit_depth=bit_depth) for a, b in pairs]
    small_hw = (small[0][1].shape[0], small[0][1].shape[1])
    tile_px = fitting_tile_px(tile_px, small_hw)
    found = reduced(b_from_a, factor)
    for _ in range(_GAUSSIAN_STEPS):
        fits = [
            tile_fits(warp_smooth(a, found, small_hw), b, warp_mask(in_a, found, small_hw) & in_b, tile_px=tile_px)
            for a, b, in_a, in_b in small
        ]
        require_texture(fits, small_hw, min_tiles=8)
        moved = pooled_correction(fits, small_hw).moved
        found = normalised(moved @ found)
        if farthest_px(moved, small_hw) < 5 * _SETTLED_PX:
            break
    ncc = np.array([np.median(fit.ncc) if len(fit.ncc) else np.nan for fit in fits])
    return enlarged(found, factor), ncc


def put_on_b(a: Mono, b: Mono, b_from_a: Homography, *, sigma_px: float, bit_depth: int) -> OnB:
    """A resampled onto B's whole grid, and the pixels that neither border nor saturation spoils."""
    shape_hw = (b.shape[0], b.shape[1])
    reach = int(np.ceil(3 * sigma_px)) + 8
    spread = int(np.ceil(2 * sigma_px)) + 1
    inside = eroded(np.ones(shape_hw, np.bool_), reach)
    in_a = inside & eroded(unsaturated(a, bit_depth), spread)
    in_b = inside & eroded(unsaturated(b, bit_depth), 1)
    return OnB(resample(a, b_from_a, whole(shape_hw)), b, warp_mask(in_a, b_from_a, shape_hw) & in_b)


def kernel_refined(
    pairs: Sequence[OnB],
    b_from_a: Homography,
    *,
    rounds: int,
    tile_px: int,
    progress: Callable[[str], None],
) -> Refined:
    """Kernel and mapping in turn, from pairs that were put on B's grid with `b_from_a`.

    Raises:
        DegenerateGeometryError: too little texture, or no window without holes.
    """
    shape_hw = (pairs[0].b.shape[0], pairs[0].b.shape[1])
    window_px, tile_px = window_px_for(shape_hw), fitting_tile_px(tile_px, shape_hw)
    start, found = b_from_a, b_from_a
    for turn in range(rounds):
        moved = normalised(found @ np.linalg.inv(start))
        spectra: Spectra = pooled(
            [pair_spectra(p.a_on_b, as_float(p.b), p.usable, moved=moved, window_px=window_px) for p in pairs]
        )
        kernel, (x_px, y_px) = kernel_in_gauge(spectra)
        found = shift(x_px, y_px) @ found
        progress(
            f"round {turn + 1} of {rounds}: kernel of {len(kernel)} px, gauge moved by {x_px:+.3f} {y_px:+.3f} px"
        )
        for _ in range(_KERNEL_STEPS):
            fits = [_kernel_fit(p, kernel, normalised(found @ np.linalg.inv(start)), tile_px) for p in pairs]
            require_texture(fits, shape_hw, min_tiles=_FEWEST_TILES)
            correction = pooled_correction(fits, shape_hw)
            found = normalised(correction.moved @ found)
            if farthest_px(correction.moved, shape_hw) < _SETTLED_PX:
                break
        progress(
            f"round {turn + 1} of {rounds}: residual {np.median(correction.residual_px):.3f} px "
            f"in {len(correction.residual_px)} tiles"
        )
    return Refined(found, kernel, tuple(fits), correction)


def require_texture(fits: Sequence[TileFits], shape_hw: tuple[int, int], *, min_tiles: int) -> None:
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


def _small_pair(
    a: Mono, b: Mono, factor: int, *, sigma_px: float, bit_depth: int
) -> tuple[MonoFloat, MonoFloat, Mask, Mask]:
    """A blurred and B, both reduced, and the usable pixels of each."""
    sigma_px /= factor
    small_a, small_b = smaller(as_float(a), factor), smaller(as_float(b), factor)
    reach = int(np.ceil(3 * sigma_px)) + 4
    in_a, in_b = (_small_mask(unsaturated(frame, bit_depth), factor, reach) for frame in (a, b))
    return gaussian_blurred(small_a, sigma_px), small_b, in_a, in_b


def _small_mask(mask: Mask, factor: int, reach: int) -> Mask:
    small: Mask = smaller(mask.astype(np.float32), factor) > 0.999
    inside = eroded(np.ones(small.shape, np.bool_), reach)
    return inside & eroded(small, 2)


def _kernel_fit(pair: OnB, kernel: Kernel, moved: Homography, tile_px: int) -> TileFits:
    shape_hw = (pair.b.shape[0], pair.b.shape[1])
    template = warp_smooth(kernel_blurred(pair.a_on_b, kernel), moved, shape_hw)
    return tile_fits(template, as_float(pair.b), pair.usable, tile_px=tile_px)
