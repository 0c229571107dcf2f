"""What one pair's pixels say by themselves: grey levels, clipping, noise and power spectrum."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from twinlens.pixels import Mask, Mono

LEVEL_BINS = 64
WINDOW_PX = 512
FREQUENCIES: NDArray[np.float64] = (np.arange(32) + 0.5) / 64
"""Cycles per px at the middle of each ring, up to half a cycle."""

_NOISE_KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
"""Difference of two Laplacians: blind to constant and linear brightness, 6 sigma wide on noise of sigma.
J. Immerkaer, Fast noise variance estimation, Computer Vision and Image Understanding 64(2), 1996."""
_MAD_PER_SIGMA = 0.6745


@dataclass(frozen=True, slots=True)
class Looks:
    """One pair's own figures; means and noise in grey levels."""

    mean_input: float
    mean_target: float
    std_input: float
    std_target: float
    noise_input: float
    noise_target: float
    """Of the resampled picture: less than the camera's own."""
    black_input: float
    """Share of valid pixels at level 0."""
    black_target: float
    white_input: float
    """Share of all pixels at full scale."""
    white_target: float

    def clipped(self) -> Iterator[tuple[str, float]]:
        """What is clipped, in words, and its share."""
        for role in ("input", "target"):
            for level in ("black", "white"):
                yield f"{role} is {level}", getattr(self, f"{level}_{role}")


def looks_of(
    input: Mono,  # noqa: A002 -- the role's name
    target: Mono,
    mask: Mask,
    *,
    bit_depth: int,
) -> tuple[Looks, NDArray[np.int64]]:
    """A pair's figures, and the (2, 64) counts of grey levels of input and target.

    Levels of the target are counted where it is valid or not black: beyond A's picture it is black.
    """
    white = 2**bit_depth - 1
    values: dict[str, float] = {}
    counts = []
    for role, frame in (("input", input), ("target", target)):
        valid = frame[mask] if mask.any() else frame.ravel()
        values |= {
            f"mean_{role}": float(valid.mean()),
            f"std_{role}": float(valid.std()),
            f"noise_{role}": noise_sigma(frame, mask),
            f"black_{role}": float(np.mean(valid == 0)),
            f"white_{role}": float(np.mean(frame == white)),
        }
        seen = frame.ravel() if role == "input" else frame[mask | (frame > 0)]
        bins = seen.astype(np.int64) * LEVEL_BINS // (white + 1)
        counts.append(np.bincount(np.minimum(bins, LEVEL_BINS - 1), minlength=LEVEL_BINS))
    return Looks(**values), np.array(counts)


def noise_sigma(frame: Mono, mask: Mask) -> float:
    """Standard deviation of the noise in grey levels, from the median response to Immerkaer's kernel.

    The median lets edges and texture count as the outliers they are; where most of a picture is fine texture it
    is still taken for noise. Rounding makes steps of a quarter grey level.
    """
    response = np.abs(cv2.filter2D(frame.astype(np.float32), -1, _NOISE_KERNEL))
    inner = cv2.erode(mask.view(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    counted = response[inner] if inner.any() else response.ravel()
    return float(np.median(counted)) / (6 * _MAD_PER_SIGMA)


def spectrum_window(mask: Mask) -> tuple[slice, slice]:
    """The middle of what is valid, at most `WINDOW_PX` square."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        rows, columns = np.arange(mask.shape[0]), np.arange(mask.shape[1])
    side = min(WINDOW_PX, int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1)
    top = (int(rows[0]) + int(rows[-1]) + 1 - side) // 2
    left = (int(columns[0]) + int(columns[-1]) + 1 - side) // 2
    return slice(top, top + side), slice(left, left + side)


def power_spectrum(frame: Mono) -> NDArray[np.float64]:
    """(32,) power in rings of equal frequency of a square picture, after a Hann window."""
    side = frame.shape[0]
    hann = np.hanning(side)
    levels = frame.astype(np.float64)
    power = np.abs(np.fft.fft2((levels - levels.mean()) * np.outer(hann, hann))) ** 2
    across = np.fft.fftfreq(side)
    ring = (np.hypot(across[:, None], across[None, :]) * 64).astype(int)
    inside = ring < len(FREQUENCIES)
    sums = np.bincount(ring[inside], power[inside], minlength=len(FREQUENCIES))
    return np.asarray(sums / np.maximum(np.bincount(ring[inside], minlength=len(FREQUENCIES)), 1), np.float64)
