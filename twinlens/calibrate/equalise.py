"""Making A look like B before they are compared: how much blurrier B is, and A blurred as much."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from twinlens.pixels import Kernel, Mono, MonoFloat

KERNEL_DECIMALS = 8
"""Finer than a kernel's noise, and a person can read them."""
_LEAST_SIGMA_PX = 0.2
_WINDOW_PX = 128
_SIGNAL_OVER_FLOOR = 3.0
"""Frequencies where B's power is below this many noise floors say nothing about its blur."""
_DEEPEST_LOG_RATIO = -4.0
"""Beyond exp(-4) a real transfer function has left the Gaussian that is fitted to it."""


def blur_sigma_px(a: Mono | MonoFloat, b: Mono | MonoFloat) -> float:
    """Standard deviation in px of the Gaussian by which B is blurrier than A, negative where A is; unaligned.

    The ratio of two power spectra of one scene is the squared transfer function, wherever the scene sits:
    ln(P_b / P_a) = const - (2 pi sigma f)^2.
    """
    frequency, power_a = _radial_power(a)
    _, power_b = _radial_power(b)
    there, there_is_known = _sigma_px(frequency, power_a, power_b)
    back, back_is_known = _sigma_px(frequency, power_b, power_a)
    # Each way believes the sharper picture's noise: where A is the blurrier one, only the way back is right.
    if back_is_known and back > max(0.0, 2 * there):
        return -back
    return there if there_is_known else max(0.0, there)


def _sigma_px(
    frequency: NDArray[np.float64], power_a: NDArray[np.float64], power_b: NDArray[np.float64]
) -> tuple[float, bool]:
    """By how much B is blurrier, where it is, from radial spectra (n,); and whether enough of them tells."""
    floor_b = float(np.median(power_b[frequency > 0.45]))
    signal_b = power_b - floor_b
    usable = (frequency < 0.45) & (signal_b > _SIGNAL_OVER_FLOOR * floor_b) & (power_a > 0)
    is_known = bool(usable.sum() >= 3)
    if not is_known:
        # Nothing stands out of the floor, which may be the scene itself: the lowest frequencies as they are.
        usable, signal_b = np.arange(len(frequency)) < 4, power_b
    f2 = frequency[usable] ** 2
    ratio = np.log(np.maximum(signal_b[usable], floor_b * 0.1 + 1e-12) / np.maximum(power_a[usable], 1e-12))
    keep = ratio > ratio[0] + _DEEPEST_LOG_RATIO
    if keep.sum() < 3:
        keep[:3] = True
    slope = np.polyfit(f2[keep], ratio[keep], 1)[0]
    return float(-np.sign(slope) * np.sqrt(abs(slope)) / (2 * np.pi)), is_known


def gaussian_blurred(image: MonoFloat, sigma_px: float) -> MonoFloat:
    """`image` blurred by a Gaussian; unchanged below 0.2 px, where sampling it makes no sense."""
    if sigma_px < _LEAST_SIGMA_PX:
        return image
    return _floats(cv2.GaussianBlur(image, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT_101))


def gaussian_kernel(sigma_px: float) -> Kernel:
    """A Gaussian (k, k), sampled and cut at four sigma; a single pixel below 0.2 px."""
    if sigma_px < _LEAST_SIGMA_PX:
        return np.ones((1, 1))
    reach = int(np.ceil(4 * sigma_px))
    line = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma_px) ** 2)
    kernel: Kernel = np.round(np.outer(line, line) / line.sum() ** 2, KERNEL_DECIMALS)
    return kernel


