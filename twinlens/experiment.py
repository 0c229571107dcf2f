"""A paper's experiment, run again from its recipe on the virtual rig: capture to report, at one of its scales."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from twinlens.calibrate import Calibrations, CalibrationSettings
from twinlens.capture.capture import CaptureReport
from twinlens.capture.rig_file import RigSettings
from twinlens.capture.session import Session
from twinlens.capture.virtual.rehearse import make_twin
from twinlens.capture.virtual.twin import RigTwin
from twinlens.dataset.paired import PairedDataset, PairSplit, StoredPair
from twinlens.dataset.schema import SPLITS
from twinlens.dataset.summary import DatasetReport
from twinlens.engines import in_processes
from twinlens.experiment_recipe import ExperimentPlan, ExperimentRecipe, Scale, plan_experiment
from twinlens.judge import judge_registration
from twinlens.registration_pictures import registration_pictures
from twinlens.report.experiment import Experiment, RoundScore, SplitRow
from twinlens.report.pages import write_report
from twinlens.report.street import RegistrationTruth, Street
from twinlens.restore.checkpoint import load_checkpoint
from twinlens.restore.devices import usable_device
from twinlens.restore.displaced import DisplacedScore, displaced_scores
from twinlens.restore.restorer import RestoreSettings
from twinlens.restore.train import BEST, StepReport
from twinlens.rounds import score_rounds
from twinlens.walk import Tested, Voice, Walk, contact_sheet, versions

AUTO = "auto"
TRIPLES = 3


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where an experiment runs, and what its cameras look at."""

    device: str = AUTO
    """As torch names it; auto takes a GPU where there is one."""
    jobs: int = field(default_factory=lambda: min(4, os.cpu_count() or 1))
    """Processes that align pairs and test checkpoints."""
    scenes: Path | None = None
    """Folder of photographs; None takes the drawn streets."""

    @property
    def torch_device(self) -> str:
        """The device's name, auto resolved."""
        if self.device != AUTO:
            return self.device
        return "cuda" if torch.cuda.is_available() else "cpu"

    @property
    def told(self) -> str:
        """The device as a report tells it."""
        device = usable_device(self.torch_device)
        name = f" ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else ""
        return f"{device}{name}, {os.cpu_count()} cores, {self.jobs} processes; training on one thread"


@dataclass(frozen=True)
class ExperimentResult:
    """Where the report is, and its figures."""

    report: Path
    figures: dict[str, Any]


