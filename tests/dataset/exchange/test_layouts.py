"""Exports are read by loaders written from the documented rules of the tools they are for."""

import csv
import json
import os
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from twinlens.dataset import ExportSettings, PairedDataset, export_dataset

Built = Callable[..., PairedDataset]


def gopro_pairs(folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """The rule: sort what lies in input and in target, and take the k-th of both."""
    inputs, targets = (sorted(os.listdir(folder / side)) for side in ("input", "target"))  # noqa: PTH208 -- the rule
    assert inputs == targets
    assert all(name.endswith(("jpeg", "JPEG", "jpg", "png", "JPG", "PNG", "gif")) for name in inputs)
    return [(read(folder / "input" / name), read(folder / "target" / name)) for name in inputs]


def read(path: Path) -> np.ndarray:
    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert found is not None
    return found


def as_bytes(pairs: list[tuple[np.ndarray, np.ndarray]]) -> set[tuple[bytes, bytes]]:
    return {(first.tobytes(), second.tobytes()) for first, second in pairs}


def truth(dataset: PairedDataset, split: str) -> set[tuple[bytes, bytes]]:
    return {(pair.input.tobytes(), pair.target.tobytes()) for pair in dataset.split(split)}


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_gopro_folders_pair_up_when_sorted(built: Built, tmp_path: Path, bit_depth: int) -> None:
    dataset = built(bit_depth=bit_depth)
    export_dataset(dataset, tmp_path / "out", to="gopro")
    for split in ("train", "val", "test"):
        assert as_bytes(gopro_pairs(tmp_path / "out" / split)) == truth(dataset, split)


def test_gopro_in_three_channels_is_grey_in_each(built: Built, tmp_path: Path) -> None:
    dataset = built()
    export_dataset(dataset, tmp_path / "out", to="gopro", settings=ExportSettings(rgb=True))
    found = gopro_pairs(tmp_path / "out" / "val")
    assert found[0][0].shape == (40, 56, 3)
    assert as_bytes([(one[..., 1], other[..., 2]) for one, other in found]) == truth(dataset, "val")


def test_basicsr_reads_its_meta_info_file(built: Built, tmp_path: Path) -> None:
    dataset = built(bit_depth=10)
    export_dataset(dataset, tmp_path / "out", to="basicsr")
    for split in ("train", "val", "test"):
        lines = (tmp_path / "out" / f"meta_info_{split}.txt").read_text().splitlines()
        # The rule: the first word of a line is a file among targets, and one of that name among inputs.
        names = [line.split(" ")[0] for line in lines]
        folder = tmp_path / "out" / split
        assert all(line == f"{name} (40,56,1)" for line, name in zip(lines, names, strict=True))
        assert as_bytes([(read(folder / "lq" / n), read(folder / "gt" / n)) for n in names]) == truth(
            dataset, split
        )


def test_basicsr_reads_the_folders(built: Built, tmp_path: Path) -> None:
    dataset = built()
    export_dataset(dataset, tmp_path / "out", to="basicsr")
    folder = tmp_path / "out" / "train"
    names = {side: {path.name for path in (folder / side).iterdir()} for side in ("lq", "gt")}
    assert names["lq"] == names["gt"]  # the rule: as many, and each target's name among the inputs
    pairs = [(read(folder / "lq" / name), read(folder / "gt" / name)) for name in names["gt"]]
    assert as_bytes(pairs) == truth(dataset, "train")


def test_basicsr_reads_its_lmdb(built: Built, tmp_path: Path, needed_package: Callable[[str], None]) -> None:
    needed_package("lmdb")
    import lmdb

    dataset = built(bit_depth=10)
    export_dataset(dataset, tmp_path / "out", to="basicsr", settings=ExportSettings(lmdb=True))
    folders = {side: tmp_path / "out" / "train" / f"{side}.lmdb" for side in ("lq", "gt")}
    keys, values = {}, {}
    for side, folder in folders.items():
        assert {path.name for path in folder.iterdir()} == {"data.mdb", "lock.mdb", "meta_info.txt"}
        lines = (folder / "meta_info.txt").read_text().splitlines()
        assert all(re.fullmatch(r"\S+\.png \(40,56,1\) \d", line) for line in lines)
        keys[side] = [line.split(".")[0] for line in lines]  # the rule
        with lmdb.open(str(folder), readonly=True, lock=False) as database, database.begin() as transaction:
            values[side] = [
                cv2.imdecode(np.frombuffer(transaction.get(key.encode("ascii")), np.uint8), cv2.IMREAD_UNCHANGED)
                for key in keys[side]
            ]
    assert keys["lq"] == keys["gt"]
    assert as_bytes(list(zip(values["lq"], values["gt"], strict=True))) == truth(dataset, "train")


def test_imagefolder_has_a_row_for_every_pair(built: Built, tmp_path: Path) -> None:
    dataset = built()
    export_dataset(dataset, tmp_path / "out", to="imagefolder")
    for split in ("train", "val", "test"):
        folder = tmp_path / "out" / split
        with (folder / "metadata.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        pairs = [(read(folder / row["input_file_name"]), read(folder / row["target_file_name"])) for row in rows]
        assert as_bytes(pairs) == truth(dataset, split)
        assert {row["scene"] for row in rows} == set(dataset.split(split).scenes)
        assert all(float(row["residual_px"]) == pytest.approx(0.03) for row in rows)


def test_shards_are_plain_tar_files_of_samples_and_no_scene_crosses_splits(built: Built, tmp_path: Path) -> None:
    dataset = built()
    export_dataset(dataset, tmp_path / "out", to="webdataset", settings=ExportSettings(shard_bytes=30_000))
    scenes: dict[str, set[str]] = {}
    for split in ("train", "val", "test"):
        pairs = []
        for shard in sorted((tmp_path / "out").glob(f"{split}-*.tar")):
            assert shard.stat().st_size <= 30_000
            with tarfile.open(shard) as archive:
                data = {member.name: archive.extractfile(member).read() for member in archive}
            keys = list(dict.fromkeys(name.partition(".")[0] for name in data))
            assert list(data) == [
                f"{k}.{e}" for k in keys for e in ("input.png", "json", "mask.png", "target.png")
            ]
            for key in keys:
                sides = [np.frombuffer(data[f"{key}.{side}.png"], np.uint8) for side in ("input", "target")]
                pairs.append(tuple(cv2.imdecode(side, cv2.IMREAD_UNCHANGED) for side in sides))
                scenes.setdefault(split, set()).add(json.loads(data[f"{key}.json"])["scene"])
        assert as_bytes(pairs) == truth(dataset, split)
    assert not scenes["train"] & scenes["val"] | scenes["train"] & scenes["test"] | scenes["val"] & scenes["test"]


def test_the_same_dataset_gives_the_same_shards(built: Built, tmp_path: Path) -> None:
    dataset = built()
    for name in ("one", "two"):
        export_dataset(dataset, tmp_path / name, to="webdataset")
    shards = sorted(path.name for path in (tmp_path / "one").glob("*.tar"))
    assert len(shards) == 3
    for shard in shards:
        assert (tmp_path / "one" / shard).read_bytes() == (tmp_path / "two" / shard).read_bytes()


def test_zarr_has_a_file_per_frame_and_tiles_in_it(
    built: Built, tmp_path: Path, needed_package: Callable[[str], None]
) -> None:
    needed_package("zarr")
    import zarr

    dataset = built(bit_depth=10, shape_hw=(150, 200))
    export_dataset(dataset, tmp_path / "out", to="zarr")
    group = zarr.open_group(str(tmp_path / "out" / "train.zarr"), mode="r")
    found = [(group["input"][k], group["target"][k]) for k in range(group["input"].shape[0])]
    assert as_bytes(found) == truth(dataset, "train")
    assert (group["input"].shards, group["input"].chunks) == ((1, 256, 256), (1, 128, 128))
    frames = [path for path in (tmp_path / "out" / "train.zarr" / "input").rglob("*") if path.is_file()]
    assert len(frames) == len(dataset.split("train")) + 1
    assert {facts["scene"] for facts in group.attrs["pairs"]} == set(dataset.split("train").scenes)
