"""A walk down the whole street on the virtual rig, stage by stage; the demo and the experiments take it.

Everything but the cameras is what a lab runs. The twin's truth is read only to judge what the street found.
"""

import importlib.metadata
import platform
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from twinlens import __version__
from twinlens.building import build_from_sessions
from twinlens.calibrate import Calibrations
from twinlens.capture.assign import assign_cameras, list_cameras
from twinlens.capture.capture import CaptureReport, Take, capture, require_complete
from twinlens.capture.producers import bundled_producer
from twinlens.capture.rig_file import RigSettings
from twinlens.capture.session import Session
from twinlens.capture.virtual.rehearse import virtual_rig
from twinlens.capture.virtual.serve import DEFAULT_SERIALS
from twinlens.capture.virtual.twin import RigTwin, TwinSettings
from twinlens.dataset.build import DatasetSettings
from twinlens.dataset.paired import PairedDataset, StoredPair
from twinlens.dataset.summary import DatasetReport
from twinlens.engines import Engine, in_this_process
from twinlens.handover import calibrate_sessions
from twinlens.pixels import Kernel, Mono, Picture
from twinlens.report.street import PairPictures, Triple
from twinlens.restore.baselines import best_wiener
from twinlens.restore.checkpoint import load_checkpoint
from twinlens.restore.evaluate import EvaluationReport, ScoredPicture, evaluate, summarise
from twinlens.restore.restorer import Restorer, RestoreSettings
from twinlens.restore.train import BEST, StepReport, TrainSettings, train

WIENER = "Wiener, true PSF"
PACKAGES = ("numpy", "opencv-contrib-python", "scipy", "torch", "h5py", "harvesters", "genicam", "scikit-image")


@dataclass(frozen=True)
class Voice:
    """How a walk tells where it is: a line per stage, and progress inside it."""

    stage: Callable[[str], None] = lambda _: None
    progress: Callable[..., None] = lambda *_, **__: None


@dataclass(frozen=True)
class Tested:
    """What the best checkpoint made of the test split."""

    report: EvaluationReport
    triples: tuple[Triple, ...]
    """Of the rows that were to be kept, in the split's order."""


@dataclass
class Walk:
    """One walk; each stage reads what the ones before it left in the folder."""

    out: Path
    scenes: Path | None
    """Folder of photographs; None takes the drawn streets."""
    settings: TwinSettings
    training: TrainSettings
    voice: Voice
    device: str = "cpu"
    """Where networks run."""
    engine: Engine = in_this_process
    """Where pairs are aligned."""
    started: float = field(default_factory=time.monotonic)

    def capture(
        self, twin: RigTwin, takes: Sequence[Take], *, scene_limit: int
    ) -> tuple[RigSettings, CaptureReport]:
        """Record the takes into a new session."""
        height, width = twin.shape_hw
        scenes = {take.scene for take in takes}
        self.voice.stage(
            f"capturing {len(scenes)} of {len(twin.scene_names)} scenes at {width}x{height}, software trigger "
            "(harvesters + twinlens_gev.cti + GVSP)"
        )
        # Always the bundled producer: a vendor's, found through the environment, may not see the loopback.
        producer = str(bundled_producer())
        with virtual_rig(self.settings, self.scenes, scene_limit=scene_limit):
            found = list_cameras(producer)
            a, b = DEFAULT_SERIALS
            rig = assign_cameras(self.out / "rig.toml", found, a=a, b=b, producer=producer)
            with closing(capture(rig, takes, out=self.out)) as reports:
                for report in reports:
                    self.voice.progress(report.pairs, report.scene, total=report.pairs_wanted)
        require_complete(report)
        return rig, report

    def calibrate(self, session: Session) -> Calibrations:
        """One calibration per mirror state, pooled over its scenes."""
        self.voice.stage("registering A onto B, pooled over the scenes")
        found = calibrate_sessions([session], on_step=lambda text: self.voice.progress(0, text, total=None))
        found.write(self.calibration_file)
        return found

    def build(self, session: Session, settings: DatasetSettings) -> DatasetReport:
        """Align every pair and write the dataset."""
        self.voice.stage("aligning pairs and building the dataset")
        pairs = len(session.pairs())
        return build_from_sessions(
            [session],
            self.calibration_file,
            self.dataset_file,
            settings=settings,
            engine=self.engine,
            on_pair=lambda count: self.voice.progress(count, "", total=pairs),
        )

    def train(self) -> tuple[StepReport, ...]:
        """Train on the training split; checkpoints are chosen on the validation split."""
        settings = self.training
        self.voice.stage(
            f"training {settings.network} ({settings.preset}), {settings.steps} steps on {self.device}"
        )
        reports = []
        dataset = PairedDataset(self.dataset_file)
        for report in train(dataset, settings, out=self.training_folder, device=self.device):
            reports.append(report)
            self.voice.progress(report.step, f"loss {report.loss:.4f}", total=report.steps)
        return tuple(reports)

    def test(self, kernels: Mapping[str, Kernel], *, keep: Collection[int] | None = None) -> Tested:
        """Score the best checkpoint on the test split, beside a Wiener filter that knows the true PSF.

        Args:
            kernels: mirror state to B's true PSF, in the registration's gauge.
            keep: rows of the split whose pictures are kept; all by default.
        """
        self.voice.stage("restoring the test frames, and a Wiener filter that knows the true PSF")
        dataset = PairedDataset(self.dataset_file)
        restorer = Restorer.from_checkpoint(
            load_checkpoint(self.training_folder / BEST), RestoreSettings(device=self.device)
        )
        last: list[Picture] = []

        def wiener(pair: StoredPair) -> Picture:
            kernel = kernels[pair.mirror_state]
            found = best_wiener(pair.input, pair.target, kernel, bit_depth=pair.bit_depth, mask=pair.mask)
            last[:] = [found.picture]
            return found.picture

        pairs = dataset.split("test")
        scores, triples = [], []
        for row, result in enumerate(evaluate(pairs, restorer, baselines={WIENER: wiener})):
            scores.append(result.score)
            if keep is None or row in keep:
                triples.append(_triple(pairs[row], result, last[0]))
            self.voice.progress(len(scores), result.score.scene, total=len(pairs))
        return Tested(summarise(scores, split="test", dataset_hash=dataset.content_hash), tuple(triples))

    @property
    def calibration_file(self) -> Path:
        """Where the calibration lies."""
        return self.out / "calibration.json"

    @property
    def dataset_file(self) -> Path:
        """Where the dataset lies."""
        return self.out / "pairs.h5"

    @property
    def training_folder(self) -> Path:
        """Where checkpoints lie."""
        return self.out / "training"


def _triple(pair: StoredPair, result: ScoredPicture, wiener: Mono) -> Triple:
    score = result.score
    return Triple(
        scene=pair.scene,
        input=pair.input,
        restored=result.restored,
        target=pair.target,
        wiener=wiener,
        input_psnr_db=score.input.psnr_db,
        restored_psnr_db=score.restored.psnr_db,
        wiener_psnr_db=score.baselines[0].quality.psnr_db,
        input_ssim=score.input.ssim,
        restored_ssim=score.restored.ssim,
        mirror_state=pair.mirror_state,
    )


def contact_sheet(dataset: PairedDataset) -> tuple[PairPictures, ...]:
    """Every pair of a dataset as a report shows it, as views of the file."""
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


def versions() -> dict[str, str]:
    """What the walk ran with: package to version."""
    found = {"twinlens": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed as a package"
    return found
