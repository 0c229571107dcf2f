"""Maps of structural similarity: Wang et al. 2004, equation 13, under the windows that are in use."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from twinlens.errors import RestoreError
from twinlens.pixels import Mask

Plane = NDArray[np.float64]
"""(h, w) grey levels."""
_K1, _K2 = 0.01, 0.03
_SIGMA_PX = 1.5


@dataclass(frozen=True)
class Similarity:
    """One way to take the means, variances and covariance that SSIM is made of."""

    window_px: int
    crops: bool
    """Whether only whole windows count; elsewhere the picture's border is repeated outwards."""
    means: Callable[[Sequence[Plane]], list[Plane]]
    """Weighted means around each pixel, of the planes of one picture."""
    mixes: bool = False
    """Whether the means of one plane need the others."""
    sample: float = 1.0
    """What variances are multiplied by: n / (n - 1) for those of a sample."""

    def maps(self, pairs: Iterable[tuple[Plane, Plane]], data_range: float) -> Iterator[Plane]:
        """SSIM at every pixel whose window counts, plane by plane: only as many are held as are needed at once."""
        for together in [list(pairs)] if self.mixes else ([pair] for pair in pairs):
            for mean_a, mean_b, mean_ab, mean_squares in zip(*self._moments(together), strict=True):
                yield self._map(mean_a, mean_b, mean_ab, mean_squares, data_range)

    def counted(self, mask: Mask) -> Mask:
        """The pixels of a map whose window holds no masked pixel.

        Raises:
            RestoreError: there is none.
        """
        side = self.window_px
        # Outside of the picture nothing is masked: a repeated pixel lies in the window that repeats it.
        whole: Mask = self._inner(cv2.erode(mask.astype(np.uint8), np.ones((side, side), np.uint8)) > 0)
        if not whole.any():
            raise RestoreError(
                f"no {side}x{side} px window of the picture is free of masked pixels",
                hint="build the dataset without such pairs: their valid area is too small or scattered for SSIM",
            )
        return whole

    def _moments(self, pairs: Sequence[tuple[Plane, Plane]]) -> list[list[Plane]]:
        """Means of a, of b, of their product and of the sum of their squares, each per plane.

        The equation holds the variances as a sum, so one filter serves both.
        """
        wanted = (
            [a for a, _ in pairs],
            [b for _, b in pairs],
            [a * b for a, b in pairs],
            [a * a + b * b for a, b in pairs],
        )
        return [[self._inner(mean) for mean in self.means(planes)] for planes in wanted]

    def _map(self, mean_a: Plane, mean_b: Plane, mean_ab: Plane, mean_squares: Plane, data_range: float) -> Plane:
        c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
        product, power = mean_a * mean_b, mean_a * mean_a + mean_b * mean_b
        covariance, variances = self.sample * (mean_ab - product), self.sample * (mean_squares - power)
        found: Plane = ((2 * product + c1) * (2 * covariance + c2)) / ((power + c1) * (variances + c2))
        return found

    def _inner(self, plane: NDArray[Any]) -> NDArray[Any]:
        edge = self.window_px // 2 if self.crops else 0
        return plane[edge : plane.shape[0] - edge, edge : plane.shape[1] - edge]


def _gaussian_weights(side: int) -> NDArray[np.float64]:
    offsets = np.arange(side) - side // 2
    weights = np.exp(-0.5 * (offsets / _SIGMA_PX) ** 2)
    return np.asarray(weights / weights.sum())


def _gaussian(planes: Sequence[Plane]) -> list[Plane]:
    weights = _gaussian_weights(11)
    return [
        np.asarray(cv2.sepFilter2D(plane, -1, weights, weights, borderType=cv2.BORDER_REPLICATE), np.float64)
        for plane in planes
    ]


def _gaussian_3d(planes: Sequence[Plane]) -> list[Plane]:
    """The Gaussian over rows, columns and the colours, of which there are as many as planes.

    Beyond the first and last colour the filter meets that colour again (replicated border), so over three
    planes its 11 taps are a 3x3 matrix: 5 or more of them fall on the outer plane.
    """
    weights, last = _gaussian_weights(11), len(planes) - 1
    mixing = np.zeros((len(planes), len(planes)))
    for colour in range(len(planes)):
        for offset, weight in zip(range(-5, 6), weights, strict=True):
            mixing[colour, min(max(colour + offset, 0), last)] += weight
    mixed = np.tensordot(mixing, np.stack(_gaussian(planes)), axes=1)
    return list(mixed)


def _uniform(planes: Sequence[Plane]) -> list[Plane]:
    return [np.asarray(cv2.boxFilter(plane, -1, (7, 7)), np.float64) for plane in planes]


SIMILARITIES = {
    "gaussian-valid": Similarity(window_px=11, crops=True, means=_gaussian),
    "gaussian-3d": Similarity(window_px=11, crops=False, means=_gaussian_3d, mixes=True),
    "uniform-sample": Similarity(window_px=7, crops=True, means=_uniform, sample=49 / 48),
}
