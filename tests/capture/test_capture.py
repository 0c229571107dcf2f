"""Recording through harvesters, our producer and GVSP from two virtual cameras in a process of their own."""

import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import xxhash

from twinlens.capture.assign import assign_cameras, list_cameras
from twinlens.capture.capture import CaptureReport, Take, capture, require_complete
from twinlens.capture.frame import MirrorState
from twinlens.capture.rig_file import RigSettings, read_rig_file
from twinlens.capture.session import Session
from twinlens.capture.virtual.camera import VirtualCamera
from twinlens.capture.virtual.rehearse import virtual_rig
from twinlens.capture.virtual.stamp import read_trigger
from twinlens.capture.virtual.twin import RigTwin, TwinSettings
from twinlens.cli import run
from twinlens.errors import (
    CameraLostError,
    CameraNotFoundError,
    CaptureError,
    FrameTimeoutError,
    SettingsError,
    TwinlensError,
)

ADDRESSES = ("127.0.3.2", "127.0.3.3")
SERIALS = ("TA01", "TB01")
TWIN = TwinSettings(shape_hw=(96, 128), rms_waves=(0.0, 0.3), seed=11)
RIG = RigSettings(a=SERIALS[0], b=SERIALS[1], frame_timeout_s=2.0)


@pytest.fixture(autouse=True)
def _bundled_producer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GENICAM_GENTL64_PATH", raising=False)


@pytest.fixture(scope="module")
def served() -> Iterator[None]:
    with virtual_rig(TWIN, addresses=ADDRESSES, serials=SERIALS):
        yield


def record(takes: list[Take], out: Path, rig: RigSettings = RIG) -> CaptureReport:
    with closing(capture(rig, takes, out=out)) as reports:
        for report in reports:
            last = report
    return last


@pytest.mark.usefixtures("served")
def test_two_scenes_and_mirror_states_are_recorded_pair_by_pair(tmp_path: Path) -> None:
    states = RigTwin(TWIN).mirror_states
    takes = [
        Take("first", 3, states[0], {"TwinSceneSelector": 0, "TwinMirrorStateSelector": 0}),
        Take("second", 2, states[1], {"TwinSceneSelector": 1, "TwinMirrorStateSelector": 1}),
    ]
    report = record(takes, tmp_path)
    require_complete(report)
    assert (report.pairs, report.scenes, report.triggers, report.frames_lost) == (5, 2, 5, 0)
    assert report.ledger == ()
    assert report.stream["a"]["StreamIncompleteFrameCount"] == 0
    assert [path.name for path in tmp_path.iterdir()] == [report.session_id]

    session = Session(Path(report.folder))
    assert session.manifest.complete
    assert session.pairs().scenes == ("first",) * 3 + ("second",) * 2
    twin = RigTwin(TWIN)
    for pair in session.pairs():
        scene = ("first", "second").index(pair.scene)
        assert pair.mirror_state == states[scene]
        for frame in (pair.a, pair.b):
            assert read_trigger(frame.pixels) == pair.trigger_index
            assert frame.record.frame_id == pair.trigger_index + 1
            assert frame.record.xxh3 == xxhash.xxh3_64_intdigest(frame.pixels.tobytes())
            clean = twin.clean(frame.record.camera, scene, scene)
            # Photon noise at 10 ke- full well is below 3 grey levels; another scene would be far off.
            assert np.std(frame.pixels[4:].astype(float) - clean[4:]) < 3.0


@pytest.mark.usefixtures("served")
def test_a_region_of_interest_reaches_the_disk(tmp_path: Path) -> None:
    rig = RigSettings(a=SERIALS[0], b=SERIALS[1], width=64, height=32, offset_x=16, offset_y=8)
    session = Session(Path(record([Take("x", 1)], tmp_path, rig).folder))
    assert session.pairs()[0].a.pixels.shape == (32, 64)


@pytest.mark.usefixtures("served")
def test_cameras_are_listed_and_assigned_in_the_rig_file(tmp_path: Path) -> None:
    found = list_cameras(None)
    assert tuple(info.serial for info in found) == SERIALS
    assign_cameras(tmp_path / "rig.toml", found, a=SERIALS[1], b=SERIALS[0], producer=None)
    written = read_rig_file(tmp_path / "rig.toml")
    assert (written.a, written.b) == (SERIALS[1], SERIALS[0])
    with pytest.raises(CameraNotFoundError, match="NOBODY"):
        assign_cameras(tmp_path / "rig.toml", found, a="NOBODY", b=SERIALS[0], producer=None)


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("rig", "error", "seen"),
    [
        (RigSettings(a=SERIALS[0], b="MISSING"), CameraNotFoundError, "MISSING"),
        (RigSettings(a=SERIALS[0], b=SERIALS[1], width=4096), SettingsError, "Width"),
        (RigSettings(a=SERIALS[0]), SettingsError, "which camera is A"),
        (RigSettings(a=SERIALS[0], b=SERIALS[1], producer="/no/such.cti"), TwinlensError, "such.cti"),
    ],
)
def test_what_cannot_work_is_refused_and_leaves_nothing(
    tmp_path: Path, rig: RigSettings, error: type[TwinlensError], seen: str
) -> None:
    with pytest.raises(error, match=seen) as caught:
        record([Take("x", 1)], tmp_path, rig)
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("served")
def test_stopping_early_keeps_the_pairs_that_are_complete(tmp_path: Path) -> None:
    reports = capture(RIG, [Take("x", 100_000)], out=tmp_path)
    for report in reports:
        if report.pairs >= 2:
            break
    reports.close()
    (folder,) = tmp_path.iterdir()
    session = Session(folder)
    assert 2 <= report.pairs <= len(session.pairs()) < 100_000
    assert not session.manifest.complete
    assert session.manifest.ended == "it was stopped by hand"
    with pytest.raises(CaptureError, match=f"{report.pairs} of 100000"):
        require_complete(report)


