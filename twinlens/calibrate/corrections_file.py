"""Corrections beside `calibration.json`: numbers in the JSON, maps in one npz file that it names and seals."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinlens.calibrate.corrections import Corrections, MeasuredCamera
from twinlens.calibrate.reports import EmvaReport
from twinlens.corrections import CameraCorrection
from twinlens.errors import CorrectionError
from twinlens.storage import sealed

MAPS = ("dark", "gain", "defects")


def write_corrections(calibration: Path, corrections: Corrections) -> dict[str, Any]:
    """Write the maps beside a calibration; what its JSON says about them."""
    path = calibration.with_name(f"{calibration.stem}-corrections.npz")
    both = {"a": corrections.a, "b": corrections.b}
    maps = {
        f"{role}.{name}": values
        for role, camera in both.items()
        for name, values in camera.correction.packed().items()
    }
    with sealed(path) as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, **maps)
    return {
        "file": path.name,
        "sha256": _sha256(path),
        **{role: _plain(camera) for role, camera in both.items()},
    }


def read_corrections(calibration: Path, values: Mapping[str, Any]) -> Corrections:
    """The corrections that a calibration's JSON speaks of.

    Raises:
        CorrectionError: the file with the maps is missing, or is not the one written with the calibration.
        ValueError, TypeError, KeyError: the JSON misstates them.
    """
    path = calibration.with_name(Path(values["file"]).name)
    hint = f"copy {path.name} together with {calibration.name}, or calibrate again"
    try:
        found = _sha256(path)
    except OSError as cause:
        raise CorrectionError(f"{path} cannot be read: {cause.strerror}", hint=hint) from cause
    if found != values["sha256"]:
        raise CorrectionError(
            f"{path} was not written with {calibration.name}, or is damaged: its sha256 is {found[:12]}…, "
            f"{values['sha256'][:12]}… is needed",
            hint=hint,
        )
    with np.load(path, allow_pickle=False) as maps:
        return Corrections(*(_camera(values[role], maps, role) for role in ("a", "b")))


def _plain(camera: MeasuredCamera) -> dict[str, Any]:
    correction = camera.correction
    return {
        "shape_hw": list(correction.shape_hw),
        **correction.facts(),
        "defects": int(correction.defects.sum()),
        "emva": asdict(camera.emva),
    }


def _camera(values: Mapping[str, Any], maps: Mapping[str, NDArray[Any]], role: str) -> MeasuredCamera:
    correction = CameraCorrection.unpacked({name: maps[f"{role}.{name}"] for name in MAPS}, values)
    return MeasuredCamera(correction, EmvaReport(**values["emva"]))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
