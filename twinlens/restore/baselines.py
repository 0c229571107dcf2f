"""Classical restoration to compare a network with."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from twinlens.errors import RestoreError
from twinlens.pixels import Kernel, Mask, Mono, Picture
from twinlens.restore.metrics import psnr

ORACLE_GRID = tuple(10.0 ** (-k / 4) for k in range(4, 17))
"""Noise-to-signal ratios that the oracle tries: 0.1 down to 0.0001."""


@dataclass(frozen=True)
class OracleWiener:
    """The Wiener result closest to the target, which only somebody who knows the target can pick."""

    picture: Mono
    noise_to_signal: float
    psnr_db: float


def wiener(picture: Picture, kernel: Kernel, noise_to_signal: float, *, bit_depth: int) -> Mono:
    """Undo a known blur in the Fourier domain, for white noise on a natural picture.

    A natural picture's power falls with the squared frequency, so the ratio of noise to picture rises with
    it; on photographs this is 0.7 to 1 dB better than the same ratio at every frequency.

    Args:
        picture: the blurred picture, of one channel.
        kernel: what blurred it, in the picture's own gauge: a kernel off its centre moves the result.
        noise_to_signal: power of the noise over power of the picture at a frequency of 1 rad/px.
        bit_depth: white is 2**bit_depth - 1.

    Raises:
        RestoreError: the picture is in colour.
    """
    return next(_wiener_each(picture, kernel, (noise_to_signal,), bit_depth=bit_depth))


def best_wiener(
    picture: Mono, target: Mono, kernel: Kernel, *, bit_depth: int, mask: Mask | None = None
) -> OracleWiener:
    """The best of `wiener` over `ORACLE_GRID`, judged by its PSNR against the target: an oracle.

    No user can reach it, who does not know the target; a network above it is above this filter at its best.
    """
    white = float(2**bit_depth - 1)
    pictures = _wiener_each(picture, kernel, ORACLE_GRID, bit_depth=bit_depth)
    best: OracleWiener | None = None
    for noise_to_signal, restored in zip(ORACLE_GRID, pictures, strict=True):
        psnr_db = psnr(restored, target, data_range=white, mask=mask)
        if best is None or psnr_db > best.psnr_db:
            best = OracleWiener(restored, noise_to_signal, psnr_db)
        elif psnr_db < best.psnr_db - 1.0:
            break  # the score has one maximum over the ratio
    if best is None:
        raise ValueError("ORACLE_GRID is empty")
    return best


def _wiener_each(picture: Picture, kernel: Kernel, ratios: Iterable[float], *, bit_depth: int) -> Iterator[Mono]:
    """One result per ratio; the picture is transformed once."""
    if picture.ndim != 2:
        raise RestoreError(
            f"a picture of {picture.shape} is in colour; a Wiener filter here takes one channel",
            hint="filter each channel on its own, or import the dataset with --mono",
        )
    margin = 2 * max(kernel.shape)
    padded = _pad(picture, margin)
    transfer = np.fft.rfft2(_centred(kernel, padded.shape))
    numerator, power = np.fft.rfft2(padded) * transfer.conj(), np.square(np.abs(transfer))
    squared_frequency = _squared_frequency(padded.shape)
    rows, columns = (slice(margin, margin + side) for side in picture.shape)
    for ratio in ratios:
        sharp = np.fft.irfft2(numerator / (power + np.float32(ratio) * squared_frequency), s=padded.shape)
        levels = np.clip(np.rint(sharp[rows, columns]), 0, 2**bit_depth - 1)
        yield levels.astype(np.uint8) if picture.dtype == np.uint8 else levels.astype(np.uint16)


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


def _pad(picture: Mono, margin: int) -> NDArray[np.float32]:
    """Reflect at the borders, and on to a size that transforms fast."""
    margins = [(margin, _fast_size(side + 2 * margin) - side - margin) for side in picture.shape]
    return np.pad(picture.astype(np.float32), margins, mode="symmetric")


def _fast_size(side: int) -> int:
    return int(cv2.getOptimalDFTSize(math.ceil(side / 2)) * 2)


def _centred(kernel: Kernel, shape_hw: tuple[int, ...]) -> NDArray[np.float32]:
    """The kernel on a whole frame, its centre pixel at (0, 0)."""
    frame = np.zeros(shape_hw, np.float32)
    height, width = kernel.shape
    frame[:height, :width] = kernel
    return np.roll(frame, (-(height // 2), -(width // 2)), axis=(0, 1))


def _squared_frequency(shape_hw: tuple[int, ...]) -> NDArray[np.float32]:
    """(h, w // 2 + 1) in (rad/px)^2, as a difference of neighbours sees it: finite and smooth at the fold."""
    y = 2 - 2 * np.cos(2 * np.pi * np.fft.fftfreq(shape_hw[0]))
    x = 2 - 2 * np.cos(2 * np.pi * np.fft.rfftfreq(shape_hw[1]))
    squared: NDArray[np.float32] = (y[:, None] + x[None, :]).astype(np.float32)
    return squared
