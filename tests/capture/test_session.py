"""Reading sessions: what was recorded comes back, and what is broken is named."""

import json
from pathlib import Path

import numpy as np
import pytest

from twinlens.capture.frame import CameraRole, Frame, FrameRecord, MirrorState
from twinlens.capture.pairing import Gap
from twinlens.capture.recorder import Recorder
from twinlens.capture.session import MANIFEST, Manifest, RecordedTake, Session
from twinlens.errors import SessionError

FLAT, BENT = MirrorState("flat"), MirrorState("bent", (0.5, -0.25), "waves")


def pixels_of(camera: CameraRole, trigger_index: int) -> np.ndarray:
    return np.full((8, 10), trigger_index * 2 + (camera == "b"), np.uint8)


def write_session(folder: Path, *, lost_by_a: tuple[int, ...] = (), triggers: int = 6) -> Path:
    for camera in ("a", "b"):
        recorder = Recorder(folder / camera, camera, attributes={}, on_written=lambda _: None)
        for i in range(triggers):
            if camera == "a" and i in lost_by_a:
                continue
            record = FrameRecord(
                camera=camera,
                trigger_index=i,
                frame_id=i + 1,
                camera_time_ns=1 + i * 1000 + (camera == "b") * (500 + i),
                host_time_ns=0,
                exposure_us=10.0,
                gain_db=0.0,
                complete=True,
                lost_packets=0,
                xxh3=0,
            )
            recorder.put(Frame(pixels_of(camera, i), record))
        recorder.close()
    Manifest(
        id="session_x",
        complete=not lost_by_a,
        cameras={"a": {"serial": "A"}, "b": {"serial": "B"}},
        settings={},
        producer="x.cti",
        shape_hw=(8, 10),
        bit_depth=8,
        takes=(RecordedTake("house", FLAT, 0), RecordedTake("tower", BENT, 2), RecordedTake("house", BENT, 4)),
        triggers=triggers,
        ledger=tuple(Gap(i, "a", "not delivered") for i in lost_by_a),
        stream={},
    ).write(folder)
    return folder


def test_pairs_come_back_with_scene_mirror_state_and_skew(tmp_path: Path) -> None:
    pairs = Session(write_session(tmp_path / "s")).pairs()
    assert len(pairs) == 6
    assert pairs.scenes == ("house", "house", "tower", "tower", "house", "house")
    for i, pair in enumerate(pairs):
        assert pair.trigger_index == i
        assert np.array_equal(pair.a.pixels, pixels_of("a", i))
        assert np.array_equal(pair.b.pixels, pixels_of("b", i))
        assert pair.skew_ns == i - 2  # the clocks' offset, 502 ns in the median, is taken off
        assert pair.mirror_state == (FLAT if i < 2 else BENT)


def test_a_frame_lost_by_camera_a_costs_one_pair_and_shifts_none(tmp_path: Path) -> None:
    session = Session(write_session(tmp_path / "s", lost_by_a=(1, 4)))
    assert [pair.trigger_index for pair in session.pairs()] == [0, 2, 3, 5]
    assert all(pair.b.pixels[0, 0] == pair.a.pixels[0, 0] + 1 for pair in session.pairs())
    assert session.ledger == (Gap(1, "a", "not delivered"), Gap(4, "a", "not delivered"))


def test_pairs_can_be_chosen_by_mirror_state_and_spread_over_scenes(tmp_path: Path) -> None:
    session = Session(write_session(tmp_path / "s"))
    assert [pair.trigger_index for pair in session.pairs("bent")] == [2, 3, 4, 5]
    assert set(session.pairs().spread(2).scenes) == {"house", "tower"}
    assert len(session.pairs() + session.pairs("flat")) == 8
    assert [state.label for state in session.mirror_states()] == ["flat", "bent"]


def test_a_session_without_frames_of_b_says_so(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s")
    for segment in (folder / "b").iterdir():
        segment.unlink()
    with pytest.raises(SessionError, match="no frames of camera B"):
        Session(folder)


@pytest.mark.parametrize("damage", ["cut", "foreign", "newer", "missing", "lacking"])
def test_a_broken_manifest_is_refused(tmp_path: Path, damage: str) -> None:
    folder = write_session(tmp_path / "s")
    path = folder / MANIFEST
    values = json.loads(path.read_text())
    if damage == "cut":
        path.write_text(path.read_text()[:100])
    elif damage == "foreign":
        path.write_text(json.dumps({**values, "schema": "other"}))
    elif damage == "newer":
        path.write_text(json.dumps({**values, "schema_version": "2.0.0"}))
    elif damage == "missing":
        path.unlink()
    else:
        path.write_text(json.dumps({k: v for k, v in values.items() if k != "takes"}))
    with pytest.raises(SessionError) as caught:
        Session(folder)
    assert caught.value.hint


def test_a_truncated_segment_is_refused_by_name(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s")
    segment = folder / "b" / "seg_000000.h5"
    segment.write_bytes(segment.read_bytes()[:1000])
    with pytest.raises(SessionError, match="seg_000000"):
        Session(folder)
