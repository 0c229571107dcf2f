"""Power and cross spectra of registered pairs over the windows of a frame, pooled zone by zone.

Welch's method (P. D. Welch, IEEE Trans. Audio Electroacoust. 15, 70, 1967) over half-overlapping Hann windows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from twinlens.calibrate.equalise import gaussian_blurred
from twinlens.calibrate.frames import eroded
from twinlens.calibrate.mapping import Mapping
from twinlens.pixels import Mask, MonoFloat, PointsXY

WINDOW_PX = 256
ZONES = 3
"""A side: the frame is divided into ZONES x ZONES zones."""
_HOLES_ALLOWED = (0.005, 0.03, 0.1)
"""Shares of unusable pixels a window may hold, tried in turn."""
_ENOUGH_WINDOWS = 6
_HOLE_SOFTENING_PX = 3.0
_SIGMAS_PER_WINDOW = 16
"""A kernel is believed within a quarter of the window's side, which should be four of its second moments."""


@dataclass(frozen=True, slots=True)
class Spectra:
    """Pooled power and cross spectra of A on B's grid (x) and B (y)."""

    xx: NDArray[np.float64]
    """(n, n // 2 + 1)"""
    yy: NDArray[np.float64]
    xy: NDArray[np.complex128]
    """Mean of conj(x) y."""
    windows: int


def zone_spectra(
    a_on_b: MonoFloat, b: MonoFloat, usable: Mask, *, moved: Mapping | None = None, window_px: int = WINDOW_PX
) -> list[Spectra]:
    """Spectra of one registered pair, one per zone of the frame, row by row; a window counts where its centre is.

    Args:
        a_on_b: A on B's grid.
        b: B.
        usable: pixels that count in both.
        moved: correction found since `a_on_b` was resampled; A's windows follow it, the rest of a px as a phase.
        window_px: side of a window.
    """
    moved = moved or Mapping(np.eye(3))
    size = window_px
    taper = np.hanning(size + 1)[:size].astype(np.float32)
    window = taper[:, None] * taper[None, :]
    f_y, f_x = fft.fftfreq(size)[:, None], fft.rfftfreq(size)[None, :]
    xx, yy = np.zeros((2, ZONES**2, size, size // 2 + 1))
    xy = np.zeros((ZONES**2, size, size // 2 + 1), np.complex128)
    windows = np.zeros(ZONES**2, int)
    # Holes fade in and out like the windows' borders, so that no edge appears where a lamp saturates.
    weight = gaussian_blurred(eroded(usable, int(2 * _HOLE_SOFTENING_PX)).astype(np.float32), _HOLE_SOFTENING_PX)
    for top, left in _whole_windows(usable, size):
        cut = slice(top, top + size), slice(left, left + size)
        centre = np.array([[left + (size - 1) / 2, top + (size - 1) / 2]])
        d_x, d_y = (moved.map_b_from_a(centre) - centre)[0]
        # A's window follows by whole px: spectra of steep scenes say less than the shift between two windows.
        from_top = int(np.clip(top - round(d_y), 0, usable.shape[0] - size))
        from_left = int(np.clip(left - round(d_x), 0, usable.shape[1] - size))
        cut_a = slice(from_top, from_top + size), slice(from_left, from_left + size)
        d_x, d_y = d_x - (left - from_left), d_y - (top - from_top)
        here = window * weight[cut]
        x, y = (fft.rfft2((part - np.average(part, weights=here)) * here) for part in (a_on_b[cut_a], b[cut]))
        zone = zone_of(centre, (b.shape[0], b.shape[1]))[0]
        xx[zone] += np.abs(x) ** 2
        yy[zone] += np.abs(y) ** 2
        xy[zone] += np.conj(x) * y * np.exp(2j * np.pi * (f_x * d_x + f_y * d_y))
        windows[zone] += 1
    return [Spectra(xx[zone], yy[zone], xy[zone], int(windows[zone])) for zone in range(ZONES**2)]


def zone_of(points_xy: PointsXY, shape_hw: tuple[int, int]) -> NDArray[np.int64]:
    """The zone (n,) of points (n, 2), counted row by row."""
    column, row = np.clip(points_xy * ZONES // [shape_hw[1], shape_hw[0]], 0, ZONES - 1).astype(np.int64).T
    zone: NDArray[np.int64] = row * ZONES + column
    return zone


def window_px_for(shape_hw: tuple[int, int]) -> int:
    """The window's side for a frame: 256 px, or less where the frame would hold too few of them."""
    size = WINDOW_PX
    while size > 64 and size * 2 > min(shape_hw):
        size //= 2
    return size


def zone_window_px(shape_hw: tuple[int, int], *, sigma_px: float) -> int:
    """The window's side for zones: half of `window_px_for`, that more fit in, unless the blur needs it whole."""
    size = window_px_for(shape_hw)
    return size // 2 if size // 2 >= _SIGMAS_PER_WINDOW * sigma_px else size


def pooled(spectra: Sequence[Spectra]) -> Spectra:
    """The sum of several spectra."""
    return Spectra(
        xx=np.sum([one.xx for one in spectra], axis=0),
        yy=np.sum([one.yy for one in spectra], axis=0),
        xy=np.sum([one.xy for one in spectra], axis=0),
        windows=sum(one.windows for one in spectra),
    )


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
