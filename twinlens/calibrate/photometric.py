"""How A's grey levels become B's: gain with a vignette, and an offset, from registered, equally blurred frames."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twinlens.calibrate.resample import Box
from twinlens.calibrate.tile_lk import TileFits
from twinlens.pixels import MonoFloat, PointsXY


@dataclass(frozen=True, slots=True)
class Photometric:
    """b = (gain + vignette r^2) a + offset in grey levels; r is 0 at B's image centre and 1 in its corners."""

    gain: float
    vignette: float
    offset: float

    def apply(self, a_on_b: MonoFloat, r2: MonoFloat) -> MonoFloat:
        """A on B's grid (h, w) in B's brightness, for squared radii (h, w)."""
        bright: MonoFloat = (np.float32(self.gain) + np.float32(self.vignette) * r2) * a_on_b + np.float32(
            self.offset
        )
        return bright


def squared_radius(shape_hw: tuple[int, int], box: Box) -> MonoFloat:
    """r^2 (h, w) of the pixels of `box` in a frame of `shape_hw`."""
    height, width = shape_hw
    y = (np.arange(box.top, box.bottom, dtype=np.float32) - (height - 1) / 2) ** 2
    x = (np.arange(box.left, box.right, dtype=np.float32) - (width - 1) / 2) ** 2
    r2: MonoFloat = ((y[:, None] + x[None, :]) / _corner2(shape_hw)).astype(np.float32)
    return r2


def fit_photometric(fits: Sequence[TileFits], shape_hw: tuple[int, int]) -> Photometric:
    """The brightness transfer that all pairs' tiles agree on, robust against tiles where something moved.

    Works on sums over tiles, so every pixel counts and none is visited again.
    """
    sums = np.concatenate([fit.brightness_sums for fit in fits])
    r2 = _radius2_of(np.concatenate([fit.brightness_xy for fit in fits]), shape_hw)
    gain, vignette, offset = _robust(sums, r2)
    return Photometric(float(gain), float(vignette), float(offset))


def fit_gain_offset(fit: TileFits) -> tuple[float, float]:
    """Gain and offset of one pair alone, for a template that is already in B's brightness."""
    gain, _, offset = _robust(fit.brightness_sums, None)
    return float(gain), float(offset)


def _robust(sums: NDArray[np.float64], r2: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """gain, vignette, offset (3,) by Cauchy-weighted least squares; no vignette where `r2` is None."""
    tt, t, count, tb, b, bb = sums.T
    v = np.zeros_like(t) if r2 is None else r2
    normal = np.stack([tt, v * tt, t, v * tt, v * v * tt, v * t, t, v * t, count], axis=1).reshape(-1, 3, 3)
    right = np.stack([tb, v * tb, b], axis=1)
    # Without a vignette its column is empty: the ridge keeps it at zero.
    ridge = np.diag([0.0, 1e-12 * tt.sum() + (1.0 if r2 is None else 0.0), 0.0])
    weights = np.ones(len(sums))
    for _ in range(20):
        found = np.linalg.solve(np.einsum("n,nij->ij", weights, normal) + ridge, weights @ right)
        rest2 = np.einsum("i,nij,j->n", found, normal, found) - 2 * right @ found + bb
        mean2 = np.maximum(rest2, 0) / count
        weights = 1 / (1 + mean2 / (3 * float(np.median(mean2)) + 1e-6))
    solved: NDArray[np.float64] = found
    return solved


def _radius2_of(points_xy: PointsXY, shape_hw: tuple[int, int]) -> NDArray[np.float64]:
    height, width = shape_hw
    centred = points_xy - np.array([(width - 1) / 2, (height - 1) / 2])
    radius2: NDArray[np.float64] = (centred**2).sum(axis=1) / _corner2(shape_hw)
    return radius2


def _corner2(shape_hw: tuple[int, int]) -> float:
    return ((shape_hw[0] - 1) ** 2 + (shape_hw[1] - 1) ** 2) / 4
