"""A small street built by hand: real report types, synthetic frames."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from twinlens.calibrate.reports import CalibrationReport, DriftReport, StateReport, ZoneReport
from twinlens.capture.capture import CaptureReport
from twinlens.capture.clock import Skew
from twinlens.capture.pairing import Gap
from twinlens.dataset.schema import SplitName
from twinlens.dataset.summary import DatasetReport, MirrorCount, SceneCount, SplitCount, Spread
from twinlens.report.pages import write_report
from twinlens.report.street import PairPictures, RegistrationPictures, RegistrationTruth, Street, Triple
from twinlens.restore.bootstrap import Interval
from twinlens.restore.evaluate import EvaluationReport, ImageScore, MethodQuality, Quality, RealignedScore
from twinlens.restore.train import StepReport

SCENES: tuple[tuple[str, SplitName], ...] = (
    ("roofs", "train"),
    ("street", "val"),
    ("harbour-with-a-rather-long-name", "test"),
)


def frame(seed: int, shape_hw: tuple[int, int] = (700, 900)) -> np.ndarray:
    """Grey rectangles of all sizes."""
    rng = np.random.default_rng(seed)
    pixels = np.full(shape_hw, 90, np.uint8)
    for _ in range(300):
        x, y = int(rng.integers(shape_hw[1])), int(rng.integers(shape_hw[0]))
        w, h = (int(side) for side in rng.integers(3, 60, 2))
        cv2.rectangle(pixels, (x, y), (x + w, y + h), int(rng.integers(20, 240)), -1)
    return pixels


def blurred(pixels: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(pixels, (0, 0), 3)


def capture_report() -> CaptureReport:
    return CaptureReport(
        session_id="session_2025-01-01T00-00-00Z_0a1b2c3d",
        folder="sessions/session_2025-01-01T00-00-00Z_0a1b2c3d",
        scene="street",
        pairs_wanted=6,
        pairs=6,
        scenes=3,
        triggers=7,
        frames={"a": 7, "b": 6},
        frames_lost=1,
        ledger=(Gap(3, "b", "incomplete"),),
        skew=Skew("camera timestamps", median_us=411.2, p95_us=702.9, max_us=1012.4),
        flushed_frames={"a": 0, "b": 1},
        stream={"a": {"delivered": 7, "lost_packets": 0}, "b": {"delivered": 6, "lost_packets": 12}},
        producer="twinlens_gev.cti",
        seconds=12.3,
    )


def state_report() -> StateReport:
    """All that a calibration can tell; tiles ask for most in the lower right, and pair 4 has left the session."""
    rng = np.random.default_rng(11)
    x, y = rng.uniform(20, 880, 150), rng.uniform(20, 680, 150)
    a = rng.uniform(10, 240, 200)
    b = 4.17 + 0.8991 * a + 0.021 * a * (a - 255) / 255 + rng.normal(0, 0.5, 200)
    return StateReport(
        mirror_state="state0-0.50waves",
        pairs_used=6,
        shape_hw=(700, 900),
        bit_depth=8,
        residual_px=0.0312,
        residual_p95_px=0.0921,
        tile_ncc=0.987,
        sigma_px=3.02,
        kernel_px=31,
        gain=0.8991,
        curvature=0.021,
        vignette=-0.0812,
        offset=4.17,
        corner_sigma_px=0.0113,
        seconds=21.4,
        b_from_a=((1.0199, -0.0178, 14.31), (0.0178, 1.0199, -9.62), (1e-7, 2e-7, 1.0)),
        field="distortion",
        field_rms_px=0.217,
        ceiling_db=38.61,
        zones=tuple(
            ZoneReport(row, column, 2.9 + 0.05 * row + 0.07 * column, (0.03 * (column - 1), -0.02 * (row - 1)))
            for row in range(3)
            for column in range(3)
        ),
        tiles=tuple(zip(x.tolist(), y.tolist(), (1e-4 * x).tolist(), (1e-4 * y).tolist(), strict=True)),
        brightness=tuple(zip(a.tolist(), b.tolist(), strict=True)),
        drift=tuple(
            DriftReport(f"roofs {i}", 0.71 if i == 4 else 0.03 + i / 100, 0.041, 1 + i / 1000, flagged=i == 4)
            for i in range(6)
        ),
    )


def dataset_report() -> DatasetReport:
    return DatasetReport(
        name="demo",
        version="1.0.0",
        content_hash="5e" * 32,
        pairs=6,
        scenes=3,
        sessions=1,
        shape_hw=(700, 900),
        bit_depth=8,
        splits=(SplitCount("train", 1, 2), SplitCount("val", 1, 2), SplitCount("test", 1, 2)),
        scene_counts=tuple(SceneCount(scene, split, 2, 23.41 + i) for i, (scene, split) in enumerate(SCENES)),
        mirror_states=(MirrorCount("state0-0.50waves", 6),),
        residual_px=Spread(0.021, 0.033, 0.051, 0.055, 0.034),
        ncc=Spread(0.971, 0.982, 0.991, 0.992, 0.983),
        input_psnr_db=Spread(23.41, 24.41, 25.4, 25.41, 24.41),
        saturated_fraction_mean=0.0021,
        overlap_mean=0.961,
        bytes_on_disk=7_654_321,
    )


def truth() -> RegistrationTruth:
    grid = [(x, y) for y in np.linspace(20.0, 680.0, 9) for x in np.linspace(20.0, 880.0, 9)]
    kernel = np.zeros((31, 31))
    kernel[12:18, 14:20] = 1 / 36
    return RegistrationTruth(
        shape_error_px=0.0187,
        mean_shift_px=1.083,
        error_xy=tuple((float(x), float(y), 0.00004 * float(x), -0.00003 * float(y)) for x, y in grid),
        true_b_from_a=np.eye(3),
        true_kernel_b=kernel,
    )


def evaluation_report() -> EvaluationReport:
    wiener = MethodQuality("Wiener, true PSF", Quality(25.31, 0.7712))
    image = ImageScore(
        pair_id="session-1/5",
        scene=SCENES[2][0],
        mirror_state="state0-0.50waves",
        input=Quality(23.41, 0.7013),
        restored=Quality(28.12, 0.8321),
        baselines=(wiener,),
        restore_s=2.5,
    )
    return EvaluationReport(
        protocol="wang2003",
        split="test",
        dataset_hash="5e" * 32,
        images=(image, image),
        mean_input=image.input,
        mean_restored=image.restored,
        mean_baselines=(wiener,),
        gain_db=4.71,
        realignment="shift",
        realigned=RealignedScore(
            input=Quality(23.52, 0.7081),
            restored=Quality(28.93, 0.8467),
            restored_in_place=Quality(28.31, 0.8352),
            baselines=(wiener,),
            moved_px=0.113,
        ),
        restored_psnr_db_95=Interval(26.84, 29.37),
        restored_ssim_95=Interval(0.8123, 0.8519),
        gain_db_95=Interval(3.86, 5.48),
        ceiling_db=35.62,
    )


def step_report(step: int) -> StepReport:
    validated = step % 20 == 0
    return StepReport(
        step=step,
        steps=60,
        loss=0.05 * math.exp(-step / 30),
        learning_rate=1e-3,
        gradient_norm=0.3,
        elapsed_s=0.5 * step,
        psnr_db=24 + step / 30 if validated else None,
        input_psnr_db=23.4 if validated else None,
        is_best=validated,
    )


@pytest.fixture(scope="session")
def state() -> StateReport:
    return state_report()


@pytest.fixture(scope="session")
def report(street: Street, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole street's page, with report.json beside it."""
    return write_report(street, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="session")
