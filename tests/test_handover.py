"""What one stage hands to the next, and sessions that do not fit together."""

from pathlib import Path

import numpy as np
import pytest

from twinlens.building import build_from_sessions
from twinlens.calibrate import Calibrations, CalibrationSettings, Photometric, RigCalibration
from twinlens.capture.frame import CameraRole, Frame, FrameRecord, MirrorState
from twinlens.capture.recorder import Recorder
from twinlens.capture.session import Manifest, RecordedTake, Session
from twinlens.dataset import DatasetSettings, PairedDataset, SplitSettings
from twinlens.errors import CalibrationError, PoorFitError, SplitLeakError, TwinlensError
from twinlens.handover import calibrate_sessions
from twinlens.verbs.calibrate import calibrate

SHAPE_HW = (192, 224)
SCENES = ("house", "tower", "bridge")
FLAT = MirrorState("flat")


def texture(seed: int, shape_hw: tuple[int, int]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.kron(rng.integers(20, 220, (shape_hw[0] // 4, shape_hw[1] // 4)), np.ones((4, 4))).astype(np.uint8)


def write_session(
    folder: Path,
    *,
    shape_hw: tuple[int, int] = SHAPE_HW,
    serial_a: str = "A",
    wrong_pair: int = -1,
    unused_state: bool = False,
    b_moved_px: int = 0,
    reference_scene: str = "",
) -> Session:
    roles: tuple[CameraRole, CameraRole] = ("a", "b")
    for camera in roles:
        recorder = Recorder(folder / camera, camera, attributes={}, on_written=lambda _: None)
        for i in range(len(SCENES)):
            record = FrameRecord(
                camera=camera,
                trigger_index=i,
                frame_id=i + 1,
                camera_time_ns=1 + i,
                host_time_ns=0,
                exposure_us=10.0,
                gain_db=0.0,
                complete=True,
                lost_packets=0,
                xxh3=0,
            )
            seed = 99 if camera == "a" and i == wrong_pair else i
            pixels = texture(seed, shape_hw)
            recorder.put(Frame(np.roll(pixels, b_moved_px if camera == "b" else 0, axis=1), record))
        recorder.close()
    takes = [
        RecordedTake(scene, FLAT, i, kind="reference" if scene == reference_scene else "scene")
        for i, scene in enumerate(SCENES)
    ]
    if unused_state:
        takes.append(RecordedTake("nothing", MirrorState("bent"), len(SCENES)))
    Manifest(
        id=f"session_{folder.name}",
        complete=True,
        cameras={"a": {"serial": serial_a}, "b": {"serial": "B"}},
        settings={},
        producer="x.cti",
        shape_hw=shape_hw,
        bit_depth=8,
        takes=tuple(takes),
        triggers=len(SCENES),
        ledger=(),
        stream={},
    ).write(folder)
    return Session(folder)


@pytest.fixture
def calibration_file(tmp_path: Path) -> Path:
    kernel = np.zeros((3, 3))
    kernel[1, 1] = 1.0
    identity = RigCalibration(
        mirror_state="flat",
        b_from_a=np.eye(3),
        kernel=kernel,
        gauge="none",
        photometric=Photometric(gain=1.0, vignette=0.0, offset=0.0),
        corner_covariance=np.eye(8),
        pairs_used=1,
        session_ids=("s",),
        shape_hw=SHAPE_HW,
        bit_depth=8,
        sigma_px=0.0,
        residual_px=0.0,
        residual_p95_px=0.0,
        tile_ncc=1.0,
        seconds=0.0,
        settings=CalibrationSettings(tile_px=32),
    )
    path = tmp_path / "calibration.json"
    Calibrations((identity,)).write(path)
    return path


def test_every_scene_reaches_the_dataset_and_an_unused_mirror_state_is_no_obstacle(
    tmp_path: Path, calibration_file: Path
) -> None:
    session = write_session(tmp_path / "s", unused_state=True)
    report = build_from_sessions([session], calibration_file, tmp_path / "d.h5", settings=DatasetSettings())
    assert report.pairs == len(SCENES)
    assert set(PairedDataset(tmp_path / "d.h5").scenes) == set(SCENES)


def test_a_wrong_pair_is_left_out_and_told(tmp_path: Path, calibration_file: Path) -> None:
    session = write_session(tmp_path / "s", wrong_pair=1)
    # Two scenes are left, three are needed.
    with pytest.raises(SplitLeakError, match=r"1 pairs were left out.*trigger 1 \(tower\)"):
        build_from_sessions([session], calibration_file, tmp_path / "d.h5", settings=DatasetSettings())
    assert not (tmp_path / "d.h5").exists()


def test_a_calibration_of_another_picture_size_is_refused(tmp_path: Path, calibration_file: Path) -> None:
    session = write_session(tmp_path / "s", shape_hw=(160, 160))
    with pytest.raises(CalibrationError, match="160, 160") as caught:
        build_from_sessions([session], calibration_file, tmp_path / "d.h5", settings=DatasetSettings())
    assert caught.value.hint


@pytest.mark.parametrize("difference", [{"serial_a": "OTHER"}, {"shape_hw": (160, 160)}])
def test_sessions_of_two_rigs_are_not_pooled(tmp_path: Path, difference: dict[str, object]) -> None:
    sessions = [write_session(tmp_path / "s"), write_session(tmp_path / "t", **difference)]  # type: ignore[arg-type]
    with pytest.raises(CalibrationError, match="session_t"):
        calibrate_sessions(sessions)


def test_a_split_that_would_be_empty_fails_before_any_pair_is_aligned(
    tmp_path: Path, calibration_file: Path
) -> None:
    session = write_session(tmp_path / "s")
    settings = DatasetSettings(splits=SplitSettings(assignment=dict.fromkeys(SCENES, "train")))
    aligned: list[int] = []
    with pytest.raises(TwinlensError) as caught:
        build_from_sessions(
            [session], calibration_file, tmp_path / "d.h5", settings=settings, on_pair=aligned.append
        )
    assert caught.value.hint
    assert aligned == []


def test_pairs_are_laid_on_camera_as_grid_on_request(tmp_path: Path, calibration_file: Path) -> None:
    session = write_session(tmp_path / "s")
    build_from_sessions([session], calibration_file, tmp_path / "d.h5", settings=DatasetSettings(grid="a"))
    pair = PairedDataset(tmp_path / "d.h5")[0]
    a = session.pairs()[0].a.pixels
    left, top = np.rint(-pair.b_from_a[:2, 2]).astype(int)
    height, width = pair.target.shape
    assert np.abs(pair.target.astype(int) - a[top : top + height, left : left + width]).max() <= 1


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
