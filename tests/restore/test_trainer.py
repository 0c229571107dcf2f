"""Not-a-number is undone and told; running means, fine-tuning, precision and kept checkpoints do what they say."""

import csv
import dataclasses
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_pairs import make_pairs
from torch import Tensor, nn

from twinlens.calibrate.align import AlignedPair
from twinlens.dataset import DatasetSettings, PairedDataset, build_dataset
from twinlens.errors import (
    CheckpointError,
    DatasetError,
    SettingsError,
    TrainingDivergedError,
    UnknownNetworkError,
)
from twinlens.restore import networks
from twinlens.restore.average import WeightAverage
from twinlens.restore.checkpoint import load_checkpoint
from twinlens.restore.networks.mprnet import MPRNet
from twinlens.restore.train import BEST, LAST, TrainSettings, kept_name, train

SHORT = TrainSettings(
    preset="tiny", steps=12, batch_size=2, crop_px=16, validate_every=6, validation_crops=2, report_every=2
)


class Faulty(MPRNet):
    """An MPRNet whose training passes in `faulty` (counted from 1) give not-a-number."""

    faulty: frozenset[int] = frozenset()
    interrupted = 0
    """The training pass in which Ctrl-C is pressed."""

    def __init__(self, channels: int, **hyper_parameters: Any) -> None:
        super().__init__(channels, **hyper_parameters)
        self.passes = 0

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        stages = super().forward(images)
        self.passes += self.training
        if self.training and self.passes == self.interrupted:
            raise KeyboardInterrupt
        if self.training and self.passes in self.faulty:
            return stages[0] * torch.nan, stages[1], stages[2]
        return stages


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> type[Faulty]:
    monkeypatch.setattr(Faulty, "faulty", frozenset())
    monkeypatch.setattr(networks, "NETWORKS", {"mprnet": Faulty})
    return Faulty


def weights(path: Path) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in load_checkpoint(path).weights.values()])


@pytest.mark.parametrize("at", [1, 5, 6, 12])
def test_not_a_number_at_a_step_is_undone_and_reported(
    dataset: PairedDataset, tmp_path: Path, faults: type[Faulty], monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    monkeypatch.setattr(faults, "faulty", frozenset({at}))
    reports = list(train(dataset, SHORT, out=tmp_path))
    assert [report.step for report in reports] == list(range(2, 13, 2))
    told = [report.went_back_from for report in reports]
    assert told == [at if step - 1 <= at <= step else None for step in range(2, 13, 2)]
    assert all(torch.isfinite(tensor).all() for tensor in load_checkpoint(tmp_path / LAST).weights.values())
    logged = [json.loads(line) for line in (tmp_path / "training.jsonl").read_text().splitlines()]
    assert [line["went_back_from"] for line in logged] == told


def test_a_step_cut_in_half_by_ctrl_c_leaves_the_state_of_the_report_before(
    dataset: PairedDataset, tmp_path: Path, faults: type[Faulty], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "interrupted", 6)
    with pytest.raises(KeyboardInterrupt):
        list(train(dataset, SHORT, out=tmp_path / "cut"))
    monkeypatch.setattr(faults, "interrupted", 0)
    stopped = train(dataset, SHORT, out=tmp_path / "stopped")
    list(itertools.islice(stopped, 2))
    stopped.close()
    assert load_checkpoint(tmp_path / "cut" / LAST).card.step == 4
    assert torch.equal(weights(tmp_path / "cut" / LAST), weights(tmp_path / "stopped" / LAST))
    assert [r.step for r in train(dataset, SHORT, out=tmp_path / "cut", resume=True)] == [6, 8, 10, 12]


def test_a_run_that_goes_back_again_and_again_gives_up(
    dataset: PairedDataset, tmp_path: Path, faults: type[Faulty], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "faulty", frozenset(range(7, 1000)))
    with pytest.raises(TrainingDivergedError, match="step 7: loss nan"):
        list(train(dataset, SHORT, out=tmp_path))
    assert load_checkpoint(tmp_path / BEST).card.step == 6


def test_a_running_mean_follows_the_weights_and_steps_aside() -> None:
    layer = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        layer.weight.fill_(0.0)
    average = WeightAverage(layer, 0.9)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    average.update(10_000)
    with average.in_place():
        assert layer.weight.item() == pytest.approx(0.1)
    assert layer.weight.item() == 1.0
    average.update(0)  # early, the memory is short: 0.1 + 0.9 * (1 - 0.1)
    assert average.state()["weight"].item() == pytest.approx(0.91)


def test_the_mean_weights_are_what_is_kept(dataset: PairedDataset, tmp_path: Path) -> None:
    for decay in (0.0, 0.999):
        list(train(dataset, dataclasses.replace(SHORT, ema_decay=decay), out=tmp_path / str(decay)))
    assert not torch.equal(weights(tmp_path / "0.0" / LAST), weights(tmp_path / "0.999" / LAST))


def test_accumulated_batches_are_one_larger_batch(dataset: PairedDataset, tmp_path: Path) -> None:
    once = dataclasses.replace(SHORT, batch_size=4, precision="float64")
    list(train(dataset, once, out=tmp_path / "once"))
    list(train(dataset, dataclasses.replace(once, batch_size=1, accumulate=4), out=tmp_path / "parts"))
    torch.testing.assert_close(
        weights(tmp_path / "parts" / LAST), weights(tmp_path / "once" / LAST), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"recompute": True},
        {"precision": "bfloat16"},
        {"optimiser": "adam", "weight_decay": 1e-8},
        {"passport_weights": True, "dihedral": True, "brightness_jitter": 0.1},
    ],
)
def test_every_way_of_training_trains(dataset: PairedDataset, tmp_path: Path, changes: dict[str, Any]) -> None:
    reports = list(train(dataset, dataclasses.replace(SHORT, **changes), out=tmp_path))
    assert reports[-1].step == 12
    if changes == {"recompute": True}:
        list(train(dataset, SHORT, out=tmp_path / "plain"))
        torch.testing.assert_close(weights(tmp_path / LAST), weights(tmp_path / "plain" / LAST))


