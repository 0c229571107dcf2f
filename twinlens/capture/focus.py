"""How sharp and how overexposed a frame is: two numbers for the live view, cheap enough for every frame."""

import numpy as np
from numpy.typing import NDArray

from twinlens.pixels import Mono

_TILES = 8
"""The score looks at 8 x 8 tiles spread over the frame ..."""
_TILE_PX = 48
"""... of 48 x 48 neighbouring pixels each: skipping pixels inside a tile would hide the finest blur."""
_ROWS = 256
"""Saturation is counted in about so many rows, evenly spread; in all of them where there are fewer."""
_DARK = 1 / 32
"""Below this fraction of white the brightness no longer divides: noise of a covered camera is no sharpness."""


def focus_score(pixels: Mono) -> float:
    """The frame's steepness: root-mean-square gradient in percent of its mean brightness per pixel.

    The Tenengrad measure (mean squared Sobel gradient: Krotkov, Int. J. Computer Vision 1, 1987; GRA6 in the
    comparison of Pertuz, Puig and Garcia, Pattern Recognition 46, 2013) over the squared mean brightness, so that
    exposure does not change it. Higher is sharper; compare scores of one scene only. Noise adds to it.
    0 for frames smaller than 3 x 3. A uint16 frame is taken for 10 bits.
    """
    tiles = _tiles(pixels)
    if min(tiles.shape[1:]) < 3:
        return 0.0
    across = tiles[:, :, 2:] - tiles[:, :, :-2]
    down = tiles[:, 2:] - tiles[:, :-2]
    across = across[:, :-2] + 2 * across[:, 1:-1] + across[:, 2:]
    down = down[:, :, :-2] + 2 * down[:, :, 1:-1] + down[:, :, 2:]
    squares = [gradient.ravel().astype(np.float32) / 8 for gradient in (across, down)]  # the kernel's weight is 8
    steepness = np.sqrt(sum(float(flat @ flat) for flat in squares) / across.size)
    white = 255 if pixels.dtype == np.uint8 else 1023
    return float(100 * steepness / max(float(tiles.mean()), _DARK * white))


def saturated_fraction(pixels: Mono, *, bit_depth: int) -> float:
    """The fraction of pixels at the highest value `bit_depth` bits can hold, counted in every nth row."""
    rows = pixels[:: max(1, pixels.shape[0] // _ROWS)]
    return float(np.count_nonzero(rows >= 2**bit_depth - 1) / max(1, rows.size))


def _tiles(pixels: Mono) -> NDArray[np.int16]:
    """(tiles, h, w) int16, spread evenly; one tile, the whole frame, where it is small."""
    height, width = pixels.shape
    if height < _TILES * _TILE_PX or width < _TILES * _TILE_PX:
        return pixels[None].astype(np.int16)
    tall, wide = height // _TILES, width // _TILES
    grid = pixels[: tall * _TILES, : wide * _TILES].reshape(_TILES, tall, _TILES, wide)
    top, left = (tall - _TILE_PX) // 2, (wide - _TILE_PX) // 2
    middle = grid[:, top : top + _TILE_PX, :, left : left + _TILE_PX].swapaxes(1, 2)
    return middle.reshape(-1, _TILE_PX, _TILE_PX).astype(np.int16)
