"""A network in training: one step, one validation, one state at a time; when and how often, train.py says."""

import math
import statistics
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from twinlens.dataset.batches import Batch
from twinlens.dataset.paired import PairedDataset, PairSplit
from twinlens.errors import CheckpointError, DatasetError, TrainingDivergedError
from twinlens.restore.average import WeightAverage
from twinlens.restore.checkpoint import Checkpoint, CheckpointCard, slots_of, write_checkpoint
from twinlens.restore.draws import Draws
from twinlens.restore.losses import restoration_loss
from twinlens.restore.networks import build_network
from twinlens.restore.networks.network import Network
from twinlens.restore.optimisers import load_memory, make_optimiser, memory_of
from twinlens.restore.ranks import Ranks
from twinlens.restore.resume import TrainingState
from twinlens.restore.schedule import learning_rate_factor
from twinlens.restore.train_settings import TrainSettings
from twinlens.restore.training_log import StepReport
from twinlens.restore.validation import PROTOCOL, ValidationCrops

BEST, LAST = "best.safetensors", "last.safetensors"
_DTYPES = {"float32": torch.float32, "bfloat16": torch.float32, "float64": torch.float64}
"""Of the weights; bfloat16 is for the passes alone."""


def kept_name(step: int) -> str:
    """The file name of a checkpoint that `keep_every` keeps."""
    return f"step_{step:06d}.safetensors"


