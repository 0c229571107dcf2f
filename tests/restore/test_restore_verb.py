"""The restore verb: from files, datasets and videos into files and HDF5, with a network that changes nothing."""

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from small_checkpoints import card_of
from small_pairs import make_pairs

from twinlens.cli import run
from twinlens.dataset import DatasetSettings, PairedDataset, build_dataset
from twinlens.picture_files import read_picture, save_picture
from twinlens.restore.checkpoint import Checkpoint, write_checkpoint
from twinlens.restore.networks import build_network, preset
from twinlens.restored_file import file_hash
from twinlens.video_files import open_video, read_frames, video_writer

MAKER, ORIENTATION = 0x010F, 0x0112
Refused = Callable[..., str]


def identity(path: Path, *, bit_depth: int = 8) -> Path:
    network = build_network("mprnet", channels=1, hyper_parameters=preset("mprnet", "tiny"))
    network.quieten(0.0)
    card = card_of(network, bit_depth=bit_depth, settings={"crop_px": 16})
    write_checkpoint(path, Checkpoint.of(network, card))
    return path


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return identity(tmp_path / "identity.safetensors")


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    def fails(arguments: list[str], *, code: int = 1) -> str:
        capsys.readouterr()
        assert run(arguments) == code
        return " ".join(capsys.readouterr().err.replace("│", " ").split())

    return fails


