"""Tiles cover everything once, and a local operation cannot tell that it was cut."""

import itertools

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from twinlens.restore.tiling import plan_tiles, restore_tiled


@pytest.mark.parametrize("shape_hw", [(64, 64), (248, 400), (1888, 2432), (72, 1000), (8, 8)])
@pytest.mark.parametrize(("tile_px", "overlap_px"), [(64, 0), (64, 16), (128, 60), (512, 64), (100, 31)])
def test_tiles_cover_the_image_with_equal_tiles_that_overlap_enough(
    shape_hw: tuple[int, int], tile_px: int, overlap_px: int
) -> None:
    tiles = plan_tiles(shape_hw, tile_px=tile_px, overlap_px=overlap_px, multiple=8)
    covered = torch.zeros(shape_hw)
    for tile in tiles:
        tile.of(covered).add_(1)
        assert all(edge % 8 == 0 for edge in (tile.top, tile.left, tile.bottom, tile.right))
        assert max(tile.bottom - tile.top, tile.right - tile.left) <= tile_px
    assert covered.min() >= 1
    assert len({(tile.bottom - tile.top, tile.right - tile.left) for tile in tiles}) == 1
    lefts = sorted({(tile.left, tile.right) for tile in tiles})
    for (_, right), (left, _) in itertools.pairwise(lefts):
        assert right - left >= overlap_px


def test_a_tile_not_larger_than_its_overlap_is_refused() -> None:
    with pytest.raises(ValueError, match="not larger than its overlap"):
        plan_tiles((512, 512), tile_px=64, overlap_px=60, multiple=8)


def blur(image: Tensor, radius_px: int) -> Tensor:
    """A mean over a square, with zeros beyond the border as a convolution pads."""
    size = 2 * radius_px + 1
    return functional.avg_pool2d(image, size, stride=1, padding=radius_px)


def tiled_and_whole(radius_px: int) -> tuple[Tensor, Tensor]:
    image = torch.rand(1, 1, 200, 264, generator=torch.Generator().manual_seed(1))
    tiles = plan_tiles((200, 264), tile_px=96, overlap_px=32, multiple=8)
    assert len(tiles) > 8
    tiled = restore_tiled(image, tiles, overlap_px=32, restore=lambda part: blur(part, radius_px))
    return tiled, blur(image, radius_px)


def test_tiled_equals_whole_for_what_reaches_no_farther_than_a_quarter_of_the_overlap() -> None:
    tiled, whole = tiled_and_whole(radius_px=8)
    torch.testing.assert_close(tiled, whole, rtol=0, atol=2e-6)


def test_tiled_differs_from_whole_for_what_reaches_farther() -> None:
    tiled, whole = tiled_and_whole(radius_px=30)
    assert (tiled - whole).abs().max() > 1e-3


def test_without_overlap_tiles_are_laid_side_by_side() -> None:
    image = torch.rand(1, 3, 64, 128)
    tiles = plan_tiles((64, 128), tile_px=64, overlap_px=0, multiple=8)
    assert torch.equal(restore_tiled(image, tiles, overlap_px=0, restore=lambda part: part), image)
