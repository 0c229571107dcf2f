"""Colour goes out and comes back as it was, in every layout: RGB, never BGR, and never one channel."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from twinlens.calibrate.align import AlignedPair
from twinlens.dataset import ExportSettings, PairedDataset, build_dataset, export_dataset
from twinlens.dataset.shards import pairs_of, shards_of
from twinlens.errors import DatasetError

LAYOUTS = ("gopro", "basicsr", "lmdb", "imagefolder", "webdataset", "zarr")
Built = Callable[..., PairedDataset]
Import = Callable[..., PairedDataset]


def exported(dataset: PairedDataset, out: Path, layout: str, **changes: object) -> Path:
    to = "basicsr" if layout == "lmdb" else layout
    export_dataset(dataset, out, to=to, settings=ExportSettings(lmdb=layout == "lmdb", **changes))
    return out


@pytest.fixture
def coloured(tmp_path: Path, pair: Callable[..., AlignedPair]) -> Built:
    """10 pairs of noise in colour, the last of which shows nothing but grey."""

    def build(bit_depth: int = 8) -> PairedDataset:
        made = [pair(k, colour=True, bit_depth=bit_depth) for k in range(9)]
        grey = [np.repeat(frame[..., :1], 3, axis=2) for frame in (made[0].input, made[0].target)]
        made.append(pair(9, bit_depth=bit_depth, input=grey[0], target=grey[1]))
        build_dataset(made, tmp_path / "street-v1.0.0.h5")
        return PairedDataset(tmp_path / "street-v1.0.0.h5")

    return build


@pytest.mark.parametrize("bit_depth", [8, 16])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_export_in_colour_comes_back_as_the_dataset_it_was(
    layout: str, bit_depth: int, coloured: Built, imported: Import, needed_package: Callable[[str], None]
) -> None:
    needed_package(layout)
    dataset = coloured(bit_depth)
    folder = exported(dataset, dataset.path.with_name("out"), layout)
    back = imported(folder, format=layout.replace("lmdb", "basicsr"))
    assert (back.content_hash, back.channels, back.bit_depth) == (dataset.content_hash, 3, bit_depth)
    for one, other in zip(back, dataset, strict=True):
        for name in ("input", "target", "mask"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("bit_depth", [8, 16])
def test_rows_of_hdf5_come_in_colour(bit_depth: int, coloured: Built, imported: Import) -> None:
    dataset = coloured(bit_depth)
    named = {"input": "/pairs/input", "target": "/pairs/target", "mask": "/pairs/mask"}
    back = imported(dataset.path, format="hdf5", colour="rgb", **named)
    for one, other in zip(back, dataset, strict=True):
        np.testing.assert_array_equal(one.input, other.input)
        np.testing.assert_array_equal(one.target, other.target)


def test_pictures_are_rgb_to_others_and_meta_info_counts_channels(coloured: Built, tmp_path: Path) -> None:
    dataset = coloured()
    folder = exported(dataset, tmp_path / "out", "basicsr")
    listed = (folder / "meta_info_train.txt").read_text().splitlines()
    assert all(line.endswith("(40,56,3)") for line in listed)
    first = dataset.split("train")[0]
    path = folder / "train" / "lq" / listed[0].split()[0]
    np.testing.assert_array_equal(np.asarray(Image.open(path)), first.input)


def test_patches_and_shards_are_in_colour(coloured: Built, imported: Import, tmp_path: Path) -> None:
    dataset = coloured()
    folder = exported(dataset, tmp_path / "p", "gopro", patch_px=40)
    patches = imported(folder, format="gopro", crop_to_common=True)
    assert (patches.channels, patches.shape_hw) == (3, (40, 40))
    shards = shards_of(exported(dataset, tmp_path / "s", "webdataset"), "train")
    read = {one.index: one for shard in shards for one in pairs_of(shard)}
    for index, stored in enumerate(dataset.split("train")):
        np.testing.assert_array_equal(read[index].input, stored.input)


def test_an_export_turned_grey_is_another_version(coloured: Built, imported: Import, tmp_path: Path) -> None:
    dataset = coloured()
    folder = exported(dataset, tmp_path / "out", "gopro")
    grey = imported(folder, format="gopro", colour="luma")
    assert (grey.channels, grey.version) == (1, "2.0.0")
    assert grey.provenance().parent == dataset.content_hash


def test_foreign_colour_stays_and_a_grey_pair_among_it_is_refused_with_the_remedy(
    tmp_path: Path, picture: Callable[..., np.ndarray], save: Callable[..., None], imported: Import,
    refused: Callable[..., DatasetError],
) -> None:  # fmt: skip
    source = tmp_path / "src"
    for k in range(4):
        for side in ("input", "target"):
            save(source / "train" / side / f"{k}.png", picture(k, (24, 32, 3)))
    assert imported(source, format="gopro").channels == 3
    for side in ("input", "target"):
        save(source / "train" / side / "3.png", np.repeat(picture(9)[..., None], 3, axis=2))
    told = refused(
        source, DatasetError, "the pairs before it have 32x24 px, uint8, 8 bit in colour", format="gopro"
    )
    assert "--rgb" in told.hint
    assert imported(source, format="gopro", colour="rgb").channels == 3
