"""Photographs as scenes: files become grey irradiance, cropped, reduced or tiled, but never enlarged."""

from pathlib import Path

import cv2
import numpy as np

from twinlens.errors import CaptureError
from twinlens.pixels import Mono8, MonoFloat

PHOTOGRAPH_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp"})

_REDUCE_FROM = 1.6
"""A photograph this much larger than needed is reduced to the size needed."""
_SMALLEST_PX = 160


def read_grey(path: Path, *, reduced: bool = False) -> Mono8:
    """A photograph as grey irradiance (h, w): its tones as they are, its lightest 0.2 % white.

    The sensor is linear and the file is not; but what matters here is that the twin's frame looks like the
    photograph, so the file's tones are taken for light.

    Args:
        path: any file OpenCV can decode.
        reduced: decode at an eighth of the size, to check quickly that it can be read.

    Raises:
        CaptureError: the file cannot be read, or is smaller than 160 px on a side.
    """
    mode = cv2.IMREAD_REDUCED_GRAYSCALE_8 if reduced else cv2.IMREAD_GRAYSCALE
    hint = "remove it from the folder, or save it again as JPEG, PNG or TIFF"
    try:
        encoded = np.fromfile(path, np.uint8)
        decoded = cv2.imdecode(encoded, mode) if encoded.size else None
    except (OSError, cv2.error) as cause:
        raise CaptureError(f"{path} cannot be read as a photograph: {cause}", hint=hint) from cause
    if decoded is None:
        raise CaptureError(f"{path} cannot be read as a photograph", hint=hint)
    size = min(decoded.shape) * (8 if reduced else 1)
    if size < _SMALLEST_PX:
        raise CaptureError(
            f"{path} is {decoded.shape[1]} x {decoded.shape[0]} px; a scene needs {_SMALLEST_PX} px on each side",
            hint="use larger photographs: they are never enlarged",
        )
    white = max(float(np.percentile(decoded[::4, ::4], 99.8)), 16.0)
    levels = np.clip(np.arange(256) / white, 0, 1)
    grey: Mono8 = np.round(255 * levels).astype(np.uint8)[decoded]
    return grey


def fill_canvas(photograph: Mono8, shape_hw: tuple[int, int], *, rng: np.random.Generator) -> MonoFloat:
    """A canvas (h, w) of irradiance in [0, 1] from one photograph.

    Much larger than the canvas it is reduced, larger it is cropped at its own sharpness; smaller it is laid
    out in tiles: itself, and mirrored or cropped repeats in another tone so that no two places look alike.
    """
    height, width = shape_hw
    surplus = min(photograph.shape[0] / height, photograph.shape[1] / width)
    if surplus > _REDUCE_FROM:
        size = round(photograph.shape[1] / surplus), round(photograph.shape[0] / surplus)
        photograph = _reduced(photograph, (max(size[1], height), max(size[0], width)))
    spare_y, spare_x = photograph.shape[0] - height, photograph.shape[1] - width
    if spare_y >= 0 and spare_x >= 0:
        top, left = spare_y // 2, int(rng.integers(spare_x + 1))
        return _irradiance(photograph[top : top + height, left : left + width])
    return _irradiance(_mosaic(photograph, shape_hw, rng=rng))


def _reduced(photograph: Mono8, shape_hw: tuple[int, int]) -> Mono8:
    return cv2.resize(photograph, shape_hw[::-1], interpolation=cv2.INTER_AREA).astype(np.uint8)


def _mosaic(photograph: Mono8, shape_hw: tuple[int, int], *, rng: np.random.Generator) -> Mono8:
    height, width = shape_hw
    tile_h, tile_w = min(photograph.shape[0], height), min(photograph.shape[1], width)
    mosaic = np.empty(shape_hw, np.uint8)
    for top in range(0, height, tile_h):
        # Every row starts elsewhere, as bricks do, so that seams do not run through.
        left = -int(rng.integers(tile_w)) if tile_w < width else 0
        while left < width:
            tile = _variant(photograph, (tile_h, tile_w), rng=rng)
            place = mosaic[top : top + tile_h, max(left, 0) : left + tile_w]
            skipped = max(-left, 0)
            place[:] = tile[: place.shape[0], skipped : skipped + place.shape[1]]
            left += tile_w
    return mosaic


def _variant(photograph: Mono8, shape_hw: tuple[int, int], *, rng: np.random.Generator) -> Mono8:
    top = int(rng.integers(photograph.shape[0] - shape_hw[0] + 1))
    left = int(rng.integers(photograph.shape[1] - shape_hw[1] + 1))
    crop = photograph[top : top + shape_hw[0], left : left + shape_hw[1]]
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    levels = 255 * (np.arange(256) / 255) ** rng.uniform(0.8, 1.25)
    return np.round(levels).astype(np.uint8)[crop]


def _irradiance(grey: Mono8) -> MonoFloat:
    scaled: MonoFloat = grey.astype(np.float32) / np.float32(255)
    return scaled