def street() -> Street:
    """Every stage walked."""
    sharp = [frame(seed) for seed in range(3)]
    shifted = np.roll(sharp[0], (7, -9), axis=(0, 1))
    kernel = np.full((9, 9), 1 / 81)
    triple = Triple(
        scene=SCENES[2][0],
        input=blurred(sharp[2]),
        restored=sharp[2] // 2 + blurred(sharp[2]) // 2,
        target=sharp[2],
        wiener=blurred(blurred(sharp[2])),
        input_psnr_db=23.41,
        restored_psnr_db=28.12,
        wiener_psnr_db=25.31,
        input_ssim=0.7013,
        restored_ssim=0.8321,
    )
    return Street(
        title="A walk down the street",
        capture=capture_report(),
        calibration=CalibrationReport(states=(state_report(),)),
        registration=(
            RegistrationPictures(
                "state0-0.50waves", blurred(sharp[0]), shifted, sharp[0], kernel_zones=((kernel,) * 3,) * 3
            ),
        ),
        drift_limit_px=0.25,
        truth=truth(),
        dataset=dataset_report(),
        pairs=tuple(
            PairPictures(scene, split, blurred(sharp[i]), sharp[i], 0.021 + i / 100, 25.41 - i)
            for i, (scene, split) in enumerate(SCENES)
        ),
        training=tuple(step_report(step) for step in range(10, 61, 10)),
        evaluation=evaluation_report(),
        triples=(triple, triple),
        demo={"pairs": 6, "scenes": 3, "frames_lost": 1, "shape_error_px": 0.0187, "seconds": 71.5},
        settings={"train": {"preset": "tiny", "betas": (0.9, 0.99), "nested": {"rate": 2e-3}}, "capture": {}},
        versions={"twinlens": "0.1.0", "numpy": "2.4.6"},
    )
