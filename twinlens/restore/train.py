"""Training: random aligned crops in, the best and the last checkpoint out, a report every few steps."""

import dataclasses
import json
import math
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from twinlens.dataset.batches import Batch, random_batches
from twinlens.dataset.paired import PairedDataset, PairSplit
from twinlens.errors import CheckpointError, DatasetError, SettingsError, TrainingDivergedError
from twinlens.restore.checkpoint import Checkpoint, CheckpointCard, write_checkpoint
from twinlens.restore.devices import usable_device
from twinlens.restore.losses import restoration_loss
from twinlens.restore.networks import build_network, find_network, preset
from twinlens.restore.networks.network import Network
from twinlens.restore.schedule import learning_rate_factor
from twinlens.settings import Settings

BEST, LAST, LOG = "best.safetensors", "last.safetensors", "training.jsonl"


@dataclass(frozen=True, kw_only=True)
class TrainSettings(Settings):
    """What to train, and how. There are no flips: the blur of a deformed mirror is not symmetric."""

    network: str = "mprnet"
    """A name of `NETWORKS`."""
    preset: str = "demo"
    """Its size, by name."""
    steps: int = 1500
    """Optimiser steps."""
    batch_size: int = 2
    """Crops per step; in a training of minutes, steps count for more than crops."""
    crop_px: int = 48
    """Height and width of a crop; a multiple of what the network needs."""
    learning_rate: float = 2e-3
    """At the end of the warm-up."""
    beta1: float = 0.9
    """Memory of AdamW's mean gradient."""
    beta2: float = 0.99
    """Memory of AdamW's mean squared gradient."""
    weight_decay: float = 0.0
    """AdamW's decay per unit of learning rate."""
    warmup_steps: int = 20
    """Steps over which the learning rate rises."""
    final_rate_fraction: float = 0.02
    """Part of the learning rate left at the last step, at the foot of the cosine."""
    clip_norm: float = 1.0
    """Largest norm of all gradients together."""
    head_scale: float = 0.1
    """Factor on the image heads' first weights; near 0 the untrained network returns its input."""
    edge_weight: float = 0.05
    """Weight of the edge loss beside the Charbonnier loss."""
    validate_every: int = 150
    """Steps between validations; the last step is always validated."""
    validation_crops: int = 8
    """Fixed crops of the validation split."""
    validation_crop_px: int = 128
    """Their height and width."""
    report_every: int = 10
    """Steps between reports."""
    scheme: str = "default"
    """Which of the dataset's split schemes says who is trained on."""
    seed: int = 0
    """Draws the first weights and the crops; the same seed gives the same training."""

    def check(self) -> None:
        """Raise `SettingsError` or `UnknownNetworkError` where a value cannot work."""
        preset(self.network, self.preset)
        multiple = find_network(self.network).size_multiple
        for name in ("steps", "batch_size", "validate_every", "validation_crops", "report_every"):
            self.require(name, minimum=1, maximum=1e9)
        for name in ("crop_px", "validation_crop_px"):
            self.require(name, minimum=multiple, maximum=65536)
            value = getattr(self, name)
            if value % multiple:
                raise SettingsError(
                    f"TrainSettings.{name} is {value}; {self.network} needs a multiple of {multiple}",
                    hint=f"give {name} a multiple of {multiple}",
                )
        for name in ("beta1", "beta2", "final_rate_fraction", "head_scale"):
            self.require(name, minimum=0, maximum=1)
        for name in ("learning_rate", "clip_norm"):
            self.require(name, minimum=1e-12, maximum=1e6)
        for name in ("weight_decay", "edge_weight", "warmup_steps", "seed"):
            self.require(name, minimum=0, maximum=2**63)


RECIPES = {
    "demo": TrainSettings(),
    "tiny": TrainSettings(preset="tiny", steps=500, batch_size=4, learning_rate=3e-3),
}
"""Settings that were measured on a CPU: a demonstration of minutes, and a test of seconds."""


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """Where a training stands."""

    step: int
    """Steps taken."""
    steps: int
    """Steps in all."""
    loss: float
    """Mean since the report before."""
    learning_rate: float
    gradient_norm: float
    """Before clipping, at this step."""
    elapsed_s: float
    psnr_db: float | None = None
    """Restored validation crops against their targets, if this step was validated."""
    input_psnr_db: float | None = None
    """The same crops, not restored."""
    is_best: bool = False
    """The highest validation score so far; it was written as best.safetensors."""


