"""What one stage hands to the next, and sessions that do not fit together."""

from pathlib import Path

import numpy as np
import pytest
from small_rig import identity_calibration, write_session

from twinlens.calibrate import Calibrations
from twinlens.errors import CalibrationError, PoorFitError
from twinlens.handover import calibrate_sessions
from twinlens.verbs.calibrate import calibrate


@pytest.fixture
def calibration_file(tmp_path: Path) -> Path:
    return identity_calibration(tmp_path / "calibration.json")


@pytest.mark.parametrize("difference", [{"serial_a": "OTHER"}, {"shape_hw": (160, 160)}])
def test_sessions_of_two_rigs_are_not_pooled(tmp_path: Path, difference: dict[str, object]) -> None:
    sessions = [write_session(tmp_path / "s"), write_session(tmp_path / "t", **difference)]  # type: ignore[arg-type]
    with pytest.raises(CalibrationError, match="session_t"):
        calibrate_sessions(sessions)


def test_a_sessions_reference_series_tells_how_far_the_gauge_is_off_the_chief_rays(tmp_path: Path) -> None:
    session = write_session(tmp_path / "s", shape_hw=(384, 448), reference_scene="bridge")
    found = calibrate_sessions([session]).of("flat")
    assert found.pairs_used == 2
    assert found.reference_shift_xy == pytest.approx((0, 0), abs=0.02)


def test_a_calibration_is_used_again_while_the_pairs_fit_it(tmp_path: Path, calibration_file: Path) -> None:
    known = Calibrations.read(calibration_file)
    again = calibrate_sessions([write_session(tmp_path / "s")], reuse=known).of("flat")
    assert np.array_equal(again.b_from_a, np.eye(3))
    assert again.session_ids == ("s", "session_s")
    assert [pair.name for pair in again.drift] == ["house 0", "tower 1", "bridge 2"]
    assert max(pair.departure_px for pair in again.drift) < 0.05


def test_a_calibration_of_a_rig_that_moved_is_not_used_again(tmp_path: Path, calibration_file: Path) -> None:
    moved = write_session(tmp_path / "s", b_moved_px=1)
    with pytest.raises(PoorFitError, match="3 of 3 pairs contradict the calibration of 'flat'") as caught:
        calibrate_sessions([moved], reuse=Calibrations.read(calibration_file))
    assert "calibrate without --reuse" in caught.value.hint


def test_the_verb_writes_a_page_and_pictures_of_a_calibration_used_again(
    tmp_path: Path, calibration_file: Path
) -> None:
    session = write_session(tmp_path / "s")
    out, page = tmp_path / "again.json", tmp_path / "page"
    with pytest.raises(SystemExit) as ended:
        calibrate.main(
            [str(session.folder), "-o", str(out), "--reuse", str(calibration_file), "--report", str(page)]
        )
    assert ended.value.code == 0
    assert Calibrations.read(out).of("flat").drift[0].name == "house 0"
    assert "house 0" in (page / "report.json").read_text()
    assert (page / "report.html").exists()
    assert len(list((page / "registration").glob("*.png"))) >= 6