def test_fine_tuning_begins_where_the_checkpoint_ended(dataset: PairedDataset, tmp_path: Path) -> None:
    list(train(dataset, SHORT, out=tmp_path / "first"))
    init = load_checkpoint(tmp_path / "first" / LAST)
    tuned = dataclasses.replace(SHORT, steps=1, learning_rate=1e-12, seed=9)
    list(train(dataset, tuned, out=tmp_path / "tuned", init=init))
    torch.testing.assert_close(weights(tmp_path / "tuned" / LAST), weights(tmp_path / "first" / LAST))
    with pytest.raises(CheckpointError, match=r"'width': 8.* are needed"):
        next(train(dataset, dataclasses.replace(SHORT, preset="demo"), out=tmp_path / "other", init=init))


def test_kept_checkpoints_and_the_table_tell_the_whole_training(dataset: PairedDataset, tmp_path: Path) -> None:
    list(train(dataset, dataclasses.replace(SHORT, keep_every=4), out=tmp_path))
    kept = sorted(path.name for path in tmp_path.glob("step_*"))
    assert kept == [kept_name(step) for step in (4, 8, 12)]
    assert [load_checkpoint(tmp_path / name).card.step for name in kept] == [4, 8, 12]
    with (tmp_path / "training.csv").open() as table:
        rows = list(csv.DictReader(table))
    assert [int(row["step"]) for row in rows] == [2, 4, 6, 8, 10, 12]
    lines = [json.loads(line) for line in (tmp_path / "training.jsonl").read_text().splitlines()]
    assert [float(row["loss"]) for row in rows] == [line["loss"] for line in lines]


def test_a_network_without_the_split_trains_and_comes_back_without_it(
    dataset: PairedDataset, tmp_path: Path
) -> None:
    list(train(dataset, dataclasses.replace(SHORT, hyper_parameters={"split": "none"}), out=tmp_path))
    assert load_checkpoint(tmp_path / LAST).build().hyper_parameters["split"] == "none"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("later_crops", ((0.5, 20, 1),)),
        ("later_crops", ((0.7, 32, 1), (0.3, 16, 1))),
        ("later_crops", ((0.5, 32, 0),)),
        ("precision", "float16"),
        ("loss", "l7"),
        ("optimiser", "sgd"),
        ("shift_px", -1),
    ],
)
def test_settings_that_cannot_work_are_refused(field: str, value: object) -> None:
    with pytest.raises(SettingsError, match=field):
        TrainSettings.from_dict({field: value})