@dataclass
class _Clock:
    """Wall time by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - started


@dataclass(frozen=True)
class _Made:
    """What the stages made, for the report."""

    rig: RigSettings
    captured: CaptureReport
    session: Session
    calibrations: Calibrations
    truths: Mapping[str, RegistrationTruth]
    built: DatasetReport
    trained: tuple[StepReport, ...]
    rounds: tuple[RoundScore, ...]
    tested: Tested
    displaced: tuple[DisplacedScore, ...]


def scale_for(bench: Bench) -> str:
    """The scale that suits a machine: full where networks run on a GPU, else small."""
    return "full" if usable_device(bench.torch_device).type == "cuda" else "small"


def run_experiment(
    recipe: ExperimentRecipe, scale: str, *, out: Path, bench: Bench | None = None, voice: Voice | None = None
) -> ExperimentResult:
    """Run a recipe at one of its scales, in a new folder below `out`; "auto" takes `scale_for` this machine.

    Raises:
        TwinlensError: a stage could not do its work; what the stages before it made stays in the folder.
    """
    bench = bench or Bench()
    scale = scale_for(bench) if scale == AUTO else scale
    chosen, date = recipe.scale(scale), datetime.now(UTC)
    told = bench.told
    # Small crops: with two threads, waiting for each other costs more than the second core brings.
    torch.set_num_threads(1)
    walk = Walk(
        out / f"{recipe.name}_{scale}_{date:%Y-%m-%dT%H-%M-%SZ}",
        bench.scenes,
        chosen.twin,
        chosen.train,
        voice or Voice(),
        device=bench.torch_device,
        engine=in_processes(bench.jobs),
    )
    twin, clock = make_twin(chosen.twin, bench.scenes), _Clock()
    plan = plan_experiment(chosen, twin, name=f"{recipe.name}-{scale}")
    made = _make(walk, twin, plan, chosen=chosen, clock=clock)
    walk.voice.stage("writing the report")
    experiment = Experiment(
        recipe=recipe.name,
        scale=scale,
        meant_for=chosen.meant_for,
        differs=chosen.differs,
        date=f"{date:%Y-%m-%d %H:%M} UTC",
        device=told,
        quoted=recipe.quoted,
        splits=_splits(PairedDataset(walk.dataset_file)),
        rounds=made.rounds,
        crops_per_step=chosen.train.batch_size * chosen.train.accumulate,
        chosen_step=load_checkpoint(walk.training_folder / BEST).card.step,
        ceiling_db=made.tested.report.ceiling_db,
        displaced=made.displaced,
        seed=chosen.seed,
        stage_s=clock.seconds,
    )
    street = _street(recipe, experiment, made, walk=walk, plan=plan)
    return ExperimentResult(write_report(street, walk.out), _figures(experiment, made))


def _make(walk: Walk, twin: RigTwin, plan: ExperimentPlan, *, chosen: Scale, clock: _Clock) -> _Made:
    """Walk the street; the test split is opened once training is over."""
    with clock.stage("capture"):
        rig, captured = walk.capture(twin, plan.takes, scene_limit=len(twin.scene_names))
    session = Session(Path(captured.folder))
    with clock.stage("registration"):
        calibrations = walk.calibrate(session)
        truths = {
            state.label: judge_registration(twin, calibrations.of(state.label), mirror_state_index=index)
            for index, state in enumerate(twin.mirror_states)
        }
    with clock.stage("dataset"):
        built = walk.build(session, plan.dataset)
    with clock.stage("training"):
        trained = walk.train()
    with clock.stage("test of the kept rounds"):
        rounds = score_rounds(walk)
    pairs = PairedDataset(walk.dataset_file).split("test")
    with clock.stage("test of the chosen round"):
        kernels = {label: truth.true_kernel_b for label, truth in truths.items()}
        tested = walk.test(kernels, keep=drawn_rows(len(pairs), seed=chosen.seed))
    with clock.stage("displaced targets"):
        displaced = displaced_scores(_one_of_each_scene(pairs))
    return _Made(rig, captured, session, calibrations, truths, built, trained, rounds, tested, displaced)


def drawn_rows(count: int, *, seed: int) -> tuple[int, ...]:
    """Three of `count` rows, drawn, so that nobody picks the flattering ones."""
    rng = np.random.default_rng(seed)
    return tuple(int(row) for row in sorted(rng.choice(count, min(TRIPLES, count), replace=False)))


def _one_of_each_scene(pairs: PairSplit) -> Iterator[StoredPair]:
    """The first pair of every scene: its targets differ in little but noise."""
    seen: set[str] = set()
    for pair in pairs:
        if pair.scene not in seen:
            seen.add(pair.scene)
            yield pair


def _splits(dataset: PairedDataset) -> tuple[SplitRow, ...]:
    parts = [dataset.split(name) for name in SPLITS]
    return tuple(
        SplitRow(
            split=part.name,
            pairs=len(part),
            scenes=len(part.scenes),
            mirror_states=len({pair.mirror_state for pair in part}),
        )
        for part in parts
    )


def _street(
    recipe: ExperimentRecipe, experiment: Experiment, made: _Made, *, walk: Walk, plan: ExperimentPlan
) -> Street:
    return Street(
        title=f"{recipe.title}, scale {experiment.scale}",
        capture=made.captured,
        calibration=made.calibrations.report(),
        registration=registration_pictures([made.session], made.calibrations),
        drift_limit_px=made.calibrations.states[0].settings.max_drift_px,
        truth=next(iter(made.truths.values())),
        dataset=made.built,
        pairs=contact_sheet(PairedDataset(walk.dataset_file)),
        training=made.trained,
        evaluation=made.tested.report,
        triples=made.tested.triples,
        experiment=experiment,
        settings={
            "twin": walk.settings.as_dict(),
            "rig": made.rig.as_dict(),
            "calibrate": CalibrationSettings().as_dict(),
            "dataset": plan.dataset.as_dict(),
            "train": walk.training.as_dict(),
            "restore": RestoreSettings(device=walk.device).as_dict(),
        },
        versions=versions(),
    )


def _figures(experiment: Experiment, made: _Made) -> dict[str, Any]:
    report = made.tested.report
    return {
        "recipe": experiment.recipe,
        "scale": experiment.scale,
        "date": experiment.date,
        "device": experiment.device,
        "pairs": " / ".join(str(row.pairs) for row in experiment.splits),
        "scenes": " / ".join(str(row.scenes) for row in experiment.splits),
        "chosen step": experiment.chosen_step,
        "input PSNR (dB)": report.mean_input.psnr_db,
        "Wiener PSNR (dB)": report.mean_baselines[0].quality.psnr_db,
        "restored PSNR (dB)": report.mean_restored.psnr_db,
        "quoted PSNR (dB), not reproduced": experiment.quoted.psnr_db,
        "input SSIM": report.mean_input.ssim,
        "restored SSIM": report.mean_restored.ssim,
        "quoted SSIM, not reproduced": experiment.quoted.ssim,
        "ceiling (dB)": experiment.ceiling_db,
        "seconds": sum(experiment.stage_s.values()),
    }
