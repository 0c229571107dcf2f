"""How A's grey levels become B's: gain, vignette, curvature and offset, from registered frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinlens.calibrate.equalise import gaussian_blurred
from twinlens.calibrate.frames import eroded
from twinlens.calibrate.geometry import Box, whole
from twinlens.calibrate.tile_lk import TileFits
from twinlens.pixels import Mask, MonoFloat

_SMOOTHING_PX = 2.0
"""Noise of A would lower the slope, and what is left of a misregistration would add to it; both average out."""
_STRIDE_PX = 5
"""Smoothed pixels closer than this say nothing new."""
_IRLS_STEPS = 20


@dataclass(frozen=True, slots=True)
class Photometric:
    """b = (gain + vignette r^2 + curvature (a - full) / full) a + offset, in grey levels.

    r is 0 at B's image centre and 1 in its corners; `full` is full scale, where the curvature vanishes.
    """

    gain: float
    vignette: float
    offset: float
    curvature: float = 0.0
    """A sensor's gamma or non-linearity."""
    full_scale: int = 255

    def apply(self, a_on_b: MonoFloat, r2: MonoFloat) -> MonoFloat:
        """A on B's grid (h, w) in B's brightness, for squared radii (h, w)."""
        bright: MonoFloat = self.transfer(a_on_b, r2).astype(np.float32, copy=False)
        return bright

    def transfer(self, a: NDArray[Any], r2: NDArray[Any]) -> NDArray[Any]:
        """Grey levels of any shape, for squared radii of the same shape."""
        # Python's own numbers leave the arrays' precision alone.
        slope = self.gain - self.curvature + self.vignette * r2 + self.curvature / self.full_scale * a
        bright: NDArray[Any] = slope * a + self.offset
        return bright


@dataclass(frozen=True, slots=True)
class BrightnessSamples:
    """Grey levels of one pair where both cameras saw the scene, equally blurred and smoothed; all (n,)."""

    a: NDArray[np.float64]
    b: NDArray[np.float64]
    r2: NDArray[np.float64]


def squared_radius(shape_hw: tuple[int, int], box: Box) -> MonoFloat:
    """r^2 (h, w) of the pixels of `box` in a frame of `shape_hw`."""
    height, width = shape_hw
    y = (np.arange(box.top, box.bottom, dtype=np.float32) - (height - 1) / 2) ** 2
    x = (np.arange(box.left, box.right, dtype=np.float32) - (width - 1) / 2) ** 2
    corner2 = ((height - 1) ** 2 + (width - 1) ** 2) / 4
    r2: MonoFloat = ((y[:, None] + x[None, :]) / corner2).astype(np.float32)
    return r2


def brightness_samples(template: MonoFloat, b: MonoFloat, usable: Mask) -> BrightnessSamples:
    """What one pair says about brightness.

    Args:
        template: A on B's whole grid, as blurred as B, (h, w) in A's grey levels.
        b: (h, w) grey levels.
        usable: pixels that count.
    """
    shape_hw = (b.shape[0], b.shape[1])
    chosen = np.zeros(shape_hw, np.bool_)
    chosen[::_STRIDE_PX, ::_STRIDE_PX] = eroded(usable, int(3 * _SMOOTHING_PX))[::_STRIDE_PX, ::_STRIDE_PX]
    return BrightnessSamples(
        a=gaussian_blurred(template, _SMOOTHING_PX)[chosen].astype(np.float64),
        b=gaussian_blurred(b, _SMOOTHING_PX)[chosen].astype(np.float64),
        r2=squared_radius(shape_hw, whole(shape_hw))[chosen].astype(np.float64),
    )


def fit_photometric(samples: Sequence[BrightnessSamples], *, full_scale: int) -> Photometric:
    """The brightness transfer that all pairs agree on, robust against places where something moved or shone."""
    a, b, r2 = (np.concatenate([getattr(one, name) for one in samples]) for name in ("a", "b", "r2"))
    columns = np.stack([a, r2 * a, np.ones_like(a), a * (a - full_scale) / full_scale], axis=1)
    gain, vignette, offset, curvature = _robust_line(columns, b).tolist()
    return Photometric(gain, vignette, offset, curvature, full_scale)


def sample_gain(samples: BrightnessSamples, session: Photometric) -> float:
    """One pair's own gain against its session's."""
    expected = session.transfer(samples.a, samples.r2)
    return float(_robust_line(np.stack([expected, np.ones_like(expected)], axis=1), samples.b)[0])


def fit_gain_offset(fit: TileFits) -> tuple[float, float]:
    """Gain and offset of one pair alone, from tiles of a template that is already in B's brightness."""
    tt, t, count, tb, b, bb = fit.brightness_sums.T
    normal = np.stack([tt, t, t, count], axis=1).reshape(-1, 2, 2)
    right = np.stack([tb, b], axis=1)
    weights = np.ones(len(count))
    for _ in range(_IRLS_STEPS):
        found = np.linalg.solve(np.einsum("n,nij->ij", weights, normal), weights @ right)
        rest2 = np.einsum("i,nij,j->n", found, normal, found) - 2 * right @ found + bb
        weights = _cauchy(np.maximum(rest2, 0) / count)
    return float(found[0]), float(found[1])


def _robust_line(columns: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cauchy-weighted least squares (p,)."""
    scale = np.abs(columns).max(axis=0)
    columns = columns / scale
    weights = np.ones(len(b))
    for _ in range(_IRLS_STEPS):
        weighted = columns * weights[:, None]
        # A scene of one brightness determines no curvature: the ridge keeps it at zero.
        ridge = 1e-9 * np.trace(weighted.T @ columns) * np.eye(columns.shape[1])
        found = np.linalg.solve(weighted.T @ columns + ridge, weighted.T @ b)
        weights = _cauchy((b - columns @ found) ** 2)
    solved: NDArray[np.float64] = found / scale
    return solved


def _cauchy(rest2: NDArray[np.float64]) -> NDArray[np.float64]:
    weights: NDArray[np.float64] = 1 / (1 + rest2 / (3 * float(np.median(rest2)) + 1e-6))
    return weights
