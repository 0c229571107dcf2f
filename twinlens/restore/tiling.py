"""Cutting an image into overlapping tiles and joining what came of them without visible seams.

A network that sees farther than the overlap (MPRNet averages over its whole input and cuts it in halves)
gives a slightly different picture in tiles than in one piece.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Tile:
    """A rectangle of an image, in px; the end is not part of it."""

    top: int
    left: int
    bottom: int
    right: int

    def of(self, image: Tensor) -> Tensor:
        """This part of (..., h, w), as a view."""
        return image[..., self.top : self.bottom, self.left : self.right]


def plan_tiles(shape_hw: tuple[int, int], *, tile_px: int, overlap_px: int, multiple: int) -> list[Tile]:
    """Tiles of equal size that cover an image whose sides are multiples of `multiple`.

    Every tile's place and size is a multiple of `multiple` and at most `tile_px` high and wide; neighbours
    share at least `overlap_px`.
    """
    rows, columns = (
        _spans(length, tile_px=tile_px, overlap_px=overlap_px, multiple=multiple) for length in shape_hw
    )
    return [Tile(top, left, bottom, right) for (top, bottom), (left, right) in itertools.product(rows, columns)]


def restore_tiled(
    image: Tensor,
    tiles: Sequence[Tile],
    *,
    overlap_px: int,
    restore: Callable[[Tensor], Tensor],
    on_tile: Callable[[int, int], None] | None = None,
) -> Tensor:
    """`restore` applied tile by tile to (1, c, h, w) and blended in float32, on the host.

    A tile's outer quarter of the overlap is dropped and the middle half fades, so that what a network makes
    of a tile's border is never seen as long as it reaches no farther than overlap_px / 4.

    Args:
        image: values in [0, 1].
        tiles: which cover the image.
        overlap_px: what neighbouring tiles share at least.
        restore: one tile in, the same tile restored out.
        on_tile: told how many tiles are done, of how many.
    """
    if len(tiles) == 1:
        return restore(image)
    total = torch.zeros_like(image)
    weights = torch.zeros_like(image[:, :1])
    for done, tile in enumerate(tiles, start=1):
        weight = _feather(tile, (image.shape[2], image.shape[3]), overlap_px)
        tile.of(total).addcmul_(restore(tile.of(image)), weight)
        tile.of(weights).add_(weight)
        if on_tile is not None:
            on_tile(done, len(tiles))
    return total.div_(weights)


def _spans(length: int, *, tile_px: int, overlap_px: int, multiple: int) -> list[tuple[int, int]]:
    largest = tile_px // multiple * multiple
    overlap = math.ceil(overlap_px / multiple) * multiple
    if length <= largest:
        return [(0, length)]
    if largest <= overlap:
        raise ValueError(f"a tile of {tile_px} px is not larger than its overlap of {overlap} px")
    count = math.ceil((length - overlap) / (largest - overlap))
    # Equal tiles, only as large as the overlap needs, waste least work.
    size = math.ceil((length + (count - 1) * overlap) / count / multiple) * multiple
    starts = [(length - size) * i // (count - 1) // multiple * multiple for i in range(count)]
    return [(start, start + size) for start in starts]


def _feather(tile: Tile, shape_hw: tuple[int, int], overlap_px: int) -> Tensor:
    """Weights (h, w) of a tile: 1 inside and towards the image's border, fading towards its neighbours."""
    height, width = shape_hw
    rows = _ramp(tile.top, tile.bottom, height, overlap_px)
    columns = _ramp(tile.left, tile.right, width, overlap_px)
    return rows[:, None] * columns[None, :]


def _ramp(begin: int, end: int, length: int, overlap_px: int) -> Tensor:
    centres = torch.arange(end - begin) + 0.5
    ramp = torch.ones(end - begin)
    for has_neighbour, distance in ((begin > 0, centres), (end < length, (end - begin) - centres)):
        if has_neighbour and overlap_px:
            ramp = torch.minimum(ramp, ((distance - overlap_px / 4) / (overlap_px / 2)).clamp(0.0, 1.0))
    return ramp
