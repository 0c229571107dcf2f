"""One pair on one grid: A resampled once onto B's pixels in B's brightness, beside an untouched crop of B."""

from dataclasses import dataclass

import numpy as np

from twinlens.calibrate.common_box import Grid
from twinlens.calibrate.frames import MIN_SIDE_PX, check_pair, eroded, full_scale, rounded_like, unsaturated
from twinlens.calibrate.geometry import Box, normalised, shift, whole
from twinlens.calibrate.model import RigCalibration
from twinlens.calibrate.passport import Passport, pair_fit, passport, still_pixels
from twinlens.calibrate.photometric import squared_radius
from twinlens.calibrate.resample import resample, warp_mask
from twinlens.calibrate.tile_lk import fitting_tile_px
from twinlens.pixels import Homography, Mask, Mono, MonoFloat, Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignedPair:
    """Input and target of one trigger, pixel upon pixel."""

    input: Picture
    """(h, w): a crop of B after correction, else as the camera sent it; resampled once where the grid is A's.
    Pictures of somebody else may be (h, w, 3) RGB, input and target alike."""
    target: Picture
    """(h, w): A resampled once onto B's grid (on A's grid: not), in B's brightness, rounded to B's dtype."""
    mask: Mask
    """(h, w): where both cameras saw the scene, neither is saturated and nothing moved."""
    bit_depth: int
    scene: str
    session_id: str
    trigger_index: int
    mirror_state: str
    skew_ns: int
    exposure_us: float
    gain_db: float
    b_from_a: Homography
    """A's pixels to those of `input`, with the crop's corner taken off; the calibration's field comes on top."""
    passport: Passport
    host_time_ns: int = 0
    """When A's frame arrived, on the monotonic clock of the recording host; 0 = unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairIdentity:
    """Which pair it is, as capture knows it."""

    scene: str
    session_id: str
    trigger_index: int
    skew_ns: int = 0
    exposure_us: float = 0.0
    gain_db: float = 0.0
    host_time_ns: int = 0


def align_pair(
    a: Mono, b: Mono, calibration: RigCalibration, *, box: Box, identity: PairIdentity, grid: Grid = "b"
) -> AlignedPair:
    """One pair pixel upon pixel, cut to `box`.

    Args:
        a: (h, w) A's whole frame.
        b: (h, w) B's whole frame.
        calibration: of the pair's mirror state.
        box: part of the grid's frame, such as `valid_box(calibration, grid=grid)`.
        identity: copied into the result.
        grid: "b" resamples A, "a" resamples B.

    Raises:
        PoorFitError: the pair contradicts the calibration.
        DegenerateGeometryError: the pair has too little texture to tell, or is mostly saturated.
        ValueError: the frames are not of the calibrated size or type.
    """
    _check_frames(a, b, calibration, box, grid=grid)
    name = f"pair {identity.trigger_index} of {identity.scene!r}"
    check_pair(a, b, bit_depth=calibration.bit_depth, name=name)
    on_b_box = box if grid == "b" else whole(calibration.shape_hw)
    exact, usable = _on_b(a, b, calibration, on_b_box)
    own = pair_fit(exact, b[on_b_box.crop], usable, calibration, box=on_b_box)
    found = passport(own, exact, usable, calibration, name=name)
    exact = np.float32(found.gain) * exact + np.float32(found.offset)
    still = still_pixels(
        own, on_b_box.shape_hw, tile_px=fitting_tile_px(calibration.settings.tile_px, calibration.shape_hw)
    )
    # What rounding would clip is no target.
    mask = usable & still & (exact >= 0) & (exact <= full_scale(calibration.bit_depth))
    if grid == "b":
        source, b_from_a = b[box.crop].copy(), normalised(shift(-box.left, -box.top) @ calibration.b_from_a)
    else:
        source, exact, mask = _on_a(a, b, calibration, box, mask=mask, gain_offset=(found.gain, found.offset))
        b_from_a = shift(-box.left, -box.top)
    return AlignedPair(
        input=source,
        target=rounded_like(b, exact, bit_depth=calibration.bit_depth),
        mask=mask,
        bit_depth=calibration.bit_depth,
        scene=identity.scene,
        session_id=identity.session_id,
        trigger_index=identity.trigger_index,
        mirror_state=calibration.mirror_state,
        skew_ns=identity.skew_ns,
        exposure_us=identity.exposure_us,
        gain_db=identity.gain_db,
        b_from_a=b_from_a,
        passport=found,
        host_time_ns=identity.host_time_ns,
    )


def aligned_a(a: Mono, calibration: RigCalibration) -> MonoFloat:
    """A on B's whole grid (h, w) in A's grey levels, for pictures; beyond A's border it is mirrored."""
    return resample(a, calibration.b_from_a, whole(calibration.shape_hw), field=calibration.field)


