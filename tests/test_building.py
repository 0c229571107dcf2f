"""From sessions to a dataset: planned, run anywhere, killed and resumed, gated, and appended to."""

import dataclasses
import os
import signal
import time
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest
from small_rig import SCENES, identity_calibration, write_session

from twinlens import build_plan
from twinlens.build_plan import plan
from twinlens.building import build_from_sessions, try_build
from twinlens.capture.session import Session
from twinlens.dataset import DatasetSettings, PairedDataset, PassportLimits, SplitSettings
from twinlens.engines import in_processes
from twinlens.errors import CalibrationError, DatasetError, SplitLeakError, TwinlensError
from twinlens.storage import hold_folder

SETTINGS = DatasetSettings(find_duplicates=False)


@pytest.fixture
def calibration_file(tmp_path: Path) -> Path:
    return identity_calibration(tmp_path / "calibration.json")


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


def test_ten_bit_sessions_stay_ten_bit(tmp_path: Path) -> None:
    session = write_session(tmp_path / "s", bit_depth=10)
    calibration = identity_calibration(tmp_path / "calibration.json", bit_depth=10)
    build_from_sessions([session], calibration, tmp_path / "d.h5", settings=SETTINGS)
    dataset = PairedDataset(tmp_path / "d.h5")
    assert (dataset.bit_depth, dataset.dtype) == (10, np.dtype(np.uint16))
    assert 255 < max(int(pair.input.max()) for pair in dataset) < 1024


