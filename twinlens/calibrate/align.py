"""One pair on B's grid: A resampled once, in B's brightness, beside an untouched crop of B."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twinlens.calibrate.equalise import kernel_blurred
from twinlens.calibrate.frames import as_float, check_pair, eroded, full_scale, rounded_like, unsaturated
from twinlens.calibrate.kernel import kernel_sigma_px
from twinlens.calibrate.model import RigCalibration
from twinlens.calibrate.photometric import fit_gain_offset, squared_radius
from twinlens.calibrate.resample import (
    Box,
    corners_xy,
    map_points,
    normalised,
    resample,
    shift,
    warp_mask,
    whole,
)
from twinlens.calibrate.tile_lk import TileFits, correlation_where_a_varies, fitting_tile_px, tile_fits
from twinlens.errors import DegenerateGeometryError, PoorFitError
from twinlens.pixels import Homography, Mask, Mono, MonoFloat

MARGIN_A_PX = 8
"""The first row carries the trigger stamp, which the spline forgets by 0.27 per px: 0.01 grey levels are left."""
MARGIN_B_PX = 4
SIDE_MULTIPLE_PX = 16
"""Sides of the common area: halves of it, as networks cut them, are still multiples of 8."""
_MIN_TILES = 8
_CONTRAST = 0.01
"""A tile of A, blurred like B, that varies by less than this share of full scale is sky or wall."""
_WRONG_RESIDUAL_PX = 1.0
_WRONG_NCC = 0.7
"""A pair beyond one of these shows two scenes, or a camera has moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passport:
    """How well one pair fits its calibration, in numbers."""

    residual_px: float
    """Median shift that the pair's own tiles still ask for."""
    residual_p95_px: float = 0.0
    """95th percentile of the same."""
    ncc: float
    """Median correlation of the tiles after registration and blur equalisation, 1 = the same picture."""
    gain: float
    """The pair's own brightness factor against the session's; 1 = as in the session."""
    offset: float
    """The pair's own brightness offset against the session's, in grey levels; 0 = as in the session."""
    kernel_sigma_px: float
    """Second moment of the blur from A to B."""
    overlap: float
    """Share of B's whole frame that A sees."""
    saturated_fraction: float
    """Share of the crop that is masked: saturated in B, or within the spline's reach of such a pixel of A."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignedPair:
    """Input and target of one trigger, pixel upon pixel."""

    input: Mono
    """(h, w): a crop of B, bit for bit as the camera sent it."""
    target: Mono
    """(h, w): A resampled once onto B's grid, in B's brightness, rounded to B's dtype."""
    mask: Mask
    """(h, w): where both cameras saw the scene and neither is saturated."""
    bit_depth: int
    scene: str
    session_id: str
    trigger_index: int
    mirror_state: str
    skew_ns: int
    exposure_us: float
    gain_db: float
    b_from_a: Homography
    """A's pixels to those of `input`: the session's mapping with the crop's corner taken off."""
    passport: Passport


@dataclass(frozen=True, slots=True, kw_only=True)
class PairIdentity:
    """Which pair it is, as capture knows it."""

    scene: str
    session_id: str
    trigger_index: int
    skew_ns: int = 0
    exposure_us: float = 0.0
    gain_db: float = 0.0


def align_pair(a: Mono, b: Mono, calibration: RigCalibration, *, box: Box, identity: PairIdentity) -> AlignedPair:
    """One pair on B's grid, cut to `box`.

    Args:
        a: (h, w) A's whole frame.
        b: (h, w) B's whole frame.
        calibration: of the pair's mirror state.
        box: part of B's frame, such as `valid_box(calibration)`.
        identity: copied into the result.

    Raises:
        PoorFitError: the pair contradicts the calibration.
        DegenerateGeometryError: the pair has too little texture to tell, or is mostly saturated.
        ValueError: the frames are not of the calibrated size or type.
    """
    _check_frames(a, b, calibration, box)
    name = f"pair {identity.trigger_index} of {identity.scene!r}"
    check_pair(a, b, bit_depth=calibration.bit_depth, name=name)
    a_on_b = resample(a, calibration.b_from_a, box)
    exact = calibration.photometric.apply(a_on_b, squared_radius(calibration.shape_hw, box))
    cut = b[box.crop].copy()
    in_a, in_b = _open_pixels(a, b, calibration, box)
    in_a &= (exact >= 0) & (exact <= full_scale(calibration.bit_depth))  # what rounding would clip is no target
    fit = _own_fit(exact, cut, in_a & in_b, calibration)
    passport = _passport(fit, calibration, saturated_fraction=1 - float(np.mean(in_a & in_b)), name=name)
    return AlignedPair(
        input=cut,
        target=rounded_like(b, exact, bit_depth=calibration.bit_depth),
        mask=in_a & in_b,
        bit_depth=calibration.bit_depth,
        scene=identity.scene,
        session_id=identity.session_id,
        trigger_index=identity.trigger_index,
        mirror_state=calibration.mirror_state,
        skew_ns=identity.skew_ns,
        exposure_us=identity.exposure_us,
        gain_db=identity.gain_db,
        b_from_a=normalised(shift(-box.left, -box.top) @ calibration.b_from_a),
        passport=passport,
    )