def train(
    dataset: PairedDataset, settings: TrainSettings, *, out: Path, device: str = "cpu"
) -> Generator[StepReport, None, None]:
    """Train a network, step by step as the iterator is read.

    Leaves `best.safetensors` (highest PSNR on the validation split), `last.safetensors` and `training.jsonl`
    in the folder `out`; closing the iterator early validates and writes what was reached. The test split is
    never opened.

    Raises:
        CheckpointError: `out` holds an earlier training.
        DatasetError: the training or validation split is empty, or frames are smaller than a crop.
        TrainingDivergedError: the loss or its gradient is no longer a finite number.
    """
    started = time.monotonic()
    if (out / LAST).exists():
        raise CheckpointError(f"{out} holds an earlier training", hint="choose another folder for this one")
    trainer = _Trainer(dataset, settings, device=device)
    out.mkdir(parents=True, exist_ok=True)
    losses: list[float] = []
    report: StepReport | None = None
    with (out / LOG).open("w", buffering=1) as log:  # by lines: what is reported is on disk
        try:
            for step, batch in enumerate(trainer.batches, 1):
                loss, gradient_norm = trainer.take_step(step, batch)
                losses.append(loss)
                is_validated = step % settings.validate_every == 0 or step == settings.steps
                if not is_validated and step % settings.report_every:
                    continue
                report = StepReport(
                    step=step,
                    steps=settings.steps,
                    loss=math.fsum(losses) / len(losses),
                    learning_rate=trainer.learning_rate,
                    gradient_norm=gradient_norm,
                    elapsed_s=time.monotonic() - started,
                )
                losses.clear()
                if is_validated:
                    report = trainer.validate(report, out)
                log.write(_json_line(report))
                yield report
        except (GeneratorExit, KeyboardInterrupt):
            if report is not None and report.psnr_db is None:
                log.write(_json_line(trainer.validate(report, out)))
            raise


