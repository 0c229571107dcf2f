"""What deconvolving filters share: padding and transfer functions."""

import math
from dataclasses import dataclass, field
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from twinlens.pixels import Kernel, Mono, MonoFloat

Spectrum = NDArray[np.complex64]
"""(h, w // 2 + 1), as `rfft2` gives it."""


@dataclass(frozen=True)
class Padded:
    """One channel with its borders reflected, and the blur it is to be freed of."""

    levels: MonoFloat = field(repr=False)
    kernel: Kernel = field(repr=False)
    margin_px: int
    shape_hw: tuple[int, int]
    """Of the channel without its margins."""

    @classmethod
    def of(cls, channel: Mono, kernel: Kernel) -> Self:
        """Reflect at the borders by twice the kernel, and on to a size that transforms fast."""
        margin = 2 * max(kernel.shape)
        margins = [(margin, _fast_size(side + 2 * margin) - side - margin) for side in channel.shape]
        levels = np.pad(channel.astype(np.float32), margins, mode="symmetric")
        return cls(levels, kernel, margin, (channel.shape[0], channel.shape[1]))

    def transfer(self) -> Spectrum:
        """What the blur does to each frequency."""
        return np.asarray(np.fft.rfft2(centred(self.kernel, self.levels.shape)), np.complex64)

    def squared_frequency(self) -> MonoFloat:
        """In (rad/px)^2, of each frequency."""
        return squared_frequency(self.levels.shape)

    def back(self, spectrum: NDArray[np.complexfloating[Any, Any]]) -> MonoFloat:
        """From frequencies to pixels, margins and all."""
        return np.asarray(np.fft.irfft2(spectrum, s=self.levels.shape), np.float32)

    def inner(self, levels: MonoFloat) -> MonoFloat:
        """Without the margins."""
        rows, columns = (slice(self.margin_px, self.margin_px + side) for side in self.shape_hw)
        return levels[rows, columns]


def shift_kernel(kernel: Kernel, shift_xy: tuple[float, float]) -> Kernel:
    """A kernel moved by a part of a pixel, or a few, in the Fourier domain; room is added around it.

    A pair's target is registered onto its input with the blur's centroid at zero shift, so a point spread
    function known from elsewhere has to be moved by minus its centroid before it can undo that blur.

    Args:
        kernel: odd sides.
        shift_xy: (x, y) px.
    """
    room = math.ceil(max(abs(shift) for shift in shift_xy)) + 8
    padded = np.pad(kernel, room)
    x, y = (np.fft.fftfreq(side) * shift for side, shift in zip(padded.shape[::-1], shift_xy, strict=True))
    moved = np.fft.ifft2(np.fft.fft2(padded) * np.exp(-2j * np.pi * (y[:, None] + x[None, :])))
    return np.ascontiguousarray(moved.real)


def centred(kernel: Kernel, shape_hw: tuple[int, ...]) -> MonoFloat:
    """The kernel on a whole frame, its centre pixel at (0, 0)."""
    frame = np.zeros(shape_hw, np.float32)
    height, width = kernel.shape
    frame[:height, :width] = kernel
    return np.roll(frame, (-(height // 2), -(width // 2)), axis=(0, 1))


def squared_frequency(shape_hw: tuple[int, ...]) -> MonoFloat:
    """(h, w // 2 + 1) in (rad/px)^2, as a difference of neighbours sees it: finite and smooth at the fold."""
    y = 2 - 2 * np.cos(2 * np.pi * np.fft.fftfreq(shape_hw[0]))
    x = 2 - 2 * np.cos(2 * np.pi * np.fft.rfftfreq(shape_hw[1]))
    return np.asarray(y[:, None] + x[None, :], np.float32)


def _fast_size(side: int) -> int:
    return int(cv2.getOptimalDFTSize(math.ceil(side / 2)) * 2)
