"""Maps beside calibration.json: both come back, and one without the other is refused."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from small_rig import identity_state

from twinlens.calibrate import (
    Calibrations,
    Conditions,
    Corrections,
    measure_correction,
)
from twinlens.errors import CalibrationError

SHAPE = (130, 140)


def corrections() -> Corrections:
    rng = np.random.default_rng(0)

    def series(level: float) -> list[np.ndarray]:
        field = level * (1 + 0.01 * rng.standard_normal(SHAPE))
        return [np.clip(np.rint(field + rng.standard_normal(SHAPE)), 0, 255).astype(np.uint8) for _ in range(4)]

    return Corrections(
        *(
            measure_correction(series(6), series(150), bit_depth=8, taken=Conditions(camera=camera, gain_db=1.0))
            for camera in ("a", "b")
        )
    )


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, Calibrations]:
    calibrations = Calibrations((identity_state(shape_hw=SHAPE),), corrections())
    calibrations.write(tmp_path / "calibration.json")
    return tmp_path / "calibration.json", calibrations


def test_maps_and_figures_survive_to_the_last_bit(written: tuple[Path, Calibrations]) -> None:
    path, calibrations = written
    read = Calibrations.read(path)
    assert read.corrections is not None
    assert calibrations.corrections is not None
    assert read.corrections.reports == calibrations.corrections.reports
    for camera in ("a", "b"):
        found = getattr(read.corrections.maps, camera)
        truth = getattr(calibrations.corrections.maps, camera)
        for name in ("dark", "gain", "defects"):
            np.testing.assert_array_equal(getattr(found, name), getattr(truth, name))
        assert found.facts() == truth.facts()
    assert read.report() == calibrations.report()
    assert [camera["camera"] for camera in asdict(read.report())["cameras"]] == ["a", "b"]


def test_a_person_reads_numbers_in_the_json_and_the_maps_lie_beside_it(
    written: tuple[Path, Calibrations],
) -> None:
    path, _ = written
    assert len(path.read_text().splitlines()) < 200
    found = json.loads(path.read_text())["corrections"]
    assert found["file"] == "calibration-corrections.npz"
    assert found["b"]["emva"]["camera"] == "b"
    assert found["a"]["shape_hw"] == list(SHAPE)
    assert sorted(each.name for each in path.parent.iterdir()) == [found["file"], path.name]


def test_a_calibration_without_corrections_needs_no_other_file(written: tuple[Path, Calibrations]) -> None:
    path, calibrations = written
    plain = path.with_name("plain.json")
    replace(calibrations, corrections=None).write(plain)
    assert "corrections" not in json.loads(plain.read_text())
    assert Calibrations.read(plain).corrections is None
    assert Calibrations.read(plain).report().cameras == ()


def test_a_calibration_whose_maps_are_missing_or_others_is_refused(written: tuple[Path, Calibrations]) -> None:
    path, _ = written
    maps = path.with_name("calibration-corrections.npz")
    whole = maps.read_bytes()
    for content in (whole[:-100], whole[:500] + bytes([whole[500] ^ 1]) + whole[501:], b""):
        maps.write_bytes(content)
        with pytest.raises(CalibrationError, match=r"was not written with calibration\.json") as refused:
            Calibrations.read(path)
        assert maps.name in refused.value.hint
    maps.unlink()
    with pytest.raises(CalibrationError, match="No such file") as refused:
        Calibrations.read(path)
    assert maps.name in refused.value.hint


def test_a_json_that_misstates_its_corrections_is_refused(written: tuple[Path, Calibrations]) -> None:
    path, _ = written
    values = json.loads(path.read_text())
    for spoiled in ({"a": {}}, {"sha256": None}, {"b": {**values["corrections"]["b"], "bit_depth": 40}}):
        path.write_text(json.dumps({**values, "corrections": {**values["corrections"], **spoiled}}))
        with pytest.raises(CalibrationError):
            Calibrations.read(path)
