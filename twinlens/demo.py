"""The demonstration: the whole street once, in minutes, under one mirror state."""

import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from twinlens.calibrate import CalibrationSettings
from twinlens.capture.capture import CaptureReport, Take
from twinlens.capture.session import Session
from twinlens.capture.virtual.rehearse import make_twin
from twinlens.capture.virtual.twin import RigTwin, TwinSettings
from twinlens.dataset.build import DatasetSettings
from twinlens.dataset.paired import PairedDataset
from twinlens.errors import SettingsError
from twinlens.judge import judge_registration
from twinlens.registration_pictures import registration_pictures
from twinlens.report.pages import write_report
from twinlens.report.street import RegistrationTruth, Street
from twinlens.restore.evaluate import EvaluationReport
from twinlens.restore.restorer import RestoreSettings
from twinlens.restore.train import RECIPES, TrainSettings
from twinlens.walk import Voice, Walk, contact_sheet, versions

MIN_PAIRS = 24
MIN_SCENES = 3
MAX_SCENES = 16
PAIRS_PER_SCENE = 2


@dataclass(frozen=True)
class DemoResult:
    """Where the report is, and its figures."""

    report: Path
    figures: dict[str, Any]


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
    walk = Walk(folder, scenes, settings or TwinSettings(), training or RECIPES["demo"], voice or Voice())
    twin = make_twin(walk.settings, scenes)
    state = twin.mirror_states[0].label
    rig, captured = walk.capture(twin, plan_takes(twin), scene_limit=MAX_SCENES)
    session = Session(Path(captured.folder))
    calibrations = walk.calibrate(session)
    calibration = calibrations.of(state)
    truth = judge_registration(twin, calibration)
    built = walk.build(session, DatasetSettings())
    trained = walk.train()
    tested = walk.test({state: truth.true_kernel_b})
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
        pairs=contact_sheet(PairedDataset(walk.dataset_file)),
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
        versions=versions(),
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
