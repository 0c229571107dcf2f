"""Cameras and processes that go away, and come back: what was recorded stays, and the account is whole."""

import multiprocessing
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from twinlens.capture.capture import CaptureReport, Take, capture
from twinlens.capture.frame import CameraRole
from twinlens.capture.manifest import read_manifest
from twinlens.capture.rig_file import RigSettings
from twinlens.capture.session import Session
from twinlens.capture.virtual.faults import Faults
from twinlens.capture.virtual.loop import LoopSettings
from twinlens.capture.virtual.rehearse import virtual_rig
from twinlens.capture.virtual.stamp import read_trigger
from twinlens.capture.virtual.twin import RigTwin, TwinSettings
from twinlens.errors import CameraLostError, FrameTimeoutError

ADDRESSES, SERIALS = ("127.0.9.2", "127.0.9.3"), ("OA01", "OB01")
LOOP = LoopSettings(shape_hw=(64, 96), frames=1)
RIG = RigSettings(a=SERIALS[0], b=SERIALS[1], exposure_us=500.0, frame_timeout_s=0.5)
WIRED = RigSettings(a=SERIALS[0], b=SERIALS[1], exposure_us=500.0, trigger="hardware")


def kill(role: CameraRole) -> None:
    (victim,) = [child for child in multiprocessing.active_children() if child.name == f"camera-{role}"]
    victim.kill()


def record(settings: RigSettings, takes: Iterable[Take], out: Path, *, reconnect: bool = False) -> CaptureReport:
    with closing(capture(settings, takes, out=out, reconnect=reconnect)) as reports:
        for report in reports:
            last = report
    return last


def only_session(out: Path) -> Path:
    (folder,) = out.iterdir()
    assert folder.suffix != ".part"
    return folder


def unaccounted(session: Session) -> set[int]:
    """Triggers without a pair or a gap."""
    told = {gap.trigger_index for gap in session.ledger} | {pair.trigger_index for pair in session.pairs()}
    return set(range(session.manifest.triggers)) - told


def test_every_trigger_sent_to_a_camera_that_is_gone_is_a_gap(tmp_path: Path) -> None:
    faults = (Faults(), Faults(unplug_after_frames=4))
    with (
        virtual_rig(LOOP, addresses=ADDRESSES, serials=SERIALS, faults=faults),
        pytest.raises(CameraLostError),
    ):
        record(replace(RIG, frame_timeout_s=3.0), [Take("x", 100)], tmp_path)
    session = Session(only_session(tmp_path))
    assert unaccounted(session) == set()
    assert {gap.reason for gap in session.ledger if gap.camera == "b"} == {"camera lost"}


def test_both_cameras_unplugged_at_once_come_back(tmp_path: Path) -> None:
    out = Faults(unplug_after_frames=40, replug_after_s=1.0)
    with virtual_rig(LOOP, addresses=ADDRESSES, serials=SERIALS, faults=(out, out), pulses_hz=40.0):
        report = record(WIRED, [Take("x", 60)], tmp_path, reconnect=True)
    assert (report.pairs, report.complete) == (60, True)
    assert report.armings >= 2
    session = Session(only_session(tmp_path))
    assert unaccounted(session) == set()
    for pair in session.pairs():
        assert read_trigger(pair.a.pixels) == read_trigger(pair.b.pixels)


@pytest.mark.parametrize("role", ["a", "b"])
def test_a_process_killed_between_two_takes_is_replaced(tmp_path: Path, role: CameraRole) -> None:
    def takes() -> Iterator[Take]:
        yield Take("first", 3)
        kill(role)
        yield Take("second", 3)

    with virtual_rig(LOOP, addresses=ADDRESSES, serials=SERIALS, pulses_hz=40.0):
        report = record(WIRED, takes(), tmp_path, reconnect=True)
    assert (report.pairs, report.armings) == (6, 2)
    pairs = Session(only_session(tmp_path)).pairs()
    assert pairs.scenes == ("first",) * 3 + ("second",) * 3
    for pair in pairs:
        assert read_trigger(pair.a.pixels) == read_trigger(pair.b.pixels)


def test_a_process_killed_after_the_last_take_is_told(tmp_path: Path) -> None:
    def takes() -> Iterator[Take]:
        yield Take("x", 5)
        kill("b")

    with (
        virtual_rig(LOOP, addresses=ADDRESSES, serials=SERIALS),
        pytest.raises(CameraLostError, match="camera b"),
    ):
        record(RIG, takes(), tmp_path)
    session = Session(only_session(tmp_path))
    assert "camera b" in session.manifest.ended
    assert unaccounted(session) == set()


def test_a_camera_that_comes_back_gets_the_settings_of_the_take(tmp_path: Path) -> None:
    twin = TwinSettings(shape_hw=(96, 128), rms_waves=(0.0,), seed=3)
    faults = (Faults(), Faults(unplug_after_frames=4, replug_after_s=0.5))
    with virtual_rig(twin, addresses=ADDRESSES, serials=SERIALS, faults=faults, scene_limit=2):
        takes = [Take("x", 8, features={"TwinSceneSelector": 1}, exposure_us=10_000.0)]
        report = record(RIG, takes, tmp_path, reconnect=True)
    assert report.armings >= 2
    clean = RigTwin(twin).clean("b", 1, 0)
    for pair in Session(only_session(tmp_path)).pairs():
        # Photon noise at 10 ke- full well is below 3 grey levels; another scene would be far off.
        assert np.std(pair.b.pixels[4:].astype(float) - clean[4:]) < 3.0


def test_frames_of_one_camera_stay_where_the_other_gave_none(tmp_path: Path) -> None:
    faults = (Faults(), Faults(lost_frames=tuple(range(20))))
    with (
        virtual_rig(LOOP, addresses=ADDRESSES, serials=SERIALS, faults=faults),
        pytest.raises(FrameTimeoutError),
    ):
        record(RIG, [Take("x", 5)], tmp_path)
    folder = only_session(tmp_path)
    assert list((folder / "a").glob("seg_*.h5"))
    manifest = read_manifest(folder)
    assert {(gap.trigger_index, gap.camera) for gap in manifest.ledger} == {
        (index, "b") for index in range(manifest.triggers)
    }
