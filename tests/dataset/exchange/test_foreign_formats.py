"""Lists, HDF5, folders, BasicSR's, Hugging Face's and WebDataset's layouts as other people wrote them."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from twinlens.dataset import PairedDataset
from twinlens.errors import DatasetError, FormatError, SettingsError

Noise = Callable[..., np.ndarray]
Save = Callable[[Path, np.ndarray], None]
Import = Callable[..., PairedDataset]
Refuse = Callable[..., DatasetError]


@pytest.fixture
def listed(tmp_path: Path, picture: Noise, save: Save) -> Path:
    """RealBlur's layout: scenes with gt and blur under other names, and a list per split."""
    lines: dict[str, list[str]] = {"train": [], "test": []}
    for scene in range(4):
        for k in range(2):
            sharp, blurred = f"data/scene{scene:03d}/gt/gt_{k}.png", f"data/scene{scene:03d}/blur/blur_{k}.png"
            save(tmp_path / "src" / sharp, picture(10 * scene + k))
            save(tmp_path / "src" / blurred, picture(10 * scene + k + 5))
            lines["test" if scene == 3 else "train"].append(f"{sharp} {blurred} ignored")
    for split, some in lines.items():
        (tmp_path / "src" / f"data_{split}_list.txt").write_text("\n".join(reversed(some)) + "\n")
    return tmp_path / "src"


def test_a_list_names_the_sharp_picture_first(listed: Path, picture: Noise, imported: Import) -> None:
    dataset = imported(listed, format="list")
    assert set(dataset.scenes) == {f"data/scene{k:03d}" for k in range(4)}
    assert dataset.split("test").scenes == ("data/scene003",)
    np.testing.assert_array_equal(dataset.split("test")[0].target, picture(30))
    np.testing.assert_array_equal(dataset.split("test")[0].input, picture(35))
    other = imported(
        listed, format="list", columns=("input", "target", "more"), lists=(("", "data_train_list.txt"),)
    )
    np.testing.assert_array_equal(other[0].input, picture(0))
    assert len(other) == 6


def test_a_list_with_missing_repeated_or_short_lines_is_refused(listed: Path, refused: Refuse) -> None:
    path = listed / "data_train_list.txt"
    good = path.read_text()
    path.write_text(good + "data/scene009/gt/gt_0.png data/scene009/blur/blur_0.png\n")
    refused(listed, DatasetError, "2 of 18 listed files are not there", format="list")
    path.write_text(good + good.splitlines()[0] + "\n")
    refused(listed, DatasetError, "2 files are listed twice", format="list")
    path.write_text(good + "data/scene000/gt/gt_0.png\n")
    refused(listed, FormatError, "line 7 of .* has 1 columns", format="list")


def test_hdf5_is_read_by_names(tmp_path: Path, picture: Noise, imported: Import, refused: Refuse) -> None:
    source = tmp_path / "src.h5"
    blur, sharp = picture(1, (6, 24, 32, 1), np.uint16), picture(2, (6, 24, 32), np.uint16)
    with h5py.File(source, "w") as file:
        file["data/blur"], file["sharp"] = blur, sharp
        file["where"] = [b"a", b"a", b"b", b"b", b"c", b"c"]
        file["three"] = [1, 2, 3]
        file["floats"] = np.zeros((6, 24, 32), np.float32)
    dataset = imported(source, format="hdf5", input="/data/blur", target="sharp", scenes="where")
    for k, pair in enumerate(dataset):
        np.testing.assert_array_equal(pair.input, blur[k, ..., 0])
        np.testing.assert_array_equal(pair.target, sharp[k])
    assert set(dataset.scenes) == {"a", "b", "c"}
    assert len(dataset.provenance().sources[0].sha256) == 64
    refused(source, FormatError, "no dataset /x; it has data/blur", format="hdf5", input="/x", target="sharp")
    refused(source, FormatError, "float32", format="hdf5", input="floats", target="sharp")
    refused(
        source, DatasetError, "6, 6, 3 rows", format="hdf5", input="/data/blur", target="sharp", scenes="three"
    )


