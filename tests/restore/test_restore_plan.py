"""Whole where it fits, otherwise the largest tiles that do, with a need that grows with the piece."""

import re

import pytest

from twinlens.errors import RestoreError
from twinlens.restore.memory import MIB
from twinlens.restore.restore_plan import Planner, RestorePlan

BYTES_PER_PX = 1000


def planner(*, overlap_px: int = 64, multiple: int = 8) -> Planner:
    return Planner(
        piece_bytes=lambda shape_hw: BYTES_PER_PX * shape_hw[0] * shape_hw[1],
        multiple=multiple,
        channels=1,
        overlap_px=overlap_px,
    )


def planned(shape_hw: tuple[int, int], free_mib: int, *, tile_px: int | None = None, **kind: int) -> RestorePlan:
    return planner(**kind).plan(shape_hw, tile_px=tile_px, free_bytes=free_mib * MIB)


def test_a_picture_that_fits_is_whole_and_says_what_it_needs() -> None:
    plan = planned((512, 1024), 600)
    assert plan.is_whole
    assert plan.tile_hw == (512, 1024)
    assert plan.need_bytes == (BYTES_PER_PX + 4) * 512 * 1024  # with the picture in float32
    assert "0.5 GiB needed, 0.6 GiB may be taken" in str(plan)


@pytest.mark.parametrize("free_mib", [60, 120, 300, 480])
@pytest.mark.parametrize("multiple", [1, 8, 12])
def test_one_step_larger_a_tile_would_not_fit(free_mib: int, multiple: int) -> None:
    side = 720 // multiple * multiple
    plan = planned((side, 2 * side), free_mib, multiple=multiple)
    assert not plan.is_whole
    assert plan.need_bytes <= free_mib * MIB < plan.whole_bytes
    assert all(corner % multiple == 0 for tile in plan.tiles for corner in (tile.top, tile.left, tile.bottom))
    largest = planner(multiple=multiple).largest_tile_px((side, 2 * side), free_bytes=free_mib * MIB)
    assert largest is not None
    larger = largest + (192 if multiple == 12 else 64)  # steps that are multiples of 64 px and of the network's
    if larger <= 1024:
        with pytest.raises(RestoreError):
            planned((side, 2 * side), free_mib, tile_px=larger, multiple=multiple)


def test_tiles_asked_for_are_made_though_the_whole_would_fit() -> None:
    plan = planned((512, 1024), 600, tile_px=256)
    assert max(plan.tile_hw) <= 256
    assert planned((512, 1024), 600, tile_px=1024).is_whole


def test_a_size_asked_for_that_does_not_fit_is_refused_with_one_that_does() -> None:
    with pytest.raises(RestoreError, match=r"0\.15 GiB may be taken") as refused:
        planned((1024, 1024), 150, tile_px=1024)
    found = re.search(r"--tile (\d+)", refused.value.hint)
    assert found is not None
    assert not planned((1024, 1024), 150, tile_px=int(found.group(1))).is_whole


def test_where_nothing_fits_that_is_said() -> None:
    with pytest.raises(RestoreError) as refused:
        planned((1024, 1024), 5)
    assert "no tile is small enough" in refused.value.hint


@pytest.mark.parametrize(
    ("tile_px", "overlap_px", "words"),
    [
        (256, 32, "at most 0.01 dB"),
        (128, 32, "up to 0.1 dB"),
        (96, 32, "more than 0.1"),
        (256, 16, "more than 0.1"),
    ],
)
def test_what_tiles_cost_depends_on_their_size_and_overlap(tile_px: int, overlap_px: int, words: str) -> None:
    said = str(planned((928, 928), 10_000, tile_px=tile_px, overlap_px=overlap_px))
    assert words in said
    assert "change the result" in said


def test_a_tile_no_larger_than_its_overlap_is_refused_with_the_smallest_that_is() -> None:
    with pytest.raises(RestoreError, match="tiles of 73 px cannot overlap by 57 px") as refused:
        planned((200, 500), 1 << 20, tile_px=73, overlap_px=57, multiple=16)
    assert "80 px" in refused.value.hint
