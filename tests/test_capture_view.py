"""What a person sees while recording and afterwards."""

import dataclasses
import io
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from rich.console import Console

from twinlens import console
from twinlens.capture.capture import CaptureReport
from twinlens.capture.clock import Skew
from twinlens.capture.pairing import Gap, Slip
from twinlens.verbs.capture_view import CaptureView, disk_left, live, ranges, show_capture, watched

REPORT = CaptureReport(
    session_id="s",
    folder="sessions/s",
    scene="street",
    pairs_wanted=50,
    pairs=12,
    scenes=1,
    triggers=15,
    frames={"a": 15, "b": 12},
    frames_lost=3,
    ledger=(
        Gap(3, "b", "lost on the network"),
        Gap(4, "b", "lost on the network"),
        Gap(9, "b", "incomplete"),
    ),
    skew=Skew("camera timestamps", 12.0, 40.0, 90.0, 31.4, 12.0),
    flushed_frames={},
    stream={
        "a": {"StreamPacketSize": 8000, "StreamLostPacketCount": 0},
        "b": {"StreamPacketSize": 1500, "Own": 7},
    },
    producer="twinlens_gev.cti",
    seconds=4.2,
    slips=(Slip("b", 11, 1), Slip("a", 13, -2)),
    rate_hz=20.0,
    queued={"a": 1, "b": 2},
    queue_high_water={"a": 3, "b": 5},
    disk_left_bytes=120_000_000_000,
    pair_bytes=10_000_000,
    saturated={"a": 0.0123, "b": 0.0},
    focus={"a": 8.25, "b": 3.5},
)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a terminal on standard error would get."""
    seen = io.StringIO()
    monkeypatch.setattr(console, "_err", Console(file=seen, force_terminal=True, width=100, highlight=False))
    monkeypatch.setattr(console, "REDRAW_S", 0.0)
    return seen


def test_the_live_view_tells_both_cameras_and_the_pair(terminal: io.StringIO) -> None:
    with console.board() as board:
        CaptureView(board, pairs_wanted=50).show(REPORT)
    seen = terminal.getvalue()
    for words in (
        "recording street",
        "12 of 50, 20.0 per second",
        "median 12, p95 40, max 90 us",
        "B incomplete 1, B lost on the network 2",
        "120.0 GB left, 10 min at this rate",
        "2 (at most 5)",
        "8.25",
        "1.23 %",
    ):
        assert words in seen


def test_the_live_view_is_gone_at_the_end(terminal: io.StringIO) -> None:
    with console.board() as board:
        CaptureView(board, pairs_wanted=50).show(REPORT)
    lines = terminal.getvalue().count("\n")
    assert terminal.getvalue().count("\x1b[2K") >= lines  # each of its lines was erased


def test_while_a_person_is_asked_no_figures_move_and_new_pictures_are_judged_once(terminal: io.StringIO) -> None:
    with console.board() as board:
        view = CaptureView(board, pairs_wanted=0)
        view.show(REPORT)
        assert list(watched(iter([None, ""]), view)) == [None, ""]
        view.wait("next: scene x")
        before = terminal.tell()
        view.show(dataclasses.replace(REPORT, focus={"a": 9.5, "b": 3.5}))  # B's is still of the frame before
        for _ in range(3):
            view.show(dataclasses.replace(REPORT, focus={"a": 9.5, "b": 4.5}))
        told = terminal.getvalue()[before:]
        assert told.count("A focus 9.50, saturated 1.23 %; B focus 4.50, saturated 0.00 %") == 1
        assert "recording" not in told


def test_without_a_terminal_a_line_comes_every_few_seconds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = iter(range(0, 1000, 2))
    monkeypatch.setattr(console, "time", SimpleNamespace(monotonic=lambda: float(next(now_s))))
    with console.board() as board:
        for _ in range(30):
            board.show(*live(REPORT, pairs_wanted=50))
    told = capsys.readouterr()
    assert told.out == ""
    lines = told.err.splitlines()
    assert 5 <= len(lines) <= 15
    assert lines[0].startswith("recording street; pairs 12 of 50")
    assert "B queue 2 (at most 5)" in lines[0]


def test_a_silent_board_says_nothing(capsys: pytest.CaptureFixture[str], terminal: io.StringIO) -> None:
    with console.board(is_silent=True) as board:
        CaptureView(board, pairs_wanted=50).show(REPORT)
    assert terminal.getvalue() == capsys.readouterr().err == ""


def test_the_summary_tells_how_the_session_went(capsys: pytest.CaptureFixture[str]) -> None:
    show_capture(REPORT)
    told = capsys.readouterr().out
    for words in (
        "12 of 50",
        "yes",
        "camera timestamps",
        "31 us, within 12 us",
        "3-4",
        "resynchronised: camera B from trigger 11 on (triggers without a frame: 1)",
        "resynchronised: camera A from trigger 13 on (frames without a trigger: 2)",
        "packet size, bytes",
        "8000",
        "Own",
    ):
        assert words in told
    assert "not synchronised" not in told


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"synchronised": False}, "NO: no trigger"),
        ({"skew": None}, "not measured"),
        ({"drift_ppm": -12.34}, "-12.3 ppm"),
        ({"ended": "camera B was unplugged"}, "camera B was unplugged"),
        ({"unasked_frames": 2}, "2, in no pair"),
        ({"armings": 2}, "came back"),
        ({"pairs_wanted": 0}, "pairs         12\n"),
    ],
)
def test_what_is_out_of_the_ordinary_is_told(
    change: dict[str, Any], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show_capture(dataclasses.replace(REPORT, **change))
    assert words in capsys.readouterr().out


def test_cameras_that_are_not_synchronised_show_no_skew_while_recording() -> None:
    figures = live(dataclasses.replace(REPORT, synchronised=False, armings=3), pairs_wanted=0)[1]
    assert figures["skew"] == "the cameras are not synchronised"
    assert figures["starts"].startswith("3")
    assert figures["pairs"].startswith("12, 20.0")


def test_no_rate_no_minutes() -> None:
    assert disk_left(dataclasses.replace(REPORT, rate_hz=0.0)) == "120.0 GB left"
    assert disk_left(dataclasses.replace(REPORT, rate_hz=1.0)) == "120.0 GB left, 3 h at this rate"


@given(some.sets(some.integers(0, 60)))
def test_ranges_hold_exactly_their_numbers(numbers: set[int]) -> None:
    told = ranges(numbers)
    found: list[int] = []
    for part in told.split(", ") if told else []:
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    assert found == sorted(numbers)