class _Trainer:
    """A network in training, its optimiser, and the best score so far."""

    def __init__(self, dataset: PairedDataset, settings: TrainSettings, *, device: str) -> None:
        self.settings = settings
        self._dataset = dataset
        corrections = dataset.corrections()
        self._correction = None if corrections is None else corrections.b
        self._device = usable_device(device)
        self._check = self._place(_validation_crops(_filled(dataset, "val", settings.scheme), settings))
        # One generator per use: asking for more validation crops must not change the training.
        self.batches = random_batches(
            _filled(dataset, "train", settings.scheme),
            crop_px=settings.crop_px,
            batch_size=settings.batch_size,
            rng=np.random.default_rng(settings.seed),
            steps=settings.steps,
        )
        self._network = _first_network(settings, channels=self._check.input.shape[1]).placed(self._device)
        self._network.train()
        self._optimiser = torch.optim.AdamW(
            self._network.parameters(),
            lr=settings.learning_rate,
            betas=(settings.beta1, settings.beta2),
            weight_decay=settings.weight_decay,
        )
        self._input_psnr_db = _mean_psnr_db(self._check.input, self._check)
        self._best_psnr_db = -math.inf

    @property
    def learning_rate(self) -> float:
        return float(self._optimiser.param_groups[0]["lr"])

    def take_step(self, step: int, batch: Batch) -> tuple[float, float]:
        """Move the weights once; the loss and the gradient's norm before clipping."""
        settings = self.settings
        rate = settings.learning_rate * learning_rate_factor(
            step - 1,
            steps=settings.steps,
            warmup_steps=settings.warmup_steps,
            final_fraction=settings.final_rate_fraction,
        )
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        batch = self._place(batch)
        self._optimiser.zero_grad(set_to_none=True)
        stages = self._network(batch.input)
        loss = restoration_loss(stages, batch.target, weight=batch.mask, edge_weight=settings.edge_weight)
        loss.backward()  # type: ignore[no-untyped-call]
        gradient_norm = nn.utils.clip_grad_norm_(self._network.parameters(), settings.clip_norm)
        if not (math.isfinite(loss.item()) and math.isfinite(gradient_norm.item())):
            raise TrainingDivergedError(
                f"step {step}: loss {loss.item():g}, gradient norm {gradient_norm.item():g}; both must be finite",
                hint=f"lower learning_rate (now {settings.learning_rate:g}) or clip_norm ({settings.clip_norm:g})",
            )
        self._optimiser.step()
        return loss.item(), gradient_norm.item()

    def validate(self, report: StepReport, out: Path) -> StepReport:
        """Score the fixed validation crops and write the checkpoints."""
        self._network.eval()
        with torch.inference_mode():
            restored = [self._network(one)[0] for one in torch.split(self._check.input, 1)]
        self._network.train()
        psnr_db = _mean_psnr_db(torch.cat(restored).clamp(0.0, 1.0), self._check)
        is_best = psnr_db > self._best_psnr_db
        checkpoint = Checkpoint.of(self._network, self._card(report.step, psnr_db), correction=self._correction)
        if is_best:
            self._best_psnr_db = psnr_db
            write_checkpoint(out / BEST, checkpoint)
        write_checkpoint(out / LAST, checkpoint)
        return dataclasses.replace(report, psnr_db=psnr_db, input_psnr_db=self._input_psnr_db, is_best=is_best)

    def _card(self, step: int, psnr_db: float) -> CheckpointCard:
        return CheckpointCard(
            network=self.settings.network,
            hyper_parameters=self._network.hyper_parameters,
            channels=self._network.channels,
            bit_depth=self._dataset.bit_depth,
            dataset_hash=self._dataset.content_hash,
            settings=self.settings.as_dict(),
            step=step,
            metrics={"validation_psnr_db": psnr_db, "validation_input_psnr_db": self._input_psnr_db},
        )

    def _place(self, batch: Batch) -> Batch:
        def placed(images: Tensor) -> Tensor:
            return images.to(self._device).contiguous(memory_format=torch.channels_last)

        return Batch(input=placed(batch.input), target=placed(batch.target), mask=placed(batch.mask))


def _filled(dataset: PairedDataset, name: str, scheme: str) -> PairSplit:
    split = dataset.split(name, scheme=scheme)
    if not len(split):
        raise DatasetError(f"{dataset.path}: the {name} split is empty", hint="build the dataset from more scenes")
    return split


def _validation_crops(split: PairSplit, settings: TrainSettings) -> Batch:
    """Crops that are the same at every validation; smaller than asked for where the frames are."""
    multiple = find_network(settings.network).size_multiple
    crop_px = min(settings.validation_crop_px, min(split.shape_hw) // multiple * multiple)
    rng = np.random.default_rng(settings.seed)
    return next(random_batches(split, crop_px=crop_px, batch_size=settings.validation_crops, rng=rng, steps=1))


def _first_network(settings: TrainSettings, *, channels: int) -> Network:
    """Untrained, drawn from the seed without touching torch's own random state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = build_network(
            settings.network, channels=channels, hyper_parameters=preset(settings.network, settings.preset)
        )
    network.quieten(settings.head_scale)
    return network


def _mean_psnr_db(images: Tensor, batch: Batch) -> float:
    """The mean over crops of PSNR in dB on valid pixels, at a range of 1."""
    squares = ((images - batch.target) * batch.mask).square().sum((1, 2, 3), dtype=torch.float64)
    counted = batch.mask.sum((1, 2, 3), dtype=torch.float64).clamp_min(1.0) * images.shape[1]
    errors = (squares / counted).clamp_min(1e-12)  # at most 120 dB, so that a perfect crop stays finite
    return float((-10.0 * torch.log10(errors)).mean())


def _json_line(report: StepReport) -> str:
    return json.dumps(dataclasses.asdict(report)) + "\n"
