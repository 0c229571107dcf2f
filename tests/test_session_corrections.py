"""From dark and flat series in a session to a restored frame: one correction, the same at every stage."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import h5py
import numpy as np
import pytest

from twinlens.building import build_from_sessions
from twinlens.calibrate import Calibrations, CalibrationSettings, valid_box
from twinlens.capture.frame import Frame, FrameRecord, MirrorState
from twinlens.capture.ledger import ROLES
from twinlens.capture.manifest import SeriesKind
from twinlens.capture.recorder import Recorder
from twinlens.capture.session import Manifest, RecordedTake, Session
from twinlens.capture.virtual.source import Shot, Shutter
from twinlens.capture.virtual.twin import RigTwin, TwinSettings
from twinlens.cli import run
from twinlens.dataset import DatasetSettings, PairedDataset
from twinlens.errors import CorrectionError
from twinlens.handover import calibrate_sessions
from twinlens.picture_files import read_picture, save_picture
from twinlens.restore.checkpoint import load_checkpoint, write_checkpoint
from twinlens.restore.restorer import Restorer
from twinlens.restore.train import BEST, TrainSettings, train
from twinlens.session_corrections import corrections_of

SHAPE = (320, 400)
# A strong pattern on a mild mirror: small frames have few pixels to measure a wide blur on.
TWIN = TwinSettings(
    shape_hw=SHAPE,
    rms_waves=(0.1,),
    offset_a_dn=6.0,
    offset_b_dn=8.0,
    dsnu_dn=1.5,
    prnu_percent=2.0,
    hot_pixels=60,
    dead_pixels=40,
)
FLAT = MirrorState("state0")
SCENES = ("one", "two", "three")


@dataclass(frozen=True)
class Series:
    """Consecutive pairs of one kind."""

    kind: SeriesKind
    shutter: Shutter
    pairs: int
    exposure_us: float = 1e4
    gain_db: float = 0.0
    scene: str = ""


SCENE_SERIES = tuple(Series("scene", "Open", 1, scene=scene) for scene in SCENES)
DARK, LIGHT = Series("dark", "Closed", 64), Series("flat", "EvenLight", 64)


@lru_cache
def twin_of(settings: TwinSettings) -> RigTwin:
    return RigTwin(settings)


def record(folder: Path, series: Sequence[Series]) -> Session:
    """A session as capture leaves it, from the twin's frames without cameras."""
    twin = twin_of(TWIN)
    for role in ROLES:
        recorder = Recorder(folder / role, role, attributes={}, on_written=lambda _: None)
        trigger = 0
        for scene, one in enumerate(series):
            for _ in range(one.pairs):
                shot = Shot(trigger, scene % len(SCENES), 0, one.exposure_us, one.gain_db, shutter=one.shutter)
                entry = FrameRecord(
                    camera=role,
                    trigger_index=trigger,
                    frame_id=trigger + 1,
                    camera_time_ns=1 + trigger,
                    host_time_ns=0,
                    exposure_us=one.exposure_us,
                    gain_db=one.gain_db,
                    complete=True,
                    lost_packets=0,
                    xxh3=0,
                )
                recorder.put(Frame(twin.frame(role, shot), entry))
                trigger += 1
        recorder.close()
    firsts = np.cumsum([0, *(one.pairs for one in series)])
    Manifest(
        id=f"session_{folder.name}",
        complete=True,
        cameras={"a": {"serial": "A"}, "b": {"serial": "B"}},
        settings={},
        producer="x.cti",
        shape_hw=SHAPE,
        bit_depth=8,
        takes=tuple(
            RecordedTake(one.scene or one.kind, FLAT, int(first), kind=one.kind)
            for one, first in zip(series, firsts, strict=False)
        ),
        triggers=int(firsts[-1]),
        ledger=(),
        stream={},
    ).write(folder)
    return Session(folder)


@dataclass(frozen=True)
class Walked:
    session: Session
    calibrations: Calibrations
    dataset: PairedDataset
    checkpoint: Path
    folder: Path


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    folder = tmp_path_factory.mktemp("walk")
    session = record(folder / "s", (*SCENE_SERIES, DARK, LIGHT))
    calibrations = calibrate_sessions([session], settings=CalibrationSettings(tile_px=32))
    calibrations.write(folder / "calibration.json")
    build_from_sessions([session], folder / "calibration.json", folder / "d.h5", settings=DatasetSettings())
    dataset = PairedDataset(folder / "d.h5")
    settings = TrainSettings(preset="tiny", steps=2, batch_size=1, crop_px=16, validate_every=2)
    list(train(dataset, settings, out=folder / "training"))
    return Walked(session, calibrations, dataset, folder / "training" / BEST, folder)


