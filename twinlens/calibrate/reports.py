"""A calibration in numbers, as report pages and `--json` show it; no arrays, no behaviour."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ZoneReport:
    """The blur in one of 3 x 3 zones of B's frame."""

    row: int
    column: int
    sigma_px: float
    """Second moment of the zone's kernel."""
    shift_xy: tuple[float, float]
    """From the kernel's peak to its centroid (px): what a method that locks onto the peak would miss."""


@dataclass(frozen=True, slots=True)
class DriftReport:
    """How one pair's own solution leaves its session's."""

    name: str
    """Scene and trigger, or the pair's place in the sequence."""
    departure_px: float
    """Root mean square over the frame of the shift by which the pair's own mapping leaves the session's."""
    residual_px: float
    """Median of what its tiles still ask for."""
    gain: float
    """Its brightness factor against the session's, 1 = the same."""
    flagged: bool
    """True beyond the limit: the rig has moved, or the pair is another scene's; it is not absorbed."""


@dataclass(frozen=True, slots=True)
class StateReport:
    """One mirror state's calibration in numbers."""

    mirror_state: str
    pairs_used: int
    shape_hw: tuple[int, int]
    bit_depth: int
    residual_px: float
    residual_p95_px: float
    tile_ncc: float
    sigma_px: float
    kernel_px: int
    """Side of the kernel."""
    gain: float
    curvature: float
    """Change of B's grey level at full scale that a straight line would miss, in shares of full scale."""
    vignette: float
    offset: float
    corner_sigma_px: float
    seconds: float
    b_from_a: tuple[tuple[float, ...], ...]
    field: str = "none"
    """What the mapping holds beyond a homography: "none", "distortion", "disparity"."""
    field_rms_px: float = 0.0
    """Root mean square of that over the frame."""
    ceiling_db: float | None = None
    """PSNR that a perfect restoration could reach, given the residual."""
    zones: tuple[ZoneReport, ...] = ()
    """Empty where one kernel serves the whole frame."""
    tiles: tuple[tuple[float, float, float, float], ...] = ()
    """Residuals of tiles, spread over the frame: x, y on B's grid and what they still ask for in x and y (px)."""
    brightness: tuple[tuple[float, float], ...] = ()
    """Grey levels at some registered, equally blurred places: A's, and B's with the vignette taken out."""
    drift: tuple[DriftReport, ...] = ()
    """One per pair, in the order of capture."""


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """A calibration in numbers, one entry per mirror state."""

    states: tuple[StateReport, ...]
