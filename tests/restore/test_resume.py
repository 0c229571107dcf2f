"""A training that was stopped and resumed is the training that never stopped: bit for bit, on a CPU."""

import dataclasses
import itertools
import json
from pathlib import Path

import pytest
import torch

from twinlens.dataset import PairedDataset
from twinlens.errors import CheckpointError
from twinlens.restore.checkpoint import load_checkpoint
from twinlens.restore.draws import Draws
from twinlens.restore.resume import read_state
from twinlens.restore.tensors import read_tensors, write_tensors
from twinlens.restore.train import BEST, LAST, STATE, StepReport, TrainSettings, train

SHORT = TrainSettings(
    preset="tiny",
    steps=12,
    batch_size=2,
    accumulate=2,
    crop_px=16,
    later_crops=((0.4, 32, 1),),
    ema_decay=0.9,
    validate_every=6,
    validation_crops=2,
    report_every=1,
)


def finish(
    dataset: PairedDataset, settings: TrainSettings, out: Path, *, stops: tuple[int, ...]
) -> list[StepReport]:
    """Train, stopping after each of the steps `stops` and resuming."""
    seen: list[StepReport] = []
    for stop in (*stops, None):
        training = train(dataset, settings, out=out, resume=bool(seen))
        for report in training:
            seen.append(report)
            if report.step == stop:
                break
        training.close()
    return seen


def tensors(path: Path) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array.copy()) for name, array in read_tensors(path)[0].items()}


@pytest.mark.parametrize(
    ("stops", "changes"),
    [
        ((1,), {}),
        ((5,), {}),
        ((6,), {}),
        ((3, 4, 11), {}),
        ((5,), {"optimiser": "adam", "ema_decay": 0.0, "workers": 1}),
    ],
)
def test_a_resumed_training_equals_one_that_never_stopped(
    dataset: PairedDataset, tmp_path: Path, stops: tuple[int, ...], changes: dict[str, object]
) -> None:
    settings = dataclasses.replace(SHORT, **changes)
    whole = finish(dataset, settings, tmp_path / "whole", stops=())
    parts = finish(dataset, settings, tmp_path / "parts", stops=stops)
    for name in (BEST, LAST, STATE):
        one, other = tensors(tmp_path / "whole" / name), tensors(tmp_path / "parts" / name)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    timeless = [[dataclasses.replace(report, elapsed_s=0.0) for report in reports] for reports in (whole, parts)]
    assert timeless[0] == timeless[1]
    for name in ("training.jsonl", "training.csv"):
        lengths = [len((tmp_path / run / name).read_text().splitlines()) for run in ("whole", "parts")]
        assert lengths[0] == lengths[1]
    assert (
        load_checkpoint(tmp_path / "parts" / BEST).card.metrics
        == load_checkpoint(tmp_path / "whole" / BEST).card.metrics
    )


