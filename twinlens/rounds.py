"""The test score against training rounds: every kept checkpoint on the test split, once training is over."""

import statistics
from dataclasses import dataclass
from pathlib import Path

import torch

from twinlens.dataset.paired import PairedDataset
from twinlens.report.experiment import RoundScore
from twinlens.restore.checkpoint import load_checkpoint
from twinlens.restore.evaluate import evaluate
from twinlens.restore.restorer import Restorer, RestoreSettings
from twinlens.restore.train import LAST, TrainSettings
from twinlens.walk import Walk


@dataclass(frozen=True, slots=True)
class RoundTask:
    """One checkpoint to be scored on the test split; plain values."""

    dataset: Path
    checkpoint: Path
    device: str
    rounds: float


def score_rounds(walk: Walk) -> tuple[RoundScore, ...]:
    """What every kept checkpoint, and the last one, reaches on the test split, in the order of training."""
    walk.voice.stage("restoring the test frames with the checkpoint of every kept round")
    pairs = len(PairedDataset(walk.dataset_file).split("train"))
    files = [*sorted(walk.training_folder.glob("step_*.safetensors")), walk.training_folder / LAST]
    file_of = {load_checkpoint(file).card.step: file for file in reversed(files)}
    tasks = [
        RoundTask(walk.dataset_file, file, walk.device, _crops_seen(walk.training, step) / pairs)
        for step, file in sorted(file_of.items())
    ]
    scores: list[RoundScore] = []
    for score in walk.engine(score_round, tasks):
        scores.append(score)
        walk.voice.progress(len(scores), f"step {score.step}", total=len(tasks))
    return tuple(sorted(scores, key=lambda score: score.step))


def score_round(task: RoundTask) -> RoundScore:
    """Restore the test split with one checkpoint."""
    torch.set_num_threads(1)
    checkpoint, dataset = load_checkpoint(task.checkpoint), PairedDataset(task.dataset)
    restorer = Restorer.from_checkpoint(checkpoint, RestoreSettings(device=task.device))
    found = [result.score.restored for result in evaluate(dataset.split("test"), restorer)]
    return RoundScore(
        step=checkpoint.card.step,
        rounds=task.rounds,
        psnr_db=statistics.fmean(quality.psnr_db for quality in found),
        ssim=statistics.fmean(quality.ssim for quality in found),
    )


def _crops_seen(training: TrainSettings, steps: int) -> int:
    return training.accumulate * sum(training.phase(step).batch_size for step in range(steps))
