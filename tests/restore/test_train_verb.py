"""`twinlens train`: recipes, single settings, resuming and fine-tuning from the command line."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from twinlens.cli import run
from twinlens.dataset import PairedDataset
from twinlens.restore.checkpoint import load_checkpoint
from twinlens.restore.tensors import read_tensors

FEW = ["--preset", "tiny", "--steps", "4", "--batch-size", "1", "--crop-px", "16", "--set", "validate_every=2"]


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")


def card(folder: Path) -> dict[str, object]:
    return dict(load_checkpoint(folder / "last.safetensors").card.settings)


def test_single_settings_change_the_recipe(dataset: PairedDataset, tmp_path: Path) -> None:
    out = tmp_path / "run"
    more = ["--set", "later_crops=[[0.5,32,2]]", "--set", "optimiser=adam", "--precision", "bfloat16"]
    assert run(["train", str(dataset.path), "-o", str(out), *FEW, *more]) == 0
    settings = card(out)
    assert (settings["optimiser"], settings["precision"]) == ("adam", "bfloat16")
    assert settings["later_crops"] == [[0.5, 32, 2]]
    assert settings["learning_rate"] == 3e-3


def test_a_training_is_resumed_with_the_settings_it_began_with(
    dataset: PairedDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["-o", str(tmp_path / "run")]
    assert run(["train", str(dataset.path), *out, *FEW]) == 0
    assert run(["train", str(dataset.path), *out, *FEW]) == 1
    assert "go on with --resume" in capsys.readouterr().err
    assert run(["train", str(dataset.path), *out, "--resume", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == []
    assert run(["train", str(dataset.path), *out, "--resume", "--seed", "3"]) == 1
    assert "with seed 0, 3 was asked for" in capsys.readouterr().err
    assert run(["info", str(tmp_path / "run" / "resume.safetensors"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["step"] == 4
    assert run(["verify", str(tmp_path / "run" / "resume.safetensors"), "--sources", str(dataset.path)]) == 0


def test_fine_tuning_takes_the_network_of_the_checkpoint(dataset: PairedDataset, tmp_path: Path) -> None:
    first = ["--set", 'hyper_parameters={"split": "none"}']
    assert run(["train", str(dataset.path), "-o", str(tmp_path / "first"), *FEW, *first]) == 0
    begin = ["--init", str(tmp_path / "first" / "best.safetensors")]
    tuned = ["train", str(dataset.path), "-o", str(tmp_path / "tuned"), "--steps", "1", "--crop-px", "16", *begin]
    assert run(tuned) == 0  # the default recipe is of another size
    assert load_checkpoint(tmp_path / "tuned" / "last.safetensors").build().hyper_parameters["split"] == "none"


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        (["--preset", "huge"], "no recipe is named 'huge'"),
        (["--set", "steps"], "has no '='"),
        (["--set", "colour=blue"], "has no setting colour"),
        (["--set", "steps=-1"], "TrainSettings.steps is -1"),
        (["--resume"], "resume.safetensors"),
    ],
)
def test_wrong_settings_are_refused(
    dataset: PairedDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], seen: str
) -> None:
    assert run(["train", str(dataset.path), "-o", str(tmp_path / "run"), *arguments]) == (
        2 if seen == "has no '='" else 1
    )
    assert seen in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_resuming_takes_no_other_network_or_weights(
    dataset: PairedDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", str(dataset.path), "-o", str(tmp_path), "--resume", "--preset", "tiny"]) == 2
    assert "leave out --preset" in capsys.readouterr().err


def test_a_terminated_training_keeps_its_state(dataset: PairedDataset, tmp_path: Path) -> None:
    """Batch systems and containers stop a process by SIGTERM."""
    command = [sys.executable, "-m", "twinlens", "train", str(dataset.path), "-o", str(tmp_path / "run"), *FEW]
    command += ["--steps", "100000", "--set", "validate_every=100000", "--threads", "1"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    log = tmp_path / "run" / "training.csv"
    for _ in range(600):
        if log.exists() and len(log.read_text().splitlines()) > 3:
            break
        threading.Event().wait(0.1)
    process.terminate()
    assert process.wait(60) == 130
    state = json.loads(read_tensors(tmp_path / "run" / "resume.safetensors")[1]["training"])
    assert state["step"] >= 20
