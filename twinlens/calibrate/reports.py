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


@dataclass(frozen=True, slots=True, kw_only=True)
class EmvaReport:
    """One camera by the figures of EMVA Standard 1288; `twinlens.calibrate.emva` says how each is found."""

    camera: str
    """"a" or "b"."""
    bit_depth: int
    exposure_us: float
    gain_db: float
    dark_frames: int
    flat_frames: int
    """0: what needs light is None."""
    dark_dn: float
    """Mean dark level in grey levels."""
    flat_dn: float | None
    """Mean level of the flats in grey levels."""
    system_gain_dn_per_e: float | None
    """Grey levels per electron."""
    read_noise_dn: float
    """Noise in time of a pixel without light, rounding to whole grey levels taken out."""
    read_noise_e: float | None
    read_noise_is_bound: bool
    """True: rounding hides the read noise, and the figures are the most that it can be."""
    dsnu_dn: float
    """Standard deviation over good pixels of their dark levels."""
    prnu_percent: float | None
    """Standard deviation over good pixels of their response to light, vignette taken out."""
    full_scale_dn: int
    full_scale_e: float | None
    """Electrons between dark level and full scale."""
    dynamic_range_db: float | None
    """Full scale against read noise."""
    hot_pixels: int
    """Defects by their dark level."""
    dead_pixels: int
    """Further defects by their response to light."""


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """A calibration in numbers, one entry per mirror state."""

    states: tuple[StateReport, ...]
    cameras: tuple[EmvaReport, ...] = ()
    """A and B by themselves; empty where no dark series was recorded."""