def reduced_kernel(kernel: Kernel, factor: int) -> Kernel:
    """The kernel (k, k) that does to frames reduced by `factor` what this one does to full frames.

    Both have the same transfer function up to the coarser grid's highest frequency.
    """
    if factor == 1:
        return kernel
    radius = -(-(len(kernel) // 2) // factor) + 2
    size = 2 * factor * (2 * radius + 1)
    padded = np.zeros((size, size))
    padded[: len(kernel), : len(kernel)] = kernel
    spectrum = fft.fftshift(fft.fft2(np.roll(padded, (-(len(kernel) // 2),) * 2, axis=(0, 1))))
    coarse = size // factor
    first = (size - coarse) // 2
    inner = spectrum[first : first + coarse, first : first + coarse]
    middle = coarse // 2
    small = fft.fftshift(fft.ifft2(fft.ifftshift(inner)).real)
    cut: Kernel = small[middle - radius : middle + radius + 1, middle - radius : middle + radius + 1]
    normalised: Kernel = cut / cut.sum()
    return normalised


def kernel_blurred(image: MonoFloat, kernel: Kernel) -> MonoFloat:
    """`image` convolved with `kernel`; within its radius of the border the picture is wrapped, not real."""
    height, width = image.shape
    radius = kernel.shape[0] // 2
    size_hw = (fft.next_fast_len(height + radius, real=True), fft.next_fast_len(width + radius, real=True))
    padded_kernel = np.zeros(size_hw, np.float32)
    padded_kernel[: kernel.shape[0], : kernel.shape[1]] = kernel
    padded_kernel = np.roll(padded_kernel, (-radius, -radius), axis=(0, 1))
    spectrum = fft.rfft2(image, size_hw) * fft.rfft2(padded_kernel)
    blurred: MonoFloat = np.ascontiguousarray(fft.irfft2(spectrum, size_hw)[:height, :width], dtype=np.float32)
    return blurred


def locally_normalised(image: MonoFloat, *, sigma_px: float = 8.0) -> NDArray[np.uint8]:
    """(h, w) uint8: local mean 128 and contrast alike everywhere, so that vignette and shade do not matter."""
    mean = cv2.GaussianBlur(image, (0, 0), sigma_px)
    deviation = np.sqrt(np.maximum(cv2.GaussianBlur((image - mean) ** 2, (0, 0), sigma_px), 0))
    # A floor of the median keeps sky and walls, where only noise is left, from looking like texture.
    floor = 0.3 * float(np.median(deviation)) + 1e-3
    z = (image - mean) / (deviation + floor)
    levels: NDArray[np.uint8] = np.clip(128 + 45 * z, 0, 255).astype(np.uint8)
    return levels


def smaller(image: MonoFloat, factor: int) -> MonoFloat:
    """`image` reduced by a whole factor, each pixel the mean of those it replaces; odd rests are cut off."""
    if factor == 1:
        return image
    height, width = (size // factor for size in image.shape)
    part = image[: height * factor, : width * factor]
    return _floats(cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA))


def _floats(image: NDArray[Any]) -> MonoFloat:
    """OpenCV's answer, whose type its stubs leave open."""
    return np.asarray(image, np.float32)


def _radial_power(image: Mono | MonoFloat) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies (n,) in cycles per px and the mean power spectrum (n,) of Hann windows."""
    size = min(_WINDOW_PX, *image.shape)
    taper = np.hanning(size + 1)[:size].astype(np.float32)
    window = taper[:, None] * taper[None, :]
    total = np.zeros((size, size // 2 + 1))
    for top in range(0, image.shape[0] - size + 1, size):
        row = image[top : top + size, : image.shape[1] // size * size].astype(np.float32)
        tiles = row.reshape(size, -1, size).swapaxes(0, 1)
        tiles = (tiles - tiles.mean(axis=(1, 2), keepdims=True)) * window
        total += (np.abs(fft.rfft2(tiles)) ** 2).sum(axis=0)
    radius = np.hypot(fft.fftfreq(size)[:, None], fft.rfftfreq(size)[None, :])
    ring = np.minimum((radius * size + 0.5).astype(int), size // 2)
    # The lowest rings hold the window's own leakage and differences of illumination.
    counts = np.bincount(ring.ravel())[2:]
    power = np.bincount(ring.ravel(), weights=total.ravel())[2:] / counts
    return np.arange(2, 2 + len(counts)) / size, power
