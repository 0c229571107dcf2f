"""Capture by hand: what a person types becomes takes, also when a pipe plays the person."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from twinlens.capture.frame import MirrorState
from twinlens.capture.interactive import interactive_takes, typed_lines
from twinlens.capture.plan import Plan
from twinlens.errors import SettingsError

STATES = (MirrorState("flat"), MirrorState("tilt"))


def by_hand(
    keys: Sequence[str | None], plan: Plan | None = None, **options: Any
) -> tuple[list[tuple[str, str, int]], list[str]]:
    """(scene, mirror state, replaced takes) of each take, and what was said."""
    said: list[str] = []
    takes = interactive_takes(plan or Plan(pairs=2), iter(keys), say=said.append, **options)
    told = [(take.scene, take.mirror_state.label, take.replaces_previous) for take in takes if take is not None]
    return told, said


def scenes(keys: Sequence[str | None], **options: Any) -> list[tuple[str, int]]:
    return [(scene, replaced) for scene, _, replaced in by_hand(keys, **options)[0]]


def test_each_enter_is_a_scene_of_its_own() -> None:
    assert scenes(["", "", "q", ""]) == [("scene-001", 0), ("scene-002", 0)]


def test_a_named_scene_stays_until_another_is_named() -> None:
    assert scenes(["", "", "n lamp post", "", "", "q"], scene="street") == [
        ("street", 0),
        ("street", 0),
        ("lamp post", 0),
        ("lamp post", 0),
    ]


def test_a_name_is_for_one_scene_where_scenes_change_with_each_enter() -> None:
    assert scenes(["n lamp", "", "", "q"]) == [("lamp", 0), ("scene-001", 0)]


def test_names_of_a_resumed_session_are_not_given_again() -> None:
    assert scenes(["", ""], taken_scenes=["scene-001", "scene-003"]) == [("scene-002", 0), ("scene-004", 0)]


def test_r_takes_the_last_again_and_again() -> None:
    assert scenes(["", "r", "r", "", "q"]) == [
        ("scene-001", 0),
        ("scene-001", 1),
        ("scene-001", 1),
        ("scene-002", 0),
    ]


def test_r_rejects_a_whole_bracket() -> None:
    plan = Plan(pairs=1, bracket_us=(10.0, 20.0, 40.0))
    told, _ = by_hand(["", "r", "q"], plan)
    assert [replaced for _, _, replaced in told] == [0, 0, 0, 3, 0, 0]


def test_r_before_anything_was_taken_takes_nothing() -> None:
    told, said = by_hand(["r", "q"])
    assert told == []
    assert any("nothing was taken yet" in text for text in said)


def test_a_sweep_by_hand_goes_from_state_to_state_and_then_to_the_next_scene() -> None:
    told, said = by_hand(["", "", "r", "", "q"], Plan(pairs=1, mirror_states=STATES))
    assert told == [
        ("scene-001", "flat", 0),
        ("scene-001", "tilt", 0),
        ("scene-001", "tilt", 1),
        ("scene-002", "flat", 0),
    ]
    assert "next: scene scene-001, mirror state tilt (2 of 2)" in said


def test_a_sweep_by_command_is_one_enter() -> None:
    told, _ = by_hand(["", "q"], Plan(pairs=1, mirror_states=STATES, before_each="true"))
    assert [state for _, state, _ in told] == ["flat", "tilt"]


def test_what_means_nothing_is_told_and_takes_nothing() -> None:
    told, said = by_hand(["quit", "n", "n  ", "R", "q"])
    assert told == []
    assert sum("means nothing" in text for text in said) == 2
    assert sum("scene's name" in text for text in said) == 2


def test_waiting_for_a_key_leaves_time_for_the_cameras() -> None:
    takes = interactive_takes(Plan(pairs=1), iter([None, None, "", None, "q"]), say=lambda _: None)
    assert [take if take is None else take.pairs for take in takes] == [None, None, 1, None]


def test_the_end_of_the_keys_ends_the_session_like_q() -> None:
    assert scenes([""]) == [("scene-001", 0)]


def test_keys_that_end_before_anything_was_taken_are_refused() -> None:
    with pytest.raises(SettingsError, match="standard input is closed") as caught:
        by_hand(["n lamp", None])
    assert "--pairs" in caught.value.hint


@pytest.fixture
def pipe() -> Iterator[tuple[int, Any]]:
    """The end to type into, and a stream to read from."""
    far, near = os.pipe()
    with os.fdopen(far) as stream:
        yield near, stream


def test_lines_come_through_a_pipe_whole(pipe: tuple[int, Any]) -> None:
    near, stream = pipe
    lines = typed_lines(stream)
    assert next(lines) is None
    os.write(near, b"n lam")
    assert next(lines) is None
    os.write(near, "p ä\n\nr\nq".encode())
    os.close(near)
    assert [line for line in lines if line is not None] == ["n lamp ä", "", "r", "q"]


def test_a_closed_input_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("q\n")
    closed = (tmp_path / "keys").open()
    closed.close()
    for stream in (None, closed):
        with pytest.raises(SettingsError, match="standard input is closed"):
            typed_lines(stream)