def test_cameras_of_different_size_are_refused(tmp_path: Path) -> None:
    small, large = RigTwin(TwinSettings(shape_hw=(96, 128))), RigTwin(TwinSettings(shape_hw=(128, 128)))
    with (
        VirtualCamera(small.view("a"), address="127.0.3.12", serial="S1"),
        VirtualCamera(large.view("b"), address="127.0.3.13", serial="S2"),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("TWINLENS_GEV_DEVICES", "127.0.3.12,127.0.3.13")
        with pytest.raises(CaptureError, match=r"A 128x96.*B 128x128"):
            record([Take("x", 1)], tmp_path, RigSettings(a="S1", b="S2"))
    assert list(tmp_path.iterdir()) == []


def test_a_camera_that_falls_silent_ends_the_session_with_its_pairs_kept(tmp_path: Path) -> None:
    twin = RigTwin(TWIN)
    with (
        VirtualCamera(twin.view("a"), address="127.0.3.22", serial="L1"),
        pytest.MonkeyPatch.context() as patch,
    ):
        camera_b = VirtualCamera(twin.view("b"), address="127.0.3.23", serial="L2")
        patch.setenv("TWINLENS_GEV_DEVICES", "127.0.3.22,127.0.3.23")
        rig = RigSettings(a="L1", b="L2", frame_timeout_s=0.5)
        reports = capture(rig, [Take("x", 100_000, MirrorState("flat"))], out=tmp_path)
        while next(reports).pairs < 2:
            pass
        camera_b.close()
        with pytest.raises((CameraLostError, FrameTimeoutError)):
            list(reports)
    (folder,) = tmp_path.iterdir()
    session = Session(folder)
    assert len(session.pairs()) >= 2
    for pair in session.pairs():
        assert read_trigger(pair.a.pixels) == read_trigger(pair.b.pixels)


@pytest.mark.usefixtures("served")
def test_ctrl_c_seals_what_was_done(tmp_path: Path) -> None:
    # A shell that starts the tests in the background has Ctrl-C ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    reports = capture(RIG, [Take("x", 100_000)], out=tmp_path)
    next(reports)
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        list(reports)
    signal.signal(signal.SIGINT, before)
    reports.close()
    (folder,) = tmp_path.iterdir()
    assert len(Session(folder).pairs()) >= 1


@pytest.mark.usefixtures("served")
def test_an_error_in_one_camera_is_told_as_it_was(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="TwinSceneSelector"):
        record([Take("x", 1, features={"TwinSceneSelector": 99})], tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("served")
def test_the_verb_records_and_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["cameras", "--assign", *SERIALS]) == 0
    assert run(["capture", "--pairs", "2", "--scene", "x", "--set", "TwinSceneSelector=1"]) == 0
    told = capsys.readouterr().out
    assert "2 of 2" in told
    assert "no gap" not in told
    (folder,) = (tmp_path / "sessions").iterdir()
    assert run(["info", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pairs"] == 2


def test_a_killed_camera_process_leaves_the_other_cameras_frames_and_no_half_session(tmp_path: Path) -> None:
    with virtual_rig(TWIN, addresses=("127.0.3.32", "127.0.3.33"), serials=("K1", "K2")):
        reports = capture(RigSettings(a="K1", b="K2"), [Take("x", 100_000)], out=tmp_path)
        while next(reports).seconds < 4 or next(reports).pairs < 5:
            pass  # B's first rows are on the disk about a second after its first frame
        (victim,) = [child for child in multiprocessing.active_children() if child.name == "camera-b"]
        victim.kill()
        with pytest.raises(CameraLostError):
            list(reports)
    (folder,) = tmp_path.iterdir()
    assert {path.suffix for path in folder.glob("[ab]/*")} == {".h5"}
    session = Session(folder)
    assert "camera b" in session.manifest.ended
    pairs = session.pairs()
    assert len(pairs) >= 5
    for pair in pairs:
        assert read_trigger(pair.a.pixels) == read_trigger(pair.b.pixels)
    assert all(gap.camera == "b" or gap.trigger_index > pairs[-1].trigger_index for gap in session.ledger)