class Trainer:
    """A network in training, its optimiser, and the best score so far."""

    def __init__(
        self, dataset: PairedDataset, settings: TrainSettings, *, ranks: Ranks, init: Checkpoint | None
    ) -> None:
        self.settings, self.leads, self.step = settings, ranks.leads, 0
        self._ranks, self._dataset = ranks, dataset
        self._dtype = _DTYPES[settings.precision]
        corrections = dataset.corrections()
        self._correction = None if corrections is None else corrections.b
        self._check = ValidationCrops(
            _filled(dataset, "val", settings.scheme), settings, device=ranks.device, dtype=self._dtype
        )
        self._draws = Draws(
            _filled(dataset, "train", settings.scheme), settings, rank=ranks.rank, world_size=ranks.world_size
        )
        network = _first_network(settings, channels=self._check.channels, init=init)
        self._network = network.to(self._dtype).placed(ranks.device).train()
        if settings.recompute:
            self._network.recompute_activations()
        self._forward: nn.Module = self._network
        if settings.compile:
            self._forward = torch.compile(self._network)  # type: ignore[assignment]
        self._forward = ranks.wrap(self._forward)
        self._optimiser = make_optimiser(self._network, settings)
        self._average = WeightAverage(self._network, settings.ema_decay)
        self._best_psnr_db = -math.inf
        self._pending: list[Tensor] = []
        self._went_back_from: int | None = None
        self._started, self._elapsed_before_s = time.monotonic(), 0.0

    def take_step(self) -> None:
        """Move the weights once; whether all is still finite is asked by `report`, as asking stops a GPU."""
        self._optimiser.zero_grad(set_to_none=True)
        batches = self._draws.batches(self.step)
        losses = [self._backward(batch, is_last=batch is batches[-1]) for batch in batches]
        norm = nn.utils.clip_grad_norm_(self._network.parameters(), self.settings.clip_norm)
        for group in self._optimiser.param_groups:
            group["lr"] = self._learning_rate(self.step)
        self._optimiser.step()
        self.step += 1
        self._average.update(self.step)
        self._pending.append(torch.stack((torch.stack(losses).sum(), norm.detach())))

    def report(self) -> StepReport:
        """What happened since the report before.

        Raises:
            TrainingDivergedError: a loss or a gradient was not finite.
        """
        rows = self._ranks.mean(torch.stack(self._pending)).tolist()
        self._pending.clear()
        for step, (loss, norm) in enumerate(rows, self.step - len(rows) + 1):
            if not (math.isfinite(loss) and math.isfinite(norm)):
                self._went_back_from = step
                raise TrainingDivergedError(
                    f"step {step}: loss {loss:g}, gradient norm {norm:g}; both must be finite", hint=self._milder
                )
        self._require_finite_state()
        report = StepReport(
            step=self.step,
            steps=self.settings.steps,
            loss=statistics.fmean(loss for loss, _ in rows),
            learning_rate=self._learning_rate(self.step - 1),
            gradient_norm=rows[-1][1],
            elapsed_s=self._elapsed_s,
            went_back_from=self._went_back_from,
        )
        self._went_back_from = None
        return report

    def validate(self, report: StepReport, out: Path, *, counts: bool, stays: bool) -> StepReport:
        """Score the fixed validation crops and write the checkpoints; rank 0 does, the others wait for its word.

        Args:
            report: of this step.
            out: the training's folder.
            counts: the checkpoint may be the best.
            stays: it gets a file of its own.

        Raises:
            TrainingDivergedError: the score is no number, though the weights are.
        """
        checkpoint, psnr_db = self._snapshot() if self.leads else (None, 0.0)
        if not self._ranks.all_agree(math.isfinite(psnr_db)):
            self._went_back_from = self.step
            raise TrainingDivergedError(
                f"step {self.step}: the restored validation crops are not finite", hint=self._milder
            )
        if checkpoint is None:
            return report
        is_best = counts and psnr_db > self._best_psnr_db
        if is_best:
            self._best_psnr_db = psnr_db
            write_checkpoint(out / BEST, checkpoint)
        if stays:
            write_checkpoint(out / kept_name(self.step), checkpoint)
        write_checkpoint(out / LAST, checkpoint)
        return replace(report, psnr_db=psnr_db, input_psnr_db=self._check.input_psnr_db, is_best=is_best)

    def write_last(self, out: Path) -> None:
        """Write the last checkpoint of a run that is stopped between validations, and a best if there is none."""
        checkpoint, _ = self._snapshot()
        write_checkpoint(out / LAST, checkpoint)
        if self._best_psnr_db == -math.inf:
            write_checkpoint(out / BEST, checkpoint)

    def state(self) -> TrainingState:
        """Where the training stands, in copies."""
        tensors = {name: tensor.detach().clone() for name, tensor in self._held().items()}
        facts = {
            "settings": self.settings.as_dict(),
            "dataset_hash": self._dataset.content_hash,
            "processes": self._ranks.world_size,
            "draws": self._draws.state(),
            "step": self.step,
            "best_psnr_db": self._best_psnr_db if math.isfinite(self._best_psnr_db) else None,
            "elapsed_s": self._elapsed_s,
        }
        return TrainingState(tensors, facts)

    def load(self, state: TrainingState) -> None:
        """Go on where `state` was taken.

        Raises:
            CheckpointError: the state lacks something.
        """
        try:
            self.go_back(state)
            self._draws.load(state.facts["draws"])
            self._elapsed_before_s = state.facts["elapsed_s"]
        except (KeyError, RuntimeError, TypeError, ValueError) as cause:
            raise CheckpointError(
                f"the state of the training is incomplete: {cause!r}", hint="begin anew, with --init LAST perhaps"
            ) from cause

    def go_back(self, state: TrainingState) -> None:
        """Take up the weights, the optimiser and the score of `state`; the crops go on from here."""
        self._pending.clear()
        part = {
            kind: {name.removeprefix(kind): t for name, t in state.tensors.items() if name.startswith(kind)}
            for kind in ("network.", "average.", "optimiser.")
        }
        with torch.no_grad():
            for name, slot in slots_of(self._network).items():
                slot.copy_(part["network."][name])
        self._average.load(part["average."])
        load_memory(self._optimiser, part["optimiser."])
        self.step = state.facts["step"]
        best_psnr_db = state.facts["best_psnr_db"]
        self._best_psnr_db = -math.inf if best_psnr_db is None else best_psnr_db

    def _held(self) -> dict[str, Tensor]:
        """Every tensor that makes the training what it is, by part and name; not copies."""
        parts = {
            "network": slots_of(self._network),
            "average": self._average.state(),
            "optimiser": memory_of(self._optimiser),
        }
        return {f"{part}.{name}": tensor for part, named in parts.items() for name, tensor in named.items()}

    def _require_finite_state(self) -> None:
        """The last step moved the weights after its loss was taken: what is kept must be sound itself."""
        norms = [
            torch.linalg.vector_norm(tensor.detach()).to(self._ranks.device) for tensor in self._held().values()
        ]
        if not bool(torch.stack(norms).isfinite().all()):
            self._went_back_from = self.step
            raise TrainingDivergedError(
                f"step {self.step}: weights or the optimiser's memory are no longer finite", hint=self._milder
            )

    @property
    def _milder(self) -> str:
        settings = self.settings
        return f"lower learning_rate (now {settings.learning_rate:g}) or clip_norm ({settings.clip_norm:g})"

    @property
    def _elapsed_s(self) -> float:
        return self._elapsed_before_s + time.monotonic() - self._started

    def _backward(self, batch: Batch, *, is_last: bool) -> Tensor:
        """Add a batch's gradient; its part of the step's loss."""
        settings = self.settings
        placed = self._check.place(batch)
        # Processes average their gradients once a step, with its last batch.
        waits = isinstance(self._forward, DistributedDataParallel) and not is_last
        with self._forward.no_sync() if waits else nullcontext():  # type: ignore[operator]
            is_low = settings.precision == "bfloat16"
            with torch.autocast(self._ranks.device.type, dtype=torch.bfloat16, enabled=is_low):
                stages = self._forward(placed.input)
            loss = restoration_loss(
                stages,
                placed.target,
                weight=placed.mask,
                loss=settings.loss,
                edge_weight=settings.edge_weight,
                shift_px=settings.shift_px,
            )
            part = loss / settings.accumulate
            part.backward()  # type: ignore[no-untyped-call]
        return part.detach()

    def _learning_rate(self, step: int) -> float:
        settings = self.settings
        return settings.learning_rate * learning_rate_factor(
            step,
            steps=settings.steps,
            warmup_steps=settings.warmup_steps,
            final_fraction=settings.final_rate_fraction,
        )

    def _snapshot(self) -> tuple[Checkpoint, float]:
        """The weights as they would be used, and their validation score."""
        with self._average.in_place():
            psnr_db = self._check.psnr_db(self._network)
            card = CheckpointCard(
                network=self.settings.network,
                hyper_parameters=self._network.hyper_parameters,
                channels=self._network.channels,
                bit_depth=self._dataset.bit_depth,
                dataset_hash=self._dataset.content_hash,
                settings=self.settings.as_dict(),
                step=self.step,
                metrics={
                    "validation_psnr_db": psnr_db,
                    "validation_input_psnr_db": self._check.input_psnr_db,
                },
                protocol=PROTOCOL,
            )
            return Checkpoint.of(self._network, card, correction=self._correction), psnr_db


def _filled(dataset: PairedDataset, name: str, scheme: str) -> PairSplit:
    split = dataset.split(name, scheme=scheme)
    if not len(split):
        raise DatasetError(f"{dataset.path}: the {name} split is empty", hint="build the dataset from more scenes")
    return split


def _first_network(settings: TrainSettings, *, channels: int, init: Checkpoint | None) -> Network:
    """The network of `init`, or one drawn from the seed without touching torch's own random state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = build_network(settings.network, channels=channels, hyper_parameters=settings.architecture)
    if init is None:
        network.quieten(settings.head_scale)
        return network
    built = init.build()
    asked = (settings.network, network.hyper_parameters, channels)
    given = (init.card.network, built.hyper_parameters, built.channels)
    if asked != given:
        raise CheckpointError(
            "the checkpoint to begin with is of {} {} and {} channel(s); ".format(*given)
            + "{} {} and {} channel(s) are needed".format(*asked),
            hint="name its network and preset, and a dataset of its channels",
        )
    return built
