"""What a report page is made from: the stage reports and a few pictures. No floor below knows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from twinlens.calibrate.reports import CalibrationReport
from twinlens.capture.capture import CaptureReport
from twinlens.dataset.summary import DatasetReport
from twinlens.pixels import Homography, Kernel, Mono
from twinlens.restore.evaluate import EvaluationReport
from twinlens.restore.train import StepReport


@dataclass(frozen=True)
class RegistrationPictures:
    """One pair on B's grid before and after registration, as whole grey frames of one size."""

    mirror_state: str
    b: Mono
    a_unregistered: Mono
    a_registered: Mono
    kernel: Kernel | None = None
    """The blur from A to B that calibration found."""


@dataclass(frozen=True)
class RegistrationTruth:
    """What only a simulated rig knows: how far the found mapping is from the true one."""

    shape_error_px: float
    """Mean end-point error over 33x33 points of A seen by B, after removing the mean shift."""
    mean_shift_px: float
    """The removed shift: the gauge, set by the kernel's centroid."""
    error_xy: tuple[tuple[float, float, float, float], ...]
    """Per grid point on B's grid: x, y, and the error in x and y after removing the mean shift (px)."""
    true_b_from_a: Homography
    true_kernel_b: Kernel
    """B's true PSF, moved by the same convention as the found blur."""


@dataclass(frozen=True)
class PairPictures:
    """One pair of the dataset, in whole frames (memory-mapped will do): the report reduces and crops them."""

    scene: str
    split: str
    input: Mono
    target: Mono
    residual_px: float
    psnr_db: float


@dataclass(frozen=True)
class Triple:
    """One test frame: input, restored, target, and the oracle Wiener filter when the true PSF is known."""

    scene: str
    input: Mono
    restored: Mono
    target: Mono
    wiener: Mono | None
    input_psnr_db: float
    restored_psnr_db: float
    wiener_psnr_db: float | None
    input_ssim: float
    restored_ssim: float


@dataclass(frozen=True)
class Street:
    """Everything one report tells, stage by stage; a stage that was not walked is None."""

    title: str
    capture: CaptureReport | None = None
    calibration: CalibrationReport | None = None
    registration: tuple[RegistrationPictures, ...] = ()
    truth: RegistrationTruth | None = None
    dataset: DatasetReport | None = None
    pairs: tuple[PairPictures, ...] = ()
    training: tuple[StepReport, ...] = ()
    evaluation: EvaluationReport | None = None
    triples: tuple[Triple, ...] = ()
    demo: Mapping[str, Any] | None = None
    """The demo's figures: pairs, scenes, frames_lost, shape_error_px, input_psnr_db, ... seconds."""
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Stage name -> every setting used."""
    versions: Mapping[str, str] = field(default_factory=dict)
