"""Readers see the file's own bytes in every process, and refuse what is not a whole dataset."""

import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from twinlens.calibrate.align import AlignedPair
from twinlens.dataset import PairedDataset, build_dataset
from twinlens.errors import CorruptError, FormatError, SplitLeakError

PairsMaker = Callable[..., Iterator[AlignedPair]]


def test_mapped_frames_are_what_hdf5_reads(dataset: PairedDataset) -> None:
    with h5py.File(dataset.path, "r") as file:
        for index in range(len(dataset)):
            for name, mapped in zip(("input", "target", "mask"), dataset.frames(index), strict=True):
                np.testing.assert_array_equal(mapped, file[f"/pairs/{name}"][index])


def test_frames_are_views_that_nobody_can_change(dataset: PairedDataset) -> None:
    pixels = dataset[0].input
    assert not pixels.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        pixels[0, 0] = 1


def test_the_splits_cover_all_pairs_and_share_no_scene(dataset: PairedDataset) -> None:
    splits = [dataset.split(name) for name in ("train", "val", "test")]
    assert sorted(np.concatenate([split.indices for split in splits])) == list(range(10))
    for split in splits:
        assert {pair.scene for pair in split} == set(split.scenes)
        assert {pair.split for pair in split} == {split.name}
    assert len({scene for split in splits for scene in split.scenes}) == sum(len(split.scenes) for split in splits)


def test_a_split_is_indexed_like_a_list(dataset: PairedDataset) -> None:
    train = dataset.split("train")
    names = [pair.pair_id for pair in train]
    assert len(names) == len(train) == 6
    assert train[-1].pair_id == names[-1]
    assert [pair.pair_id for pair in train[1:3]] == names[1:3]
    with pytest.raises(IndexError):
        train[6]
    with pytest.raises(ValueError, match="holdout"):
        dataset.split("holdout")


def test_a_pickled_dataset_reads_the_same_pixels(dataset: PairedDataset) -> None:
    first = dataset.split("train")[0]
    carried = pickle.dumps(dataset.split("train"))
    assert len(carried) < 20_000  # tables travel, pixels stay in the file
    np.testing.assert_array_equal(pickle.loads(carried)[0].target, first.target)  # noqa: S301


READER = """
import multiprocessing, sys
from twinlens.dataset import PairedDataset

def total(job):
    split, index = job
    return sum(int(frame.sum()) for frame in split.frames(index))

if __name__ == "__main__":
    split = PairedDataset(sys.argv[1]).split("train")
    jobs = [(split, index) for index in range(len(split))] * 4
    here = [total(job) for job in jobs]          # the parent has mapped the file before any child starts
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            assert pool.map_async(total, jobs).get(timeout=60) == here, method
"""


def test_workers_started_in_any_way_read_the_same_pixels(dataset_path: Path, tmp_path: Path) -> None:
    script = tmp_path / "reader.py"
    script.write_text(READER)
    subprocess.run([sys.executable, str(script), str(dataset_path)], check=True, timeout=120)


def test_a_contiguous_file_is_mapped_too(dataset: PairedDataset, tmp_path: Path) -> None:
    restored = restored_as(dataset.path, tmp_path / "contiguous.h5", chunks=None)
    for mine, other in zip(dataset, PairedDataset(restored), strict=True):
        np.testing.assert_array_equal(mine.input, other.input)
        np.testing.assert_array_equal(mine.mask, other.mask)


def test_a_file_in_anybodys_tiles_is_read_too(dataset: PairedDataset, tmp_path: Path) -> None:
    tiles = restored_as(dataset.path, tmp_path / "tiles.h5", chunks=(1, 20, 28))
    for mine, other in zip(dataset, PairedDataset(tiles), strict=True):
        np.testing.assert_array_equal(mine.input, other.input)
        np.testing.assert_array_equal(mine.mask, other.mask)


