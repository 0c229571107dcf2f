"""What an import was given is used or refused: no list, picture, mask or folder is passed over in silence."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from twinlens.dataset import PairedDataset
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