def aligned_a(a: Mono, calibration: RigCalibration) -> MonoFloat:
    """A on B's whole grid (h, w) in A's grey levels, for pictures; beyond A's border it is mirrored."""
    return resample(a, calibration.b_from_a, whole(calibration.shape_hw))


def valid_box(*calibrations: RigCalibration) -> Box:
    """The largest rectangle of B's grid that A sees in every given calibration, a safe margin inside both frames.

    Raises:
        ValueError: no calibration, or frames of different sizes.
        DegenerateGeometryError: the cameras share no rectangle of 128 px.
    """
    if len({calibration.shape_hw for calibration in calibrations}) != 1:
        raise ValueError(f"calibrations of one frame size are needed, got {[c.shape_hw for c in calibrations]}")
    shape_hw = calibrations[0].shape_hw
    left = np.full(shape_hw[0], float(MARGIN_B_PX))
    right = np.full(shape_hw[0], float(shape_hw[1] - 1 - MARGIN_B_PX))
    for calibration in calibrations:
        a_left, a_right = _row_limits(calibration)
        left, right = np.maximum(left, a_left), np.minimum(right, a_right)
    return _largest_box(np.ceil(left), np.floor(right) + 1, shape_hw)


def _row_limits(calibration: RigCalibration) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First and last x on B, per row (h,), that A sees inside its margin; outside the frame where it sees none."""
    height, width = calibration.shape_hw
    inset = corners_xy((height - 2 * MARGIN_A_PX, width - 2 * MARGIN_A_PX)) + MARGIN_A_PX
    corners = map_points(calibration.b_from_a, inset)
    rows = np.arange(height, dtype=np.float64)
    # Far outside, yet finite: limits of several calibrations are compared and subtracted.
    left, right = np.full(height, 2.0 * width), np.full(height, -1.0 * width)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        crossed = (rows >= min(y0, y1)) & (rows <= max(y0, y1))
        x = x0 + (rows[crossed] - y0) * (x1 - x0) / (y1 - y0)
        left[crossed], right[crossed] = np.minimum(left[crossed], x), np.maximum(right[crossed], x)
    return left, right


def _largest_box(left: NDArray[np.float64], right: NDArray[np.float64], shape_hw: tuple[int, int]) -> Box:
    """The largest rectangle between convex row limits (h,); `right` is exclusive."""
    best, best_area = Box(0, 0, 0, 0), 0.0
    tops = np.arange(MARGIN_B_PX, shape_hw[0] - MARGIN_B_PX)
    for height in range(SIDE_MULTIPLE_PX, shape_hw[0] - 2 * MARGIN_B_PX + 1, SIDE_MULTIPLE_PX):
        top = tops[: len(tops) - height + 1]
        # The common area is convex: what is inside in the first and the last row is inside between them.
        first, last = (
            np.maximum(left[top], left[top + height - 1]),
            np.minimum(right[top], right[top + height - 1]),
        )
        width = np.maximum(last - first, 0) // SIDE_MULTIPLE_PX * SIDE_MULTIPLE_PX
        place = int(np.argmax(width))
        if width[place] * height > best_area:
            x, y = int(first[place]), int(top[place])
            best, best_area = Box(x, y, x + int(width[place]), y + height), width[place] * height
    if min(best.shape_hw) < 128:
        raise DegenerateGeometryError(
            f"both cameras share a box of {best.shape_hw[1]}x{best.shape_hw[0]} px; 128 px a side is needed",
            hint="aim both cameras at the same part of the scene and calibrate again",
        )
    return best


def _check_frames(a: Mono, b: Mono, calibration: RigCalibration, box: Box) -> None:
    for camera, frame in (("A", a), ("B", b)):
        if frame.shape != calibration.shape_hw:
            raise ValueError(
                f"camera {camera}'s frame is {frame.shape}, the calibration is of {calibration.shape_hw}"
            )
    height, width = calibration.shape_hw
    if not (0 <= box.left < box.right <= width and 0 <= box.top < box.bottom <= height):
        raise ValueError(f"{box} does not lie inside a frame of {calibration.shape_hw}")


def _open_pixels(a: Mono, b: Mono, calibration: RigCalibration, box: Box) -> tuple[Mask, Mask]:
    """Pixels (h, w) of the box that A sees below saturation, and that B does."""
    # A saturated pixel of A reaches its two neighbours through the spline.
    seen = eroded(unsaturated(a, calibration.bit_depth), 2)
    to_box = shift(-box.left, -box.top) @ calibration.b_from_a
    return warp_mask(seen, to_box, box.shape_hw), unsaturated(b[box.crop], calibration.bit_depth)


def _own_fit(exact: MonoFloat, cut: Mono, usable: Mask, calibration: RigCalibration) -> TileFits:
    """The pair's own tiles, against A with the session's kernel: a frame's own kernel would hide its shift."""
    template = kernel_blurred(exact, calibration.kernel)
    reach = len(calibration.kernel) // 2
    inside = eroded(np.ones(cut.shape, np.bool_), reach)
    usable = inside & eroded(usable, min(reach, int(np.ceil(2 * calibration.sigma_px)) + 1))
    tile_px = fitting_tile_px(calibration.settings.tile_px, calibration.shape_hw)
    return tile_fits(template, as_float(cut), usable, tile_px=tile_px)


