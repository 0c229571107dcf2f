"""What a pair of frames must be like before anything is measured on it."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from twinlens.errors import DegenerateGeometryError
from twinlens.pixels import Mask, Mono, MonoFloat

MIN_SIDE_PX = 128
MAX_SATURATED = 0.5
"""Above this share of saturated pixels in either frame nothing reliable is left."""


def check_pair(a: NDArray[Any], b: NDArray[Any], *, bit_depth: int, name: str = "the pair") -> None:
    """Accept two mono frames of one size that are mostly exposed well.

    Raises:
        ValueError: an array is not (h, w) uint8 or uint16, or cannot have that bit depth.
        DegenerateGeometryError: the sizes differ, a frame is too small, or one is mostly saturated.
    """
    for camera, frame in (("A", a), ("B", b)):
        if not isinstance(frame, np.ndarray) or frame.ndim != 2 or frame.dtype not in (np.uint8, np.uint16):
            raise ValueError(
                f"{name}: camera {camera}'s frame is {_kind(frame)}; (h, w) uint8 or uint16 is needed, in this "
                "machine's byte order"
            )
        if min(frame.shape) < MIN_SIDE_PX:
            raise DegenerateGeometryError(
                f"{name}: camera {camera}'s frame is {_size(frame)}; {MIN_SIDE_PX} px a side are needed",
                hint="record a larger region of interest",
            )
    if not 1 <= bit_depth <= 8 * a.dtype.itemsize:
        raise ValueError(f"{name}: a bit depth of {bit_depth} does not fit frames of {a.dtype}")
    if a.shape != b.shape or a.dtype != b.dtype:
        raise DegenerateGeometryError(
            f"{name}: A is {_size(a)} {a.dtype}, B is {_size(b)} {b.dtype}; both cameras must be set alike",
            hint="set the same region of interest and pixel format on both cameras and record again",
        )
    for camera, frame in (("A", a), ("B", b)):
        share = 1 - float(np.mean(unsaturated(frame, bit_depth)))
        if share > MAX_SATURATED:
            raise DegenerateGeometryError(
                f"{name}: {share:.0%} of camera {camera}'s frame is saturated, at most {MAX_SATURATED:.0%} can be",
                hint=f"shorten the exposure of camera {camera} and record again",
            )


def whole_depth(frame: NDArray[Any]) -> int:
    """All bits of a frame's pixels; of what is no array, which `check_pair` refuses, some."""
    return 8 * frame.dtype.itemsize if isinstance(frame, np.ndarray) else 8


def full_scale(bit_depth: int) -> int:
    """The grey level at which a pixel of `bit_depth` saturates."""
    return (1 << bit_depth) - 1


def unsaturated(frame: Mono, bit_depth: int) -> Mask:
    """Where a frame holds light rather than a limit."""
    mask: Mask = frame < full_scale(bit_depth)
    return mask


def rounded_like(frame: Mono, exact: MonoFloat, *, bit_depth: int) -> Mono:
    """Exact grey levels rounded to the dtype of `frame` and kept within `bit_depth`."""
    levels = np.clip(np.rint(exact), 0, full_scale(bit_depth))
    return levels.astype(np.uint8) if frame.dtype == np.uint8 else levels.astype(np.uint16)


def eroded(mask: Mask, radius_px: int) -> Mask:
    """Pixels whose square neighbourhood of `radius_px` is True everywhere; beyond the border counts as False."""
    if radius_px <= 0:
        return mask
    side = 2 * radius_px + 1
    shrunk = cv2.erode(
        mask.view(np.uint8), np.ones((side, side), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0
    )
    return shrunk.view(np.bool_)


def as_float(frame: Mono) -> MonoFloat:
    """Grey levels as float32."""
    return frame.astype(np.float32)


def _size(frame: NDArray[Any]) -> str:
    return f"{frame.shape[1]}x{frame.shape[0]}"


def _kind(frame: Any) -> str:
    return f"{frame.dtype} {frame.shape}" if isinstance(frame, np.ndarray) else f"a {type(frame).__name__}"
