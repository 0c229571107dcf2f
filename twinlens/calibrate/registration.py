"""Registering one pair: alone, or against a calibration that it must not contradict."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinlens.calibrate.against import fit_against, seen_share
from twinlens.calibrate.coarse import proven_start
from twinlens.calibrate.equalise import blur_sigma_px, gaussian_kernel
from twinlens.calibrate.frames import as_float, check_pair, whole_depth
from twinlens.calibrate.gates import Fitness, Verdict, check_view, fitness, judge
from twinlens.calibrate.geometry import enlarged, reduced
from twinlens.calibrate.kernel import GAUGE
from twinlens.calibrate.mapping import Field, Mapping
from twinlens.calibrate.model import RigCalibration
from twinlens.calibrate.own_fit import check_drift
from twinlens.calibrate.pooling import Correction
from twinlens.calibrate.pyramid import working_factor
from twinlens.calibrate.refine import Refined, put_on_b, refined
from twinlens.calibrate.repetition import period_px
from twinlens.calibrate.settings import CalibrationSettings
from twinlens.errors import PoorFitError
from twinlens.pixels import Homography, Kernel, Mono, PointsXY

_SWAPPED_SIGMA_PX = 0.8
"""A that is blurrier than B by this much is no sharp camera."""
_BENT_WRONG_SHARE = 0.05
"""One pair alone whose mapping is bent may leave fewer wrong tiles than others."""
_NAME = "the pair"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """How A's picture of one pair maps onto B's."""

    b_from_a: Homography
    """A's pixels to B's; `map_b_from_a` adds the field."""
    field: Field | None
    """Distortion or disparity, where the tiles say that there is some."""
    kernel: Kernel
    """Blur from A to B on B's grid."""
    gauge: str
    """What `b_from_a` means where a shift could belong to it or to the kernel."""
    corner_covariance: NDArray[np.float64]
    """(8, 8) px^2 of A's corners seen by B: x and y of top left, top right, bottom right, bottom left."""
    tiles_xy: PointsXY
    """(n, 2) px centres of the tiles on B's grid."""
    residual_xy: PointsXY
    """(n, 2) px that each tile still asks for."""
    fitness: Fitness
    verdict: Verdict
    """"good" for a dataset, or "coarse"; what is neither is refused by an error."""
    reasons: tuple[str, ...]
    """Why it is not good."""
    method: str
    """Where the first mapping came from: "ORB", "SIFT", "phase" or "calibration"."""
    inliers: int
    """Feature matches that agreed on the first mapping."""
    departure_px: float | None = None
    """How far the pair's own mapping leaves the calibration's; None without one."""

    def map_b_from_a(self, points_xy: PointsXY) -> PointsXY:
        """Points (n, 2) of A in B's coordinates (px), the field included."""
        return Mapping(self.b_from_a, self.field).map_b_from_a(points_xy)


def register(
    a: NDArray[Any],
    b: NDArray[Any],
    *,
    prior: RigCalibration | None = None,
    settings: CalibrationSettings | None = None,
    bit_depth: int | None = None,
) -> Registration:
    """Map A onto B from this pair alone, or, with a `prior`, measure whether the pair fits it.

    Alone: blur between the frames without alignment, features (ORB, else SIFT, else phase correlation), tile-wise
    Lucas-Kanade on equally blurred frames, and kernel and mapping in turn where the blur is not a Gaussian. With a
    prior its kernels equalise; the result is the pair's own mapping, which may not leave the prior's.

    Args:
        a: (h, w) uint8 or uint16, sharp.
        b: (h, w) of the same size and type.
        prior: calibration of the pair's session and mirror state.
        settings: the prior's, or defaults.
        bit_depth: significant bits of a pixel; None takes the prior's, or all of the dtype.

    Raises:
        TooFewMatchesError: A and B do not show the same scene, or there is no texture.
        DegenerateGeometryError: the frames cannot determine a mapping, overlap too little, are turned too far
            against each other or mostly saturated.
        PoorFitError: a mapping was found that the pictures or the prior contradict, or A is blurrier than B.
        ValueError: an array is not a mono image, or does not fit the prior.
    """
    settings = settings or (prior.settings if prior else CalibrationSettings())
    if bit_depth is None:
        bit_depth = prior.bit_depth if prior else whole_depth(a)
    check_pair(a, b, bit_depth=bit_depth)
    if prior is not None:
        return _against(a, b, prior, bit_depth=bit_depth, settings=settings)
    return _alone(a, b, bit_depth=bit_depth, settings=settings)


def check_order(
    a: Mono, b: Mono, sigma_px: float, *, bit_depth: int, settings: CalibrationSettings, name: str
) -> None:
    """Refuse a pair whose B is the sharp one.

    Two different scenes have different spectra, too, so the frames are registered the other way round first.

    Args:
        a: (h, w).
        b: (h, w).
        sigma_px: by how much B is blurrier than A, from their spectra alone.
        bit_depth: of the frames.
        settings: numbers.
        name: of the pair.

    Raises:
        PoorFitError: A is blurrier than B.
        TooFewMatchesError: the frames do not show the same scene.
    """
    if sigma_px >= -_SWAPPED_SIGMA_PX:
        return
    proven_start(b, a, sigma_px=-sigma_px, bit_depth=bit_depth, settings=settings)
    raise PoorFitError(
        f"{name}: camera A's picture is blurrier than camera B's by {-sigma_px:.1f} px",
        hint="swap the cameras, or focus camera A; A must be the one that sees the scene sharp",
    )


