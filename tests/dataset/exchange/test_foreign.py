"""Pairs that somebody else registered: matched by name, converted only when asked, split by whole scenes."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from twinlens.dataset import ImportSettings, PairedDataset, import_dataset
from twinlens.errors import DatasetError, FormatError, SettingsError, SplitLeakError

Noise = Callable[..., np.ndarray]
Save = Callable[[Path, np.ndarray], None]


def imported(source: Path, **settings: object) -> PairedDataset:
    out = source.with_name("imported.h5")
    import_dataset(source, out, settings=ImportSettings(**settings), overwrite=True)
    return PairedDataset(out)


def refused(source: Path, error: type[Exception], match: str, **settings: object) -> DatasetError:
    out = source.with_name("refused.h5")
    with pytest.raises(error, match=match) as caught:
        import_dataset(source, out, settings=ImportSettings(**settings))
    assert not list(source.parent.glob("*refused*"))
    return caught.value


@pytest.fixture
def gopro(tmp_path: Path, picture: Noise, save: Save) -> Path:
    """MPRNet's layout: 8 pictures to train on and 2 to test on, and no validation split."""
    for k in range(10):
        folder = tmp_path / "src" / ("train" if k < 8 else "test")
        save(folder / "input" / f"{k:03d}.png", picture(2 * k))
        save(folder / "target" / f"{k:03d}.png", picture(2 * k + 1))
    return tmp_path / "src"


def test_a_missing_split_is_taken_from_train_and_the_others_stay(gopro: Path, picture: Noise) -> None:
    dataset = imported(gopro, format="gopro")
    assert {pair.scene for pair in dataset.split("test")} == {"test/008", "test/009"}
    assert [len(dataset.split(name)) for name in ("train", "val", "test")] == [7, 1, 2]
    for k, pair in enumerate(sorted(dataset, key=lambda pair: pair.scene.partition("/")[2])):
        np.testing.assert_array_equal(pair.input, picture(2 * k))
        np.testing.assert_array_equal(pair.target, picture(2 * k + 1))
        assert pair.mask.all()


def test_what_nobody_measured_is_unknown_and_not_zero(gopro: Path) -> None:
    dataset = imported(gopro, format="gopro")
    assert all(math.isnan(value) for pair in dataset for value in (pair.residual_px, pair.ncc, pair.exposure_us))
    assert dataset.summary().residual_px is None
    assert [pair.trigger_index for pair in dataset] == list(range(10))
    assert dataset.session_ids == ("src",)
    assert {state.label for state in dataset.mirror_states} == {"unknown"}


def test_a_picture_without_partner_is_named(gopro: Path) -> None:
    (gopro / "train" / "input" / "003.png").unlink()
    (gopro / "train" / "target" / "005.png").rename(gopro / "train" / "target" / "5.png")
    told = refused(
        gopro,
        DatasetError,
        r"7 inputs and 8 targets: 1 inputs have no target \(005\); 2 targets have no input \(003, 5\)",
        format="gopro",
    )
    assert "by file name" in told.hint


def test_sort_order_never_makes_a_pair(gopro: Path) -> None:
    for k in range(8):  # as many on both sides, and the inputs' numbers begin at 1
        (gopro / "train" / "input" / f"{7 - k:03d}.png").rename(gopro / "train" / "input" / f"{8 - k:03d}.png")
    refused(gopro, DatasetError, "8 inputs and 8 targets", format="gopro")


def test_a_scene_in_two_splits_is_a_leak(gopro: Path) -> None:
    refused(
        gopro,
        SplitLeakError,
        "the scene '00' lies in test and in train",
        format="gopro",
        scene_pattern=r"/(\d\d)\d$",
    )
    split = imported(gopro, format="gopro", scene_pattern=r"/\d\d(\d)$", split_again=True)
    assert len(split.scenes) == 10


def test_a_scene_pattern_that_finds_nothing_is_an_error(gopro: Path) -> None:
    refused(gopro, DatasetError, "finds nothing in 'test/008'", format="gopro", scene_pattern="frame_(.*)")
    with pytest.raises(SettingsError, match="no regular expression"):
        ImportSettings(format="gopro", scene_pattern="(")


def test_colour_is_refused_until_somebody_says_what_becomes_of_it(gopro: Path, picture: Noise, save: Save) -> None:
    colour = picture(99, (24, 32, 3))
    save(gopro / "train" / "input" / "000.png", colour)
    told = refused(gopro, FormatError, "000.png is in colour", format="gopro")
    assert "--mono" in told.hint
    luma = imported(gopro, format="gopro", colour="luma")
    (pair,) = [pair for pair in luma if pair.scene == "train/000"]
    wanted = np.rint(0.299 * colour[..., 0] + 0.587 * colour[..., 1] + 0.114 * colour[..., 2])
    assert np.abs(pair.input - wanted).max() <= 1e-9
    green = imported(gopro, format="gopro", colour="g")
    (pair,) = [pair for pair in green if pair.scene == "train/000"]
    np.testing.assert_array_equal(pair.input, colour[..., 1])


