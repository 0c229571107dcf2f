"""From options to takes: nothing is lost, nothing is asked for twice, and what waits says so."""

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as some

from twinlens.capture import plan as planning
from twinlens.capture.frame import MirrorState
from twinlens.capture.plan import Plan, parse_bracket_us, parse_duration_s, planned_takes, scene_takes
from twinlens.capture.report import Take
from twinlens.errors import CaptureError, SettingsError

STATES = (MirrorState("flat"), MirrorState("tilt", (1.0, -0.5), "V"), MirrorState("coma", (0.25, 3.0), "V"))


class Clock:
    """Time that passes only when somebody sleeps, or looks."""

    def __init__(self, look_s: float = 0.01) -> None:
        self.now_s = 0.0
        self._look_s = look_s

    def monotonic(self) -> float:
        self.now_s += self._look_s
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@given(
    pairs=some.integers(1, 200),
    burst=some.integers(0, 200),
    states=some.integers(1, 3),
    exposures=some.lists(some.integers(5, 1_000_000), max_size=3, unique=True),
)
def test_a_plan_asks_for_exactly_the_pairs_that_were_wanted(
    pairs: int, burst: int, states: int, exposures: list[int]
) -> None:
    if burst > pairs:
        with pytest.raises(SettingsError, match="bursts of"):
            Plan(pairs=pairs, burst=burst)
        return
    plan = Plan(pairs=pairs, burst=burst, mirror_states=STATES[:states], bracket_us=tuple(map(float, exposures)))
    takes = list(planned_takes(plan, "street"))
    points = list(itertools.product(STATES[:states], exposures or [None]))
    assert [
        point for point, _ in itertools.groupby((take.mirror_state, take.exposure_us) for take in takes)
    ] == points
    assert sum(take.pairs for take in takes) == pairs * len(points)
    for take in takes:
        take.require_sense()
        assert take.pairs <= (burst or pairs)
        assert (take.scene, take.kind, take.replaces_previous) == ("street", "scene", 0)


def test_a_retake_replaces_all_takes_before_it_once() -> None:
    takes = list(scene_takes(Plan(pairs=1, bracket_us=(10.0, 20.0)), "x", STATES[:2], replaces_previous=4))
    assert [take.replaces_previous for take in takes if take is not None] == [4, 0, 0, 0]


def test_bursts_start_at_their_rate_and_only_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(planning, "time", clock)
    starts = []
    for take in planned_takes(Plan(pairs=6, burst=2, burst_rate_hz=2.0), "x"):
        clock.now_s += 0.03 if take is None else 0.2  # listening; recording a burst
        if take is not None:
            starts.append(clock.now_s - 0.2)
    assert [later - earlier for earlier, later in itertools.pairwise(starts)] == pytest.approx(
        [0.5, 0.5], abs=0.05
    )


def test_a_burst_that_took_long_does_not_make_the_next_ones_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(0.0)
    monkeypatch.setattr(planning, "time", clock)
    starts = []
    for take in planned_takes(Plan(pairs=4, burst=1, burst_rate_hz=1.0), "x"):
        if take is None:
            clock.now_s += 0.01
            continue
        starts.append(clock.now_s)
        clock.now_s += 3.7 if len(starts) == 1 else 0.1
    assert [later - earlier for earlier, later in itertools.pairwise(starts)] == pytest.approx([3.7, 0.95, 1.0])


def test_bursts_for_a_time_end_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(planning, "time", clock)
    plan = Plan(duration_s=10.0, burst=3, burst_rate_hz=1.0)
    assert plan.waits
    takes = []
    for take in planned_takes(plan, "x"):
        clock.now_s += 0.03
        takes += [take] if take is not None else []
    assert 9 <= len(takes) <= 11
    assert {(take.pairs, take.duration_s) for take in takes} == {(3, 0.0)}


def test_a_duration_without_bursts_is_left_to_the_recording() -> None:
    assert planned_takes(Plan(duration_s=30.0), "x") == [Take("x", duration_s=30.0)]


def test_the_mirror_is_set_before_each_state(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[object] = []

    def move(command: str, state: MirrorState, *, timeout_s: float) -> Iterator[None]:
        done.append((command, state.label, timeout_s))
        yield

    monkeypatch.setattr(planning, "set_mirror", move)
    plan = Plan(pairs=2, mirror_states=STATES, before_each="move", before_each_timeout_s=7.0, bracket_us=(10, 20))
    for take in planned_takes(plan, "x"):
        done.append(None if take is None else take.mirror_state.label)  # noqa: PERF401 - `move` adds to it, too
    assert done == [
        event for label in ("flat", "tilt", "coma") for event in (("move", label, 7.0), None, label, label)
    ]


def test_a_mirror_that_cannot_be_set_ends_the_plan() -> None:
    plan = Plan(pairs=1, mirror_states=STATES, before_each="exit 3")
    with pytest.raises(CaptureError, match="exit code 3"):
        list(planned_takes(plan, "x"))


@pytest.mark.parametrize(
    ("values", "seen"),
    [
        ({}, "neither pairs nor a duration"),
        ({"pairs": 1, "duration_s": 1.0}, "both pairs and a duration"),
        ({"pairs": 1, "bracket_us": (1.0, 10.0)}, "1 us"),
        ({"pairs": 1, "bracket_us": (10.0, float("nan"))}, "nan us"),
        ({"pairs": 1, "bracket_us": (10.0, 10.0)}, "twice"),
        ({"pairs": 1, "mirror_states": ()}, "no mirror state"),
        ({"pairs": 1, "burst_rate_hz": -1.0}, "burst_rate_hz"),
    ],
)
def test_a_plan_that_cannot_work_is_refused(values: dict[str, object], seen: str) -> None:
    with pytest.raises(SettingsError, match=seen) as caught:
        Plan(**values)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("2min", 120), ("500ms", 0.5), ("1.5h", 5400), (" 10 S ", 10), (".5s", 0.5), ("7.s", 7)],
)
def test_durations_are_read_with_their_unit(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == pytest.approx(seconds)


@given(some.floats(0.001, 1e5), some.sampled_from(["ms", "s", "min", "h"]))
def test_every_duration_survives_being_written(number: float, unit: str) -> None:
    factor = {"ms": 1e-3, "s": 1, "min": 60, "h": 3600}[unit]
    assert parse_duration_s(f"{number:.6f}{unit}") == pytest.approx(round(number, 6) * factor)


@pytest.mark.parametrize("text", ["30", "", "s", "-3s", "0s", "3 days", "1e3s", "1,5s", "infs", "3s3s"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"30s|no time"):
        parse_duration_s(text)


def test_a_forgotten_unit_is_guessed_aloud() -> None:
    with pytest.raises(ValueError, match="90s would be seconds"):
        parse_duration_s("90")


def test_brackets_are_lists_of_exposures() -> None:
    assert parse_bracket_us("1000, 2000,4e3") == (1000.0, 2000.0, 4000.0)
    for text in ("", "1000", "1000,,2000", "1ms,2ms"):
        with pytest.raises(ValueError, match=r"1000,2000,4000|two or more"):
            parse_bracket_us(text)
