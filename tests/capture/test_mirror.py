"""Mirror states: files that people wrote, and commands that may fail or hang."""

import os
import sys
from pathlib import Path

import pytest

from twinlens.capture.frame import MirrorState
from twinlens.capture.mirror import read_mirror_states, read_voltages, set_mirror
from twinlens.errors import CaptureError, SettingsError

TILT = MirrorState("tilt 2", (1.5, -0.25), "V")


@pytest.mark.parametrize(
    "text", ["1.5\n-0.25\n", "1.5, -0.25", "# piston first\n\n1.5,-0.25,\n", "\ufeff1.5\r\n-0.25\r\n"]
)
def test_voltages_are_read_as_a_column_or_a_row(tmp_path: Path, text: str) -> None:
    (tmp_path / "v.txt").write_text(text, encoding="utf-8")
    assert read_voltages(tmp_path / "v.txt") == (1.5, -0.25)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("1.0\n2.0\nthree\n", "line 3: 'three'"),
        ("1.0\n\n# x\nnan\n", "line 4: 'nan'"),
        ("1,5;2,0\n", "line 1: '5;2'"),
        ("1.0,,2.0\n", "line 1: ''"),
        ("inf", "line 1: 'inf'"),
        ("# nothing\n\n", "no number"),
        ("\x00" * 3, "line 1"),
        ("9" * 140_000, "line 1"),
    ],
)
def test_a_voltage_that_is_none_is_told_with_its_line(tmp_path: Path, text: str, seen: str) -> None:
    (tmp_path / "v.txt").write_text(text)
    with pytest.raises(SettingsError, match=seen) as caught:
        read_voltages(tmp_path / "v.txt")
    assert "v.txt" in caught.value.message
    assert caught.value.hint


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "v.bin").write_bytes(b"\xff\xfe\x00\x01")
    for path in (tmp_path / "v.bin", tmp_path / "missing", tmp_path):
        with pytest.raises(SettingsError, match="cannot be read"):
            read_voltages(path)


@pytest.mark.parametrize("header", ["", "label,v1,v2\n", "# of Tuesday\nLabel, piston, tip\n"])
def test_a_table_lists_states_in_their_order(tmp_path: Path, header: str) -> None:
    (tmp_path / "s.csv").write_text(header + '"flat, rest",0,0\ntilt 2, 1.5, -0.25\n"flat, rest",0,0\n')
    flat = MirrorState("flat, rest", (0.0, 0.0), "V")
    assert read_mirror_states(tmp_path / "s.csv") == (flat, TILT, flat)


def test_states_may_have_no_voltages(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("flat,,\ntilt #2,,\n")
    assert read_mirror_states(tmp_path / "s.csv") == (MirrorState("flat"), MirrorState("tilt #2"))


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("flat,0,0\ntilt,1\n", "line 2: 1 voltages"),
        ("flat,0\n\n,1\n", "line 3: no label"),
        ("flat,0\nflat,1\n", "line 2: 'flat' has other"),
        ("flat,0\ntilt,one\n", "line 2: 'one'"),
        ("label,v1\n", "no mirror state"),
        ("", "no mirror state"),
    ],
)
def test_a_row_that_cannot_be_right_is_told_with_its_line(tmp_path: Path, text: str, seen: str) -> None:
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(SettingsError, match=seen) as caught:
        read_mirror_states(tmp_path / "s.csv")
    assert caught.value.hint


def test_the_command_knows_the_state(tmp_path: Path) -> None:
    told = tmp_path / "told"
    list(set_mirror(f'echo "$TWINLENS_MIRROR_STATE|$TWINLENS_VOLTAGES" > "{told}"', TILT, timeout_s=60))
    assert told.read_text() == "tilt 2|1.5,-0.25\n"


def test_a_command_that_fails_is_told_with_its_last_words() -> None:
    with pytest.raises(CaptureError, match=r"exit code 4.*'tilt 2'.*no amplifier at port 3") as caught:
        list(set_mirror("echo starting; echo no amplifier at port 3 >&2; exit 4", TILT, timeout_s=60))
    assert "TWINLENS_VOLTAGES" in caught.value.hint


def test_a_command_that_hangs_is_ended_with_everything_it_started(tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    os.mkfifo(alive)
    reader = os.open(alive, os.O_RDONLY | os.O_NONBLOCK)
    child = f"{sys.executable} -c \"import time; f = open('{alive}', 'w'); time.sleep(600)\""
    with pytest.raises(CaptureError, match=r"within 0\.2 s"):
        list(set_mirror(f"{child} & wait", TILT, timeout_s=0.2))
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b""  # nobody holds the other end any more
    os.close(reader)


def test_a_command_is_ended_when_nobody_waits_for_it_any_more() -> None:
    moving = set_mirror("sleep 600", TILT, timeout_s=600)
    next(moving)
    moving.close()  # a process left behind would be a ResourceWarning, and so an error
