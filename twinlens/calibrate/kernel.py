"""The blur that turns A's picture into B's, from pooled spectra of registered frames, and its gauge.

A single warp and a single blur are only known together: moving one undoes moving the other. The gauge says
which of them is meant.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from twinlens.calibrate.equalise import gaussian_blurred
from twinlens.calibrate.frames import eroded
from twinlens.calibrate.resample import map_points
from twinlens.errors import DegenerateGeometryError
from twinlens.pixels import Homography, Kernel, Mask, MonoFloat

WINDOW_PX = 256
GAUGE_THRESHOLD = 0.01
GAUGE_SMOOTHING_PX = 1.0
GAUGE = (
    "the centroid of the A-to-B kernel is (0, 0), counted where the kernel, smoothed by 1 px, reaches 1 % of its "
    "maximum (or 3 times its noise); b_from_a carries the rest of the shift"
)
_TAIL = 0.002
"""The kernel ends where it stays below this share of its maximum: noise lives there."""
_TAIL_SMOOTHING_PX = 1.5
_NOISE_FACTOR = 3.0
"""... or below this many times its noise."""
_HOLES_ALLOWED = (0.005, 0.03, 0.1)
"""Shares of unusable pixels a window may hold, tried in turn."""
_ENOUGH_WINDOWS = 6
_HOLE_SOFTENING_PX = 3.0


@dataclass(frozen=True, slots=True)
class Spectra:
    """Pooled power and cross spectra of A on B's grid (x) and B (y)."""

    xx: NDArray[np.float64]
    """(n, n // 2 + 1)"""
    yy: NDArray[np.float64]
    xy: NDArray[np.complex128]
    """Mean of conj(x) y."""
    windows: int


