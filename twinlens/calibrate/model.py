"""What a calibration is, and the file it lives in."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from twinlens.calibrate.corrections import Corrections
from twinlens.calibrate.corrections_file import read_corrections, write_corrections
from twinlens.calibrate.photometric import Photometric
from twinlens.calibrate.reports import CalibrationReport, StateReport
from twinlens.corrections import RigCorrections
from twinlens.errors import CalibrationError, SettingsError
from twinlens.pixels import Homography, Kernel
from twinlens.settings import Settings
from twinlens.storage import read_artefact, write_artefact

SCHEMA = "twinlens.calibration"
SCHEMA_VERSION = "1.0.0"


@dataclass(frozen=True, kw_only=True)
class CalibrationSettings(Settings):
    """How a session is registered."""

    max_pairs: int = 12
    """Pairs of one mirror state that are used; they stay in memory."""
    features: int = 3000
    """ORB key points per frame of the first guess."""
    min_inliers: int = 40
    """Matches that must agree in a pair's first guess; different scenes reach 36 by chance."""
    tile_px: int = 64
    """Side of a tile of the refinement."""
    min_tiles: int = 30
    """Textured tiles that all pairs together must have."""
    rounds: int = 2
    """How often kernel and mapping are estimated in turn."""
    min_tile_ncc: float = 0.9
    """Median correlation of registered tiles below which the fit is refused."""
    max_residual_px: float = 0.3
    """Median tile residual above which the fit is refused."""

    def check(self) -> None:
        """Raise `SettingsError` where a value cannot work."""
        self.require("max_pairs", minimum=1, maximum=1000)
        self.require("features", minimum=100, maximum=100_000)
        self.require("min_inliers", minimum=8, maximum=100_000)
        self.require("tile_px", minimum=16, maximum=512)
        self.require("min_tiles", minimum=8, maximum=1_000_000)
        self.require("rounds", minimum=1, maximum=10)
        self.require("min_tile_ncc", minimum=0, maximum=1)
        self.require("max_residual_px", minimum=0.01, maximum=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class RigCalibration:
    """How camera A's picture maps onto camera B's under one mirror state."""

    mirror_state: str
    b_from_a: Homography
    """A's pixels to B's, in the gauge below."""
    kernel: Kernel
    """Blur from A to B on B's grid."""
    gauge: str
    """What `b_from_a` means where a shift could belong to it or to the kernel."""
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
    seconds: float
    """How long it took."""
    settings: CalibrationSettings

    @property
    def corner_sigma_px(self) -> float:
        """Standard deviation of the least known corner coordinate."""
        return float(np.sqrt(np.diag(self.corner_covariance).max()))


@dataclass(frozen=True, slots=True)
class Calibrations:
    """A rig's calibration: one entry per mirror state; lives in `calibration.json`."""

    states: tuple[RigCalibration, ...]
    corrections: Corrections | None = None
    """What both cameras' raw frames need before anything else; None where no dark series was recorded."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The mirror states it knows."""
        return tuple(state.mirror_state for state in self.states)

    @property
    def maps(self) -> RigCorrections | None:
        """The maps of its corrections, which every frame needs before this calibration fits it."""
        return None if self.corrections is None else self.corrections.maps

    def of(self, mirror_state: str) -> RigCalibration:
        """The entry of one mirror state.

        Raises:
            CalibrationError: it has none.
        """
        for state in self.states:
            if state.mirror_state == mirror_state:
                return state
        raise CalibrationError(
            f"mirror state {mirror_state!r} is not calibrated; known are {', '.join(map(repr, self.labels))}",
            hint="calibrate a session that was recorded in that mirror state",
        )

    def report(self) -> CalibrationReport:
        """The numbers of every mirror state."""
        cameras = self.corrections.reports if self.corrections is not None else ()
        return CalibrationReport(tuple(_state_report(state) for state in self.states), cameras)

    def as_fields(self) -> dict[str, Any]:
        """Plain values, as the file holds them."""
        return {"mirror_states": [_plain(state) for state in self.states]}

    def write(self, path: Path) -> None:
        """Write one JSON file that a person can read and diff, and beside it the maps of corrections."""
        fields = self.as_fields()
        if self.corrections is not None:
            fields["corrections"] = write_corrections(path, self.corrections)
        write_artefact(path, SCHEMA, SCHEMA_VERSION, fields)

    @classmethod
    def read(cls, path: Path) -> Self:
        """The calibration in a file.

        Raises:
            CalibrationError: the file is missing, foreign, cut short, newer or misstated.
        """
        found = read_artefact(path, SCHEMA, SCHEMA_VERSION, error=CalibrationError)
        try:
            states = tuple(_state(entry) for entry in found["mirror_states"])
            maps = found.get("corrections")
            return cls(states, None if maps is None else read_corrections(path, maps))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError, SettingsError) as cause:
            raise CalibrationError(
                f"{path} lacks or misstates {cause}",
                hint="calibrate the session again, or restore the file from a copy",
            ) from cause


