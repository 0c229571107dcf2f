"""Training: random aligned crops in; checkpoints, a state to resume from, and a report every few steps out."""

from collections.abc import Generator
from contextlib import ExitStack, closing
from pathlib import Path

from twinlens.dataset.paired import PairedDataset
from twinlens.errors import CheckpointError, DatasetError, TrainingDivergedError
from twinlens.restore.checkpoint import Checkpoint
from twinlens.restore.ranks import joined
from twinlens.restore.resume import read_state, write_state
from twinlens.restore.train_settings import RECIPES, TrainSettings
from twinlens.restore.trainer import BEST, LAST, Trainer, kept_name
from twinlens.restore.training_log import StepReport, TrainingLog

__all__ = ["BEST", "LAST", "RECIPES", "STATE", "StepReport", "TrainSettings", "kept_name", "train"]

STATE = "resume.safetensors"
RETRIES = 3
"""Times in a row that a run goes back to its last good state before it gives up."""


def train(
    dataset: PairedDataset,
    settings: TrainSettings,
    *,
    out: Path,
    device: str = "cpu",
    init: Checkpoint | None = None,
    resume: bool = False,
) -> Generator[StepReport, None, None]:
    """Train a network, step by step as the iterator is read; under `torchrun`, together with other processes.

    Leaves `best.safetensors` (highest PSNR on the validation split), `last.safetensors`, `resume.safetensors`,
    `training.jsonl` and `training.csv` in the folder `out`; closing the iterator early writes what was reached.
    The test split is never opened. A step whose loss or gradient is not finite is undone at the next report: the
    run goes back to the report before and on with other crops.

    Args:
        dataset: whose train and val splits are used.
        settings: what to train, and how.
        out: a folder without an earlier training, or with the one to resume.
        device: as torch names it.
        init: the weights to begin with, of the network that the settings name; fine-tuning.
        resume: go on with the training in `out`, in as many processes, as if it had never stopped: on a CPU with
            as many threads, bit for bit.

    Raises:
        CheckpointError: `out` holds an earlier training, or none to resume, or another than this; or `init` is of
            another network.
        DatasetError: the training or validation split is empty, or frames are smaller than a crop.
        TrainingDivergedError: going back did not help.
    """
    _require_folder(out, resume=resume)
    with joined(device) as ranks:
        trainer = Trainer(dataset, settings, ranks=ranks, init=init)
        if resume:
            trainer.load(
                read_state(
                    out / STATE,
                    settings=settings.as_dict(),
                    dataset_hash=dataset.content_hash,
                    processes=ranks.world_size,
                )
            )
        out.mkdir(parents=True, exist_ok=True)
        with ExitStack() as open_until_the_end:
            log = None
            if ranks.leads:
                begun = TrainingLog(out, until_step=trainer.step, tensorboard=settings.tensorboard)
                log = open_until_the_end.enter_context(begun)
            for report in open_until_the_end.enter_context(closing(_reports(trainer, out))):
                if log is not None:
                    log.write(report)
                yield report


def _reports(trainer: Trainer, out: Path) -> Generator[StepReport, None, None]:
    """Steps to the end, from the last good state where one went wrong."""
    settings, good, failures = trainer.settings, trainer.state(), 0
    written = trainer.step
    try:
        while trainer.step < settings.steps:
            trainer.take_step()
            step = trainer.step
            is_last = step == settings.steps
            is_validated = is_last or not step % settings.validate_every
            is_kept = settings.keep_every > 0 and not step % settings.keep_every
            if not (is_validated or is_kept) and step % settings.report_every:
                continue
            try:
                report = trainer.report()
                if is_validated or is_kept:
                    report = trainer.validate(report, out, counts=is_validated, stays=is_kept)
            except TrainingDivergedError:
                failures += 1
                if failures > RETRIES:
                    raise
                trainer.go_back(good)
                continue
            failures = 0
            good = trainer.state()
            if trainer.leads and (is_validated or is_kept):
                write_state(out / STATE, good)
                written = step
            yield report
    except (GeneratorExit, KeyboardInterrupt, RuntimeError, MemoryError, OSError, DatasetError):
        # Stopped, or a process, the memory or a file is gone. A step may have been cut in half: what is kept is
        # the last report's state, and first of all what a run can be resumed from.
        if trainer.leads and good.facts["step"] > written:
            write_state(out / STATE, good)
            trainer.go_back(good)
            trainer.write_last(out)
        raise


def _require_folder(out: Path, *, resume: bool) -> None:
    there = [path.name for path in out.glob("*.safetensors")]
    if resume and STATE not in there:
        raise CheckpointError(
            f"{out} holds no training that could go on: {STATE} is missing",
            hint="give the folder of a stopped training, or begin one without --resume",
        )
    if there and not resume:
        raise CheckpointError(
            f"{out} holds an earlier training", hint="choose another folder for this one, or go on with --resume"
        )
