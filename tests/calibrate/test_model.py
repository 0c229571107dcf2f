"""calibration.json: what goes in comes out, and nothing else gets in."""

import json
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twinlens.calibrate import Calibrations, RigCalibration
from twinlens.errors import CalibrationError


@pytest.fixture
def path(tmp_path: Path, calibration: RigCalibration) -> Path:
    """A file with two mirror states."""
    path = tmp_path / "calibration.json"
    Calibrations((calibration, replace(calibration, mirror_state="flat", sigma_px=0.5))).write(path)
    return path


def test_a_calibration_survives_its_file_bit_for_bit(path: Path, calibration: RigCalibration) -> None:
    read = Calibrations.read(path).of("coma")
    for field in fields(RigCalibration):
        found, written = getattr(read, field.name), getattr(calibration, field.name)
        assert np.array_equal(found, written) if isinstance(written, np.ndarray) else found == written


def test_one_file_holds_every_mirror_state(path: Path) -> None:
    found = Calibrations.read(path)
    assert found.labels == ("coma", "flat")
    assert found.of("flat").sigma_px == 0.5
    with pytest.raises(CalibrationError, match="'tilt' is not calibrated; known are 'coma', 'flat'"):
        found.of("tilt")


def test_a_person_can_read_the_file(path: Path, calibration: RigCalibration) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) < 350
    found = json.loads(path.read_text())
    assert (found["schema"], found["schema_version"]) == ("twinlens.calibration", "1.2.0")
    state = found["mirror_states"][0]
    assert [float(value) for value in state["b_from_a"][0].split()] == calibration.b_from_a[0].tolist()
    assert len(state["kernel"]) == len(calibration.kernel)
    assert "centroid" in state["gauge"]


def test_the_report_is_numbers_and_plain_json(calibration: RigCalibration) -> None:
    report = json.loads(json.dumps(asdict(Calibrations((calibration,)).report())))
    state = report["states"][0]
    assert state["mirror_state"] == "coma"
    assert state["gain"] == calibration.photometric.gain
    assert state["corner_sigma_px"] == calibration.corner_sigma_px
    assert np.array(state["b_from_a"]).shape == (3, 3)


def _edited(change: Callable[[dict[str, Any]], object]) -> Callable[[str], str]:
    def edit(text: str) -> str:
        values = json.loads(text)
        change(values)
        return json.dumps(values)

    return edit


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda text: text[: len(text) // 2], "cannot be read as JSON"),
        (lambda _: "", "cannot be read as JSON"),
        (lambda _: "\x00\xff", "cannot be read as JSON"),
        (lambda _: "[1, 2]", "'list', 'twinlens.calibration' is needed"),
        (_edited(lambda v: v.update(schema="twinlens.session")), "'twinlens.session'"),
        (_edited(lambda v: v.update(schema_version="2.0.0")), "schema version 2.0.0"),
        (_edited(lambda v: v.pop("mirror_states")), "mirror_states"),
        (_edited(lambda v: v["mirror_states"][0].pop("kernel")), "kernel"),
        (_edited(lambda v: v["mirror_states"][0]["b_from_a"].pop()), "matrix"),
        (_edited(lambda v: v["mirror_states"][0].update(kernel=["0.5 0.5"])), "odd square"),
        (_edited(lambda v: v["mirror_states"][0].update(b_from_a=["1 0 nan", "0 1 0", "0 0 1"])), "matrix"),
        (_edited(lambda v: v["mirror_states"][0].update(b_from_a=7)), "misstates"),
        (_edited(lambda v: v["mirror_states"][0].update(shape_hw=[])), "misstates"),
        (_edited(lambda v: v["mirror_states"][0]["photometric"].pop("gain")), "gain"),
        (_edited(lambda v: v["mirror_states"][0]["settings"].update(max_pairs=0)), "max_pairs"),
    ],
)
def test_a_spoiled_file_is_refused(path: Path, spoil: Callable[[str], str], says: str) -> None:
    path.write_text(spoil(path.read_text()))
    with pytest.raises(CalibrationError, match=says) as refusal:
        Calibrations.read(path)
    assert refusal.value.hint


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="does not exist"):
        Calibrations.read(tmp_path / "none.json")
