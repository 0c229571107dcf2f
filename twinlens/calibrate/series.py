"""A series of frames of one unchanging view, in sums: as much memory for a thousand frames as for two."""

import numpy as np
from numpy.typing import NDArray

from twinlens.calibrate.frames import full_scale
from twinlens.pixels import Mono, MonoFloat

_BLINKING = 10.0
"""A row with so many times the variance of the median row is not noise alone."""


class FrameSeries:
    """What dark and flat frames tell together; frames are added one by one and not kept."""

    def __init__(self, bit_depth: int) -> None:
        self.bit_depth = bit_depth
        self.count = 0
        """Frames so far."""
        self._sum: NDArray[np.uint32] | None = None
        self._previous: Mono | None = None
        self._variances: float = 0.0
        self._saturated = 0

    def add(self, frame: Mono) -> None:
        """Count one more frame in.

        Raises:
            ValueError: it is not of the first one's size and dtype, or brighter than the bit depth allows.
        """
        if self._sum is None:
            self._sum = np.zeros(frame.shape, np.uint32)
        elif self._previous is not None and (frame.shape, frame.dtype) != (
            self._previous.shape,
            self._previous.dtype,
        ):
            raise ValueError(
                f"frame {self.count} is {frame.dtype} {frame.shape}, those before it are "
                f"{self._previous.dtype} {self._previous.shape}"
            )
        white = full_scale(self.bit_depth)
        if frame.max() > white:
            raise ValueError(f"frame {self.count} reaches {frame.max()}; {self.bit_depth} bit end at {white}")
        self._sum += frame
        self._saturated += int(np.count_nonzero(frame == white))
        if self._previous is not None:
            self._variances += _half_difference_variance(frame, self._previous)
        self._previous = frame.copy()
        self.count += 1

    @property
    def shape_hw(self) -> tuple[int, int]:
        """Height and width of its frames in px; (0, 0) before the first."""
        return (0, 0) if self._sum is None else (self._sum.shape[0], self._sum.shape[1])

    @property
    def saturated_fraction(self) -> float:
        """Share of all pixels of all frames at full scale."""
        return self._saturated / max(self.count * self._summed().size, 1)

    @property
    def temporal_variance(self) -> float:
        """Mean over pixels of the variance in time, in grey levels squared, rounding to whole levels included.

        From differences of successive frames, as EMVA 1288 R4.0 Linear, equation 18, takes it from two, so that a
        lamp that drifts as a whole does not count as noise. Needs two frames.
        """
        if self.count < 2:
            raise ValueError(f"{self.count} frames have no variance in time; 2 are needed")
        return self._variances / (self.count - 1)

    def mean(self) -> MonoFloat:
        """(h, w) mean of every pixel in grey levels."""
        mean: MonoFloat = (self._summed() / np.float64(max(self.count, 1))).astype(np.float32)
        return mean

    def _summed(self) -> NDArray[np.uint32]:
        if self._sum is None:
            raise ValueError("the series holds no frame")
        return self._sum


def _half_difference_variance(frame: Mono, previous: Mono) -> float:
    """Half the variance over the field of the difference of two frames: the noise of one of them.

    Rows with far more of it than others hold pixels that blink, or writing that changes: they are left out.
    """
    difference = np.subtract(frame, previous, dtype=np.float32)
    difference -= difference.mean(dtype=np.float64)
    per_row = np.einsum("yx,yx->y", difference, difference) / frame.shape[1]
    kept = per_row <= max(_BLINKING * float(np.median(per_row)), 1.0)
    return 0.5 * float(per_row[kept].mean(dtype=np.float64))
