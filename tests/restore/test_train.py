"""Training gains decibels, chooses by validation only, repeats itself, and stops where it diverges."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from twinlens.dataset import PairedDataset, StoredPair
from twinlens.errors import (
    CheckpointError,
    DatasetError,
    SettingsError,
    TrainingDivergedError,
    UnknownNetworkError,
)
from twinlens.pixels import Kernel, Picture
from twinlens.restore.baselines import best_wiener
from twinlens.restore.checkpoint import load_checkpoint
from twinlens.restore.evaluate import evaluate, summarise
from twinlens.restore.restorer import Restorer
from twinlens.restore.train import RECIPES, StepReport, TrainSettings, train

SHORT = TrainSettings(
    preset="tiny", steps=6, batch_size=2, crop_px=16, validate_every=3, validation_crops=2, report_every=2
)


@dataclasses.dataclass(frozen=True)
class Trained:
    dataset: PairedDataset
    folder: Path
    reports: list[StepReport]


@pytest.fixture(scope="module")
def trained(dataset: PairedDataset, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("run") / "tiny"
    settings = dataclasses.replace(RECIPES["tiny"], steps=160, batch_size=2, validate_every=80, validation_crops=4)
    return Trained(dataset, folder, list(train(dataset, settings, out=folder)))


def test_a_short_training_gains_more_than_two_decibels_on_pictures_it_never_saw(
    trained: Trained, slanted_kernel: Kernel
) -> None:
    def oracle(pair: StoredPair) -> Picture:
        return best_wiener(pair.input, pair.target, slanted_kernel, bit_depth=8, mask=pair.mask).picture

    restorer = Restorer.from_checkpoint(load_checkpoint(trained.folder / "best.safetensors"))
    scored = list(evaluate(trained.dataset.split("test"), restorer, baselines={"oracle Wiener": oracle}))
    report = summarise([one.score for one in scored], split="test", dataset_hash=trained.dataset.content_hash)
    assert report.gain_db > 2
    assert report.mean_restored.ssim > report.mean_input.ssim
    assert report.mean_baselines[0].quality.psnr_db > report.mean_input.psnr_db


def test_the_reports_tell_the_training(trained: Trained) -> None:
    reports = trained.reports
    assert [report.step for report in reports] == list(range(10, 161, 10))
    assert reports[-1].loss < reports[0].loss
    validated = [report for report in reports if report.psnr_db is not None]
    assert [report.step for report in validated] == [80, 160]
    assert len({report.input_psnr_db for report in validated}) == 1
    lines = [json.loads(line) for line in (trained.folder / "training.jsonl").read_text().splitlines()]
    assert lines == [dataclasses.asdict(report) for report in reports]


def test_best_is_the_highest_validation_and_last_is_the_last_step(trained: Trained) -> None:
    best = load_checkpoint(trained.folder / "best.safetensors", network="mprnet").card
    last = load_checkpoint(trained.folder / "last.safetensors").card
    validated = [report for report in trained.reports if report.psnr_db is not None]
    highest = max(validated, key=lambda report: report.psnr_db or 0)
    assert (best.step, best.metrics["validation_psnr_db"]) == (highest.step, highest.psnr_db)
    assert last.step == 160
    assert best.dataset_hash == trained.dataset.content_hash
    assert best.bit_depth == 8
    assert TrainSettings.from_dict(best.settings).preset == "tiny"


def test_the_test_split_is_never_opened_by_training(
    dataset: PairedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    split = PairedDataset.split

    def watched(self: PairedDataset, name: str, *, scheme: str) -> object:
        opened.append(name)
        return split(self, name, scheme=scheme)

    monkeypatch.setattr(PairedDataset, "split", watched)
    list(train(dataset, SHORT, out=tmp_path))
    assert sorted(set(opened)) == ["train", "val"]


def weights_after(dataset: PairedDataset, settings: TrainSettings, out: Path) -> torch.Tensor:
    list(train(dataset, settings, out=out))
    return torch.cat([t.flatten() for t in load_checkpoint(out / "last.safetensors").weights.values()])


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    dataset: PairedDataset, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    once = weights_after(dataset, SHORT, tmp_path / "once")
    torch.manual_seed(2)  # the caller's random state must not matter
    again = weights_after(dataset, SHORT, tmp_path / "again")
    other = weights_after(dataset, dataclasses.replace(SHORT, seed=1), tmp_path / "other")
    assert torch.equal(once, again)
    assert not torch.equal(once, other)


def test_training_leaves_torchs_own_random_state_alone(dataset: PairedDataset, tmp_path: Path) -> None:
    state = torch.get_rng_state()
    list(train(dataset, SHORT, out=tmp_path))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_training_that_diverges_ends_with_its_step_and_leaves_no_checkpoint(
    dataset: PairedDataset, tmp_path: Path
) -> None:
    settings = dataclasses.replace(
        SHORT, learning_rate=1e6, clip_norm=1e6, warmup_steps=0, validate_every=1000, steps=50
    )
    with pytest.raises(TrainingDivergedError, match=r"step \d+: loss") as diverged:
        list(train(dataset, settings, out=tmp_path))
    assert "learning_rate" in diverged.value.hint
    assert not list(tmp_path.glob("*.safetensors"))


def test_stopping_early_keeps_what_was_reached(dataset: PairedDataset, tmp_path: Path) -> None:
    reports = train(dataset, dataclasses.replace(SHORT, steps=1000, validate_every=1000), out=tmp_path / "run")
    for report in reports:
        if report.step == 4:
            break
    reports.close()
    assert load_checkpoint(tmp_path / "run" / "last.safetensors").card.step == 4


def test_a_folder_of_an_earlier_training_is_left_alone(trained: Trained) -> None:
    before = (trained.folder / "training.jsonl").read_text()
    with pytest.raises(CheckpointError, match="earlier training"):
        next(train(trained.dataset, SHORT, out=trained.folder))
    assert (trained.folder / "training.jsonl").read_text() == before


@pytest.mark.parametrize("device", ["banana", "cuda:99"])
def test_a_device_that_cannot_be_used_is_refused(dataset: PairedDataset, tmp_path: Path, device: str) -> None:
    with pytest.raises(SettingsError, match=device):
        next(train(dataset, SHORT, out=tmp_path / "run", device=device))
    assert not (tmp_path / "run").exists()


def test_crops_larger_than_the_frames_are_refused(dataset: PairedDataset, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="crops of 256 px"):
        list(train(dataset, dataclasses.replace(SHORT, crop_px=256), out=tmp_path))


@pytest.mark.parametrize(
    ("field", "value"), [("steps", 0), ("crop_px", 20), ("learning_rate", 0.0), ("beta2", 1.5)]
)
def test_settings_that_cannot_work_are_refused(field: str, value: float) -> None:
    with pytest.raises(SettingsError, match=field):
        TrainSettings.from_dict({field: value})


def test_unknown_networks_and_presets_are_refused_before_training() -> None:
    with pytest.raises(UnknownNetworkError, match="unet"):
        TrainSettings(network="unet")
    with pytest.raises(UnknownNetworkError, match="huge"):
        TrainSettings(preset="huge")
