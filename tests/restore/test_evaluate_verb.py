"""`twinlens evaluate`: protocols, re-alignment, baselines with the calibrated blur, a file to be verified."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from small_checkpoints import card_of
from small_rig import identity_state

from twinlens.calibrate import Calibrations
from twinlens.cli import run
from twinlens.dataset import PairedDataset
from twinlens.pixels import Kernel
from twinlens.restore.baselines import BASELINES, baseline
from twinlens.restore.checkpoint import Checkpoint, write_checkpoint
from twinlens.restore.metrics import PROTOCOLS, psnr
from twinlens.restore.networks import build_network, preset
from twinlens.restore.realign import REALIGNMENTS
from twinlens.verbs.evaluate import evaluate


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")


@pytest.fixture(scope="module")
def checkpoint(dataset: PairedDataset, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An untrained network."""
    network = build_network("mprnet", channels=1, hyper_parameters=preset("mprnet", "tiny"))
    card = card_of(network, dataset_hash=dataset.content_hash, step=7, metrics={"validation_psnr_db": 21.5})
    path = tmp_path_factory.mktemp("network") / "tiny.safetensors"
    write_checkpoint(path, Checkpoint.of(network, card))
    return str(path)


@pytest.fixture(scope="module")
def calibration(slanted_kernel: Kernel, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of the dataset's only mirror state."""
    state = dataclasses.replace(
        identity_state(mirror_state="streak"), kernel=slanted_kernel, session_ids=("session-1",)
    )
    path = tmp_path_factory.mktemp("calibration") / "calibration.json"
    Calibrations((state,)).write(path)
    return str(path)


def test_the_options_name_what_there_is() -> None:
    known = {option.name: option.type for option in evaluate.params}
    assert tuple(known["protocol"].choices) == tuple(PROTOCOLS)  # type: ignore[attr-defined]
    assert tuple(known["realign"].choices) == ("none", *REALIGNMENTS)  # type: ignore[attr-defined]
    assert tuple(known["names"].choices) == tuple(BASELINES)  # type: ignore[attr-defined]


def test_the_table_holds_input_restored_baselines_and_ceiling(
    dataset: PairedDataset, checkpoint: str, calibration: str, capsys: pytest.CaptureFixture[str]
) -> None:
    every = [option for name in BASELINES for option in ("--baseline", name)]
    arguments = [
        "evaluate",
        str(dataset.path),
        checkpoint,
        "--split",
        "train",
        "--calibration",
        calibration,
        *every,
    ]
    assert run([*arguments, "--realign", "shift", "--by", "state"]) == 0
    told = capsys.readouterr()
    assert "train split, protocol wang2003, 3 images of 3 scenes" in told.out
    for row in ("input", "restored", *BASELINES, "gain", "ceiling", "streak"):
        assert f"│ {row} " in told.out
    assert "dB re-aligned by shift" in told.out
    assert " .. " in told.out
    assert "these scenes were trained on" in told.err
    assert "other sessions" not in told.err


def test_baselines_know_the_calibrated_blur_and_nothing_else(
    dataset: PairedDataset, checkpoint: str, calibration: str, slanted_kernel: Kernel,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    arguments = ["evaluate", str(dataset.path), checkpoint, "--calibration", calibration, "--baseline", "wiener"]
    assert run([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (pair,) = dataset.split("test")
    blind = dataclasses.replace(pair, target=np.zeros_like(pair.target))
    expected = psnr(
        baseline("wiener", lambda _: slanted_kernel)(blind), pair.target, data_range=255.0, mask=pair.mask
    )
    assert told["mean_baselines"][0]["method"] == "wiener"
    assert told["mean_baselines"][0]["quality"]["psnr_db"] == pytest.approx(expected)
    assert expected > told["mean_input"]["psnr_db"] + 1
    assert told["restored_psnr_db_95"] is None  # a single scene


def test_what_is_kept_can_be_told_and_verified(
    dataset: PairedDataset, checkpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "scores" / "evaluation.json"
    arguments = ["evaluate", str(dataset.path), checkpoint, "-o", str(out), "--protocol", "skimage"]
    assert run([*arguments, "--split", "val", "--limit", "1"]) == 0
    assert "checkpoint was chosen on these scenes" in capsys.readouterr().err
    kept = json.loads(out.read_text())
    assert (kept["schema"], kept["schema_version"]) == ("twinlens.evaluation", "1.0.0")
    assert kept["dataset"]["content_hash"] == kept["evaluation"]["dataset_hash"] == dataset.content_hash
    assert (kept["dataset"]["split"], kept["dataset"]["pairs"]) == ("val", 1)
    assert kept["settings"] == {"protocol": "skimage", "realign": "none", "resamples": 2000, "seed": 0}
    assert kept["checkpoint"]["step"] == 7
    assert kept["evaluation"]["protocol"] == "skimage"
    assert run(["verify", str(out), "--sources", str(dataset.path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["dataset"] == str(dataset.path)
    assert run(["info", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["schema"] == "twinlens.evaluation"
    text = out.read_text()
    out.write_text(text.replace('"step": 7', '"step": 8'))
    assert run(["verify", str(out)]) == 1
    assert "was changed after it was written" in capsys.readouterr().err


@pytest.mark.parametrize(
    "case",
    [
        (["--baseline", "tv"], 2, "needs to know the blur"),
        (["-o", "scores.h5"], 2, "ends in .json"),
        (["--protocol", "matlab-rgb3d"], 1, "matlab-rgb3d scores pictures of 3 channels, these have 1"),
        (["--protocol", "matlab"], 2, "'matlab' is not one of"),
        (["--scheme", "other"], 1, "no split scheme 'other'"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(
    dataset: PairedDataset,
    checkpoint: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    case: tuple[list[str], int, str],
) -> None:
    more, code, seen = case
    out = [] if "-o" in more else ["-o", str(tmp_path / "evaluation.json")]
    assert run(["evaluate", str(dataset.path), checkpoint, *out, *more]) == code
    assert seen in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_calibration_of_other_sessions_is_told_and_of_other_states_refused(
    dataset: PairedDataset, checkpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for label, code, seen in (("streak", 0, "is of other sessions"), ("bent", 1, "'streak' is not calibrated")):
        state = dataclasses.replace(identity_state(mirror_state=label), session_ids=("elsewhere",))
        Calibrations((state,)).write(tmp_path / "c.json")
        arguments = ["evaluate", str(dataset.path), checkpoint, "--calibration", str(tmp_path / "c.json")]
        assert run([*arguments, "--baseline", "wiener"]) == code
        assert seen in capsys.readouterr().err


def test_an_existing_file_is_never_replaced_by_scores(
    dataset: PairedDataset, checkpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "calibration.json"
    kept.write_text("mine")
    assert run(["evaluate", str(dataset.path), checkpoint, "-o", str(kept)]) == 1
    assert "exists already" in capsys.readouterr().err
    assert kept.read_text() == "mine"
