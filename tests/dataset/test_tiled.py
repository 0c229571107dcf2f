"""A dataset in tiles says the same as one of whole frames, in every process, and of a crop reads little."""

import multiprocessing
import pickle
import shutil
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import h5py
import numpy as np
import pytest

from twinlens.calibrate.align import AlignedPair
from twinlens.dataset import DatasetSettings, PairedDataset, build_dataset, random_crops
from twinlens.dataset.mapped import FrameStack
from twinlens.dataset.tiled import TileStack
from twinlens.errors import CorruptError

PairsMaker = Callable[..., Iterator[AlignedPair]]
SHAPE_HW = (300, 400)


@pytest.fixture(params=[8, 10], ids=["8bit", "10bit"])
def both(pairs: PairsMaker, tmp_path: Path, request: pytest.FixtureRequest) -> tuple[PairedDataset, PairedDataset]:
    """The same pairs, contiguous and in tiles."""
    contiguous, tiles = tmp_path / "contiguous.h5", tmp_path / "tiles.h5"
    build_dataset(pairs(6, shape_hw=SHAPE_HW, bit_depth=request.param), contiguous)
    build_dataset(
        pairs(6, shape_hw=SHAPE_HW, bit_depth=request.param), tiles, settings=DatasetSettings(layout="tiles")
    )
    return PairedDataset(contiguous), PairedDataset(tiles)


@pytest.fixture
def tiles(pairs: PairsMaker, tmp_path: Path) -> PairedDataset:
    build_dataset(pairs(6, shape_hw=SHAPE_HW), tmp_path / "t.h5", settings=DatasetSettings(layout="tiles"))
    return PairedDataset(tmp_path / "t.h5")


def test_both_layouts_hold_the_same_dataset(both: tuple[PairedDataset, PairedDataset]) -> None:
    contiguous, tiles = both
    assert isinstance(contiguous.stacks[0], FrameStack)
    assert isinstance(tiles.stacks[0], TileStack)
    assert contiguous.content_hash == tiles.content_hash
    for mine, other in zip(contiguous, tiles, strict=True):
        for name in ("input", "target", "mask"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(other, name))
            assert getattr(mine, name).dtype == getattr(other, name).dtype
            assert not getattr(other, name).flags.writeable


@pytest.mark.parametrize("place", [(0, 0, 300, 400), (127, 127, 2, 2), (44, 140, 256, 256), (299, 399, 1, 1)])
def test_a_window_is_that_part_of_the_frame(
    both: tuple[PairedDataset, PairedDataset], place: tuple[int, int, int, int]
) -> None:
    top, left, height, width = place
    for dataset in both:
        for stack in dataset.stacks:
            whole = stack[3]
            np.testing.assert_array_equal(stack.window(3, *place), whole[top : top + height, left : left + width])


def test_random_crops_do_not_depend_on_the_layout(both: tuple[PairedDataset, PairedDataset]) -> None:
    crops = [random_crops(dataset.split("train"), crop_px=256, rng=np.random.default_rng(0)) for dataset in both]
    for mine, other in islice(zip(*crops, strict=False), 40):
        assert (mine.index, mine.top, mine.left) == (other.index, other.top, other.left)
        for name in ("input", "target", "mask"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(other, name))


def test_a_window_reads_its_own_tiles_only(tiles: PairedDataset) -> None:
    with h5py.File(tiles.path, "r+") as file:
        stack = file["/pairs/input"]
        for chunk in range(stack.id.get_num_chunks()):
            info = stack.id.get_chunk_info(chunk)
            if info.chunk_offset != (2, 128, 256):
                stack.id.write_direct_chunk(info.chunk_offset, b"damaged")
    damaged = PairedDataset(tiles.path)
    assert damaged.stacks[0].window(2, 128, 256, 128, 128).any()
    with pytest.raises(CorruptError, match="frame 2 of /pairs/input cannot be read"):
        damaged.stacks[0].window(2, 127, 256, 128, 128)


def test_a_tile_that_was_never_written_is_refused(tiles: PairedDataset) -> None:
    with h5py.File(tiles.path, "r+") as file:
        file["/pairs/mask"].resize(7, axis=0)
    with pytest.raises(CorruptError, match=r"pixels in 72 of 84 tiles"):
        PairedDataset(tiles.path)


def test_a_pickle_carries_no_handle(tiles: PairedDataset) -> None:
    before = tiles.frames(0)
    carried = pickle.dumps(tiles)
    assert len(carried) < 20_000
    for mine, other in zip(before, pickle.loads(carried).frames(0), strict=True):  # noqa: S301
        np.testing.assert_array_equal(mine, other)


def test_a_dataset_that_was_replaced_is_noticed(tiles: PairedDataset, pairs: PairsMaker, tmp_path: Path) -> None:
    carried = pickle.dumps(tiles)
    build_dataset(pairs(8), tmp_path / "other.h5")
    shutil.move(tmp_path / "other.h5", tiles.path)
    with pytest.raises(CorruptError, match="changed after it was opened"):
        pickle.loads(carried).frames(0)  # noqa: S301


def test_a_child_opens_the_file_anew_while_its_parent_has_it_open(tiles: PairedDataset) -> None:
    expected = [sum(int(frame.sum()) for frame in tiles.frames(k)) for k in range(len(tiles))]
    in_parent = descriptors(tiles.path)
    fork = multiprocessing.get_context("fork")
    with fork.Pool(2, initializer=inherit, initargs=(tiles,)) as pool:
        for found, in_child in pool.map(sums, range(len(tiles))):
            assert found == expected
            assert len(in_child) == 1
    assert descriptors(tiles.path) == in_parent
    assert [sum(int(frame.sum()) for frame in tiles.frames(k)) for k in range(len(tiles))] == expected


_inherited: list[PairedDataset] = []


def inherit(dataset: PairedDataset) -> None:
    _inherited[:] = [dataset]


def sums(_: int) -> tuple[list[int], list[str]]:
    dataset = _inherited[0]
    found = [sum(int(frame.sum()) for frame in dataset.frames(k)) for k in range(len(dataset))]
    return found, descriptors(dataset.path)


def descriptors(path: Path) -> list[str]:
    """The file descriptors of this process that have `path` open."""
    return [fd.name for fd in Path("/proc/self/fd").iterdir() if fd.exists() and fd.samefile(path)]