def _passport(fit: TileFits, calibration: RigCalibration, *, saturated_fraction: float, name: str) -> Passport:
    correlation = correlation_where_a_varies(fit, contrast=_CONTRAST * full_scale(calibration.bit_depth))
    if len(correlation) < _MIN_TILES:
        raise DegenerateGeometryError(
            f"{name} has {len(correlation)} textured tiles; {_MIN_TILES} are needed to tell whether it fits",
            hint="leave this pair out, or record a scene with texture",
        )
    residual_px = np.hypot(fit.shift_xy[:, 0], fit.shift_xy[:, 1])
    ncc = float(np.median(correlation))
    if len(residual_px) < _MIN_TILES and ncc >= _WRONG_NCC:
        raise DegenerateGeometryError(
            f"{name} has {len(residual_px)} tiles with texture in two directions; {_MIN_TILES} are needed",
            hint="leave this pair out, or record a scene that shows more than parallel lines",
        )
    median_px = float(np.median(residual_px)) if len(residual_px) else float("inf")
    if median_px > _WRONG_RESIDUAL_PX or ncc < _WRONG_NCC:
        raise PoorFitError(
            f"{name} contradicts its calibration: tile correlation {ncc:.2f} (at least {_WRONG_NCC:g}), "
            f"{len(residual_px)} tiles that fit, {median_px:.2f} px off (at most {_WRONG_RESIDUAL_PX:g})",
            hint="leave this pair out; if it is not the only one, the rig has moved: calibrate this session",
        )
    gain, offset = fit_gain_offset(fit)
    return Passport(
        residual_px=median_px,
        residual_p95_px=float(np.percentile(residual_px, 95)),
        ncc=ncc,
        gain=gain,
        offset=offset,
        kernel_sigma_px=kernel_sigma_px(calibration.kernel),
        overlap=_overlap(calibration),
        saturated_fraction=saturated_fraction,
    )


def _overlap(calibration: RigCalibration) -> float:
    """Share of B's frame that A sees."""
    left, right = _row_limits(calibration)
    width = calibration.shape_hw[1]
    seen = np.minimum(right, width - 1) - np.maximum(left, 0) + 1
    return float(np.clip(seen, 0, width).sum() / (width * calibration.shape_hw[0]))
