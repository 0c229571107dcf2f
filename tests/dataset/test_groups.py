"""Scenes that show the same thing are one group, whoever is named first."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinlens.dataset.groups import group_of_scenes
from twinlens.errors import SplitLeakError

names = st.sampled_from([f"scene {k}" for k in range(8)])
SCENES = [f"scene {k}" for k in range(8)]


def test_a_scene_without_ties_is_its_own_group() -> None:
    assert group_of_scenes(["tower", "car"], places={}, same=[]) == {"tower": "tower", "car": "car"}


def test_scenes_of_one_place_are_one_group_named_after_the_first() -> None:
    places = {"tower": "square", "car": "square", "bridge": "river"}
    found = group_of_scenes(["tower", "bridge", "car", "mill"], places=places, same=[])
    assert found == {"car": "car", "tower": "car", "bridge": "bridge", "mill": "mill"}


def test_an_empty_place_is_no_place() -> None:
    assert group_of_scenes("ab", places={"a": "", "b": ""}, same=[]) == {"a": "a", "b": "b"}


def test_ties_chain_across_places_and_pictures() -> None:
    found = group_of_scenes("abcd", places={"a": "x", "b": "x"}, same=[("c", "b"), ("d", "c")])
    assert set(found.values()) == {"a"}


@given(ties=st.lists(st.tuples(names, names), max_size=8), shuffle=st.randoms())
def test_groups_are_the_connected_scenes_in_any_order(ties: list[tuple[str, str]], shuffle: random.Random) -> None:
    found = group_of_scenes(SCENES, places={}, same=ties)
    assert all(found[a] == found[b] for a, b in ties)
    members = {group: {s for s in SCENES if found[s] == group} for group in found.values()}
    assert all(group == min(scenes) for group, scenes in members.items())
    # No more is tied than must be: within a group, ties reach every scene from the first.
    for group, scenes in members.items():
        reached = {group}
        for _ in SCENES:
            reached |= {x for tie in ties if reached & set(tie) for x in tie}
        assert reached == scenes
    shuffled, turned = SCENES[:], [tie[::-1] for tie in ties]
    shuffle.shuffle(shuffled)
    shuffle.shuffle(turned)
    assert group_of_scenes(shuffled, places={}, same=turned) == found


def test_a_place_of_a_scene_nobody_saw_is_refused() -> None:
    with pytest.raises(SplitLeakError, match="towr is given a place"):
        group_of_scenes(["tower"], places={"towr": "square"}, same=[])


def test_a_tie_to_a_scene_nobody_saw_is_refused() -> None:
    with pytest.raises(SplitLeakError, match="towr is tied"):
        group_of_scenes(["tower"], places={}, same=[("tower", "towr")])
