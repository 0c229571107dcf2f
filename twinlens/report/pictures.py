"""Photographs on a page: cropped pixel for pixel or reduced, never enlarged, as data URIs."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from twinlens.pixels import Mono, Mono8, Picture, Picture8

_Pixels = TypeVar("_Pixels", bound=NDArray[Any])

_JPEG_QUALITY = 88
_MARK_RGB = (255, 190, 0)


@dataclass(frozen=True)
class Shown:
    """A picture as a page shows it: its data URI, what it says without eyes, and its size in CSS px."""

    source: str
    alt: str
    width: int
    height: int


@dataclass(frozen=True)
class Window:
    """A part of a picture; left and top are the (x, y) of its first pixel."""

    left: int
    top: int
    width: int
    height: int

    def of(self, picture: _Pixels) -> _Pixels:
        """The pixels inside, as a view."""
        inside = picture[self.top : self.top + self.height, self.left : self.left + self.width]
        return cast(_Pixels, inside)


def eight_bit(picture: Picture, bit_depth: int) -> Picture8:
    """Levels of a screen, 0..255 for 0..2^bit_depth - 1."""
    if picture.dtype == np.uint8:
        return picture.astype(np.uint8, copy=False)
    white = (1 << bit_depth) - 1
    levels: Picture8 = np.clip(np.rint(picture * (255.0 / white)), 0, 255).astype(np.uint8)
    return levels


def native(picture: Picture, alt: str) -> Shown:
    """8 bit pixels without loss (PNG), one on each CSS px."""
    return Shown(_data_uri(".png", picture), alt, picture.shape[1], picture.shape[0])


def reduced(picture: Picture, alt: str, *, width: int, marks: Sequence[Window] = ()) -> Shown:
    """An 8 bit picture made small (JPEG), with twice as many pixels as CSS px where it has them.

    Args:
        picture: 8 bit, (h, w) or (h, w, 3).
        alt: what it shows, in words.
        width: in CSS px; a picture that has fewer pixels is shown smaller.
        marks: the parts to draw a frame around.
    """
    height_px, width_px = picture.shape[:2]
    shown_width = min(width, width_px)
    scale = min(1.0, 2 * shown_width / width_px)
    size_wh = (round(width_px * scale), round(height_px * scale))
    small: Picture = np.asarray(cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    if marks:
        small = _framed(small, marks, scale)
    return Shown(_data_uri(".jpg", small), alt, shown_width, round(height_px * shown_width / width_px))


def busiest_window(target: Mono, size_hw: tuple[int, int], *, within: Window | None = None) -> Window:
    """The window with most gradient energy: a rule instead of a choice. Smaller where the picture is."""
    region = within or Window(0, 0, target.shape[1], target.shape[0])
    height, width = min(size_hw[0], region.height), min(size_hw[1], region.width)
    step = max(1, min(height, width) // 64)
    pixels = region.of(target).astype(np.float32)
    small = cv2.resize(pixels, (region.width // step, region.height // step), interpolation=cv2.INTER_AREA)
    energy = cv2.Sobel(small, cv2.CV_32F, 1, 0) ** 2 + cv2.Sobel(small, cv2.CV_32F, 0, 1) ** 2
    # One outlying edge must not outweigh a window full of detail.
    energy = np.minimum(energy, np.percentile(energy, 98) or energy.max())
    rows, columns = max(1, height // step), max(1, width // step)
    sums = cv2.boxFilter(energy, -1, (columns, rows), anchor=(0, 0), normalize=False)
    valid = sums[: max(1, small.shape[0] - rows + 1), : max(1, small.shape[1] - columns + 1)]
    top, left = np.unravel_index(int(np.argmax(valid)), valid.shape)
    return Window(
        left=region.left + min(int(left) * step, region.width - width),
        top=region.top + min(int(top) * step, region.height - height),
        width=width,
        height=height,
    )


def in_brightness_of(b: Mono8, a: Mono8) -> Mono8:
    """`a` with the mean and contrast of `b`, so that an overlay shows geometry and not brightness.

    Black pixels of `a` are beyond its border: they stay black and are not counted.
    """
    seen = a > 0
    if not seen.any():
        return a
    levels_a, levels_b = a[seen].astype(np.float32), b[seen].astype(np.float32)
    contrast = float(levels_b.std()) / max(float(levels_a.std()), 1.0)
    brought: Mono8 = np.zeros_like(a)
    matched = (levels_a - levels_a.mean()) * contrast + levels_b.mean()
    brought[seen] = np.clip(np.rint(matched), 0, 255).astype(np.uint8)
    return brought


def red_cyan(a: Mono8, b: Mono8) -> Picture:
    """(h, w, 3): A in red, B in cyan; where both agree it is grey."""
    return np.dstack([a, b, b])


def checkerboard(a: Mono8, b: Mono8, *, field_px: int) -> Mono8:
    """A and B in turn, like the fields of a chess board; the top-left field is A's."""
    rows, columns = np.indices(a.shape) // field_px
    return np.where((rows + columns) % 2 == 0, a, b)


def _framed(picture: Picture, marks: Sequence[Window], scale: float) -> Picture:
    canvas: Picture = np.dstack([picture] * 3).astype(np.uint8) if picture.ndim == 2 else picture.copy()
    for mark in marks:
        first = (round(mark.left * scale), round(mark.top * scale))
        last = (round((mark.left + mark.width) * scale), round((mark.top + mark.height) * scale))
        cv2.rectangle(canvas, first, last, _MARK_RGB, thickness=3)
    return canvas


def _data_uri(suffix: str, picture: Picture) -> str:
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if suffix == ".jpg" else []
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.ndim == 3 else picture
    done, encoded = cv2.imencode(suffix, bgr, options)
    if not done:
        raise ValueError(f"a picture of {picture.shape} {picture.dtype} cannot be written as {suffix}")
    kind = "jpeg" if suffix == ".jpg" else "png"
    return f"data:image/{kind};base64,{base64.b64encode(encoded.tobytes()).decode()}"
