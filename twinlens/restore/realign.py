"""Scoring after re-alignment: a restored picture is moved onto its target before the two are compared.

A target that lies a fraction of a pixel beside its input costs every method decibels that no method can win
back. What is moved is the picture that is judged; the target and its noise stay as they are. Resampling smooths
a little, worth 0.1 to 0.5 dB where the picture is noisy: compare re-aligned scores with re-aligned ones only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from twinlens.pixels import Homography, Mask, Picture
from twinlens.restore.planes import as_picture, channels

REALIGNMENTS = {
    "shift": "moved by the (x, y) that fits best, a part of a pixel; brightness as it is",
    "homography": "warped by a homography and scaled in brightness, as tables of RealBlur are",
}
_LEAST_GAIN = 0.05
"""Of brightness, below which nothing of one picture is found in the other."""
MOST_PX = 4.0
"""A residual beyond this is no residual: the pair is not aligned, or the restored picture is not of the scene."""
_TAPS = 8
"""Of the resampling filter; what lies nearer to a masked pixel than half of them is masked too."""
_WINDOW_PX = 5
"""Half of the widest window that SSIM needs whole."""
_ECC_STEPS = 100


@dataclass(frozen=True)
class Realigned:
    """A picture moved onto its target, and the pixels that may be compared."""

    picture: Picture
    mask: Mask
    target_from_picture: Homography
    gain: float
    """Factor on its brightness."""

    @property
    def moved_px(self) -> float:
        """How far the middle of the picture moved."""
        height, width = self.mask.shape
        middle = np.array([(width - 1) / 2, (height - 1) / 2])
        x, y, w = self.target_from_picture @ [*middle, 1.0]
        return float(np.hypot(*(np.array([x, y]) / w - middle)))


def realign(picture: Picture, target: Picture, mask: Mask, *, method: str, data_range: float) -> Realigned | None:
    """The picture moved onto the target; None where no displacement below `MOST_PX` fits, or no area is left.

    Args:
        picture: (h, w) or (h, w, 3).
        target: of the same shape and dtype.
        mask: pixels of the target that count.
        method: a name of `REALIGNMENTS`.
        data_range: largest level minus the smallest.
    """
    if method not in REALIGNMENTS:
        raise ValueError(f"re-alignment {method!r} is not known; {', '.join(REALIGNMENTS)} are")
    grey, goal = _grey(picture) / data_range, _grey(target) / data_range
    inner = _shrunk(mask, int(MOST_PX) + _TAPS // 2)
    if not _shrunk(inner, _WINDOW_PX).any():
        return None
    shift = _found_shift(grey, goal, inner)
    if shift is None:
        return None
    if method == "shift":
        moved = [_shifted(plane, shift) for plane in _planes(picture)]
        target_from_picture = np.array([[1.0, 0.0, shift[0]], [0.0, 1.0, shift[1]], [0.0, 0.0, 1.0]])
        return Realigned(as_picture(moved, like=picture, white=data_range), inner, target_from_picture, 1.0)
    found = _found_homography(grey, goal, inner, start=shift)
    if found is None:
        return None
    moved = [_warped(plane, found) for plane in _planes(picture)]
    gain = _fitting_gain(moved, _planes(target), inner)
    target_from_picture = np.asarray(np.linalg.inv(found), np.float64)
    return Realigned(
        as_picture([gain * plane for plane in moved], like=picture, white=data_range),
        inner,
        target_from_picture,
        gain,
    )


def _found_shift(
    grey: NDArray[np.float32], goal: NDArray[np.float32], counted: Mask
) -> tuple[float, float] | None:
    """By how much `grey` has to move (x, y) to fit `goal`: Gauss-Newton on the smoothed difference.

    Both are smoothed alike, so that noise pulls less; gain and offset are fitted with the shift (Lucas and
    Kanade 1981 with a linear change of brightness), so that a difference in brightness pulls not at all.
    """
    still, moving = _smooth(goal), _smooth(grey)
    shift = np.zeros(2)
    for _ in range(20):
        moved = _shifted(moving, (shift[0], shift[1]))
        slopes = _slopes(moved)
        columns = np.stack([-slopes[0][counted], -slopes[1][counted], moved[counted], np.ones(counted.sum())])
        normal = columns @ columns.T
        if np.linalg.cond(normal) > 1e12:
            return None  # flat, or an edge in one direction only
        solved = np.linalg.solve(normal, columns @ still[counted])
        gain = solved[2]
        if not gain > _LEAST_GAIN:
            return None  # the one is a negative of the other, or flat
        step = solved[:2] / gain  # slopes belong to the picture before its brightness is fitted
        shift += step
        if not np.abs(shift).max() < MOST_PX:
            return None
        if np.abs(step).max() < 1e-4:
            return float(shift[0]), float(shift[1])
    return None


def _found_homography(
    grey: NDArray[np.float32], goal: NDArray[np.float32], counted: Mask, *, start: tuple[float, float]
) -> Homography | None:
    """picture_from_target by enhanced correlation (Evangelidis and Psarakis 2008), beginning with a shift."""
    begin = np.array([[1, 0, -start[0]], [0, 1, -start[1]], [0, 0, 1]], np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _ECC_STEPS, 1e-7)
    weights = counted.astype(np.uint8) * 255
    try:
        _, found = cv2.findTransformECC(goal, grey, begin, cv2.MOTION_HOMOGRAPHY, criteria, weights, 5)
    except cv2.error:  # it raises where its steps do not converge
        return None
    height, width = counted.shape
    corners = np.array([[0, 0, 1], [width - 1, 0, 1], [0, height - 1, 1], [width - 1, height - 1, 1]], np.float64)
    seen = corners @ np.asarray(found, np.float64).T
    if not np.abs(seen[:, :2] / seen[:, 2:] - corners[:, :2]).max() < MOST_PX:
        return None
    return np.asarray(found, np.float64)


def _fitting_gain(
    moved: Sequence[NDArray[np.float32]], target: Sequence[NDArray[np.float32]], counted: Mask
) -> float:
    """The factor with the least squared difference, one for all colours."""
    a = np.concatenate([plane[counted] for plane in moved]).astype(np.float64)
    b = np.concatenate([plane[counted] for plane in target]).astype(np.float64)
    return float(a @ b / (a @ a)) if a.any() else 1.0


def _shifted(plane: NDArray[np.float32], shift_xy: tuple[float, float]) -> NDArray[np.float32]:
    """Moved by a part of a pixel: a separable filter, whole pixels included, borders reflected.

    OpenCV's own warps round to 1/32 px, which is more than is looked for here.
    """
    x, y = (_delay(shift) for shift in shift_xy)
    return np.asarray(cv2.sepFilter2D(plane, -1, x, y, borderType=cv2.BORDER_REFLECT), np.float32)


def _delay(shift_px: float) -> NDArray[np.float64]:
    """Taps that move a row by `shift_px` (+ = to the right): a sinc under a Kaiser window of 8 px, beta 5."""
    reach = int(MOST_PX) + _TAPS // 2 + 1
    # OpenCV correlates: out[i] = sum over k of taps[k] in[i + k], and in(i - shift) is wanted.
    distance = np.arange(-reach, reach + 1) + shift_px
    inside = np.clip(1 - np.square(distance / (_TAPS / 2)), 0.0, None)
    taps = np.sinc(distance) * np.where(inside > 0, np.i0(5.0 * np.sqrt(inside)), 0.0)
    return np.asarray(taps / taps.sum())


def _warped(plane: NDArray[np.float32], picture_from_target: Homography) -> NDArray[np.float32]:
    flags = cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP
    size = (plane.shape[1], plane.shape[0])
    return np.asarray(
        cv2.warpPerspective(plane, picture_from_target, size, flags=flags, borderMode=cv2.BORDER_REFLECT),
        np.float32,
    )


def _shrunk(mask: Mask, by_px: int) -> Mask:
    """Without what lies within `by_px` of a masked pixel or of the picture's border."""
    kernel = np.ones((2 * by_px + 1, 2 * by_px + 1), np.uint8)
    inner = cv2.erode(mask.astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(inner > 0)


def _smooth(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), 1.0, borderType=cv2.BORDER_REFLECT), np.float32)


def _slopes(plane: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    taps, one = np.array([-0.5, 0.0, 0.5]), np.ones(1)
    x, y = cv2.sepFilter2D(plane, -1, taps, one), cv2.sepFilter2D(plane, -1, one, taps)
    return np.asarray(x, np.float32), np.asarray(y, np.float32)


def _grey(picture: Picture) -> NDArray[np.float32]:
    return np.asarray(picture if picture.ndim == 2 else picture.mean(axis=2), np.float32)


def _planes(picture: Picture) -> list[NDArray[np.float32]]:
    return [plane.astype(np.float32) for plane in channels(picture)]
