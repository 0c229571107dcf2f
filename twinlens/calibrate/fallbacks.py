"""First homographies for pairs whose ORB features fail: SIFT features, and the phase of whole spectra."""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from twinlens.calibrate.equalise import gaussian_blurred, locally_normalised, smaller
from twinlens.calibrate.geometry import enlarged
from twinlens.calibrate.orb import INLIER_PX, CoarseFit, matched_homography, reduction
from twinlens.pixels import Homography, MonoFloat

_RATIO = 0.8
"""A match must be this much nearer than the next best (D. G. Lowe, IJCV 60, 91, 2004, section 7.1)."""
_PHASE_SIDE_PX = 512
_ANGLES, _RADII = 720, 512
"""Over half a turn, and over the frequencies that are compared."""
_LOWEST, _HIGHEST = 0.02, 0.35
"""Cycles per px: below, few places of the spectrum's grid are drawn out into a pattern of their own."""
_HIGHEST_BLURRED = 0.19
"""Cycles per sigma, where a Gaussian leaves a half."""


def sift_fit(a: MonoFloat, b: MonoFloat, *, sigma_px: float, features: int) -> CoarseFit:
    """As `orb_fit`, with SIFT: slower, and finds matches on smooth scenes where corners are rare."""
    factor = reduction(a)
    levels = [
        locally_normalised(gaussian_blurred(smaller(a, factor), sigma_px / factor)),
        locally_normalised(smaller(b, factor)),
    ]
    sift = cv2.SIFT.create(nfeatures=features, contrastThreshold=0.01)
    (points_a, descriptors_a), (points_b, descriptors_b) = (sift.detectAndCompute(each, None) for each in levels)
    count = min(len(points_a), len(points_b))
    if count < 4:
        return CoarseFit(np.eye(3), count, 0)
    candidates = cv2.BFMatcher(cv2.NORM_L2).knnMatch(descriptors_a, descriptors_b, k=2)
    matches = [two[0] for two in candidates if len(two) == 2 and two[0].distance < _RATIO * two[1].distance]
    from_a = np.array([points_a[match.queryIdx].pt for match in matches], np.float64).reshape(-1, 2)
    to_b = np.array([points_b[match.trainIdx].pt for match in matches], np.float64).reshape(-1, 2)
    found, inliers = matched_homography(from_a, to_b, (levels[0].shape[0], levels[0].shape[1]), INLIER_PX)
    return CoarseFit(enlarged(found, factor), count, inliers)


def phase_fit(a: MonoFloat, b: MonoFloat, *, sigma_px: float) -> CoarseFit:
    """A similarity from spectra alone (B. S. Reddy, B. N. Chatterji, IEEE Trans. Image Process. 5, 1266, 1996).

    Turn and scale move the magnitude of the spectrum, whatever the shift; then the phase tells the shift. It needs
    no features at all, and says nothing about how well it fits: `inliers` is 0.
    """
    factor = max(1, -(-max(a.shape) // _PHASE_SIDE_PX))
    small_a = gaussian_blurred(smaller(a, factor), sigma_px / factor)
    small_b = smaller(b, factor)
    levels_a, levels_b = (locally_normalised(each).astype(np.float32) - 128 for each in (small_a, small_b))
    height, width = levels_a.shape
    turn_deg, scale = _turn_and_scale(levels_a, levels_b, sigma_px=sigma_px / factor)
    centre = ((width - 1) / 2, (height - 1) / 2)
    turned_from_a = np.vstack([cv2.getRotationMatrix2D(centre, turn_deg, scale), [0, 0, 1]])
    turned = cv2.warpPerspective(levels_a, turned_from_a, (width, height))
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    (x_px, y_px), _ = cv2.phaseCorrelate(np.asarray(turned, np.float32), levels_b, window)
    turned_from_a[:2, 2] += x_px, y_px
    found: Homography = turned_from_a
    return CoarseFit(enlarged(found, factor), 0, 0)


def _turn_and_scale(a: NDArray[np.float32], b: NDArray[np.float32], *, sigma_px: float) -> tuple[float, float]:
    """By how many degrees (counter-clockwise) and which factor A must be turned and enlarged to look like B."""
    highest = min(_HIGHEST, _HIGHEST_BLURRED / max(sigma_px, 1e-3))
    polar_a, polar_b = (_log_polar(image, highest) for image in (a, b))
    correlation = fft.ifft2(np.conj(fft.fft2(polar_a)) * fft.fft2(polar_b)).real
    smooth = cv2.GaussianBlur(correlation, (0, 0), 1.0)
    angle, radius = np.unravel_index(int(np.argmax(smooth)), smooth.shape)
    turn_deg = -_around_zero(int(angle), _ANGLES) * 180 / _ANGLES
    return turn_deg, float(np.exp(-_around_zero(int(radius), _RADII) * np.log(highest / _LOWEST) / _RADII))


def _around_zero(place: int, count: int) -> int:
    return (place + count // 2) % count - count // 2


def _log_polar(image: NDArray[np.float32], highest: float) -> NDArray[np.float32]:
    """Log magnitude of the middle square's spectrum over angle (rows, half a turn) and log radius (columns).

    The mean over all angles, which every picture shares, is taken out.
    """
    side = min(image.shape) // 2 * 2
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    window = cv2.createHanningWindow((side, side), cv2.CV_32F)
    # Twice as fine a grid, so that reading between its places is exact enough.
    square = (image[top : top + side, left : left + side] - image.mean()) * window
    magnitude = np.abs(fft.fftshift(fft.fft2(square, (2 * side, 2 * side))))
    levels = np.log(magnitude + 0.05 * np.median(magnitude) + 1e-6).astype(np.float32)
    angle = (np.arange(_ANGLES) * np.pi / _ANGLES)[:, None]
    radius = 2 * side * _LOWEST * (highest / _LOWEST) ** (np.arange(_RADII) / _RADII)
    x, y = (side + radius * np.cos(angle)).astype(np.float32), (side + radius * np.sin(angle)).astype(np.float32)
    polar = np.asarray(cv2.remap(levels, x, y, cv2.INTER_LINEAR), np.float32)
    tapered: NDArray[np.float32] = (polar - polar.mean(axis=0)) * np.hanning(_RADII).astype(np.float32)
    return tapered