def test_processes_and_the_order_of_sessions_change_nothing(
    tmp_path: Path, calibration_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = [write_session(tmp_path / name, pairs_per_scene=2) for name in ("s", "t")]
    here = build_from_sessions(sessions, calibration_file, tmp_path / "here.h5", settings=SETTINGS)
    monkeypatch.setattr(build_plan, "MOST_PAIRS", 2)
    there = build_from_sessions(
        sessions[::-1], calibration_file, tmp_path / "there.h5", settings=SETTINGS, engine=in_processes(2)
    )
    assert (here.pairs, here.content_hash) == (12, there.content_hash)
    assert not list(tmp_path.glob(".*"))


def test_a_dataset_in_tiles_is_the_same_dataset(tmp_path: Path, calibration_file: Path) -> None:
    session = write_session(tmp_path / "s")
    reports = [
        build_from_sessions(
            [session],
            calibration_file,
            tmp_path / f"{layout}.h5",
            settings=dataclasses.replace(SETTINGS, layout=layout),
        )
        for layout in ("contiguous", "tiles")
    ]
    assert reports[0].content_hash == reports[1].content_hash


def test_limits_leave_pairs_out_list_them_and_cost_no_second_registration(
    tmp_path: Path, calibration_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = write_session(tmp_path / "s", scenes=(*SCENES, "river"), wrong_pair=3)
    out = tmp_path / "d.h5"
    strict = dataclasses.replace(SETTINGS, limits=PassportLimits(max_residual_px=0.0, min_ncc=2.0))
    tried = try_build([session], calibration_file, out, settings=strict)
    assert tried.pairs == 0
    assert {count.reason: count.pairs for count in tried.rejects} == {"residual_px": 3, "registration": 1}
    assert not out.exists()

    monkeypatch.setattr(build_plan, "align_pair", None)  # what was aligned for the dry run must do
    report = build_from_sessions([session], calibration_file, out, settings=SETTINGS)
    assert (report.pairs, [(c.reason, c.pairs) for c in report.rejects]) == (3, [("registration", 1)])
    (reject,) = PairedDataset(out).rejects
    assert (reject.session_id, reject.trigger_index, reject.scene) == ("session_s", 3, "river")
    assert reject.text


def test_scenes_can_be_chosen_and_must_be_there(tmp_path: Path, calibration_file: Path) -> None:
    session = write_session(tmp_path / "s", scenes=(*SCENES, "river"))
    chosen = dataclasses.replace(SETTINGS, scenes=("river", "house", "tower"))
    report = build_from_sessions([session], calibration_file, tmp_path / "d.h5", settings=chosen)
    assert {scene.scene for scene in report.scene_counts} == {"river", "house", "tower"}
    with pytest.raises(DatasetError, match="no session shows lake; their scenes are bridge, house, river, tower"):
        plan(
            [session],
            calibration_file,
            tmp_path / "e.h5",
            settings=dataclasses.replace(SETTINGS, scenes=("lake",)),
        )


@pytest.mark.parametrize(
    ("calibration", "seen"),
    [
        ({"serials": ("OTHER", "B")}, "recorded by A A and B B, the calibration is of A OTHER and B B"),
        ({"mirror_state": "bent"}, "mirror state 'flat' is not calibrated; known are 'bent'"),
        ({"bit_depth": 10}, r"\(192, 224, 8\), the calibration is of \(192, 224, 10\)"),
    ],
    ids=["rig", "mirror state", "bit depth"],
)
def test_a_calibration_of_something_else_is_refused(
    tmp_path: Path, calibration: dict[str, object], seen: str
) -> None:
    session = write_session(tmp_path / "s")
    path = identity_calibration(tmp_path / "other.json", **calibration)  # type: ignore[arg-type]
    with pytest.raises(CalibrationError, match=seen):
        build_from_sessions([session], path, tmp_path / "d.h5", settings=SETTINGS)
    assert not list(tmp_path.glob("*.h5"))


def test_two_builds_of_one_file_do_not_meet(tmp_path: Path, calibration_file: Path) -> None:
    session = write_session(tmp_path / "s")
    work = tmp_path / ".d.h5.building"
    work.mkdir()
    with hold_folder(work), pytest.raises(DatasetError, match="belongs to another build"):
        build_from_sessions([session], calibration_file, tmp_path / "d.h5", settings=SETTINGS)


def test_a_damaged_part_is_told(tmp_path: Path, calibration_file: Path) -> None:
    session, out = write_session(tmp_path / "s"), tmp_path / "d.h5"
    try_build([session], calibration_file, out, settings=SETTINGS)
    (part,) = (tmp_path / ".d.h5.building").glob("*.h5")
    content = bytearray(part.read_bytes())
    place = content.find(session.pairs()[0].b.pixels[100, 8:200].tobytes())
    content[place] ^= 1
    part.write_bytes(content)
    with pytest.raises(TwinlensError, match="the input of trigger 0 of session session_s is not what was written"):
        build_from_sessions([session], calibration_file, out, settings=SETTINGS)
    assert not out.exists()


def build_slowly(folder: Path, out: Path) -> None:
    build_plan.MOST_PAIRS = 1
    build_from_sessions([Session(folder / "s")], folder / "calibration.json", out, settings=SETTINGS)


@pytest.mark.usefixtures("calibration_file")
def test_thirty_kills_leave_the_same_dataset(tmp_path: Path) -> None:
    write_session(tmp_path / "s", pairs_per_scene=5)
    context = get_context("forkserver")
    context.set_forkserver_preload(["twinlens.building"])

    def start(out: Path) -> BaseProcess:
        child = context.Process(target=build_slowly, args=(tmp_path, out))
        child.start()
        return child

    for name in ("warm", "whole"):  # the first pays for imports
        began_s = time.monotonic()
        undisturbed = start(tmp_path / f"{name}.h5")
        undisturbed.join()
        lasted_s = time.monotonic() - began_s
        assert undisturbed.exitcode == 0
    known = PairedDataset(tmp_path / "whole.h5").content_hash

    rng = np.random.default_rng(0)
    kills, finished = 0, 0
    out = tmp_path / "killed.h5"
    while kills < 30 or not finished:
        child = start(out)
        # Wherever the build may be: at its tasks, while parts are put together, while it seals.
        child.join(float(rng.uniform(0.0, lasted_s)) if kills < 30 else None)
        if child.is_alive() and child.pid is not None:
            os.kill(child.pid, signal.SIGKILL)
            child.join()
            kills, finished = kills + 1, 0
            continue
        assert child.exitcode == 0
        assert PairedDataset(out).content_hash == known
        out.unlink()
        finished += 1
    assert not list(tmp_path.glob(".*"))


def test_frames_that_changed_since_the_dry_run_are_aligned_again(tmp_path: Path, calibration_file: Path) -> None:
    session, out = write_session(tmp_path / "s"), tmp_path / "d.h5"
    try_build([session], calibration_file, out, settings=SETTINGS)
    first = {path.name for path in (tmp_path / ".d.h5.building").glob("*.h5")}
    (segment,) = (tmp_path / "s" / "b").glob("*.h5")
    os.utime(segment, ns=(1, 1))
    try_build([Session(tmp_path / "s")], calibration_file, out, settings=SETTINGS)
    assert not first & {path.name for path in (tmp_path / ".d.h5.building").glob("*.h5")}