def pair_spectra(
    a_on_b: MonoFloat, b: MonoFloat, usable: Mask, *, moved: Homography | None = None, window_px: int = WINDOW_PX
) -> Spectra:
    """Welch spectra of one registered pair over half-overlapping Hann windows without large holes.

    Args:
        a_on_b: A on B's grid.
        b: B.
        usable: pixels that count in both.
        moved: correction found since `a_on_b` was resampled; applied as each window's phase.
        window_px: side of a window.
    """
    moved = np.eye(3) if moved is None else moved
    size = window_px
    taper = np.hanning(size + 1)[:size].astype(np.float32)
    window = taper[:, None] * taper[None, :]
    f_y, f_x = fft.fftfreq(size)[:, None], fft.rfftfreq(size)[None, :]
    xx, yy = np.zeros((2, size, size // 2 + 1))
    xy = np.zeros((size, size // 2 + 1), np.complex128)
    windows = 0
    # Holes fade in and out like the windows' borders, so that no edge appears where a lamp saturates.
    weight = gaussian_blurred(eroded(usable, int(2 * _HOLE_SOFTENING_PX)).astype(np.float32), _HOLE_SOFTENING_PX)
    for top, left in _whole_windows(usable, size):
        cut = slice(top, top + size), slice(left, left + size)
        here = window * weight[cut]
        x, y = (fft.rfft2((frame[cut] - np.average(frame[cut], weights=here)) * here) for frame in (a_on_b, b))
        centre = np.array([[left + (size - 1) / 2, top + (size - 1) / 2]])
        d_x, d_y = (map_points(moved, centre) - centre)[0]
        xx += np.abs(x) ** 2
        yy += np.abs(y) ** 2
        xy += np.conj(x) * y * np.exp(2j * np.pi * (f_x * d_x + f_y * d_y))
        windows += 1
    return Spectra(xx, yy, xy, windows)


def window_px_for(shape_hw: tuple[int, int]) -> int:
    """The window's side for a frame: 256 px, or less where the frame would hold too few of them."""
    size = WINDOW_PX
    while size > 64 and size * 3 > min(shape_hw):
        size //= 2
    return size


def pooled(spectra: Sequence[Spectra]) -> Spectra:
    """The sum of several pairs' spectra."""
    return Spectra(
        xx=np.sum([one.xx for one in spectra], axis=0),
        yy=np.sum([one.yy for one in spectra], axis=0),
        xy=np.sum([one.xy for one in spectra], axis=0),
        windows=sum(one.windows for one in spectra),
    )


def kernel_in_gauge(spectra: Spectra) -> tuple[Kernel, tuple[float, float]]:
    """The kernel with its centroid at (0, 0), and the (x, y) px that b_from_a must move by in return.

    Raises:
        DegenerateGeometryError: no window was free of holes.
    """
    if spectra.windows == 0:
        raise DegenerateGeometryError(
            f"none of the {len(spectra.xx)} px windows of the registered pairs is free of saturation and borders",
            hint="shorten the exposure, or aim both cameras at the same part of the scene",
        )
    transfer = _transfer(spectra)
    size = len(transfer)
    phase_y, phase_x = 2j * np.pi * fft.fftfreq(size)[:, None], 2j * np.pi * fft.rfftfreq(size)[None, :]
    shift = np.zeros(2)
    # Cutting at 1 % changes a little with the sub-pixel place, so the centroid settles in a few rounds.
    for _ in range(6):
        raw, noise = _spatial(transfer * np.exp(phase_x * shift[0] + phase_y * shift[1]))
        rest = np.array(centroid_xy(np.where(_support(raw, noise, GAUGE_THRESHOLD, GAUGE_SMOOTHING_PX), raw, 0.0)))
        shift += rest
    gauge = _support(raw, noise, GAUGE_THRESHOLD, GAUGE_SMOOTHING_PX)
    kernel = _cropped(np.where(gauge | _support(raw, noise, _TAIL, _TAIL_SMOOTHING_PX), raw, 0.0))
    return kernel, (float(shift[0]), float(shift[1]))


def centroid_xy(kernel: Kernel) -> tuple[float, float]:
    """Centre of mass in px from the middle pixel."""
    offsets = np.arange(len(kernel)) - len(kernel) // 2
    total = kernel.sum()
    return float(kernel.sum(axis=0) @ offsets / total), float(kernel.sum(axis=1) @ offsets / total)


def gauge_centroid_xy(kernel: Kernel) -> tuple[float, float]:
    """The centroid that the gauge speaks of, for a kernel without noise."""
    padded = np.pad(kernel, 4)
    return centroid_xy(np.where(_support(padded, 0.0, GAUGE_THRESHOLD, GAUGE_SMOOTHING_PX), padded, 0.0))


def kernel_sigma_px(kernel: Kernel) -> float:
    """Second moment in px: the root of half the mean squared distance from the centroid."""
    x, y = centroid_xy(kernel)
    offsets = np.arange(len(kernel)) - len(kernel) // 2
    distance2 = (offsets[None, :] - x) ** 2 + (offsets[:, None] - y) ** 2
    return float(np.sqrt(max(0.0, (kernel * distance2).sum() / kernel.sum() / 2)))


def _transfer(spectra: Spectra) -> NDArray[np.complex128]:
    """A-to-B transfer function, damped by Wiener's rule where its own noise is as large as itself.

    Its power without noise is not known frequency by frequency, but well on average over a ring.
    """
    raw = spectra.xy / spectra.xx
    unexplained = np.maximum(spectra.yy - np.abs(spectra.xy) ** 2 / spectra.xx, 0)
    noise = unexplained / spectra.xx / spectra.windows
    size = len(raw)
    radius = np.hypot(fft.fftfreq(size)[:, None], fft.rfftfreq(size)[None, :])
    ring = (radius * size + 0.5).astype(int).ravel()
    count = np.bincount(ring)
    power, ring_noise = (
        (np.bincount(ring, weights=values.ravel()) / count)[ring].reshape(raw.shape)
        for values in (np.abs(raw) ** 2, noise)
    )
    signal = np.maximum(power - ring_noise, 0)
    transfer: NDArray[np.complex128] = raw * signal / (signal + noise + 1e-12)
    return transfer


def _spatial(transfer: NDArray[np.complex128]) -> tuple[Kernel, float]:
    """The centred kernel (n - 1, n - 1) of a transfer function, and its noise: what it holds where it must be 0.

    The windows' taper and the background are taken out.
    """
    size = len(transfer)
    impulse = fft.fftshift(fft.irfft2(transfer, (size, size)))[1:, 1:]
    taper = np.hanning(size + 1)[:size]
    overlap = np.correlate(taper, taper, "full")[size // 2 : size // 2 + size - 1] / (taper @ taper)
    radius = np.hypot(*np.meshgrid(*[np.arange(size - 1) - (size // 2 - 1)] * 2))
    empty = impulse[(radius > 0.3 * size) & (radius < 0.45 * size)]
    # The windows weigh down the kernel's tails, not the background, which is the missing mean of every window.
    tapered = (impulse - np.median(empty)) / np.maximum(overlap[:, None] * overlap[None, :], 0.3)
    return np.where(radius < 0.25 * size, tapered, 0.0), float(empty.std())


def _support(kernel: Kernel, noise: float, threshold: float, smoothing_px: float) -> Mask:
    """Where the smoothed kernel reaches `threshold` of its maximum, drowns in no noise and hangs together.

    Smoothing lifts faint tails, which are smooth themselves, out of the noise; gaps of 2 px are bridged.
    """
    smooth = ndimage.gaussian_filter(kernel, smoothing_px)
    smooth_noise = noise / np.sqrt(4 * np.pi * smoothing_px**2)
    high = smooth >= max(threshold * smooth.max(), _NOISE_FACTOR * smooth_noise)
    joined = cv2.dilate(high.astype(np.uint8), np.ones((3, 3), np.uint8))
    _, labels = cv2.connectedComponents(joined)
    peak = np.unravel_index(int(np.argmax(smooth)), smooth.shape)
    support: Mask = high & (labels == labels[peak])
    return support


def _cropped(kernel: Kernel) -> Kernel:
    """The smallest odd square around the middle pixel that holds every non-zero value; sums to 1."""
    middle = len(kernel) // 2
    rows, columns = np.nonzero(kernel)
    radius = int(max(np.abs(rows - middle).max(), np.abs(columns - middle).max(), 1))
    part = kernel[middle - radius : middle + radius + 1, middle - radius : middle + radius + 1]
    # Eight decimals are finer than its noise, and a person can read them.
    cropped: Kernel = np.round(part / part.sum(), 8)
    return cropped


def _whole_windows(usable: Mask, size: int) -> list[tuple[int, int]]:
    """Corners (top, left) of the half-overlapping windows with few unusable pixels."""
    holes = cv2.integral((~usable).astype(np.uint8), sdepth=cv2.CV_32S).astype(np.int64)
    corners = [
        (top, left)
        for top in range(0, usable.shape[0] - size + 1, size // 2)
        for left in range(0, usable.shape[1] - size + 1, size // 2)
    ]
    share = [
        (holes[y + size, x + size] - holes[y, x + size] - holes[y + size, x] + holes[y, x]) / size**2
        for y, x in corners
    ]
    for allowed in _HOLES_ALLOWED:
        found = [corner for corner, hole in zip(corners, share, strict=True) if hole <= allowed]
        if len(found) >= _ENOUGH_WINDOWS:
            return found
    return found