def test_tensorboard_is_written_where_it_is_asked_for(dataset: PairedDataset, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    list(train(dataset, dataclasses.replace(SHORT, tensorboard=True), out=tmp_path))
    assert list((tmp_path / "tensorboard").glob("events.out.tfevents.*"))


WRONG_KINDS = """
from twinlens.errors import SettingsError
from twinlens.restore.train_settings import TrainSettings

for field, value in {
    "dihedral": "no", "steps": 10.5, "workers": "two", "learning_rate": "fast", "optimiser": 3, "beta2": 1.0,
    "later_crops": [[0.5, 96]], "shift_px": 24,
}.items():
    try:
        TrainSettings.from_dict({"crop_px": 48, field: value})
    except SettingsError as refused:
        assert field in refused.message, refused.message
    else:
        raise AssertionError(field)
"""


def test_a_setting_of_the_wrong_kind_is_refused_and_not_taken_for_true() -> None:
    """In a process of its own, where types are not checked at every call as they are here."""
    subprocess.run([sys.executable, "-c", WRONG_KINDS], check=True, timeout=100)


@pytest.mark.parametrize("hyper_parameters", [{"width": -3}, {"reduction": 0}, {"width": 2}, {"cab_count": 0}])
def test_a_network_that_cannot_be_is_refused(
    dataset: PairedDataset, tmp_path: Path, hyper_parameters: dict[str, int]
) -> None:
    settings = dataclasses.replace(SHORT, hyper_parameters=hyper_parameters)
    with pytest.raises(UnknownNetworkError, match="mprnet"):
        next(train(dataset, settings, out=tmp_path / "run"))


def test_crops_of_a_later_phase_are_checked_before_the_first_step(dataset: PairedDataset, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="crops of 256 px"):
        next(train(dataset, dataclasses.replace(SHORT, later_crops=((0.9, 256, 1),)), out=tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_crops_without_a_valid_pixel_are_no_perfect_ones(tmp_path: Path) -> None:
    def pairs() -> Iterator[AlignedPair]:
        for pair in make_pairs(6, shape_hw=(96, 96)):
            mask = np.zeros((96, 96), np.bool_)
            mask[:20, :20] = True
            yield dataclasses.replace(pair, mask=mask)

    build_dataset(pairs(), tmp_path / "corner.h5", settings=DatasetSettings(find_duplicates=False))
    settings = dataclasses.replace(SHORT, steps=2, validation_crops=16, validation_crop_px=16)
    *_, report = train(PairedDataset(tmp_path / "corner.h5"), settings, out=tmp_path / "run")
    assert report.input_psnr_db is not None
    assert report.input_psnr_db < 20  # noise against noise


def test_weights_that_a_step_spoilt_are_not_kept_as_good(
    dataset: PairedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, spoilt = torch.optim.AdamW.step, []

    def spoiling(self: torch.optim.AdamW) -> None:
        step(self)
        spoilt.append(1)
        if len(spoilt) == 6:  # a report's own step, whose loss was finite
            with torch.no_grad():
                next(iter(self.param_groups[0]["params"])).fill_(torch.nan)

    monkeypatch.setattr(torch.optim.AdamW, "step", spoiling)
    reports = list(train(dataset, SHORT, out=tmp_path))
    assert [report.went_back_from for report in reports] == [None, None, 6, None, None, None]
    assert all(torch.isfinite(tensor).all() for tensor in load_checkpoint(tmp_path / LAST).weights.values())


def test_a_training_that_explodes_ends_with_its_error(dataset: PairedDataset, tmp_path: Path) -> None:
    wild = {"learning_rate": 1e6, "clip_norm": 1e6, "warmup_steps": 0, "validate_every": 1, "report_every": 1}
    with pytest.raises(TrainingDivergedError, match=r"step [12]:"):
        list(train(dataset, dataclasses.replace(SHORT, **wild), out=tmp_path))


def test_float64_weights_begin_a_training_with_all_their_digits(dataset: PairedDataset, tmp_path: Path) -> None:
    exact = dataclasses.replace(SHORT, precision="float64", steps=2)
    list(train(dataset, exact, out=tmp_path / "first"))
    init = load_checkpoint(tmp_path / "first" / LAST)
    still = dataclasses.replace(exact, steps=1, learning_rate=1e-12, warmup_steps=0)
    list(train(dataset, still, out=tmp_path / "tuned", init=init))
    torch.testing.assert_close(
        weights(tmp_path / "tuned" / LAST), weights(tmp_path / "first" / LAST), rtol=0, atol=1e-11
    )
