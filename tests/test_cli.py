"""Every verb's errors: exit code, what was seen, and what to do."""

import json
from pathlib import Path

import numpy as np
import pytest
from small_checkpoints import card_of

from twinlens import __version__
from twinlens.cli import run
from twinlens.picture_files import save_picture
from twinlens.restore.checkpoint import Checkpoint, write_checkpoint
from twinlens.restore.networks import build_network, preset

NOBODY = "127.0.9.9"


@pytest.fixture(autouse=True)
def _no_camera_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TWINLENS_GEV_DEVICES", NOBODY)
    monkeypatch.delenv("GENICAM_GENTL64_PATH", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str], *, seen: str, code: int = 1) -> str:
    assert run(arguments) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert seen in told.err
    assert "Traceback" not in told.err
    return told.err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize(
    "verb",
    [
        "cameras",
        "doctor",
        "verify",
        "export",
        "import",
        "simulate",
        "capture",
        "calibrate",
        "build",
        "append",
        "derive",
        "split",
        "train",
        "evaluate",
        "restore",
        "demo",
        "experiment",
        "info",
    ],
)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, "--help"]) == 0
    assert "Usage: twinlens" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [["nosuchverb"], ["capture", "--pairs", "0"], ["build"], ["capture", "--nosuch"], ["info", "nosuchfile"]],
)
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    assert run(arguments) == 2


def test_no_camera_is_told_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert "simulate" in refused(["cameras"], capsys, seen="no camera answered")


def test_a_producer_that_does_not_load_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "fake.cti").write_text("not a library")
    refused(["cameras", "--producer", str(tmp_path / "fake.cti")], capsys, seen="fake.cti")


def test_capture_without_rig_file_says_how_to_write_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--assign" in refused(["capture", "--pairs", "1", "--scene", "x"], capsys, seen="rig.toml")


def test_capture_with_cameras_that_do_not_answer_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rig.toml").write_text('a = "A1"\nb = "B1"\n')
    refused(["capture", "--pairs", "1", "--scene", "x", "-o", "out"], capsys, seen="did not answer")
    assert list((tmp_path / "out").iterdir()) == []


def test_calibrate_on_a_folder_that_is_no_session(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    refused(["calibrate", "empty", "-o", "c.json"], capsys, seen="session.json")
    assert not (tmp_path / "c.json").exists()


@pytest.mark.parametrize("verb", ["train", "evaluate"])
def test_a_foreign_dataset_is_refused(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.h5").write_bytes(b"\x89HDF\r\n\x1a\n cut short")
    (tmp_path / "c.safetensors").write_bytes(b"none")
    arguments = [verb, "x.h5"] + (["c.safetensors"] if verb == "evaluate" else [])
    refused(arguments, capsys, seen="x.h5")


def test_a_foreign_checkpoint_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.safetensors").write_bytes(b"none")
    save_picture(np.zeros((32, 32), np.uint8), tmp_path / "p.png")
    refused(["restore", "p.png", "-c", "c.safetensors"], capsys, seen="c.safetensors")
    assert not (tmp_path / "restored").exists()


def test_info_refuses_what_is_not_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.json").write_text("[1, 2")
    refused(["info", "x.json"], capsys, seen="x.json")


def test_info_shows_a_file_of_ours_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.json").write_text(json.dumps({"schema": "twinlens.report", "n": 3}))
    assert run(["info", "r.json", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n"] == 3


def test_an_output_that_cannot_be_written_ends_in_a_panel(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rig.toml").write_text('a = "A1"\nb = "B1"\n')
    (tmp_path / "afile").write_text("")
    refused(["capture", "--pairs", "1", "--scene", "x", "-o", "afile"], capsys, seen="afile")


def test_restore_never_overwrites_a_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], checkpoint: Path
) -> None:
    save_picture(np.zeros((32, 32), np.uint8), tmp_path / "p.png")
    before = (tmp_path / "p.png").read_bytes()
    refused(["restore", "p.png", "-c", str(checkpoint), "-o", "."], capsys, seen="p.png exists already")
    assert (tmp_path / "p.png").read_bytes() == before


def test_a_folder_without_pictures_and_a_colour_picture_are_refused_by_a_mono_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], checkpoint: Path
) -> None:
    (tmp_path / "empty").mkdir()
    refused(["restore", "empty", "-c", str(checkpoint)], capsys, seen="no picture")
    save_picture(np.zeros((32, 32, 3), np.uint8), tmp_path / "rgb.png")
    refused(["restore", "rgb.png", "-c", str(checkpoint)], capsys, seen="channel")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    network = build_network("mprnet", channels=1, hyper_parameters=preset("mprnet", "tiny"))
    card = card_of(network)
    path = tmp_path / "tiny.safetensors"
    write_checkpoint(path, Checkpoint.of(network, card))
    return path