def test_a_crash_after_the_last_state_costs_what_was_reported_since(
    dataset: PairedDataset, tmp_path: Path
) -> None:
    """A killed process writes nothing more; its reports beyond the last state are made again."""
    whole = finish(dataset, SHORT, tmp_path / "whole", stops=())
    training = train(dataset, SHORT, out=tmp_path / "killed")
    list(itertools.islice(training, 9))
    kept = {name: (tmp_path / "killed" / name).read_bytes() for name in (BEST, LAST, STATE, "training.jsonl")}
    training.close()
    for name, content in kept.items():
        (tmp_path / "killed" / name).write_bytes(content)
    with (tmp_path / "killed" / "training.jsonl").open("a") as log:
        log.write('{"step": 10, "los')
    rest = list(train(dataset, SHORT, out=tmp_path / "killed", resume=True))
    assert [report.step for report in rest] == list(range(7, 13))
    assert [r.loss for r in rest] == [r.loss for r in whole[6:]]
    lines = (tmp_path / "killed" / "training.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, 13))
    assert torch.equal(
        torch.cat([t.flatten() for t in tensors(tmp_path / "killed" / LAST).values()]),
        torch.cat([t.flatten() for t in tensors(tmp_path / "whole" / LAST).values()]),
    )


def test_a_finished_training_resumes_to_nothing(dataset: PairedDataset, tmp_path: Path) -> None:
    finish(dataset, SHORT, tmp_path, stops=())
    assert list(train(dataset, SHORT, out=tmp_path, resume=True)) == []


def test_another_training_is_not_resumed(dataset: PairedDataset, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no training that could go on"):
        next(train(dataset, SHORT, out=tmp_path / "none", resume=True))
    finish(dataset, SHORT, tmp_path, stops=())
    with pytest.raises(CheckpointError, match=r"with learning_rate 0.002, 0.1 was asked for"):
        next(train(dataset, dataclasses.replace(SHORT, learning_rate=0.1), out=tmp_path, resume=True))
    with pytest.raises(CheckpointError, match=r"on dataset .* not on other"):
        read_state(tmp_path / STATE, settings=SHORT.as_dict(), dataset_hash="other")


@pytest.mark.parametrize("damage", ["cut", "foreign", "missing"])
def test_a_damaged_state_is_refused(dataset: PairedDataset, tmp_path: Path, damage: str) -> None:
    finish(dataset, SHORT, tmp_path, stops=())
    state = tmp_path / STATE
    if damage == "cut":
        state.write_bytes(state.read_bytes()[:-1])
    elif damage == "foreign":
        state.write_bytes((tmp_path / BEST).read_bytes())
    else:
        arrays, metadata = read_tensors(state)
        arrays.pop("network.tail.weight")
        write_tensors(state, arrays, metadata)
    with pytest.raises(CheckpointError, match=r"damaged|bytes of arrays|no state of a training|incomplete"):
        next(train(dataset, SHORT, out=tmp_path, resume=True))


def test_another_number_of_processes_is_another_training(dataset: PairedDataset, tmp_path: Path) -> None:
    finish(dataset, SHORT, tmp_path, stops=())
    with pytest.raises(CheckpointError, match="in 1 processes, this is one in 2"):
        read_state(tmp_path / STATE, settings=SHORT.as_dict(), dataset_hash=dataset.content_hash, processes=2)


def test_a_failing_file_or_process_leaves_what_can_be_resumed(
    dataset: PairedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = dataclasses.replace(SHORT, validate_every=1000, steps=10)
    batches = Draws.batches

    def failing(self: Draws, step: int) -> object:
        if step == 7:
            raise RuntimeError("connection closed by peer")
        return batches(self, step)

    monkeypatch.setattr(Draws, "batches", failing)
    with pytest.raises(RuntimeError, match="closed by peer"):
        list(train(dataset, settings, out=tmp_path))
    monkeypatch.undo()
    assert [report.step for report in train(dataset, settings, out=tmp_path, resume=True)] == [8, 9, 10]


def test_a_torn_log_does_not_hold_up_a_sound_state(dataset: PairedDataset, tmp_path: Path) -> None:
    for _ in itertools.islice(train(dataset, SHORT, out=tmp_path), 6):
        pass
    log = tmp_path / "training.jsonl"
    log.write_bytes(b'5\nnull\n{"loss": 1}\n\xff\xfe\n' + log.read_bytes())
    rest = list(train(dataset, SHORT, out=tmp_path, resume=True))
    steps = [json.loads(line)["step"] for line in log.read_text().splitlines()]
    assert steps == list(range(1, 13))
    assert rest[-1].step == 12


def test_a_best_checkpoint_alone_in_its_folder_is_not_replaced(dataset: PairedDataset, tmp_path: Path) -> None:
    finish(dataset, SHORT, tmp_path, stops=())
    for name in (LAST, STATE):
        (tmp_path / name).unlink()
    with pytest.raises(CheckpointError, match="earlier training"):
        next(train(dataset, SHORT, out=tmp_path))


def test_a_kept_checkpoint_comes_with_a_state_to_go_on_from(dataset: PairedDataset, tmp_path: Path) -> None:
    settings = dataclasses.replace(SHORT, keep_every=2, validate_every=50)
    training = train(dataset, settings, out=tmp_path)
    list(itertools.islice(training, 4))
    killed = (tmp_path / STATE).read_bytes()  # what is there where the process is killed
    training.close()
    (tmp_path / STATE).write_bytes(killed)
    assert next(train(dataset, settings, out=tmp_path, resume=True)).step == 5
