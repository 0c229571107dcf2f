"""Scenes are never divided, and the shares come as near as whole scenes allow."""

import random
from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinlens.dataset.splits import split_scenes
from twinlens.errors import SplitLeakError

scene_counts = st.dictionaries(st.text(min_size=1, max_size=8), st.integers(1, 50), min_size=3, max_size=20)


def pairs_in(split: str, counts: Mapping[str, int], split_of: Mapping[str, str]) -> int:
    return sum(count for scene, count in counts.items() if split_of[scene] == split)


@given(counts=scene_counts, seed=st.integers(0, 99))
def test_every_scene_lies_in_one_split_and_no_split_is_empty(counts: dict[str, int], seed: int) -> None:
    split_of = split_scenes(counts, seed=seed)
    assert split_of.keys() == counts.keys()
    assert set(split_of.values()) == {"train", "val", "test"}


@given(counts=scene_counts, seed=st.integers(0, 99), shuffle=st.randoms())
def test_the_order_of_scenes_does_not_matter(counts: dict[str, int], seed: int, shuffle: random.Random) -> None:
    shuffled = list(counts.items())
    shuffle.shuffle(shuffled)
    assert split_scenes(dict(shuffled), seed=seed) == split_scenes(counts, seed=seed)


@given(sizes=st.lists(st.integers(1, 9), min_size=4, max_size=8), seed=st.integers(0, 99))
def test_validation_comes_as_near_to_its_share_as_any_set_of_scenes_would(sizes: list[int], seed: int) -> None:
    counts = {f"scene {k}": size for k, size in enumerate(sizes)}
    wanted = 0.2 * sum(sizes)
    found = pairs_in("val", counts, split_scenes(counts, ratios=(0.5, 0.2, 0.3), seed=seed))
    # Two of the largest scenes are kept for the splits that are filled later.
    offered = sorted(sizes)[:-2]
    possible = [sum(some) for n in range(1, len(offered) + 1) for some in combinations(offered, n)]
    assert abs(found - wanted) == pytest.approx(min(abs(total - wanted) for total in possible))


def test_twelve_equal_scenes_give_ten_to_training_and_one_each_to_the_others() -> None:
    counts = {f"scene {k}": 2 for k in range(12)}
    split_of = split_scenes(counts)
    assert [pairs_in(split, counts, split_of) for split in ("train", "val", "test")] == [20, 2, 2]


def test_the_960_120_120_of_sixty_uneven_scenes_is_met_exactly() -> None:
    sizes = np.random.default_rng(3).integers(5, 36, 60)
    sizes[0] += 1200 - sizes.sum()
    counts = {f"scene {k}": int(size) for k, size in enumerate(sizes)}
    split_of = split_scenes(counts, ratios=(960, 120, 120))
    assert [pairs_in(split, counts, split_of) for split in ("train", "val", "test")] == [960, 120, 120]


def test_another_seed_examines_other_scenes() -> None:
    counts = {f"scene {k}": 2 for k in range(12)}
    tested = {s for seed in range(20) for s, split in split_scenes(counts, seed=seed).items() if split == "test"}
    assert len(tested) > 4


def test_an_assigned_scene_goes_where_it_was_told_and_the_rest_is_drawn() -> None:
    counts = {f"scene {k}": 2 for k in range(6)}
    split_of = split_scenes(counts, assignment={"scene 1": "test", "scene 2": "test"})
    assert {scene for scene, split in split_of.items() if split == "test"} == {"scene 1", "scene 2"}
    assert set(split_of.values()) == {"train", "val", "test"}


def test_three_assigned_scenes_need_no_draw() -> None:
    wish = {"tower": "train", "bridge": "val", "car": "test"}
    assert split_scenes(dict.fromkeys(wish, 4), assignment=wish) == wish


@pytest.mark.parametrize(
    ("counts", "assignment"),
    [
        ({}, {}),
        ({"tower": 9}, {}),
        ({"tower": 9, "bridge": 9}, {}),
        ({"tower": 9, "bridge": 9, "car": 9}, {"tower": "train", "bridge": "train"}),
    ],
)
def test_too_few_scenes_for_three_splits_are_refused_by_name(
    counts: dict[str, int], assignment: dict[str, str]
) -> None:
    with pytest.raises(SplitLeakError, match=f"{len(counts)} scenes .*") as caught:
        split_scenes(counts, assignment=assignment)
    assert all(scene in caught.value.message for scene in counts)
    assert "capture more scenes" in caught.value.hint


def test_an_assignment_of_a_scene_nobody_saw_is_refused() -> None:
    with pytest.raises(SplitLeakError, match="towr"):
        split_scenes({"tower": 1, "bridge": 1, "car": 1}, assignment={"towr": "test"})


def test_an_assignment_to_an_unknown_split_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="holdout"):
        split_scenes({"tower": 1, "bridge": 1, "car": 1}, assignment={"tower": "holdout"})
