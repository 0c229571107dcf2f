"""What an import was given is used or refused: no list, picture, mask or folder is passed over in silence."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from twinlens.dataset import PairedDataset
from twinlens.dataset.exchange.webdataset import samples
from twinlens.errors import DatasetError, FormatError

Noise = Callable[..., np.ndarray]
Save = Callable[[Path, np.ndarray], None]
Import = Callable[..., PairedDataset]
Refuse = Callable[..., DatasetError]


@pytest.fixture
def basicsr(tmp_path: Path, picture: Noise, save: Save) -> Path:
    """BasicSR's layout: 8 pairs to train on, 2 to validate with and 2 to test on."""
    for k in range(12):
        folder = tmp_path / "src" / ("train" if k < 8 else "val" if k < 10 else "test")
        save(folder / "lq" / f"{k:02d}.png", picture(2 * k))
        save(folder / "gt" / f"{k:02d}.png", picture(2 * k + 1))
    return tmp_path / "src"


def meta_info(path: Path, *numbers: int) -> str:
    path.write_text("".join(f"{k:02d}.png (24,32,1)\n" for k in numbers))
    return path.name


def test_several_lists_of_one_split_add_up(basicsr: Path, imported: Import) -> None:
    first, second = meta_info(basicsr / "a.txt", 0, 1, 2), meta_info(basicsr / "b.txt", 5, 6)
    dataset = imported(basicsr, format="basicsr", lists=(("train", first), ("train", second)))
    assert [len(dataset.split(name)) for name in ("train", "val", "test")] == [5, 2, 2]


def test_an_empty_list_chooses_nothing(basicsr: Path, imported: Import) -> None:
    dataset = imported(
        basicsr, format="basicsr", split_again=True, lists=(("train", meta_info(basicsr / "none.txt")),)
    )
    assert {pair.scene for pair in dataset} == {"val/08", "val/09", "test/10", "test/11"}


@pytest.mark.parametrize("split", ["", "val"])
def test_a_list_that_belongs_to_no_folder_is_refused(basicsr: Path, split: str, refused: Refuse) -> None:
    name = meta_info(basicsr / "one.txt", 3)
    for side in ("lq", "gt"):
        (basicsr / "val" / side).rename(basicsr / "val" / f"{side}_old")
    told = refused(basicsr, FormatError, "one.txt is not used", format="basicsr", lists=((split, name),))
    assert "--list train=" in told.hint


def test_a_picture_listed_twice_is_refused(basicsr: Path, refused: Refuse) -> None:
    first, second = meta_info(basicsr / "a.txt", 0, 1, 2), meta_info(basicsr / "b.txt", 2, 3)
    lists = (("train", first), ("train", second))
    refused(basicsr, DatasetError, "1 of 5 names are listed twice: 02", format="basicsr", lists=lists)
    sides = {"input": "train/lq", "target": "train/gt"}
    lists = (("train", first), ("test", second))
    refused(basicsr, DatasetError, "1 of 5 names are listed twice: 02", format="basicsr", lists=lists, **sides)


PATTERNS = {"format": "folders", "input": "blur/{name}.png", "target": "sharp/{name}.png"}


@pytest.fixture
def folders(tmp_path: Path, picture: Noise, save: Save) -> Path:
    """Nine pairs in two folders; three pictures a side have their suffix in capitals."""
    for k in range(9):
        for side, seed in (("blur", k), ("sharp", k + 20)):
            save(tmp_path / "src" / side / f"{k}.{'png' if k < 6 else 'PNG'}", picture(seed))
    return tmp_path / "src"


def test_patterns_fit_suffixes_in_capitals(folders: Path, imported: Import, refused: Refuse) -> None:
    assert len(imported(folders, **PATTERNS)) == 9
    (folders / "blur" / "3.PNG").write_bytes((folders / "blur" / "3.png").read_bytes())
    if len(list((folders / "blur").iterdir())) == 10:  # not on file systems that ignore capitals
        refused(folders, FormatError, "blur/3.PNG and blur/3.png both fit 'blur/{name}.png' as '3'", **PATTERNS)


