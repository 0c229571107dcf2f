"""What a report page is made from: the stage reports and a few pictures. No floor below knows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from twinlens.calibrate.reports import CalibrationReport
from twinlens.capture.capture import CaptureReport
from twinlens.dataset.summary import DatasetReport
from twinlens.pixels import Homography, Kernel, Mono
from twinlens.report.experiment import Experiment
from twinlens.restore.evaluate import EvaluationReport
from twinlens.restore.train import StepReport


@dataclass(frozen=True)
class PairVerdict:
    """What was decided about one pair, and why."""

    name: str
    verdict: str
    """"good", "coarse" or "refused"."""
    reason: str
    residual_px: float | None
    overlap: float | None
    """Share of B's frame that A covers, 0..1."""


@dataclass(frozen=True)
class RegistrationPictures:
    """One pair on B's grid before and after registration, as whole grey frames."""

    mirror_state: str
    b: Mono
    a_unregistered: Mono
    """Where it differs from B in size, it is cut or filled up with black at the right and the bottom."""
    a_registered: Mono | None
    """As large as B; None where registration was refused."""
    kernel: Kernel | None = None
    """The blur from A to B that calibration found."""
    kernel_zones: tuple[tuple[Kernel, ...], ...] = ()
    """The same in 3 rows x 3 columns of B's frame, where the blur changes over it."""
    verdict: PairVerdict | None = None
    """What was decided about this pair, where pairs are judged one by one."""


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
    mirror_state: str = ""


@dataclass(frozen=True)
class Ceiling:
    """PSNR that a perfect restoration could reach, given how well A lies on B."""

    title: str
    psnr_db: float


@dataclass(frozen=True)
class Street:
    """Everything one report tells, stage by stage; a stage that was not walked is None."""

    title: str
    capture: CaptureReport | None = None
    calibration: CalibrationReport | None = None
    registration: tuple[RegistrationPictures, ...] = ()
    truth: RegistrationTruth | None = None
    drift_limit_px: float | None = None
    """The departure beyond which calibration flags a pair."""
    dataset: DatasetReport | None = None
    pairs: tuple[PairPictures, ...] = ()
    training: tuple[StepReport, ...] = ()
    evaluation: EvaluationReport | None = None
    triples: tuple[Triple, ...] = ()
    experiment: Experiment | None = None
    """Where the street was walked to repeat somebody's experiment."""
    demo: Mapping[str, Any] | None = None
    """The demo's figures: pairs, scenes, frames_lost, shape_error_px, input_psnr_db, ... seconds."""
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Stage name -> every setting used."""
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def bit_depth(self) -> int:
        """Bits that a grey level of the street's pictures uses."""
        if self.dataset is not None:
            return self.dataset.bit_depth
        if self.calibration is not None and self.calibration.states:
            return max(state.bit_depth for state in self.calibration.states)
        brightest = max((int(pictures.b.max()) for pictures in self.registration), default=0)
        return max(8, brightest.bit_length())

    @property
    def ceilings(self) -> tuple[Ceiling, ...]:
        """What registration lets a score reach; of more than three mirror states the lowest and the highest."""
        states = self.calibration.states if self.calibration else ()
        known = [(s.ceiling_db, s.mirror_state) for s in states if s.ceiling_db is not None]
        if len(known) > 3:
            return Ceiling("lowest ceiling", min(known)[0]), Ceiling("highest ceiling", max(known)[0])
        named = len(known) > 1
        return tuple(Ceiling(f"ceiling, {label}" if named else "ceiling", psnr) for psnr, label in known)


def registration_street(
    report: CalibrationReport,
    pictures: Sequence[RegistrationPictures],
    *,
    title: str,
    drift_limit_px: float | None = None,
) -> Street:
    """What `write_report` needs for a page about a calibration alone."""
    return Street(title=title, calibration=report, registration=tuple(pictures), drift_limit_px=drift_limit_px)
