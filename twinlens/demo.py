"""The whole street on the virtual rig: capture, calibrate, build, train, evaluate, report.

Everything but the cameras is what a lab runs. The twin's truth is read only to judge what the street found.
"""

import importlib.metadata
import math
import platform
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from twinlens import __version__
from twinlens.building import build_from_sessions
from twinlens.calibrate import Calibrations, CalibrationSettings
from twinlens.capture.assign import assign_cameras, list_cameras
from twinlens.capture.capture import CaptureReport, Take, capture, require_complete
from twinlens.capture.producers import bundled_producer
from twinlens.capture.rig_file import RigSettings
from twinlens.capture.session import Session
from twinlens.capture.virtual.rehearse import make_twin, virtual_rig
from twinlens.capture.virtual.serve import DEFAULT_SERIALS
from twinlens.capture.virtual.twin import RigTwin, TwinSettings
from twinlens.dataset.build import DatasetSettings
from twinlens.dataset.paired import PairedDataset, StoredPair
from twinlens.dataset.summary import DatasetReport
from twinlens.errors import SettingsError
from twinlens.handover import calibrate_sessions
from twinlens.judge import judge_registration
from twinlens.pixels import Kernel, Picture
from twinlens.registration_pictures import registration_pictures
from twinlens.report.pages import write_report
from twinlens.report.street import PairPictures, RegistrationTruth, Street, Triple
from twinlens.restore.baselines import best_wiener
from twinlens.restore.checkpoint import load_checkpoint
from twinlens.restore.evaluate import EvaluationReport, evaluate, summarise
from twinlens.restore.restorer import Restorer, RestoreSettings
from twinlens.restore.train import BEST, RECIPES, StepReport, TrainSettings, train

MIN_PAIRS = 24
MIN_SCENES = 3
MAX_SCENES = 16
PAIRS_PER_SCENE = 2
WIENER = "Wiener, true PSF"
PACKAGES = ("numpy", "opencv-contrib-python", "scipy", "torch", "h5py", "harvesters", "genicam", "scikit-image")


@dataclass(frozen=True)
class Voice:
    """How the demo tells where it is: a line per stage, and progress inside it."""

    stage: Callable[[str], None] = lambda _: None
    progress: Callable[..., None] = lambda *_, **__: None


@dataclass(frozen=True)
class DemoResult:
    """Where the report is, and its figures."""

    report: Path
    figures: dict[str, Any]


@dataclass(frozen=True)
class _Tested:
    report: EvaluationReport
    triples: tuple[Triple, ...]


@dataclass
class _Walk:
    """One walk down the street; each stage reads what the ones before it left in the folder."""

    out: Path
    scenes: Path | None
    settings: TwinSettings
    training: TrainSettings
    voice: Voice
    started: float = field(default_factory=time.monotonic)

    def capture(self, twin: RigTwin) -> tuple[RigSettings, CaptureReport]:
        takes = plan_takes(twin)
        height, width = twin.shape_hw
        self.voice.stage(
            f"capturing {len(takes)} of {len(twin.scene_names)} scenes at {width}x{height}, software trigger "
            "(harvesters + twinlens_gev.cti + GVSP)"
        )
        # Always the bundled producer: a vendor's, found through the environment, may not see the loopback.
        producer = str(bundled_producer())
        with virtual_rig(self.settings, self.scenes, scene_limit=MAX_SCENES):
            found = list_cameras(producer)
            a, b = DEFAULT_SERIALS
            rig = assign_cameras(self.out / "rig.toml", found, a=a, b=b, producer=producer)
            with closing(capture(rig, takes, out=self.out)) as reports:
                for report in reports:
                    self.voice.progress(report.pairs, report.scene, total=report.pairs_wanted)
        require_complete(report)
        return rig, report

    def calibrate(self, session: Session) -> Calibrations:
        self.voice.stage("registering A onto B, pooled over the scenes")
        found = calibrate_sessions([session], on_step=lambda text: self.voice.progress(0, text, total=None))
        found.write(self.calibration_file)
        return found

    def build(self, session: Session) -> DatasetReport:
        self.voice.stage("aligning pairs and building the dataset")
        pairs = len(session.pairs())
        return build_from_sessions(
            [session],
            self.calibration_file,
            self.dataset_file,
            settings=DatasetSettings(),
            on_pair=lambda count: self.voice.progress(count, "", total=pairs),
        )

    def train(self) -> tuple[StepReport, ...]:
        self.voice.stage(f"training MPRNet ({self.training.preset}), {self.training.steps} steps")
        reports = []
        for report in train(PairedDataset(self.dataset_file), self.training, out=self.out / "training"):
            reports.append(report)
            self.voice.progress(report.step, f"loss {report.loss:.4f}", total=report.steps)
        return tuple(reports)

    def test(self, kernel: Kernel) -> _Tested:
        self.voice.stage("restoring the test frames, and a Wiener filter that knows the true PSF")
        dataset = PairedDataset(self.dataset_file)
        restorer = Restorer.from_checkpoint(load_checkpoint(self.out / "training" / BEST))
        wiener_pictures: list[Picture] = []

        def wiener(pair: StoredPair) -> Picture:
            found = best_wiener(pair.input, pair.target, kernel, bit_depth=pair.bit_depth, mask=pair.mask)
            wiener_pictures.append(found.picture)
            return found.picture

        pairs = dataset.split("test")
        scored = []
        for result in evaluate(pairs, restorer, baselines={WIENER: wiener}):
            scored.append(result)
            self.voice.progress(len(scored), result.score.scene, total=len(pairs))
        triples = tuple(
            Triple(
                scene=pair.scene,
                input=pair.input,
                restored=result.restored,
                target=pair.target,
                wiener=wiener_picture,
                input_psnr_db=result.score.input.psnr_db,
                restored_psnr_db=result.score.restored.psnr_db,
                wiener_psnr_db=result.score.baselines[0].quality.psnr_db,
                input_ssim=result.score.input.ssim,
                restored_ssim=result.score.restored.ssim,
            )
            for pair, result, wiener_picture in zip(pairs, scored, wiener_pictures, strict=True)
        )
        scores = [result.score for result in scored]
        return _Tested(summarise(scores, split="test", dataset_hash=dataset.content_hash), triples)

    @property
    def calibration_file(self) -> Path:
        return self.out / "calibration.json"

    @property
    def dataset_file(self) -> Path:
        return self.out / "pairs.h5"