def test_a_picture_that_no_pattern_fits_is_named(folders: Path, refused: Refuse) -> None:
    for side in ("blur", "sharp"):
        (folders / side / "3.png").rename(folders / side / "3.jpg")
    refused(folders, DatasetError, r"2 pictures beside those that fit: blur/3.jpg, sharp/3.jpg", **PATTERNS)


def test_files_that_are_no_pictures_may_lie_about(folders: Path, imported: Import) -> None:
    for name in ("blur/notes.txt", "blur/.hidden.png", ".cache/4.png", "elsewhere/4.png"):
        (folders / name).parent.mkdir(exist_ok=True)
        (folders / name).write_text("x")
    assert len(imported(folders, **PATTERNS)) == 9


@pytest.mark.parametrize("form", ["gopro", "basicsr", "folders"])
def test_a_mask_without_a_pair_is_named(
    tmp_path: Path, form: str, picture: Noise, save: Save, refused: Refuse
) -> None:
    sides = ("lq", "gt", "mask") if form == "basicsr" else ("input", "target", "mask")
    for k in range(4):
        for side in sides:
            save(tmp_path / "src" / "train" / side / f"{k}.png", picture(k))
    save(tmp_path / "src" / "train" / "mask" / "stray.png", picture(5))
    patterns = {name: f"train/{name}/{{name}}.png" for name in sides} if form == "folders" else {}
    refused(tmp_path / "src", DatasetError, r"1 masks have no pair \(stray\)", format=form, **patterns)


def test_folders_behind_links_are_looked_into(
    tmp_path: Path, picture: Noise, save: Save, imported: Import, refused: Refuse
) -> None:
    for k in range(6):
        for side, seed in (("input", k), ("target", k + 20)):
            folder = tmp_path / "disk" if k < 3 else tmp_path / "src" / "train"
            save(folder / side / f"{k}.png", picture(seed))
    for side in ("input", "target"):
        (tmp_path / "src" / "train" / side / "more").symlink_to(tmp_path / "disk" / side)
    assert len(imported(tmp_path / "src", format="gopro")) == 6
    patterns = {"input": "train/input/{name}.png", "target": "train/target/{name}.png"}
    assert len(imported(tmp_path / "src", format="folders", **patterns)) == 6
    (tmp_path / "src" / "train" / "input" / "loop").symlink_to(tmp_path / "src")
    refused(tmp_path / "src", FormatError, "loop leads back", format="gopro")


def test_a_link_to_nothing_is_an_error(tmp_path: Path, picture: Noise, save: Save, refused: Refuse) -> None:
    for k in range(3):
        for side in ("input", "target"):
            save(tmp_path / "src" / "train" / side / f"{k}.png", picture(k))
    (tmp_path / "src" / "train" / "input" / "1.png").unlink()
    (tmp_path / "src" / "train" / "input" / "1.png").symlink_to(tmp_path / "gone.png")
    refused(tmp_path / "src", FormatError, "1.png cannot be read", format="gopro")


def test_a_key_twice_in_a_shard_is_refused(tmp_path: Path, picture: Noise, refused: Refuse) -> None:
    (tmp_path / "src").mkdir()
    with tarfile.open(tmp_path / "src" / "train-0.tar", "w") as archive:
        for seed, name in enumerate(("0.input.png", "0.target.png", "1.input.png", "1.target.png", "0.input.png")):
            data = cv2.imencode(".png", picture(seed))[1].tobytes()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    refused(tmp_path / "src", FormatError, "holds 0.input.png twice", format="webdataset")
    with tarfile.open(tmp_path / "src" / "train-0.tar", "w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("0.input.png"), io.BytesIO())
    with pytest.raises(FormatError, match=r"holds 0.input.png twice"):
        list(samples(tmp_path / "src" / "train-0.tar"))


def test_a_mask_without_a_pair_in_a_shard_is_named(tmp_path: Path, picture: Noise, refused: Refuse) -> None:
    (tmp_path / "src").mkdir()
    with tarfile.open(tmp_path / "src" / "train-0.tar", "w") as archive:
        for name in ("0.input.png", "0.target.png", "0.mask.png", "1.mask.png"):
            data = cv2.imencode(".png", picture(1))[1].tobytes()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    refused(tmp_path / "src", DatasetError, r"1 masks have no pair \(1\)", format="webdataset")