def _check_frames(a: Mono, b: Mono, calibration: RigCalibration, box: Box, *, grid: Grid) -> None:
    for camera, frame in (("A", a), ("B", b)):
        if frame.shape != calibration.shape_hw:
            raise ValueError(
                f"camera {camera}'s frame is {frame.shape}, the calibration is of {calibration.shape_hw}"
            )
    needed = np.uint8 if calibration.bit_depth <= 8 else np.uint16
    if a.dtype != needed or b.dtype != needed:
        raise ValueError(f"frames are {a.dtype} and {b.dtype}; the calibration is of {calibration.bit_depth} bit")
    if grid not in ("a", "b"):
        raise ValueError(f"grid {grid!r} is neither a's nor b's")
    height, width = calibration.shape_hw
    if not (0 <= box.left < box.right <= width and 0 <= box.top < box.bottom <= height):
        raise ValueError(f"{box} does not lie inside a frame of {calibration.shape_hw}")
    if min(box.shape_hw) < MIN_SIDE_PX:
        raise ValueError(f"{box} is smaller than {MIN_SIDE_PX} px a side")


def _on_b(a: Mono, b: Mono, calibration: RigCalibration, box: Box) -> tuple[MonoFloat, Mask]:
    """A in `box` of B's grid, in the session's brightness, and the pixels that both see below saturation."""
    seen = resample(a, calibration.b_from_a, box, field=calibration.field)
    exact = calibration.photometric.apply(seen, squared_radius(calibration.shape_hw, box))
    # A saturated pixel of A reaches its two neighbours through the spline.
    open_in_a = warp_mask(
        eroded(unsaturated(a, calibration.bit_depth), 2),
        calibration.b_from_a,
        calibration.shape_hw,
        field=calibration.field,
    )
    return exact, open_in_a[box.crop] & unsaturated(b, calibration.bit_depth)[box.crop]


def _on_a(
    a: Mono,
    b: Mono,
    calibration: RigCalibration,
    box: Box,
    *,
    mask: Mask,
    gain_offset: tuple[float, float],
) -> tuple[Mono, MonoFloat, Mask]:
    """B resampled onto `box` of A's grid, A in B's brightness there, and the mask (of B's whole grid) there."""
    shape_hw = calibration.shape_hw
    back = calibration.mapping.inverted(shape_hw)
    seen = resample(b, back.b_from_a, box, field=back.field)
    # The vignette is B's: its radius is that of the place on B.
    r2 = resample(squared_radius(shape_hw, whole(shape_hw)), back.b_from_a, box, field=back.field)
    exact = calibration.photometric.apply(a[box.crop].astype(np.float32), r2)
    exact = np.float32(gain_offset[0]) * exact + np.float32(gain_offset[1])
    on_a = warp_mask(eroded(mask, 2), back.b_from_a, shape_hw, field=back.field)[box.crop]
    return rounded_like(b, seen, bit_depth=calibration.bit_depth), exact, on_a
