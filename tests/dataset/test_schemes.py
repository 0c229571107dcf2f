"""A scheme divides groups, meets what was asked, and depends on names and seed alone."""

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinlens.dataset.groups import Member
from twinlens.dataset.schemes import Scheme, SplitSettings, divide
from twinlens.errors import SettingsError, SplitLeakError


def recorded(sizes: Sequence[int], *, states: Sequence[str] = ("flat",)) -> list[Member]:
    """Pairs of scenes in the order they were taken, three scenes a session, states in turn."""
    scenes = [scene for scene, size in enumerate(sizes) for _ in range(size)]
    return [
        Member(f"pair {k}", f"scene {scene}", f"session {scene // 3}", k, states[k % len(states)])
        for k, scene in enumerate(scenes)
    ]


def sixty_scenes() -> list[Member]:
    """1200 pairs in 60 scenes of 5 to 45 pairs."""
    rng = np.random.default_rng(11)
    sizes = rng.integers(5, 36, 60)
    while sizes.sum() != 1200:
        k = rng.integers(60)
        sizes[k] = np.clip(sizes[k] + np.sign(1200 - sizes.sum()), 5, 45)
    return recorded(sizes.tolist())


def named(members: Sequence[Member], scheme: Scheme) -> dict[str, set[str]]:
    return {share: {members[row].pair_id for row in rows} for share, rows in scheme.rows.items()}


def scenes_in(members: Sequence[Member], scheme: Scheme, share: str) -> set[str]:
    return {members[row].scene for name, rows in scheme.rows.items() if name == share for row in rows}


def lengths(scheme: Scheme) -> list[int]:
    return [len(rows) for rows in scheme.rows.values()]


def test_960_120_120_are_met_exactly_and_shuffled_pairs_give_the_same() -> None:
    members = sixty_scenes()
    asked = SplitSettings(counts=(960, 120, 120), seed=5)
    scheme = divide(members, asked)
    assert lengths(scheme) == [960, 120, 120, 0]
    assert not scheme.leaky
    split_scenes = [scenes_in(members, scheme, split) for split in ("train", "val", "test")]
    assert sum(map(len, split_scenes)) == len(set.union(*split_scenes)) == 60
    shuffled = random.Random(1).sample(members, len(members))
    again = divide(shuffled, asked)
    assert named(shuffled, again) == named(members, scheme)
    assert all(list(rows) == sorted(rows) for rows in again.rows.values())


@given(
    sizes=st.lists(st.integers(2, 9), min_size=6, max_size=14),
    tie=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    state=st.sampled_from(["", "coma"]),
    shuffle=st.randoms(),
)
def test_no_group_is_divided_and_order_never_matters(
    sizes: list[int], tie: tuple[int, int], state: str, shuffle: random.Random
) -> None:
    members = recorded(sizes, states=("flat", "coma"))
    asked, same = SplitSettings(seed=3, leave_out_mirror_state=state), [(f"scene {tie[0]}", f"scene {tie[1]}")]
    scheme = divide(members, asked, same=same)
    assert sorted(row for rows in scheme.rows.values() for row in rows) == list(range(len(members)))
    groups_in = [
        {scheme.group_of[scene] for scene in scenes_in(members, scheme, split)}
        for split in ("train", "val", "test")
    ]
    assert sum(map(len, groups_in)) == len(set.union(*groups_in))
    shuffled = shuffle.sample(members, len(members))
    assert named(shuffled, divide(shuffled, asked, same=same)) == named(members, scheme)


@given(sizes=st.lists(st.integers(2, 9), min_size=1, max_size=2), shuffle=st.randoms())
def test_dividing_within_scenes_depends_on_no_order_either(sizes: list[int], shuffle: random.Random) -> None:
    members = [*recorded(sizes), Member("late", "scene 0", "session 0", 99, "flat")]
    asked = SplitSettings(allow_leaky=True)
    scheme = divide(members, asked)
    assert all(lengths(scheme)[:3])
    shuffled = shuffle.sample(members, len(members))
    assert named(shuffled, divide(shuffled, asked)) == named(members, scheme)


def test_counts_without_a_division_name_the_nearest() -> None:
    with pytest.raises(SplitLeakError, match="nearest counts of whole groups are 80, 10 and 10"):
        divide(recorded([10] * 10), SplitSettings(counts=(81, 10, 9)))


def test_trimming_lists_what_it_dropped_and_reaches_the_counts() -> None:
    members = recorded([10] * 10)
    asked = SplitSettings(counts=(75, 9, 8), trim=True)
    scheme = divide(members, asked)
    assert lengths(scheme) == [75, 9, 8, 8]
    assert set(scheme.dropped) == named(members, scheme)["unused"]
    shuffled = random.Random(1).sample(members, len(members))
    assert divide(shuffled, asked).dropped == scheme.dropped


def test_scenes_of_one_place_and_scenes_that_look_the_same_stay_together() -> None:
    members = recorded([5] * 8)
    places = {"scene 0": "mill", "scene 7": "mill"}
    for seed in range(10):
        scheme = divide(members, SplitSettings(seed=seed, places=places), same=[("scene 3", "scene 7")])
        homes = [split for split in ("train", "val", "test") if "scene 0" in scenes_in(members, scheme, split)]
        assert {"scene 0", "scene 3", "scene 7"} <= scenes_in(members, scheme, homes[0])
    assert scheme.group_of["scene 7"] == scheme.group_of["scene 3"] == "scene 0"