def run_demo(
    out: Path,
    *,
    scenes: Path | None = None,
    settings: TwinSettings | None = None,
    training: TrainSettings | None = None,
    voice: Voice | None = None,
) -> DemoResult:
    """Walk the street in a new folder below `out`.

    Raises:
        TwinlensError: a stage could not do its work; what the stages before it made stays in the folder.
    """
    # Small crops: with two threads, waiting for each other costs more than the second core brings, and beside
    # any other load it costs ten times more (OpenMP barriers).
    torch.set_num_threads(1)
    folder = out / f"demo_{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}"
    walk = _Walk(folder, scenes, settings or TwinSettings(), training or RECIPES["demo"], voice or Voice())
    twin = make_twin(walk.settings, scenes)
    rig, captured = walk.capture(twin)
    session = Session(Path(captured.folder))
    calibrations = walk.calibrate(session)
    calibration = calibrations.of(twin.mirror_states[0].label)
    truth = judge_registration(twin, calibration)
    built = walk.build(session)
    trained = walk.train()
    tested = walk.test(truth.true_kernel_b)
    walk.voice.stage("writing the report")
    figures = _figures(captured, truth, tested.report, seconds=time.monotonic() - walk.started)
    figures["ceiling_db"] = calibration.ceiling_db
    street = Street(
        title="twinlens demo: two virtual cameras, one scene",
        capture=captured,
        calibration=calibrations.report(),
        registration=registration_pictures([session], calibrations),
        drift_limit_px=calibration.settings.max_drift_px,
        truth=truth,
        dataset=built,
        pairs=_contact_sheet(PairedDataset(walk.dataset_file)),
        training=trained,
        evaluation=tested.report,
        triples=tested.triples,
        demo=figures,
        settings={
            "twin": walk.settings.as_dict(),
            "rig": rig.as_dict(),
            "calibrate": CalibrationSettings().as_dict(),
            "dataset": DatasetSettings().as_dict(),
            "train": walk.training.as_dict(),
            "restore": RestoreSettings().as_dict(),
        },
        versions=_versions(),
    )
    return DemoResult(write_report(street, folder), figures)


def plan_takes(twin: RigTwin) -> list[Take]:
    """At least `MIN_PAIRS` pairs over the twin's scenes, all under its first mirror state."""
    names = twin.scene_names[:MAX_SCENES]
    if len(names) < MIN_SCENES:
        raise SettingsError(
            f"{len(names)} scenes; train, validation and test need at least {MIN_SCENES}",
            hint="put more photographs into the folder",
        )
    per_scene = max(PAIRS_PER_SCENE, math.ceil(MIN_PAIRS / len(names)))
    return [
        Take(
            scene=name,
            pairs=per_scene,
            mirror_state=twin.mirror_states[0],
            features={"TwinSceneSelector": index, "TwinMirrorStateSelector": 0},
        )
        for index, name in enumerate(names)
    ]


def _figures(
    captured: CaptureReport, truth: RegistrationTruth, tested: EvaluationReport, *, seconds: float
) -> dict[str, Any]:
    return {
        "pairs": captured.pairs,
        "scenes": captured.scenes,
        "frames_lost": captured.frames_lost,
        "shape_error_px": truth.shape_error_px,
        "input_psnr_db": tested.mean_input.psnr_db,
        "restored_psnr_db": tested.mean_restored.psnr_db,
        "wiener_psnr_db": tested.mean_baselines[0].quality.psnr_db,
        "input_ssim": tested.mean_input.ssim,
        "restored_ssim": tested.mean_restored.ssim,
        "seconds": seconds,
    }


def _contact_sheet(dataset: PairedDataset) -> tuple[PairPictures, ...]:
    return tuple(
        PairPictures(
            scene=pair.scene,
            split=pair.split,
            input=pair.input,
            target=pair.target,
            residual_px=pair.residual_px,
            psnr_db=pair.psnr_db,
        )
        for pair in (dataset[i] for i in range(len(dataset)))
    )


def _versions() -> dict[str, str]:
    found = {"twinlens": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed as a package"
    return found
