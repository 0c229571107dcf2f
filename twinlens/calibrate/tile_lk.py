"""Tile-wise Lucas-Kanade: every tile says how far B's picture lies from the template.

Each tile is fitted with its own gain and offset, so vignettes, clouds and exposure do not pull at the geometry
(B. D. Lucas, T. Kanade, IJCAI 1981).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from twinlens.calibrate.equalise import gaussian_blurred
from twinlens.pixels import Mask, MonoFloat, PointsXY

_SMOOTHING_PX = 1.0
"""Both pictures are smoothed by this: it hides interpolation and noise from the gradients."""
_NOISE_CORRELATION = 4 * np.pi * _SMOOTHING_PX**2
"""Pixels that share one noise sample after that smoothing."""
ROUNDING_DN2 = 1 / 12 / _NOISE_CORRELATION
"""Variance (grey levels squared) that rounding to whole grey levels leaves after that smoothing."""
_MIN_VALID = 0.6
"""Share of usable pixels below which a tile is left out."""
_WORST_SHIFT_SD_PX = 1.0
"""A tile that knows its shift less well than this, in its worst direction, has no texture."""
_LEAST_GAIN = 1e-3
_SHOULD_KNOW_SD_PX = 0.1
"""A tile of A with so much texture is a witness, whatever B shows there."""
_UNLIKE, _ABOVE_TYPICAL = 0.5, 9.0
"""... against A, where more than this share of B's variance, and this many times the usual, is unexplained."""
_DERIVATIVE = np.array([1, -8, 0, 8, -1], np.float32) / 12
"""Central difference of fourth order."""


@dataclass(frozen=True, slots=True)
class TileFits:
    """What the textured tiles of one pair, and the brightness of all of them, say."""

    centre_xy: PointsXY
    """(n, 2) px on B's grid, of the usable pixels of each tile."""
    shift_xy: PointsXY
    """(n, 2) px by which B's picture lies beyond the template's."""
    covariance: NDArray[np.float64]
    """(n, 2, 2) px^2 of the shifts, from noise alone."""
    ncc: NDArray[np.float64]
    """(n,) correlation of template and B."""
    unexplained: NDArray[np.float64]
    """(n,) variance of B (grey levels squared) that the fitted template leaves."""
    contradicting_xy: PointsXY
    """(k, 2) centres of tiles that should know their shift, but show something else: it moved or is hidden."""
    brightness_sums: NDArray[np.float64]
    """(m, 6) of all usable tiles, textured or not: sums of t^2, t, 1, t b, b, b^2; t template, b B."""


def tile_fits(template: MonoFloat, b: MonoFloat, usable: Mask, *, tile_px: int) -> TileFits:
    """Fit every tile of B as gain * template(x - shift) + offset.

    Args:
        template: A on B's grid and as blurred as B, (h, w) grey levels.
        b: (h, w) grey levels.
        usable: pixels that count.
        tile_px: side of a tile.
    """
    gram, centre_xy = _gram(template, b, usable, tile_px)
    enough = gram[:, 3, 3] >= _MIN_VALID * tile_px**2
    gram, centre_xy = gram[enough], centre_xy[enough]
    rows, columns = [2, 2, 3, 2, 3, 4], [2, 3, 3, 4, 4, 4]
    brightness = gram[:, rows, columns]
    solved = _solve_shift(gram)
    covariance = solved.covariance(solved.unexplained, solved.gain)
    textured = _worst_variance(covariance) < _WORST_SHIFT_SD_PX**2
    contradicts = _contradicts(solved, textured, variance_b=_variance(brightness[:, [5, 4, 2]]))
    return TileFits(
        centre_xy=centre_xy[textured],
        shift_xy=solved.shift_xy[textured],
        covariance=covariance[textured],
        ncc=_correlation(brightness[textured]),
        unexplained=solved.unexplained[textured],
        contradicting_xy=centre_xy[contradicts],
        brightness_sums=brightness,
    )


