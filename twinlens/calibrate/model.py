"""What a calibration is: one mapping, blur and brightness transfer per mirror state."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twinlens.calibrate.kernel import kernel_sigma_px
from twinlens.calibrate.mapping import Field, Mapping
from twinlens.calibrate.photometric import Photometric
from twinlens.calibrate.pooling import FieldKind
from twinlens.calibrate.reports import DriftReport, StateReport, ZoneReport
from twinlens.calibrate.settings import CalibrationSettings
from twinlens.calibrate.spectra import ZONES
from twinlens.pixels import Homography, Kernel, PointsXY


@dataclass(frozen=True, slots=True, kw_only=True)
class RigCalibration:
    """How camera A's picture maps onto camera B's under one mirror state."""

    mirror_state: str
    b_from_a: Homography
    """A's pixels to B's, in the gauge below; `map_b_from_a` adds the field."""
    field: Field | None = None
    """What B's grid is displaced by beyond the homography: distortion or disparity."""
    field_kind: FieldKind = "none"
    baseline_deg: float | None = None
    """Of a disparity: the line on B's frame along which near things move, clockwise from x. The epipole lies on
    it, at infinity, since the cameras look the same way."""
    kernel: Kernel
    """Blur from A to B on B's grid; the frame's mean where zones have their own."""
    kernel_zones: tuple[Kernel, ...] = ()
    """Nine kernels, row by row, where the blur changes over the frame."""
    gauge: str
    """What `b_from_a` means where a shift could belong to it or to the kernel."""
    reference_shift_xy: tuple[float, float] | None = None
    """By how much (px) the gauge moved the mapping off the chief rays', where sharp reference pairs told them."""
    photometric: Photometric
    corner_covariance: NDArray[np.float64]
    """(8, 8) px^2 of A's corners seen by B: x and y of top left, top right, bottom right, bottom left."""
    pairs_used: int
    session_ids: tuple[str, ...]
    shape_hw: tuple[int, int]
    bit_depth: int
    sigma_px: float
    """Second moment of the kernel."""
    residual_px: float
    """Median of what the tiles still ask for."""
    residual_p95_px: float
    tile_ncc: float
    """Median correlation of the registered tiles."""
    ceiling_db: float | None = None
    """PSNR that a perfect restoration could reach, given the residual."""
    tiles: tuple[tuple[float, float, float, float], ...] = ()
    """Residuals of some tiles: x, y on B's grid and what they still ask for in x and y (px)."""
    brightness: tuple[tuple[float, float], ...] = ()
    """Grey levels of A, vignette taken out, and of B at some registered, equally blurred places."""
    drift: tuple[DriftReport, ...] = ()
    """How each pair's own mapping leaves this one."""
    seconds: float
    """How long it took."""
    settings: CalibrationSettings

    @property
    def mapping(self) -> Mapping:
        """Homography and field as one."""
        return Mapping(self.b_from_a, self.field)

    @property
    def kernels(self) -> tuple[Kernel, ...]:
        """Nine kernels, row by row, or one for the whole frame."""
        return self.kernel_zones or (self.kernel,)

    def map_b_from_a(self, points_xy: PointsXY) -> PointsXY:
        """Points (n, 2) of A in B's coordinates (px), the field included."""
        return self.mapping.map_b_from_a(points_xy)

    @property
    def corner_sigma_px(self) -> float:
        """Standard deviation of the least known corner coordinate."""
        return float(np.sqrt(np.diag(self.corner_covariance).max()))

    def report(self) -> StateReport:
        """Its numbers."""
        return StateReport(
            mirror_state=self.mirror_state,
            pairs_used=self.pairs_used,
            shape_hw=self.shape_hw,
            bit_depth=self.bit_depth,
            residual_px=self.residual_px,
            residual_p95_px=self.residual_p95_px,
            tile_ncc=self.tile_ncc,
            sigma_px=self.sigma_px,
            kernel_px=len(self.kernel),
            gain=self.photometric.gain,
            curvature=self.photometric.curvature,
            vignette=self.photometric.vignette,
            offset=self.photometric.offset,
            corner_sigma_px=self.corner_sigma_px,
            seconds=self.seconds,
            b_from_a=tuple(tuple(map(float, row)) for row in self.b_from_a),
            field=self.field_kind,
            field_rms_px=0.0 if self.field is None else self.field.rms_px,
            ceiling_db=self.ceiling_db,
            zones=tuple(_zone_report(place, kernel) for place, kernel in enumerate(self.kernel_zones)),
            tiles=self.tiles,
            brightness=self.brightness,
            drift=self.drift,
        )


def _zone_report(place: int, kernel: Kernel) -> ZoneReport:
    middle = len(kernel) // 2
    peak_y, peak_x = np.unravel_index(int(np.argmax(kernel)), kernel.shape)
    from_peak = (float(middle - peak_x), float(middle - peak_y))
    return ZoneReport(place // ZONES, place % ZONES, kernel_sigma_px(kernel), from_peak)
