"""What one stage hands to the next, and sessions that do not fit together."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from twinlens.calibrate import Calibrations, CalibrationSettings, Photometric, RigCalibration
from twinlens.capture.frame import CameraRole, Frame, FrameRecord, MirrorState
from twinlens.capture.recorder import Recorder
from twinlens.capture.session import Manifest, RecordedTake, Session
from twinlens.dataset import DatasetSettings, PairedDataset
from twinlens.errors import CalibrationError, SplitLeakError, TwinlensError
from twinlens.handover import build_from_sessions, calibrate_sessions

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
            recorder.put(Frame(texture(seed, shape_hw), record))
        recorder.close()
    takes = [RecordedTake(scene, FLAT, i) for i, scene in enumerate(SCENES)]
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
    told: list[str] = []
    with pytest.raises(SplitLeakError):  # two scenes are left, three are needed
        build_from_sessions(
            [session], calibration_file, tmp_path / "d.h5", settings=DatasetSettings(), on_reject=told.append
        )
    assert len(told) == 1
    assert "trigger 1 (tower)" in told[0]
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
    settings = dataclasses.replace(DatasetSettings(), assignment=dict.fromkeys(SCENES, "train"))
    aligned: list[int] = []
    with pytest.raises(TwinlensError) as caught:
        build_from_sessions(
            [session], calibration_file, tmp_path / "d.h5", settings=settings, on_pair=aligned.append
        )
    assert caught.value.hint
    assert aligned == []
