"""`twinlens capture` as a person runs it: what it refuses, and what it records from two virtual cameras."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from twinlens.capture.frame import MirrorState
from twinlens.capture.pixel_formats import PIXEL_FORMATS
from twinlens.capture.rig_file import TRIGGERS, RigSettings, write_rig_file
from twinlens.capture.session import Session
from twinlens.capture.virtual.loop import LoopSettings
from twinlens.capture.virtual.rehearse import virtual_rig
from twinlens.cli import run
from twinlens.verbs import capture as verb

SERIALS = ("CA01", "CB01")
SCENE = ["capture", "--scene", "street"]
TAKE = [*SCENE, "--pairs", "1"]


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GENICAM_GENTL64_PATH", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    write_rig_file(tmp_path / "rig.toml", RigSettings(a=SERIALS[0], b=SERIALS[1]))
    (tmp_path / "states.csv").write_text("tilt,1,2\ncoma,3,4\n")
    (tmp_path / "volts.txt").write_text("1.5\n-2\n")


@pytest.fixture(scope="module")
def served() -> Iterator[None]:
    with virtual_rig(
        LoopSettings(shape_hw=(96, 128), frames=2), addresses=("127.0.4.2", "127.0.4.3"), serials=SERIALS
    ):
        yield


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (SCENE, "--pairs N, --duration 30s or --interactive"),
        ([*TAKE, "--duration", "3s"], "give one"),
        (["capture", "--pairs", "1"], "--scene NAME"),
        ([*SCENE, "--pairs", "0"], "x>=1"),
        ([*SCENE, "--duration", "30"], "30s would be seconds"),
        ([*SCENE, "--duration", "soon"], "30s, 500ms, 2min or 1h"),
        ([*TAKE, "--burst", "5"], "shorter bursts"),
        ([*TAKE, "--rate", "0"], "x>0"),
        ([*TAKE, "--bracket-us", "1000"], "two or more"),
        ([*TAKE, "--bracket-us", "10,x"], "1000,2000,4000"),
        ([*TAKE, "--bracket-us", "10,20", "--exposure-us", "5"], "give one"),
        ([*TAKE, "--voltages", "volts.txt"], "--mirror-state LABEL"),
        ([*TAKE, "--mirror-state", "x", "--voltages", "none.txt"], "none.txt"),
        ([*TAKE, "--mirror-states", "states.csv", "--before-each", "true", "--mirror-state", "x"], "leave out"),
        ([*TAKE, "--mirror-states", "states.csv"], "--before-each CMD, or --interactive"),
        ([*TAKE, "--before-each", "true"], "--mirror-states TABLE.csv"),
        ([*TAKE, "--before-each-timeout", "3s"], "--before-each CMD"),
        ([*TAKE, "--kind", "dark", "--mirror-states", "states.csv", "--before-each", "true"], "leave out"),
        ([*TAKE, "--kind", "bright"], "reference"),
        ([*TAKE, "--resume", ".", "--out", "there"], "leave out --out"),
        ([*TAKE, "--resume", "nowhere"], "nowhere"),
        ([*TAKE, "--trigger", "magic"], "hardware"),
        ([*TAKE, "--pixel-format", "Mono12"], "Mono10p"),
        ([*TAKE, "--set", "Gain"], "NAME=VALUE"),
    ],
)
def test_what_contradicts_itself_is_a_usage_error_that_says_what_to_do(
    arguments: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert hint in " ".join(told.err.split())


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        ([*TAKE, "--mirror-state", "x", "--voltages", "rig.toml"], "rig.toml, line 3"),
        ([*TAKE, "--mirror-states", "volts.txt", "--before-each", "true", "--kind", "scene"], "volts.txt"),
        ([*TAKE, "--bracket-us", "1,2"], "exposures between"),
        ([*TAKE, "--exposure-us", "1"], "exposure_us is 1.0"),
        ([*TAKE, "--resume", "."], "session.json"),
    ],
)
def test_files_and_values_that_cannot_work_end_with_1(
    arguments: list[str], seen: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWINLENS_GEV_DEVICES", "127.0.9.9")
    (Path("volts.txt")).write_text(",1\n")
    assert run(arguments) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert seen in told.err


def test_a_closed_input_is_refused_before_the_cameras_are_opened(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert run(["capture", "-i"]) == 1
    assert "--pairs or --duration" in capsys.readouterr().err


def test_the_choices_are_those_of_the_rig() -> None:
    assert verb.TRIGGERS == TRIGGERS
    assert set(verb.PIXEL_FORMATS) == set(PIXEL_FORMATS)


def test_help_groups_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["capture", "--help"]) == 0
    told = capsys.readouterr().out
    headings = ["How much:", "What is recorded:", "Mirror:", "Settings of both cameras", "Session:", "Other:"]
    assert [told.index(heading) for heading in headings] == sorted(told.index(heading) for heading in headings)


@pytest.mark.usefixtures("served")
def test_json_is_all_that_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    session, told = recorded([*SCENE, "--duration", "300ms", "--rate", "20"], capsys)
    assert told.err == ""
    assert len(session.pairs()) == json.loads(told.out)["pairs"] >= 1


@pytest.mark.usefixtures("served")
def test_a_state_with_voltages_a_series_and_a_resumed_session(capsys: pytest.CaptureFixture[str]) -> None:
    session, _ = recorded([*TAKE, "--mirror-state", "tilt", "--voltages", "volts.txt"], capsys)
    assert session.mirror_states() == (MirrorState("tilt", (1.5, -2.0), "V"),)
    where = ["--resume", str(session.folder)]
    session, _ = recorded(["capture", "--kind", "dark", "--pairs", "2", "--bracket-us", "50,500", *where], capsys)
    session, _ = recorded(["capture", "--kind", "reference", "--pairs", "1", *where], capsys)
    assert [len(session.pairs(kind=kind)) for kind in ("scene", "dark", "reference")] == [1, 4, 1]
    assert [take.exposure_us for take in session.manifest.takes if take.kind == "dark"] == [50, 500]
    assert session.pairs(kind="reference")[0].mirror_state.label == "flat"


@pytest.mark.usefixtures("served")
def test_a_sweep_moves_the_mirror_before_each_state(capsys: pytest.CaptureFixture[str]) -> None:
    command = 'echo "$TWINLENS_MIRROR_STATE $TWINLENS_VOLTAGES" >> moves'
    sweep = ["--mirror-states", "states.csv", "--before-each", command]
    session, _ = recorded([*SCENE, "--pairs", "4", "--burst", "2", *sweep], capsys)
    assert Path("moves").read_text() == "tilt 1.0,2.0\ncoma 3.0,4.0\n"
    assert [pair.mirror_state.label for pair in session.pairs()] == ["tilt"] * 4 + ["coma"] * 4
    assert len(session.manifest.takes) == 4


@pytest.mark.usefixtures("served")
def test_a_mirror_that_fails_ends_the_sweep_with_what_is_recorded_sealed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = 'test "$TWINLENS_MIRROR_STATE" = tilt || { echo amplifier off; false; }'
    assert run([*TAKE, "--mirror-states", "states.csv", "--before-each", command]) == 1
    told = capsys.readouterr()
    assert "amplifier off" in told.err
    assert "ended early" in told.out
    (folder,) = Path("sessions").iterdir()
    session = Session(folder)
    assert [pair.mirror_state.label for pair in session.pairs()] == ["tilt"]
    assert "amplifier off" in session.manifest.ended


@pytest.mark.usefixtures("served")
def test_a_person_at_a_pipe_takes_retakes_names_and_ends(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    far, near = os.pipe()
    os.write(near, b"\nr\nn lamp\n\nq\n")
    os.close(near)
    with os.fdopen(far) as keys:
        monkeypatch.setattr(sys, "stdin", keys)
        assert run(["capture", "-i", "--burst", "2"]) == 0
    told = capsys.readouterr()
    assert "next: scene scene-001" in told.err
    assert "pairs so far: 2" in told.err
    (folder,) = Path("sessions").iterdir()
    session = Session(folder)
    assert [(take.scene, take.rejected) for take in session.manifest.takes] == [
        ("scene-001", True),
        ("scene-001", False),
        ("lamp", False),
    ]
    assert session.pairs().scenes == ("scene-001", "scene-001", "lamp", "lamp")


@pytest.mark.usefixtures("served")
def test_q_at_once_records_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    far, near = os.pipe()
    os.write(near, b"q\n")
    os.close(near)
    with os.fdopen(far) as keys:
        monkeypatch.setattr(sys, "stdin", keys)
        assert run(["capture", "-i"]) == 0
    assert "nothing was recorded" in capsys.readouterr().err
    assert list(Path("sessions").iterdir()) == []


@pytest.mark.usefixtures("served")
def test_ctrl_c_tells_what_was_recorded_and_exits_130() -> None:
    code = "from twinlens.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, *SCENE, "--duration", "1h", "--rate", "20"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        watch = threading.Event()
        while not all(frames_on_disk(role) > 3 for role in "ab"):
            assert process.poll() is None
            watch.wait(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped by hand" in out
    assert "packets recovered" in out
    assert "Ctrl-C" in err
    (folder,) = Path("sessions").iterdir()
    assert f"pairs         {len(Session(folder).pairs())}\n" in out


def recorded(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[Session, Any]:
    """The session that one run with --json wrote, and what it printed."""
    assert run([*arguments, "--json"]) == 0
    told = capsys.readouterr()
    return Session(Path(json.loads(told.out)["folder"])), told


def frames_on_disk(role: str) -> int:
    """About how many frames of one camera are in the segments that are being written."""
    return sum(path.stat().st_size for path in Path("sessions").glob(f"*/{role}/seg_*")) // (96 * 128)