def test_names_of_hdf5_datasets_are_taken_as_they_are(tmp_path: Path, picture: Noise, refused: Refuse) -> None:
    source = tmp_path / "src.h5"
    with h5py.File(source, "w") as file:
        file["train/sharp"] = picture(1, (6, 24, 32))
        file["on"] = np.ones((6, 24, 32), np.bool_)
    refused(source, FormatError, r"no dataset a\{b\}", format="hdf5", input="a{b}", target="train/sharp")
    told = refused(
        source, FormatError, "on of .* is .* bool; .* uint8 or uint16", format="hdf5", input="on", target="on"
    )
    assert "--mask" in told.hint


def test_zarr_of_floats_is_no_picture(
    tmp_path: Path, refused: Refuse, needed_package: Callable[[str], None]
) -> None:
    needed_package("zarr")
    import zarr

    group = zarr.create_group(store=str(tmp_path / "src" / "train.zarr"))
    for side in ("input", "target"):
        group.create_array(side, shape=(4, 24, 32), dtype="float32")
    refused(tmp_path / "src", FormatError, "input and target are float32 and float32", format="zarr")


@pytest.mark.parametrize(
    "names",
    [
        {"input": "blur", "target": "{split}/sharp"},
        {"input": "{split}/blur", "target": "sharp"},
        {"input": "blur", "target": "sharp", "mask": "{split}/mask"},
        {"input": "blur", "target": "sharp", "scenes": "{split}/scenes"},
    ],
)
def test_split_stands_in_both_sides_or_in_none(tmp_path: Path, names: dict[str, str], refused: Refuse) -> None:
    h5py.File(tmp_path / "src.h5", "w").close()
    refused(tmp_path / "src.h5", SettingsError, r"\{split\} stands in", format="hdf5", **names)


