"""Pairs that somebody else registered: matched by name, converted only when asked, split by whole scenes."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from twinlens.dataset import ImportSettings, PairedDataset
from twinlens.errors import DatasetError, FormatError, SettingsError, SplitLeakError

Noise = Callable[..., np.ndarray]
Save = Callable[[Path, np.ndarray], None]


Import = Callable[..., PairedDataset]
Refuse = Callable[..., DatasetError]


@pytest.fixture
def gopro(tmp_path: Path, picture: Noise, save: Save) -> Path:
    """MPRNet's layout: 8 pictures to train on and 2 to test on, and no validation split."""
    for k in range(10):
        folder = tmp_path / "src" / ("train" if k < 8 else "test")
        save(folder / "input" / f"{k:03d}.png", picture(2 * k))
        save(folder / "target" / f"{k:03d}.png", picture(2 * k + 1))
    return tmp_path / "src"


def test_a_missing_split_is_taken_from_train_and_the_others_stay(
    gopro: Path, picture: Noise, imported: Import
) -> None:
    dataset = imported(gopro, format="gopro")
    assert {pair.scene for pair in dataset.split("test")} == {"test/008", "test/009"}
    assert [len(dataset.split(name)) for name in ("train", "val", "test")] == [7, 1, 2]
    for k, pair in enumerate(sorted(dataset, key=lambda pair: pair.scene.partition("/")[2])):
        np.testing.assert_array_equal(pair.input, picture(2 * k))
        np.testing.assert_array_equal(pair.target, picture(2 * k + 1))
        assert pair.mask.all()


def test_what_nobody_measured_is_unknown_and_not_zero(gopro: Path, imported: Import) -> None:
    dataset = imported(gopro, format="gopro")
    assert all(math.isnan(value) for pair in dataset for value in (pair.residual_px, pair.ncc, pair.exposure_us))
    assert dataset.summary().residual_px is None
    assert [pair.trigger_index for pair in dataset] == list(range(10))
    assert dataset.session_ids == ("src",)
    assert {state.label for state in dataset.mirror_states} == {"unknown"}


def test_a_picture_without_partner_is_named(gopro: Path, refused: Refuse) -> None:
    (gopro / "train" / "input" / "003.png").unlink()
    (gopro / "train" / "target" / "005.png").rename(gopro / "train" / "target" / "5.png")
    told = refused(
        gopro,
        DatasetError,
        r"7 inputs and 8 targets: 1 inputs have no target \(005\); 2 targets have no input \(003, 5\)",
        format="gopro",
    )
    assert "by file name" in told.hint


def test_sort_order_never_makes_a_pair(gopro: Path, refused: Refuse) -> None:
    for k in range(8):  # as many on both sides, and the inputs' numbers begin at 1
        (gopro / "train" / "input" / f"{7 - k:03d}.png").rename(gopro / "train" / "input" / f"{8 - k:03d}.png")
    refused(gopro, DatasetError, "8 inputs and 8 targets", format="gopro")


def test_a_scene_in_two_splits_is_a_leak(gopro: Path, imported: Import, refused: Refuse) -> None:
    refused(
        gopro,
        SplitLeakError,
        "the scene '00' lies in test and in train",
        format="gopro",
        scene_pattern=r"/(\d\d)\d$",
    )
    split = imported(gopro, format="gopro", scene_pattern=r"/\d\d(\d)$", split_again=True)
    assert len(split.scenes) == 10


def test_a_scene_pattern_that_finds_nothing_is_an_error(gopro: Path, refused: Refuse) -> None:
    refused(gopro, DatasetError, "finds nothing in 'test/008'", format="gopro", scene_pattern="frame_(.*)")
    with pytest.raises(SettingsError, match="no regular expression"):
        ImportSettings(format="gopro", scene_pattern="(")


def test_a_coloured_picture_of_a_grey_pair_is_refused_until_somebody_says_what_becomes_of_it(
    gopro: Path, picture: Noise, save: Save, imported: Import, refused: Refuse
) -> None:
    colour = picture(99, (24, 32, 3))
    save(gopro / "train" / "input" / "000.png", colour)
    told = refused(gopro, FormatError, "000.png is in colour", format="gopro")
    assert "--mono" in told.hint
    luma = imported(gopro, format="gopro", colour="luma")
    (pair,) = [pair for pair in luma if pair.scene == "train/000"]
    wanted = np.rint(0.299 * colour[..., 0] + 0.587 * colour[..., 1] + 0.114 * colour[..., 2])
    assert np.abs(pair.input - wanted).max() <= 1e-9
    rgb = imported(gopro, format="gopro", colour="rgb")
    (pair,) = [pair for pair in rgb if pair.scene == "train/000"]
    np.testing.assert_array_equal(pair.input, colour)
    assert (pair.target[..., :1] == pair.target).all()
    green = imported(gopro, format="gopro", colour="g")
    (pair,) = [pair for pair in green if pair.scene == "train/000"]
    np.testing.assert_array_equal(pair.input, colour[..., 1])