def _state_report(state: RigCalibration) -> StateReport:
    return StateReport(
        mirror_state=state.mirror_state,
        pairs_used=state.pairs_used,
        shape_hw=state.shape_hw,
        bit_depth=state.bit_depth,
        residual_px=state.residual_px,
        residual_p95_px=state.residual_p95_px,
        tile_ncc=state.tile_ncc,
        sigma_px=state.sigma_px,
        kernel_px=len(state.kernel),
        gain=state.photometric.gain,
        curvature=0.0,
        vignette=state.photometric.vignette,
        offset=state.photometric.offset,
        corner_sigma_px=state.corner_sigma_px,
        seconds=state.seconds,
        b_from_a=tuple(tuple(map(float, row)) for row in state.b_from_a),
    )


def _plain(state: RigCalibration) -> dict[str, Any]:
    """JSON values; matrices as one text per row, so that a diff shows rows."""
    return {
        "mirror_state": state.mirror_state,
        "pairs_used": state.pairs_used,
        "session_ids": list(state.session_ids),
        "shape_hw": list(state.shape_hw),
        "bit_depth": state.bit_depth,
        "residual_px": state.residual_px,
        "residual_p95_px": state.residual_p95_px,
        "tile_ncc": state.tile_ncc,
        "sigma_px": state.sigma_px,
        "seconds": state.seconds,
        "photometric": asdict(state.photometric),
        "gauge": state.gauge,
        "b_from_a": _rows(state.b_from_a),
        "corner_covariance_px2": _rows(state.corner_covariance),
        "kernel": _rows(state.kernel),
        "settings": state.settings.as_dict(),
    }


def _state(values: Mapping[str, Any]) -> RigCalibration:
    kernel = _matrix(values["kernel"])
    if kernel.shape[0] != kernel.shape[1] or kernel.shape[0] % 2 == 0:
        raise ValueError(f"the kernel, which is {kernel.shape} and must be an odd square")
    return RigCalibration(
        mirror_state=values["mirror_state"],
        b_from_a=_matrix(values["b_from_a"], shape=(3, 3)),
        kernel=kernel,
        gauge=values["gauge"],
        photometric=Photometric(**values["photometric"]),
        corner_covariance=_matrix(values["corner_covariance_px2"], shape=(8, 8)),
        pairs_used=values["pairs_used"],
        session_ids=tuple(values["session_ids"]),
        shape_hw=(values["shape_hw"][0], values["shape_hw"][1]),
        bit_depth=values["bit_depth"],
        sigma_px=values["sigma_px"],
        residual_px=values["residual_px"],
        residual_p95_px=values["residual_p95_px"],
        tile_ncc=values["tile_ncc"],
        seconds=values["seconds"],
        settings=CalibrationSettings.from_dict(values["settings"]),
    )


def _rows(matrix: NDArray[np.float64]) -> list[str]:
    return [" ".join(repr(float(value)) for value in row) for row in matrix]


def _matrix(rows: Any, *, shape: tuple[int, int] | None = None) -> NDArray[np.float64]:
    matrix = np.array([[float(value) for value in row.split()] for row in rows], np.float64)
    if matrix.ndim != 2 or not np.isfinite(matrix).all() or (shape is not None and matrix.shape != shape):
        raise ValueError(f"a matrix of {matrix.shape}, where {shape or 'finite rows'} is needed")
    return matrix