def test_a_byte_order_mark_belongs_to_no_name(listed: Path, imported: Import) -> None:
    for path in listed.glob("*.txt"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(imported(listed, format="list")) == 8
    rows = ["input_file_name,target_file_name,scene"]
    rows += [f"data/scene{k:03d}/blur/blur_0.png,data/scene{k:03d}/gt/gt_0.png,{k}" for k in range(4)]
    (listed / "metadata.csv").write_text("\n".join(rows), encoding="utf-8-sig")
    assert len(imported(listed, format="imagefolder")) == 4


@pytest.mark.parametrize("name", ["../gt.png", "data/../../gt.png", "/gt.png", "C:/gt.png", "..\\gt.png", ""])
def test_tables_name_nothing_outside_their_folder(listed: Path, name: str, refused: Refuse) -> None:
    if name:
        (listed / "bad.txt").write_text(f"{name} data/scene000/blur/blur_0.png\n")
        told = refused(listed, FormatError, "bad.txt names", format="list", lists=(("", "bad.txt"),))
        assert "begin" in told.hint
    row = f"data/scene000/blur/blur_0.png,{name}"
    (listed / "metadata.csv").write_text(f"input_file_name,target_file_name\n{row}\n")
    refused(listed, FormatError, "metadata.csv names", format="imagefolder")


def test_folders_are_read_by_patterns(
    tmp_path: Path, picture: Noise, save: Save, imported: Import, refused: Refuse
) -> None:
    for k in range(6):
        save(tmp_path / "src" / "b" / f"place{k // 2}" / f"{k}_blur.tif", picture(k, dtype=np.uint16))
        save(tmp_path / "src" / "s" / f"place{k // 2}" / f"{k}.png", picture(k + 10, dtype=np.uint16))
    settings = {"format": "folders", "input": "b/{name}_blur.tif", "target": "s/{name}.png"}
    dataset = imported(tmp_path / "src", **settings)
    assert set(dataset.scenes) == {"s/place0", "s/place1", "s/place2"}
    for k, pair in enumerate(dataset):
        np.testing.assert_array_equal(pair.input, picture(k, dtype=np.uint16))
        np.testing.assert_array_equal(pair.target, picture(k + 10, dtype=np.uint16))
    (tmp_path / "src" / "b" / "place0" / "0_blur.tif").unlink()
    refused(tmp_path / "src", DatasetError, r"1 targets have no input \(place0/0\)", **settings)
    refused(tmp_path / "src", FormatError, "none fits", **{**settings, "input": "c/{name}.png"})


def test_foreign_basicsr_folders_are_read_with_their_meta_info(
    tmp_path: Path, picture: Noise, save: Save, imported: Import, refused: Refuse
) -> None:
    for k in range(5):
        save(tmp_path / "src" / "LQ" / f"{k}.png", picture(k))
        save(tmp_path / "src" / "GT" / f"{k}.png", picture(k + 10))
    (tmp_path / "src" / "info.txt").write_text("".join(f"{k}.png (24,32,1)\n" for k in range(4)))
    settings = {"format": "basicsr", "input": "LQ", "target": "GT"}
    assert len(imported(tmp_path / "src", **settings)) == 5
    assert len(imported(tmp_path / "src", **settings, lists=(("", "info.txt"),))) == 4
    (tmp_path / "src" / "LQ" / "2.png").unlink()
    refused(tmp_path / "src", DatasetError, "lacks 1 of 4 listed", **settings, lists=(("", "info.txt"),))


def test_a_metadata_table_names_pictures_wherever_they_lie(
    tmp_path: Path, picture: Noise, save: Save, imported: Import, refused: Refuse
) -> None:
    rows = ["input_file_name,target_file_name,scene"]
    for k in range(6):
        save(tmp_path / "src" / f"x{k % 2}" / f"{k // 2}.png", picture(k))
        save(tmp_path / "src" / f"y{k % 2}" / f"{k // 2}.png", picture(k + 10))
        rows.append(f"x{k % 2}/{k // 2}.png,y{k % 2}/{k // 2}.png,place {k // 2}")
    table = tmp_path / "src" / "metadata.csv"
    table.write_text("\n".join(rows))
    dataset = imported(tmp_path / "src", format="imagefolder")
    assert set(dataset.scenes) == {"place 0", "place 1", "place 2"}
    (pair,) = [pair for pair in dataset if np.array_equal(pair.input, picture(3))]
    np.testing.assert_array_equal(pair.target, picture(13))
    table.write_text("\n".join(rows).replace("x1/2.png", "x1/9.png"))
    refused(
        tmp_path / "src", DatasetError, "lacks 1 pictures that metadata.csv names: x1/9.png", format="imagefolder"
    )
    table.write_text("file_name\nx0/0.png\n")
    refused(tmp_path / "src", FormatError, "no column input_file_name and target_file_name", format="imagefolder")


def test_foreign_shards_may_name_their_sides_otherwise(
    tmp_path: Path, picture: Noise, imported: Import, refused: Refuse
) -> None:
    (tmp_path / "src").mkdir()
    for split, first in (("train", 0), ("test", 6)):
        with tarfile.open(tmp_path / "src" / f"pairs-{split}-000.tar", "w") as archive:
            for k in range(first, first + 4):
                for side, seed in (("blur", k), ("sharp", k + 20)):
                    data = cv2.imencode(".png", picture(seed))[1].tobytes()
                    member = tarfile.TarInfo(f"some/{k:03d}.{side}.png")
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))
    settings = {"format": "webdataset", "input": "blur", "target": "sharp"}
    dataset = imported(tmp_path / "src", **settings)
    assert len(dataset.split("test")) == 4
    (pair,) = [pair for pair in dataset if pair.scene == "test/some/007"]
    np.testing.assert_array_equal(pair.input, picture(7))
    np.testing.assert_array_equal(pair.target, picture(27))
    refused(tmp_path / "src", DatasetError, "hold no KEY.input.png", format="webdataset")