def test_a_dataset_holds_b_corrected_and_says_how(walked: Walked) -> None:
    maps = walked.dataset.corrections()
    assert maps is not None
    box = valid_box(*walked.calibrations.states)
    for stored, pair in zip(walked.dataset, walked.session.pairs(), strict=True):
        expected = maps.b.apply(pair.b.pixels, bit_depth=8)
        np.testing.assert_array_equal(stored.input, expected[box.crop])
        assert not np.array_equal(stored.input, pair.b.pixels[box.crop])


def test_corrected_frames_are_nearer_to_those_of_an_even_sensor(walked: Walked) -> None:
    even = RigTwin(replace(TWIN, dsnu_dn=0.0, prnu_percent=0.0, hot_pixels=0, dead_pixels=0, vignette_b=0.0))
    maps = walked.calibrations.maps
    assert maps is not None
    frame = walked.session.pairs()[0].b.pixels
    truth = even.clean("b", 0)
    corrected = maps.b.apply(frame, bit_depth=8) - maps.b.pedestal
    # The maps are 1 in the median, not in the centre: one factor is free.
    factor = float((corrected * (truth - 8)).sum() / (corrected**2).sum())
    error = corrected * factor - (truth - 8)
    assert factor == pytest.approx(1, abs=0.06)
    before = (frame - truth)[np.abs(truth) < 255].std()
    # Photon noise of 2 grey levels stays; 2 % of 150 levels, 1.5 levels, vignette and defects go.
    assert error.std() < 0.5 * before
    assert error.std() < 2.2


def test_registration_is_not_misled_by_the_pattern(walked: Walked) -> None:
    twin = twin_of(TWIN)
    state = walked.calibrations.states[0]
    y, x = np.mgrid[20 : SHAPE[0] - 20 : 30, 20 : SHAPE[1] - 20 : 30]
    points = np.stack([x.ravel(), y.ravel(), np.ones(x.size)])

    def mapped(matrix: np.ndarray) -> np.ndarray:
        seen = matrix @ points
        return seen[:2] / seen[2]

    error = mapped(state.b_from_a) - mapped(twin.true_b_from_a)
    error -= error.mean(axis=1, keepdims=True)
    # A hundredth of the frame's pixels of the demo, where 0.1 px is the bar.
    assert np.hypot(*error).mean() < 0.1


def test_restoring_the_session_repeats_the_correction_of_training(walked: Walked, tmp_path: Path) -> None:
    maps = walked.dataset.corrections()
    loaded = load_checkpoint(walked.checkpoint)
    assert maps is not None
    assert loaded.correction is not None
    np.testing.assert_array_equal(loaded.correction.gain, maps.b.gain)
    restorer = Restorer.from_checkpoint(loaded)
    frame = walked.session.pairs()[0].b.pixels
    expected = restorer(maps.b.apply(frame, bit_depth=8))
    where = ["restore", str(walked.session.folder), "-c", str(walked.checkpoint), "--precision", "float32"]
    assert run([*where, "-o", str(tmp_path / "out")]) == 0
    restored = read_picture(sorted((tmp_path / "out").iterdir())[0])
    np.testing.assert_array_equal(restored, expected)
    assert run([*where, "-o", str(tmp_path / "all.h5"), "--to", "h5"]) == 0
    with h5py.File(tmp_path / "all.h5") as file:
        np.testing.assert_array_equal(file["restored"][0], expected)
        assert file["ids"][0].decode() == f"{walked.session.id}_000000"
    assert run([*where, "-o", str(tmp_path / "raw.h5"), "--to", "h5", "--no-correct"]) == 0
    with h5py.File(tmp_path / "raw.h5") as file:
        np.testing.assert_array_equal(file["restored"][0], restorer(frame))
    assert run([*where, "-o", str(tmp_path / "raw"), "--no-correct"]) == 0
    assert not np.array_equal(read_picture(sorted((tmp_path / "raw").iterdir())[0]), expected)