def picture_of(kind: type = np.uint8, shape: tuple[int, ...] = (37, 51), seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.random(shape, np.float32) if kind is np.float32 else rng.integers(0, 256, shape).astype(kind)


def test_a_folder_of_several_kinds_comes_out_with_pixels_depth_and_exif(
    tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out, exif = tmp_path / "in", tmp_path / "out", Image.Exif()
    folder.mkdir()
    exif[MAKER], exif[ORIENTATION] = "Maker", 6
    Image.fromarray(picture_of()).save(folder / "a.png", exif=exif)
    Image.fromarray(picture_of()).save(folder / "b.jpg", exif=exif)
    save_picture(picture_of(np.float32), folder / "c.tif")
    save_picture(picture_of(shape=(40, 24)), folder / "d.tiff")
    assert run(["restore", str(folder), "-c", str(checkpoint), "-o", str(out), "--json"]) == 0
    captured = capsys.readouterr()
    names = ["a.png", "b.png", "c.tif", "d.tiff"]
    assert json.loads(captured.out)["written"] == [str(out / name) for name in names]
    assert "whole pictures" in captured.err
    for before, after in zip(sorted(folder.iterdir()), names, strict=True):
        restored, given = read_picture(out / after), read_picture(before)
        assert restored.dtype == given.dtype
        np.testing.assert_array_equal(restored, given)
    for name in names[:2]:
        with Image.open(out / name) as image:
            assert dict(image.getexif()) == {MAKER: "Maker", ORIENTATION: 6}


def test_one_bad_file_among_many_is_found_before_the_work_starts(
    tmp_path: Path, checkpoint: Path, refused: Refused
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ("a", "b", "c"):
        save_picture(picture_of(), folder / f"{name}.png")
    save_picture(picture_of(np.uint16), folder / "deep.png")
    said = refused(["restore", str(folder), "-c", str(checkpoint), "-o", str(out)])
    assert "deep.png" in said
    assert "scale the picture" in said
    (folder / "deep.png").write_bytes((folder / "a.png").read_bytes()[:200])
    assert "deep.png" in refused(["restore", str(folder), "-c", str(checkpoint), "-o", str(out)])
    assert not out.exists()


def test_a_16_bit_file_beyond_12_bit_tells_what_to_do(tmp_path: Path, refused: Refused) -> None:
    save_picture(picture_of(np.uint16) * 200, tmp_path / "p.png")
    checkpoint = identity(tmp_path / "twelve.safetensors", bit_depth=12)
    said = refused(["restore", str(tmp_path / "p.png"), "-c", str(checkpoint), "-o", str(tmp_path / "out")])
    assert "12 bit" in said
    assert "white is 4095" in said


@pytest.mark.parametrize("settings", [
    ["--tile", "96", "--overlap", "16", "--precision", "float32"],
    ["--ensemble", "--pool", "local", "--memory", "1.5"],
])  # fmt: skip
def test_settings_reach_the_restorer(
    settings: list[str], tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_picture(picture_of(shape=(90, 150)), tmp_path / "p.png")
    where = [str(tmp_path / "p.png"), "-c", str(checkpoint), "-o", str(tmp_path / "out")]
    assert run(["restore", *where, *settings]) == 0
    said = capsys.readouterr().err
    assert ("2 tiles of 88x96 px" in said) == ("--tile" in settings)
    assert ("1.5 GiB may be taken" in said) == ("--memory" in settings)
    np.testing.assert_array_equal(read_picture(tmp_path / "out" / "p.png"), picture_of(shape=(90, 150)))


def test_too_little_memory_ends_before_the_work_and_names_a_tile(
    tmp_path: Path, checkpoint: Path, refused: Refused
) -> None:
    save_picture(picture_of(shape=(1000, 1000)), tmp_path / "p.png")
    where = [str(tmp_path / "p.png"), "-c", str(checkpoint), "-o", str(tmp_path / "out")]
    said = refused(["restore", *where, "--tile", "1000", "--memory", "0.3", "--precision", "float32"])
    assert "0.30 GiB may be taken" in said
    assert "--tile" in said
    assert not (tmp_path / "out").exists()


def test_the_inputs_of_a_dataset_s_split_go_into_files_and_into_one_hdf5(
    tmp_path: Path, checkpoint: Path, dataset: PairedDataset, refused: Refused
) -> None:
    pairs = list(dataset.split("val"))
    where = ["restore", str(dataset.path), "-c", str(checkpoint), "--split", "val", "-o"]
    assert run([*where, str(tmp_path / "files")]) == 0
    for pair in pairs:
        np.testing.assert_array_equal(read_picture(tmp_path / "files" / f"{pair.pair_id}.png"), pair.input)
    assert run([*where, str(tmp_path / "one.h5"), "--to", "h5"]) == 0
    with h5py.File(tmp_path / "one.h5") as file:
        assert file.attrs["schema"] == "twinlens.restored"
        assert json.loads(file.attrs["settings"])["precision"] in ("float32", "bfloat16")  # auto is no answer
        assert file.attrs["checkpoint_hash"] == file_hash(checkpoint)
        assert [name.decode() for name in file["ids"]] == [pair.pair_id for pair in pairs]
        np.testing.assert_array_equal(file["restored"], [pair.input for pair in pairs])
    assert "exists already" in refused([*where, str(tmp_path / "one.h5"), "--to", "h5"])
    assert "nosuch" in refused([*where, str(tmp_path / "x"), "--scheme", "nosuch"])


def test_image_files_do_not_go_into_an_hdf5(tmp_path: Path, checkpoint: Path, refused: Refused) -> None:
    save_picture(picture_of(), tmp_path / "p.png")
    where = ["restore", str(tmp_path / "p.png"), "-c", str(checkpoint), "-o", str(tmp_path / "out")]
    assert "sessions and datasets" in refused([*where, "--to", "h5"], code=2)


def test_a_video_comes_out_frame_by_frame_at_its_rate(tmp_path: Path, checkpoint: Path, refused: Refused) -> None:
    frames = [picture_of(shape=(40, 56), seed=k) for k in range(3)]
    with video_writer(tmp_path / "v.mkv", rate_hz=12.5, like=frames[0]) as write:
        for frame in frames:
            write(frame)
    where = ["restore", str(tmp_path / "v.mkv"), "-c", str(checkpoint), "-o"]
    assert run([*where, str(tmp_path / "out")]) == 0
    restored = open_video(tmp_path / "out" / "v.mkv")
    assert restored.rate_hz == pytest.approx(12.5)
    np.testing.assert_array_equal(list(read_frames(restored, channels=1)), frames)
    assert "v.mkv exists already" in refused([*where, str(tmp_path)])


def test_a_file_of_no_known_name_is_refused(tmp_path: Path, checkpoint: Path, refused: Refused) -> None:
    (tmp_path / "notes.txt").write_text("none")
    assert "notes.txt" in refused(["restore", str(tmp_path / "notes.txt"), "-c", str(checkpoint)])


def test_a_dataset_of_another_depth_is_refused_though_its_values_would_fit(
    tmp_path: Path, refused: Refused
) -> None:
    path = tmp_path / "ten.h5"
    build_dataset(make_pairs(8, bit_depth=10), path, settings=DatasetSettings())
    twelve = identity(tmp_path / "twelve.safetensors", bit_depth=12)
    asked = ["restore", str(path), "-c", str(twelve), "-o", str(tmp_path / "out")]
    assert "have 10 bit; the network was trained on 12 bit" in refused(asked)
    assert "has 10 bit" in refused(["evaluate", str(path), str(twelve)])


def test_a_folder_s_videos_are_restored_and_looked_at_before_the_work(
    tmp_path: Path, checkpoint: Path, refused: Refused
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    colour = picture_of(np.uint8, (40, 56, 3))
    with video_writer(folder / "film.mkv", rate_hz=10, like=colour) as write:
        write(colour)
    save_picture(picture_of(), folder / "still.png")
    assert "film.mkv: the picture has 3 channel(s)" in refused(
        ["restore", str(folder), "-c", str(checkpoint), "-o", str(tmp_path / "out")]
    )
    assert not (tmp_path / "out").exists()


def test_what_was_restored_into_one_file_can_be_told(
    dataset: PairedDataset, tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "all.h5"
    assert run(["restore", str(dataset.path), "-c", str(checkpoint), "-o", str(path), "--to", "h5"]) == 0
    capsys.readouterr()
    assert run(["info", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pictures"] == 1


@pytest.mark.parametrize("options", [["--tile", "70", "--overlap", "64"], ["--memory", "inf"]])
def test_settings_that_cannot_work_end_in_an_error(
    tmp_path: Path, checkpoint: Path, refused: Refused, options: list[str]
) -> None:
    save_picture(picture_of(shape=(200, 300)), tmp_path / "p.png")
    refused(["restore", str(tmp_path / "p.png"), "-c", str(checkpoint), "-o", str(tmp_path / "out"), *options])