def test_different_sizes_are_counted_and_cut_on_request(gopro: Path, picture: Noise, save: Save) -> None:
    for side in ("input", "target"):
        save(gopro / "train" / side / "002.png", picture(7, (30, 20)))
    refused(gopro, DatasetError, r"2 sizes: 32x24 px \(18\), 20x30 px \(2\)", format="gopro")
    dataset = imported(gopro, format="gopro", crop_to_common=True)
    assert dataset.shape_hw == (24, 20)
    (pair,) = [pair for pair in dataset if pair.scene == "train/002"]
    np.testing.assert_array_equal(pair.target, picture(7, (30, 20))[3:27])


def test_16_bit_pictures_are_as_deep_as_somebody_says(tmp_path: Path, picture: Noise, save: Save) -> None:
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


def test_of_two_blurs_one_must_be_chosen_and_is_recorded(gopro_large: Path, picture: Noise) -> None:
    told = refused(gopro_large, SettingsError, "blur and blur_gamma", format="gopro")
    assert "--blur" in told.hint
    for kind, blur in enumerate(("blur", "blur_gamma")):
        dataset = imported(gopro_large, format="gopro", blur=blur)
        assert set(dataset.scenes) == {"S1", "S2", "S3", "S4"}
        assert dataset.split("test").scenes == ("S4",)
        (pair,) = [pair for pair in dataset if pair.scene == "S2" and pair.target[0, 0] == picture(112)[0, 0]]
        np.testing.assert_array_equal(pair.input, picture(110 + kind))
        assert json.loads(dataset.provenance().config_json)["import"]["blur"] == blur


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


def test_a_list_names_the_sharp_picture_first(listed: Path, picture: Noise) -> None:
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


def test_a_list_with_missing_repeated_or_short_lines_is_refused(listed: Path) -> None:
    path = listed / "data_train_list.txt"
    good = path.read_text()
    path.write_text(good + "data/scene009/gt/gt_0.png data/scene009/blur/blur_0.png\n")
    refused(listed, DatasetError, "2 of 18 listed files are not there", format="list")
    path.write_text(good + good.splitlines()[0] + "\n")
    refused(listed, DatasetError, "2 files are listed twice", format="list")
    path.write_text(good + "data/scene000/gt/gt_0.png\n")
    refused(listed, FormatError, "line 7 of .* has 1 columns", format="list")


def test_hdf5_is_read_by_names(tmp_path: Path, picture: Noise) -> None:
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


def test_folders_are_read_by_patterns(tmp_path: Path, picture: Noise, save: Save) -> None:
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


def test_patterns_may_tell_the_split(gopro: Path) -> None:
    dataset = imported(
        gopro, format="folders", input="{split}/input/{name}.png", target="{split}/target/{name}.png"
    )
    assert {pair.scene for pair in dataset.split("test")} == {"test/008", "test/009"}


def test_foreign_basicsr_folders_are_read_with_their_meta_info(tmp_path: Path, picture: Noise, save: Save) -> None:
    for k in range(5):
        save(tmp_path / "src" / "LQ" / f"{k}.png", picture(k))
        save(tmp_path / "src" / "GT" / f"{k}.png", picture(k + 10))
    (tmp_path / "src" / "info.txt").write_text("".join(f"{k}.png (24,32,1)\n" for k in range(4)))
    settings = {"format": "basicsr", "input": "LQ", "target": "GT"}
    assert len(imported(tmp_path / "src", **settings)) == 5
    assert len(imported(tmp_path / "src", **settings, lists=(("", "info.txt"),))) == 4
    (tmp_path / "src" / "LQ" / "2.png").unlink()
    refused(tmp_path / "src", DatasetError, "lacks 1 of 4 listed", **settings, lists=(("", "info.txt"),))


def test_masks_of_some_pairs_only_are_refused(gopro: Path, picture: Noise, save: Save) -> None:
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
def test_an_empty_folder_is_told_what_it_lacks(tmp_path: Path, form: str, match: str) -> None:
    (tmp_path / "src").mkdir()
    assert refused(tmp_path / "src", FormatError, match, format=form).hint


def test_jpeg_comes_in_as_it_decodes(tmp_path: Path, picture: Noise, save: Save) -> None:
    for k in range(3):
        for side in ("input", "target"):
            save(tmp_path / "src" / "train" / side / f"{k}.jpg", picture(k))
    dataset = imported(tmp_path / "src", format="gopro")
    stored = cv2.imread(str(tmp_path / "src" / "train" / "input" / "0.jpg"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(next(pair.input for pair in dataset if pair.scene == "train/0"), stored)
