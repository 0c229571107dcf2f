"""A rig's calibration over its mirror states, and `calibration.json`, which a person can read and diff."""

from collections.abc import Mapping as Names
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from twinlens.calibrate.corrections import Corrections
from twinlens.calibrate.corrections_file import read_corrections, write_corrections
from twinlens.calibrate.mapping import Field
from twinlens.calibrate.model import RigCalibration
from twinlens.calibrate.photometric import Photometric
from twinlens.calibrate.pooling import FIELD_KINDS
from twinlens.calibrate.reports import CalibrationReport, DriftReport
from twinlens.calibrate.settings import CalibrationSettings
from twinlens.calibrate.spectra import ZONES
from twinlens.corrections import RigCorrections
from twinlens.errors import CalibrationError, SettingsError
from twinlens.pixels import Kernel
from twinlens.storage import read_artefact, write_artefact

SCHEMA = "twinlens.calibration"
SCHEMA_VERSION = "1.2.0"


@dataclass(frozen=True, slots=True)
class Calibrations:
    """A rig's calibration: one entry per mirror state; lives in `calibration.json`."""

    states: tuple[RigCalibration, ...]
    corrections: Corrections | None = None
    """What both cameras' raw frames need before anything else; None where no dark series was recorded."""
    serials: tuple[str, str] | None = None
    """Of cameras A and B; None in files older than schema 1.2."""

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
        return CalibrationReport(tuple(state.report() for state in self.states), cameras)

    def write(self, path: Path) -> None:
        """Write one JSON file that a person can read and diff, and beside it the maps of corrections."""
        fields: dict[str, Any] = {"mirror_states": [_plain(state) for state in self.states]}
        if self.serials is not None:
            fields["cameras"] = dict(zip(("a", "b"), self.serials, strict=True))
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
            maps, cameras = found.get("corrections"), found.get("cameras")
            return cls(
                states,
                None if maps is None else read_corrections(path, maps),
                None if cameras is None else (cameras["a"], cameras["b"]),
            )
        except (AttributeError, IndexError, KeyError, TypeError, ValueError, SettingsError) as cause:
            raise CalibrationError(
                f"{path} lacks or misstates {cause}",
                hint="calibrate the session again, or restore the file from a copy",
            ) from cause


_PER_LINE = 16
_PLAIN = (
    "mirror_state",
    "pairs_used",
    "bit_depth",
    "residual_px",
    "residual_p95_px",
    "tile_ncc",
    "sigma_px",
    "ceiling_db",
    "seconds",
    "gauge",
)
"""Fields that JSON holds as they are."""


def _plain(state: RigCalibration) -> dict[str, Any]:
    return {
        **{name: getattr(state, name) for name in _PLAIN},
        "session_ids": list(state.session_ids),
        "shape_hw": list(state.shape_hw),
        "photometric": asdict(state.photometric),
        "reference_shift_xy": state.reference_shift_xy and list(state.reference_shift_xy),
        "b_from_a": _rows(state.b_from_a),
        "corner_covariance_px2": _rows(state.corner_covariance),
        "field": _plain_field(state),
        "kernel": _rows(state.kernel),
        "kernel_zones": [_rows(kernel) for kernel in state.kernel_zones],
        "tiles_px": _packed(state.tiles),
        "brightness": _packed(state.brightness),
        "drift": [asdict(pair) for pair in state.drift],
        "settings": state.settings.as_dict(),
    }


def _plain_field(state: RigCalibration) -> dict[str, Any] | None:
    if state.field is None:
        return None
    x, y = np.moveaxis(state.field.lattice, 2, 0)
    head = {"kind": state.field_kind, "baseline_deg": state.baseline_deg}
    return {**head, "lattice_x_px": _rows(x), "lattice_y_px": _rows(y)}


def _state(values: Names[str, Any]) -> RigCalibration:
    shape_hw = (values["shape_hw"][0], values["shape_hw"][1])
    field, zones = values.get("field"), values.get("kernel_zones", [])
    if len(zones) not in (0, ZONES**2):
        raise ValueError(f"kernel_zones, of which there are {len(zones)}; none or {ZONES**2} are needed")
    if field and field["kind"] not in FIELD_KINDS:
        raise ValueError(
            f"the field's kind, which is {field['kind']!r} and must be one of {', '.join(FIELD_KINDS)}"
        )
    reference = values.get("reference_shift_xy")
    plain: dict[str, Any] = {name: values.get(name) if name == "ceiling_db" else values[name] for name in _PLAIN}
    return RigCalibration(
        **plain,
        session_ids=tuple(values["session_ids"]),
        shape_hw=shape_hw,
        photometric=Photometric(**values["photometric"]),
        reference_shift_xy=(reference[0], reference[1]) if reference else None,
        b_from_a=_matrix(values["b_from_a"], shape=(3, 3)),
        corner_covariance=_matrix(values["corner_covariance_px2"], shape=(8, 8)),
        field=_field(field, shape_hw) if field else None,
        field_kind=field["kind"] if field else "none",
        baseline_deg=field.get("baseline_deg") if field else None,
        kernel=_kernel(values["kernel"]),
        kernel_zones=tuple(_kernel(rows) for rows in zones),
        tiles=_tuples(values.get("tiles_px", [])),
        brightness=_tuples(values.get("brightness", [])),
        drift=tuple(DriftReport(**pair) for pair in values.get("drift", [])),
        settings=CalibrationSettings.from_dict(values["settings"]),
    )


def _field(values: Names[str, Any], shape_hw: tuple[int, int]) -> Field:
    x, y = _matrix(values["lattice_x_px"]), _matrix(values["lattice_y_px"])
    if x.shape != y.shape or min(x.shape) < 4:
        raise ValueError(
            f"the field's lattices, which are {x.shape} and {y.shape} and must be alike, 4 or more a side"
        )
    return Field(np.stack([x, y], axis=2), shape_hw)


def _kernel(rows: Any) -> Kernel:
    kernel = _matrix(rows)
    if kernel.shape[0] != kernel.shape[1] or kernel.shape[0] % 2 == 0:
        raise ValueError(f"the kernel, which is {kernel.shape} and must be an odd square")
    return kernel


def _rows(matrix: NDArray[np.float64]) -> list[str]:
    return [" ".join(repr(float(value)) for value in row) for row in matrix]


def _matrix(rows: Any, *, shape: tuple[int, int] | None = None) -> NDArray[np.float64]:
    matrix = np.array([[float(value) for value in row.split()] for row in rows], np.float64)
    if matrix.ndim != 2 or not np.isfinite(matrix).all() or (shape is not None and matrix.shape != shape):
        raise ValueError(f"a matrix of {matrix.shape}, where {shape or 'finite rows'} is needed")
    return matrix


def _packed(tuples: Sequence[tuple[float, ...]]) -> list[str]:
    """Several tuples a line, so that the file stays short."""
    texts = [" ".join(f"{value:.9g}" for value in values) for values in tuples]
    return [", ".join(texts[first : first + _PER_LINE]) for first in range(0, len(texts), _PER_LINE)]


def _tuples(lines: Sequence[str]) -> Any:
    return tuple(tuple(float(value) for value in text.split()) for line in lines for text in line.split(", "))