def corner_covariance(
    correction: Correction, mapping: Mapping, shape_hw: tuple[int, int], *, scale: int = 1
) -> NDArray[np.float64]:
    """(8, 8) px^2 of A's corners seen by B, from that of the parameters on frames reduced by `scale`."""
    height, width = shape_hw
    corners = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], np.float64)
    on_b = (mapping.map_b_from_a(corners) - (scale - 1) / 2) / scale
    jacobian = correction.model.design(on_b).reshape(8, -1)
    covariance = scale**2 * jacobian @ correction.covariance @ jacobian.T
    # Four digits: a person reads this in the file.
    return np.array([[float(f"{value:.4g}") for value in row] for row in covariance])


def _alone(a: Mono, b: Mono, *, bit_depth: int, settings: CalibrationSettings) -> Registration:
    sigma_px = blur_sigma_px(a, b)
    check_order(a, b, sigma_px, bit_depth=bit_depth, settings=settings, name=_NAME)
    sigma_px = max(0.0, sigma_px)
    start = proven_start(a, b, sigma_px=sigma_px, bit_depth=bit_depth, settings=settings)
    shape_hw = (b.shape[0], b.shape[1])
    overlap = seen_share(Mapping(start.b_from_a), shape_hw)
    check_view(start.b_from_a, shape_hw, overlap=overlap, settings=settings, name=_NAME)
    found, factor = _refined_alone(a, b, start.b_from_a, sigma_px=sigma_px, bit_depth=bit_depth, settings=settings)
    figures = fitness(
        found.fits,
        (shape_hw[0] // factor, shape_hw[1] // factor),
        residual_xy=factor * found.correction.residual_xy,
        overlap=overlap,
        bit_depth=bit_depth,
    )
    verdict, reasons = judge(figures, settings, name=_NAME)
    doubts = _doubts_alone(found, figures, repeats_px=period_px(as_float(a), sigma_px=sigma_px))
    mapping = found.mapping.enlarged(factor, shape_hw)
    return Registration(
        b_from_a=mapping.b_from_a,
        field=mapping.field,
        kernel=found.kernels[len(found.kernels) // 2],
        gauge=GAUGE,
        corner_covariance=corner_covariance(found.correction, mapping, shape_hw, scale=factor),
        tiles_xy=factor * found.fits[0].centre_xy + (factor - 1) / 2,
        residual_xy=factor * found.correction.residual_xy,
        fitness=figures,
        verdict="coarse" if doubts else verdict,
        reasons=(*reasons, *doubts),
        method=start.method,
        inliers=start.inliers,
    )


def _doubts_alone(found: Refined, figures: Fitness, *, repeats_px: float | None) -> tuple[str, ...]:
    """What one pair cannot tell by itself, however well its tiles fit."""
    doubts = []
    if found.kind != "none" and figures.wrong_share > _BENT_WRONG_SHARE:
        # A field that is not smooth everywhere goes astray where no tile holds it.
        doubts.append(f"a {found.kind} field leaves {figures.wrong_share:.0%} of the tiles more than 1 px off")
    if repeats_px is not None:
        # Only a session of other scenes, or a prior, can tell.
        doubts.append(f"the scene repeats every {repeats_px:.0f} px: a shift by that looks the same")
    return tuple(doubts)


def _refined_alone(
    a: Mono, b: Mono, b_from_a: Homography, *, sigma_px: float, bit_depth: int, settings: CalibrationSettings
) -> tuple[Refined, int]:
    """Refined on frames reduced to a working size; on full frames where the kernel is more than a Gaussian."""
    factor = working_factor((b.shape[0], b.shape[1]))
    small = put_on_b(a, b, reduced(b_from_a, factor), sigma_px=sigma_px, bit_depth=bit_depth, factor=factor)
    in_small_px = replace(settings, max_residual_px=settings.max_residual_px / factor)
    found = refined([small], reduced(b_from_a, factor), sigma_px=sigma_px / factor, settings=in_small_px)
    if factor == 1:
        return found, 1
    if found.sigma_px is not None:
        return replace(found, kernels=(gaussian_kernel(factor * found.sigma_px),)), factor
    start = found.mapping.enlarged(factor, (b.shape[0], b.shape[1])).b_from_a
    full = put_on_b(a, b, start, sigma_px=sigma_px, bit_depth=bit_depth)
    return refined([full], start, sigma_px=sigma_px, settings=settings), 1


def _against(
    a: Mono, b: Mono, prior: RigCalibration, *, bit_depth: int, settings: CalibrationSettings
) -> Registration:
    shape_hw = (b.shape[0], b.shape[1])
    own = fit_against(a, b, replace(prior, settings=settings), bit_depth=bit_depth, name=_NAME)
    verdict, reasons = judge(own.fitness, settings, name=_NAME)
    correction = check_drift(own, settings, name=_NAME)
    factor = working_factor(shape_hw)
    moved = enlarged(correction.moved, factor)
    found = prior.mapping.corrected(moved, None)
    return Registration(
        b_from_a=found.b_from_a,
        field=found.field,
        kernel=prior.kernel,
        gauge=prior.gauge,
        corner_covariance=corner_covariance(correction, found, shape_hw, scale=factor),
        tiles_xy=factor * own.fits.centre_xy + (factor - 1) / 2,
        residual_xy=factor * own.fits.shift_xy,
        fitness=own.fitness,
        verdict=verdict,
        reasons=reasons,
        method="calibration",
        inliers=0,
        departure_px=own.departure_px,
    )