def restored_as(path: Path, copy: Path, *, chunks: tuple[int, int, int] | None) -> Path:
    """The same dataset with its frames stored in another way."""
    with h5py.File(path, "r") as old, h5py.File(copy, "w", libver=("v110", "v110")) as new:
        new.attrs.update(old.attrs)
        for group in ("groups", "splits", "provenance", "mirror_states"):
            old.copy(group, new)
        for name in ("table", "b_from_a", "photometric"):
            old.copy(f"pairs/{name}", new.require_group("pairs"))
        for name in ("input", "target", "mask"):
            filters = {"compression": "gzip"} if chunks else {}
            new.create_dataset(f"pairs/{name}", data=old[f"pairs/{name}"][()], chunks=chunks, **filters)
    return copy


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"nowhere\.h5.*No such file"):
        PairedDataset(tmp_path / "nowhere.h5")


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n and so on", b"pairs"])
def test_a_foreign_file_is_refused_with_its_first_bytes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "picture.h5"
    path.write_bytes(content)
    with pytest.raises(FormatError, match="is not HDF5"):
        PairedDataset(path)


def test_an_hdf5_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "session.h5", "w") as file:
        file.attrs["schema"] = "twinlens.session"
    with pytest.raises(FormatError, match=r"'twinlens\.session', 'twinlens\.pairs' is needed"):
        PairedDataset(tmp_path / "session.h5")


@pytest.mark.parametrize("part", [0.01, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_refused(dataset_path: Path, part: float) -> None:
    whole = dataset_path.read_bytes()
    dataset_path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(CorruptError, match="cut short") as caught:
        PairedDataset(dataset_path)
    assert caught.value.hint


def test_a_file_that_was_never_finished_is_refused(dataset_path: Path) -> None:
    with h5py.File(dataset_path, "r+") as file:
        file.attrs["complete"] = np.uint8(0)
    with pytest.raises(CorruptError, match="never finished"):
        PairedDataset(dataset_path)


def test_a_file_of_a_later_format_is_refused(dataset_path: Path) -> None:
    with h5py.File(dataset_path, "r+") as file:
        file.attrs["schema_version"] = "2.0.0"
    with pytest.raises(FormatError, match=r"schema version 2\.0\.0"):
        PairedDataset(dataset_path)


@pytest.mark.parametrize("name", ["/pairs/table", "/splits/default/val", "/groups/table", "/provenance"])
def test_a_file_that_lacks_a_part_is_refused(dataset_path: Path, name: str) -> None:
    with h5py.File(dataset_path, "r+") as file:
        del file[name]
    with pytest.raises(CorruptError):
        PairedDataset(dataset_path)


def test_a_planted_leak_is_refused(dataset_path: Path) -> None:
    with h5py.File(dataset_path, "r+") as file:
        train, test = file["/splits/default/train"], file["/splits/default/test"]
        train[0], test[0] = test[0], train[0]
    with pytest.raises(
        SplitLeakError, match=r"scene-0 lies in test of scheme .*, and its group 'scene-0' in train"
    ):
        PairedDataset(dataset_path)


def test_a_pair_in_no_split_is_refused(dataset_path: Path) -> None:
    with h5py.File(dataset_path, "r+") as file:
        train = file["/splits/default/train"]
        train[0] = train[1]
    with pytest.raises(CorruptError, match="lists 10 rows, 9 of them different; each of 10 pairs is needed once"):
        PairedDataset(dataset_path)


def test_missing_frames_are_refused(dataset_path: Path) -> None:
    with h5py.File(dataset_path, "r+") as file:
        file["/pairs/mask"].resize(12, axis=0)
    with pytest.raises(CorruptError, match="no pixels for 2 of 12 frames"):
        PairedDataset(dataset_path)


def test_a_dataset_that_was_replaced_under_a_worker_is_noticed(
    dataset: PairedDataset, pairs: PairsMaker, tmp_path: Path
) -> None:
    carried = pickle.dumps(dataset)
    build_dataset(pairs(12), tmp_path / "other.h5")
    shutil.move(tmp_path / "other.h5", dataset.path)
    with pytest.raises(CorruptError, match="changed after it was opened"):
        pickle.loads(carried).frames(0)  # noqa: S301