def test_an_assigned_scene_takes_its_whole_group_along() -> None:
    members = recorded([5] * 8)
    asked = SplitSettings(assignment={"scene 7": "test"}, places={"scene 0": "mill", "scene 7": "mill"})
    assert scenes_in(members, divide(members, asked), "test") == {"scene 0", "scene 7"}


@pytest.mark.parametrize(
    ("places", "same", "why"),
    [
        ({"scene 1": "mill", "scene 2": "mill"}, [], "both show the place mill"),
        ({}, [("scene 2", "scene 1")], "their pictures show the same"),
        ({}, [("scene 1", "scene 0"), ("scene 0", "scene 2")], "tie scene 0, scene 1, scene 2 together"),
    ],
)
def test_one_group_assigned_to_two_splits_is_refused_with_the_reason(
    places: dict[str, str], same: list[tuple[str, str]], why: str
) -> None:
    asked = SplitSettings(assignment={"scene 1": "train", "scene 2": "test"}, places=places)
    with pytest.raises(SplitLeakError, match="scene 1 is assigned to train and scene 2 to test") as caught:
        divide(recorded([5] * 8), asked, same=same)
    assert why in caught.value.message


def test_a_mirror_state_left_out_of_training_is_all_that_is_examined() -> None:
    members = recorded([9] * 10, states=("flat", "coma", "tilt"))
    scheme = divide(members, SplitSettings(leave_out_mirror_state="coma"))
    states = {s: {members[row].mirror_state for row in rows} for s, rows in scheme.rows.items()}
    assert states == {
        "train": {"flat", "tilt"},
        "val": {"flat", "tilt"},
        "test": {"coma"},
        "unused": states["unused"],
    }
    assert lengths(scheme) == [48, 6, 3, 33]
    assert not scenes_in(members, scheme, "train") & scenes_in(members, scheme, "test")
    assert scheme.dropped == ()


def test_an_unknown_mirror_state_is_refused_with_those_that_were_seen() -> None:
    with pytest.raises(
        SplitLeakError, match=r"at mirror state tilt; there are coma \(20 pairs\), flat \(20 pairs\)"
    ):
        divide(recorded([4] * 10, states=("flat", "coma")), SplitSettings(leave_out_mirror_state="tilt"))


def test_a_split_that_a_left_out_state_empties_is_refused_with_what_it_held() -> None:
    members = recorded([4] * 10)
    with pytest.raises(SplitLeakError, match=r"train has no pairs: its scenes were seen at flat \(32 pairs\)"):
        divide(members, SplitSettings(leave_out_mirror_state="flat"))


def test_too_few_groups_are_refused_and_named_with_their_scenes() -> None:
    with pytest.raises(SplitLeakError, match=r"3 scenes make 2 groups \(scene 0 \+ scene 2; scene 1\)") as caught:
        divide(recorded([5] * 3), SplitSettings(), same=[("scene 2", "scene 0")])
    assert "--allow-leaky" in caught.value.hint


@pytest.mark.parametrize("ratios", [(0.8, 0.1, 0.1), (8, 1, 1)])
def test_one_scene_divided_on_request_is_cut_into_runs_and_called_leaky(
    ratios: tuple[float, float, float],
) -> None:
    scheme = divide(recorded([20]), SplitSettings(ratios=ratios, allow_leaky=True))
    assert scheme.rows == {"train": tuple(range(16)), "val": (16, 17), "test": (18, 19), "unused": ()}
    assert scheme.leaky


def test_leave_is_not_taken_where_there_are_groups_enough() -> None:
    assert not divide(recorded([5] * 3), SplitSettings(allow_leaky=True)).leaky


def test_dividing_within_scenes_meets_counts_too() -> None:
    members = recorded([20, 20])
    assert lengths(divide(members, SplitSettings(counts=(30, 4, 6), allow_leaky=True))) == [30, 4, 6, 0]
    trimmed = divide(members, SplitSettings(counts=(30, 4, 4), allow_leaky=True, trim=True))
    assert lengths(trimmed) == [30, 4, 4, 2]
    assert len(trimmed.dropped) == 2
    with pytest.raises(SplitLeakError, match=r"30, 4, 4 pairs are asked .* there are 40"):
        divide(members, SplitSettings(counts=(30, 4, 4), allow_leaky=True))


def test_an_assigned_scene_stays_whole_where_others_are_divided() -> None:
    members = recorded([10, 30])
    scheme = divide(members, SplitSettings(assignment={"scene 0": "test"}, allow_leaky=True))
    assert scenes_in(members, scheme, "test") == {"scene 0"}
    assert lengths(scheme) == [26, 4, 10, 0]


@pytest.mark.parametrize("members", [[], recorded([2])])
def test_two_pairs_or_none_cannot_fill_three_splits(members: list[Member]) -> None:
    with pytest.raises(SplitLeakError):
        divide(members, SplitSettings(allow_leaky=True))


@pytest.mark.parametrize(
    "changes",
    [
        {"ratios": (0.9, 0.1, 0.0)},
        {"counts": (1, 2, -3)},
        {"counts": (0, 0, 0)},
        {"trim": True},
        {"counts": (8, 1, 1), "leave_out_mirror_state": "flat"},
        {"assignment": {"tower": "holdout"}},
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        SplitSettings.from_dict(changes)


def test_a_scene_nobody_saw_cannot_be_assigned() -> None:
    with pytest.raises(SplitLeakError, match="towr is assigned"):
        divide(recorded([5] * 3), SplitSettings(assignment={"towr": "test"}))


def test_a_pair_that_comes_twice_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="share their name"):
        divide([*recorded([5] * 3), recorded([1])[0]], SplitSettings())