def fitting_tile_px(tile_px: int, shape_hw: tuple[int, int]) -> int:
    """`tile_px`, or less where a small frame would hold fewer than eight tiles a side."""
    return min(tile_px, max(24, min(shape_hw) // 8))


def correlation_where_a_varies(fit: TileFits, *, contrast: float) -> NDArray[np.float64]:
    """Correlation (n,) of the tiles whose template varies by at least `contrast` grey levels (one sigma).

    Unlike `ncc` it does not leave out tiles whose shift is unknown because B shows something else there.
    """
    tt, t, count = fit.brightness_sums.T[:3]
    varies = tt / count - (t / count) ** 2 >= contrast**2
    return _correlation(fit.brightness_sums[varies])


def _gram(template: MonoFloat, b: MonoFloat, usable: Mask, tile_px: int) -> tuple[NDArray[np.float64], PointsXY]:
    """Sums of products (n, 5, 5) of t_x, t_y, t, 1, b over each tile's usable pixels, and their centres (n, 2)."""
    smooth_t = gaussian_blurred(template, _SMOOTHING_PX)
    smooth_b = gaussian_blurred(b, _SMOOTHING_PX)
    unit = np.ones(1, np.float32)
    slope_x = cv2.sepFilter2D(smooth_t, cv2.CV_32F, _DERIVATIVE, unit)
    slope_y = cv2.sepFilter2D(smooth_t, cv2.CV_32F, unit, _DERIVATIVE)
    weight = usable.astype(np.float32)
    rows, columns = (size // tile_px for size in b.shape)
    within = (
        np.stack(np.meshgrid(np.arange(tile_px), np.arange(tile_px)), axis=-1).reshape(-1, 2).astype(np.float32)
    )
    grams, centres = [], []
    for row in range(rows):
        band = slice(row * tile_px, (row + 1) * tile_px), slice(0, columns * tile_px)
        channels = np.stack(
            [slope_x[band], slope_y[band], smooth_t[band], np.ones_like(weight[band]), smooth_b[band]]
        )
        channels *= weight[band]
        tiles = channels.reshape(5, tile_px, columns, tile_px).transpose(2, 0, 1, 3).reshape(columns, 5, -1)
        grams.append((tiles @ tiles.swapaxes(1, 2)).astype(np.float64))
        inner_xy = tiles[:, 3] @ within / np.maximum(tiles[:, 3].sum(axis=1, keepdims=True), 1)
        centres.append(inner_xy + np.array([[column * tile_px, row * tile_px] for column in range(columns)]))
    return np.concatenate(grams), np.concatenate(centres).astype(np.float64)


@dataclass(frozen=True, slots=True)
class _Solved:
    """Every tile's shift, gain and offset eliminated."""

    shift_xy: PointsXY
    precision_free: NDArray[np.float64]
    """(n, 2, 2) covariance of the slopes' factors per unit of noise variance."""
    gain: NDArray[np.float64]
    unexplained: NDArray[np.float64]
    """(n,) variance of B that is left."""

    def covariance(self, unexplained: NDArray[np.float64], gain: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, 2, 2) px^2 of the shifts under some noise and gain (n,), huge where B does not follow A."""
        # No picture knows itself better than its rounding to whole grey levels.
        noise = np.maximum(unexplained, ROUNDING_DN2) * _NOISE_CORRELATION
        sees = gain > _LEAST_GAIN
        covariance: NDArray[np.float64] = (
            self.precision_free * (noise / np.where(sees, gain, 1.0) ** 2)[:, None, None]
        )
        # A tile without any slope has a singular normal matrix, which only the ridge made solvable.
        covariance[~sees] = 1e6 * np.eye(2)
        return covariance


def _solve_shift(gram: NDArray[np.float64]) -> _Solved:
    # Relative to each parameter's own scale: 16-bit grey levels must not damp the offset.
    own = np.maximum(np.einsum("nii->ni", gram[:, :4, :4]), 1e-3)
    normal = gram[:, :4, :4] + 1e-9 * own[:, :, None] * np.eye(4)
    solution = np.linalg.solve(normal, gram[:, :4, 4:])[:, :, 0]
    rest = gram[:, 4, 4] - np.einsum("ni,ni->n", solution, gram[:, :4, 4])
    gain = solution[:, 2]
    # b = gain t(x - shift) + offset: the slopes' factors are -gain times the shift.
    return _Solved(
        shift_xy=-solution[:, :2] / np.where(gain > _LEAST_GAIN, gain, 1.0)[:, None],
        precision_free=np.linalg.inv(normal)[:, :2, :2],
        gain=gain,
        unexplained=np.maximum(rest, 0) / (gram[:, 3, 3] - 4),
    )


def _contradicts(
    solved: _Solved, textured: NDArray[np.bool_], *, variance_b: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Tiles (n,) that would know their shift under the pair's typical noise and gain, but do not follow A."""
    if not textured.any():
        return np.zeros(len(textured), np.bool_)
    typical = float(np.median(solved.unexplained[textured]))
    same = np.ones(len(textured))
    expected = solved.covariance(typical * same, float(np.median(solved.gain[textured])) * same)
    should_know = _worst_variance(expected) < _SHOULD_KNOW_SD_PX**2
    unlike = solved.unexplained > np.maximum(_UNLIKE * variance_b, _ABOVE_TYPICAL * typical)
    found: NDArray[np.bool_] = should_know & unlike
    return found


def _worst_variance(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """px^2 in the worst direction (n,); infinite where there is no number."""
    if not len(covariance):
        return np.empty(0)
    found = np.linalg.eigvalsh(covariance)[:, 1]
    worst: NDArray[np.float64] = np.where(np.isfinite(found), found, np.inf)
    return worst


def _correlation(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    tt, t, count, tb, b, bb = sums.T
    covariance = (tb - t * b / count) / count
    variances = _variance(np.stack([tt, t, count], axis=1)) * _variance(np.stack([bb, b, count], axis=1))
    ncc: NDArray[np.float64] = covariance / np.sqrt(np.maximum(variances, 1e-12))
    return ncc


def _variance(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) from sums (n, 3) of squares, values and ones."""
    squares, values, count = sums.T
    variance: NDArray[np.float64] = squares / count - (values / count) ** 2
    return variance