def test_image_files_are_corrected_only_when_asked(
    walked: Walked, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = walked.session.pairs()[0].b.pixels
    save_picture(frame, tmp_path / "b.png")
    save_picture(frame[:200], tmp_path / "small.png")
    restorer = Restorer.from_checkpoint(load_checkpoint(walked.checkpoint))
    exact = ["--precision", "float32"]
    where = ["restore", "-c", str(walked.checkpoint), str(tmp_path / "b.png"), *exact]
    assert run([*where, "-o", str(tmp_path / "as-is")]) == 0
    np.testing.assert_array_equal(read_picture(tmp_path / "as-is" / "b.png"), restorer(frame))
    assert run([*where, "-o", str(tmp_path / "corrected"), "--correct"]) == 0
    np.testing.assert_array_equal(read_picture(tmp_path / "corrected" / "b.png"), restorer.restore_raw(frame))
    small = ["restore", "-c", str(walked.checkpoint), str(tmp_path / "small.png"), "-o", str(tmp_path / "small")]
    assert run(small) == 0
    capsys.readouterr()
    assert run([*small[:-1], str(tmp_path / "none"), "--correct"]) == 1
    assert "400x200 px" in capsys.readouterr().err


def test_a_session_of_another_gain_is_told_when_it_is_restored(
    walked: Walked, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    louder = record(tmp_path / "louder", [replace(one, gain_db=6.0) for one in SCENE_SERIES])
    where = ["restore", str(louder.folder), "-c", str(walked.checkpoint), "-o", str(tmp_path / "out")]
    with caplog.at_level(logging.WARNING):
        assert run(where) == 0
    told = [one.getMessage() for one in caplog.records if one.name == "twinlens.capture.corrected"]
    assert told == ["session_louder was recorded at 6.0 dB, the dark series at 0.0 dB: dark levels differ"]


def test_asking_for_a_correction_that_was_never_made_is_refused(
    walked: Walked, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = tmp_path / "bare.safetensors"
    write_checkpoint(bare, replace(load_checkpoint(walked.checkpoint), correction=None))
    where = ["restore", str(walked.session.folder), "-c", str(bare), "-o", str(tmp_path / "out"), "--correct"]
    assert run(where) == 1
    assert "holds no correction" in capsys.readouterr().err


def test_the_calibrate_verb_shows_both_cameras_figures(
    walked: Walked, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "calibration.json"
    assert run(["calibrate", str(walked.session.folder), "-o", str(out), "--json"]) == 0
    cameras = json.loads(capsys.readouterr().out)["cameras"]
    assert [camera["camera"] for camera in cameras] == ["a", "b"]
    for camera in cameras:
        assert camera["prnu_percent"] == pytest.approx(2.0, rel=0.05)
        assert camera["dsnu_dn"] == pytest.approx(1.5, rel=0.05)
        assert (camera["hot_pixels"], camera["dead_pixels"]) == (60, 40)


def test_sessions_without_series_are_left_as_they_are(tmp_path: Path) -> None:
    assert corrections_of([record(tmp_path / "s", SCENE_SERIES)]) is None


def test_series_of_a_session_of_their_own_serve_the_scenes(tmp_path: Path) -> None:
    few = [replace(one, pairs=4) for one in (DARK, LIGHT)]
    steps: list[str] = []
    found = corrections_of(
        [record(tmp_path / "scenes", SCENE_SERIES), record(tmp_path / "series", few)], on_step=steps.append
    )
    assert found is not None
    assert (found.a.correction.dark_frames, found.b.correction.flat_frames) == (4, 4)
    assert found.b.correction.exposure_us == 1e4
    assert steps[0] == "dark pair 1 of session_series"


def test_the_dark_series_nearest_in_exposure_is_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    darks = [replace(DARK, pairs=2, exposure_us=exposure_us) for exposure_us in (100.0, 3e4, 1e5)]
    with caplog.at_level(logging.WARNING):
        found = corrections_of([record(tmp_path / "s", (*SCENE_SERIES, *darks))])
    assert found is not None
    assert found.a.correction.exposure_us == 3e4
    assert found.a.correction.flat_frames == 0
    assert any("30000 us, the scenes 10000 us" in one.getMessage() for one in caplog.records)


@pytest.mark.parametrize(
    ("series", "says"),
    [
        ([replace(LIGHT, pairs=2)], "2 flat frames and no dark ones"),
        ([replace(DARK, pairs=2, gain_db=6.0)], "recorded at 6 dB, the scenes at 0 dB"),
        ([replace(DARK, pairs=2), replace(LIGHT, pairs=2, gain_db=3.0)], "flat series was recorded at 3 dB"),
    ],
)
def test_series_that_do_not_fit_the_scenes_are_refused(tmp_path: Path, series: list[Series], says: str) -> None:
    session = record(tmp_path / "s", (*SCENE_SERIES, *series))
    with pytest.raises(CorrectionError, match=says) as refused:
        calibrate_sessions([session])
    assert refused.value.hint