def test_different_sizes_are_counted_and_cut_on_request(
    gopro: Path, picture: Noise, save: Save, imported: Import, refused: Refuse
) -> None:
    for side in ("input", "target"):
        save(gopro / "train" / side / "002.png", picture(7, (30, 20)))
    refused(gopro, DatasetError, r"2 sizes: 32x24 px \(18\), 20x30 px \(2\)", format="gopro")
    dataset = imported(gopro, format="gopro", crop_to_common=True)
    assert dataset.shape_hw == (24, 20)
    (pair,) = [pair for pair in dataset if pair.scene == "train/002"]
    np.testing.assert_array_equal(pair.target, picture(7, (30, 20))[3:27])


def test_16_bit_pictures_are_as_deep_as_somebody_says(
    tmp_path: Path, picture: Noise, save: Save, imported: Import, refused: Refuse
) -> None:
    for k in range(4):
        for side in ("input", "target"):
            save(tmp_path / "src" / "train" / side / f"{k}.png", picture(k, dtype=np.uint16) >> 6)
    assert imported(tmp_path / "src", format="gopro").bit_depth == 16
    assert imported(tmp_path / "src", format="gopro", bit_depth=10).bit_depth == 10
    refused(tmp_path / "src", FormatError, r"grey level of \d+, beyond 9 bit", format="gopro", bit_depth=9)


@pytest.fixture
def gopro_large(tmp_path: Path, picture: Noise, save: Save) -> Path:
    """GOPRO_Large's layout: sequences of frames, each with two blurs."""
    for k, (split, sequence) in enumerate([("train", "S1"), ("train", "S2"), ("train", "S3"), ("test", "S4")]):
        for frame in range(3):
            for kind, side in enumerate(("blur", "blur_gamma", "sharp")):
                path = tmp_path / "src" / split / sequence / side / f"{frame:06d}.png"
                save(path, picture(100 * k + 10 * frame + kind))
    return tmp_path / "src"


def test_of_two_blurs_one_must_be_chosen_and_is_recorded(
    gopro_large: Path, picture: Noise, imported: Import, refused: Refuse
) -> None:
    told = refused(gopro_large, SettingsError, "blur and blur_gamma", format="gopro")
    assert "--blur" in told.hint
    for kind, blur in enumerate(("blur", "blur_gamma")):
        dataset = imported(gopro_large, format="gopro", blur=blur)
        assert set(dataset.scenes) == {"S1", "S2", "S3", "S4"}
        assert dataset.split("test").scenes == ("S4",)
        (pair,) = [pair for pair in dataset if pair.scene == "S2" and pair.target[0, 0] == picture(112)[0, 0]]
        np.testing.assert_array_equal(pair.input, picture(110 + kind))
        assert json.loads(dataset.provenance().config_json)["import"]["blur"] == blur


def test_a_folder_named_after_the_whole_set_is_no_scene(
    tmp_path: Path, picture: Noise, save: Save, imported: Import
) -> None:
    for k in range(6):
        for side, seed in (("input", k), ("target", k + 20)):
            save(tmp_path / "src" / ("train" if k < 4 else "test") / "GoPro" / side / f"{k}.png", picture(seed))
    dataset = imported(tmp_path / "src", format="gopro")
    assert {pair.scene for pair in dataset.split("test")} == {"test/GoPro/4", "test/GoPro/5"}
    assert len(dataset.scenes) == 6


def test_masks_of_some_pairs_only_are_refused(gopro: Path, picture: Noise, save: Save, refused: Refuse) -> None:
    save(gopro / "train" / "mask" / "000.png", picture(1))
    refused(gopro, DatasetError, "1 of 10 pairs have a mask", format="gopro")


@pytest.mark.parametrize(
    ("form", "match"),
    [
        ("gopro", "no train, val or test"),
        ("list", "no list named after a split"),
        ("basicsr", "holds no pictures"),
        ("imagefolder", "metadata.csv"),
        ("webdataset", r"no shards \(\*.tar\)"),
    ],
)
def test_an_empty_folder_is_told_what_it_lacks(tmp_path: Path, form: str, match: str, refused: Refuse) -> None:
    (tmp_path / "src").mkdir()
    assert refused(tmp_path / "src", FormatError, match, format=form).hint


def test_jpeg_comes_in_as_it_decodes(tmp_path: Path, picture: Noise, save: Save, imported: Import) -> None:
    for k in range(3):
        for side in ("input", "target"):
            save(tmp_path / "src" / "train" / side / f"{k}.jpg", picture(k))
    dataset = imported(tmp_path / "src", format="gopro")
    stored = cv2.imread(str(tmp_path / "src" / "train" / "input" / "0.jpg"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(next(pair.input for pair in dataset if pair.scene == "train/0"), stored)


def test_patterns_may_tell_the_split(gopro: Path, imported: Import) -> None:
    dataset = imported(
        gopro, format="folders", input="{split}/input/{name}.png", target="{split}/target/{name}.png"
    )
    assert {pair.scene for pair in dataset.split("test")} == {"test/008", "test/009"}
