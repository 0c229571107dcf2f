"""The blur that turns A's picture into B's, from pooled spectra of registered frames, and its gauge.

A single warp and a single blur are only known together: moving one undoes moving the other. The gauge says
which of them is meant.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from twinlens.calibrate.equalise import KERNEL_DECIMALS
from twinlens.calibrate.spectra import Spectra
from twinlens.errors import DegenerateGeometryError
from twinlens.pixels import Kernel, Mask

GAUGE_THRESHOLD = 0.003
GAUGE_SMOOTHING_PX = 1.5
GAUGE = (
    "the centroid of the A-to-B kernel is (0, 0), counted where the kernel, smoothed by 1.5 px, reaches 0.3 % of "
    "its maximum (or 3 times its noise); b_from_a carries the rest of the shift"
)
_TAIL = 0.002
"""The kernel ends where it stays below this share of its maximum: noise lives there."""
_TAIL_SMOOTHING_PX = 1.5
_COHERENT, _DEEPEST, _FEWEST_FREQUENCIES = 0.5, 0.05, 20
"""What a frequency must reach to tell the blur, and how many must."""
_NOISE_FACTOR = 3.0
"""... or below this many times its noise."""


def kernel_in_gauge(spectra: Spectra) -> tuple[Kernel, tuple[float, float]]:
    """The kernel with its centroid at (0, 0), and the (x, y) px that b_from_a must move by in return.

    Raises:
        DegenerateGeometryError: no window was free of holes, or nothing in them stands out of the noise.
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
        gauge = _support(raw, noise, GAUGE_THRESHOLD, GAUGE_SMOOTHING_PX)
        if not raw[gauge].sum() > 0:
            raise DegenerateGeometryError(
                f"the blur drowns in noise in all {spectra.windows} windows of {len(spectra.xx)} px",
                hint="add pairs of scenes with more contrast, or larger frames",
            )
        shift += centroid_xy(np.where(gauge, raw, 0.0))
    raw, noise = _spatial(transfer * np.exp(phase_x * shift[0] + phase_y * shift[1]))
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


def gaussian_sigma_px(spectra: Spectra) -> float | None:
    """The Gaussian nearest to the transfer function of registered frames (px); None where that cannot be told.

    ln |H| = const - 2 (pi sigma f)^2. B's noise does not correlate with A and averages out, unlike in a ratio of
    power spectra.
    """
    if spectra.windows == 0:
        return None
    size = len(spectra.xx)
    f = np.hypot(fft.fftfreq(size)[:, None], fft.rfftfreq(size)[None, :])
    power = np.maximum(spectra.xx * spectra.yy, 1e-30)
    coherence2 = np.abs(spectra.xy) ** 2 / power
    transfer = np.abs(spectra.xy) / np.maximum(spectra.xx, 1e-30)
    low = (f > 1.5 / size) & (f < 4.5 / size)
    usable = (f > 1.5 / size) & (coherence2 > _COHERENT) & (transfer > _DEEPEST * np.median(transfer[low]))
    if usable.sum() < _FEWEST_FREQUENCIES:
        return None
    # The logarithm's variance is (1 - c^2) / (2 c^2 n).
    weight = np.sqrt(coherence2[usable] / (1 - np.minimum(coherence2[usable], 0.999)))
    slope = np.polyfit(f[usable] ** 2, np.log(transfer[usable]), 1, w=weight)[0]
    return float(np.sqrt(max(0.0, -slope / 2)) / np.pi)


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
    xx = np.maximum(spectra.xx, 1e-12 * spectra.xx.max() + 1e-30)
    raw = spectra.xy / xx
    unexplained = np.maximum(spectra.yy - np.abs(spectra.xy) ** 2 / xx, 0)
    noise = unexplained / xx / spectra.windows
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
    cropped: Kernel = np.round(part / part.sum(), KERNEL_DECIMALS)
    return cropped
