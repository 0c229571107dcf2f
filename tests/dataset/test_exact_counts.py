"""Counts are met exactly by whole groups, or the error knows the nearest that are."""

import random
from collections import Counter
from collections.abc import Mapping
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from twinlens.dataset.exact_counts import exact_split, trimmed_split
from twinlens.dataset.schema import SPLITS
from twinlens.errors import SplitLeakError

Counts = tuple[int, int, int]


def pairs_in(sizes: Mapping[str, int], split_of: Mapping[str, str]) -> Counts:
    found = Counter[str]()
    for group, split in split_of.items():
        found[split] += sizes[group]
    return found["train"], found["val"], found["test"]


def sixty_scenes(seed: int) -> dict[str, int]:
    """1200 pairs in 60 scenes of 5 to 45 pairs."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(5, 36, 60)
    while sizes.sum() != 1200:
        k = rng.integers(60)
        sizes[k] = np.clip(sizes[k] + np.sign(1200 - sizes.sum()), 5, 45)
    return {f"scene {k}": int(size) for k, size in enumerate(sizes)}


@pytest.mark.parametrize("seed", range(5))
def test_1200_pairs_of_sixty_uneven_scenes_become_exactly_960_120_120(seed: int) -> None:
    sizes = sixty_scenes(seed)
    split_of = exact_split(sizes, seed=seed)
    assert split_of.keys() == sizes.keys()
    assert pairs_in(sizes, split_of) == (960, 120, 120)


@given(sizes=st.lists(st.integers(1, 9), min_size=3, max_size=9), splits=st.randoms(), seed=st.integers(0, 9))
def test_a_division_that_exists_is_found_in_any_order_of_groups(
    sizes: list[int], splits: random.Random, seed: int
) -> None:
    groups = {f"group {k}": size for k, size in enumerate(sizes)}
    counts = pairs_in(groups, {group: splits.choice(SPLITS) for group in groups})
    split_of = exact_split(groups, counts, seed=seed)
    assert pairs_in(groups, split_of) == counts
    shuffled = list(groups.items())
    splits.shuffle(shuffled)
    assert exact_split(dict(shuffled), counts, seed=seed) == split_of


@settings(deadline=None)
@given(sizes=st.lists(st.integers(1, 12), min_size=3, max_size=6), shares=st.tuples(*[st.integers(1, 5)] * 3))
def test_without_a_division_the_error_names_the_nearest_counts(sizes: list[int], shares: Counts) -> None:
    groups = {f"group {k}": size for k, size in enumerate(sizes)}
    total = sum(sizes)
    val, test = (max(1, total * share // 15) for share in shares[1:])
    asked = (total - val - test, val, test)
    assume(asked[0] > 0)
    possible = {pairs_in(groups, dict(zip(groups, p, strict=True))) for p in product(SPLITS, repeat=len(groups))}
    assume(asked not in possible)
    with pytest.raises(SplitLeakError) as caught:
        exact_split(groups, asked)

    def off(counts: Counts) -> int:
        return sum(abs(a - b) for a, b in zip(counts, asked, strict=True))

    least = min(off(counts) for counts in possible if min(counts) > 0)
    nearest = [c for c in possible if min(c) > 0 and off(c) == least]
    named = [c for c in nearest if caught.value.message.endswith(f"are {c[0]}, {c[1]} and {c[2]}")]
    assert len(named) == 1
    # What the hint proposes can be had.
    assert exact_split(groups, named[0])
    fewer = tuple(min(pair) for pair in zip(named[0], asked, strict=True))
    assert f"{fewer[0]},{fewer[1]},{fewer[2]} with --trim" in caught.value.hint
    assert trimmed_split(groups, (fewer[0], fewer[1], fewer[2]))


def test_counts_that_do_not_add_up_to_what_is_there_are_refused_with_both_numbers() -> None:
    sizes = sixty_scenes(1) | {"late": 7}
    with pytest.raises(SplitLeakError, match=r"1207 pairs gives 960, 120 and 120 .* nearest counts") as caught:
        exact_split(sizes)
    assert "960,120,120 with --trim" in caught.value.hint


def test_fewer_groups_than_splits_are_refused() -> None:
    with pytest.raises(SplitLeakError, match="2 groups are free"):
        exact_split({"a": 5, "b": 5}, (8, 1, 1))


def test_a_split_of_no_pairs_gets_no_group() -> None:
    split_of = exact_split({"a": 5, "b": 5, "c": 7}, (10, 0, 7))
    assert split_of == {"a": "train", "b": "train", "c": "test"}


@pytest.mark.parametrize("split", SPLITS)
def test_a_fixed_group_stays_and_the_counts_are_met_around_it(split: str) -> None:
    sizes = sixty_scenes(2)
    fixed = {"scene 3": next(name for name in SPLITS if name == split)}
    split_of = exact_split(sizes, fixed=fixed)
    assert split_of["scene 3"] == split
    assert pairs_in(sizes, split_of) == (960, 120, 120)


def test_a_fixed_group_that_is_too_large_for_its_split_is_refused() -> None:
    with pytest.raises(SplitLeakError, match="nearest counts of whole groups are 6, 9 and 3"):
        exact_split({"a": 9, "b": 3, "c": 6}, (12, 3, 3), fixed={"a": "val"})


def test_another_seed_examines_other_scenes() -> None:
    sizes = sixty_scenes(4)
    tested = {g for seed in range(20) for g, split in exact_split(sizes, seed=seed).items() if split == "test"}
    assert len(tested) > 40


def test_trimming_drops_just_the_surplus() -> None:
    sizes = {group: 2 * size for group, size in sixty_scenes(5).items()}
    # Sums of whole groups are even: one pair of each split is too many.
    trimmed = trimmed_split(sizes, (1919, 239, 239))
    kept = {group: sizes[group] - trimmed.drops.get(group, 0) for group in trimmed.split_of}
    assert pairs_in(kept, trimmed.split_of) == (1919, 239, 239)
    assert sorted(trimmed.drops.values()) == [1, 1, 1]


def test_trimming_leaves_whole_groups_out_before_it_cuts_into_one() -> None:
    trimmed = trimmed_split({f"group {k}": 10 for k in range(20)}, (100, 20, 20))
    assert trimmed.drops == {}
    assert len(trimmed.split_of) == 14


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 12), min_size=3, max_size=7),
    counts=st.tuples(*[st.integers(0, 15)] * 3),
    seed=st.integers(0, 9),
)
def test_trimming_reaches_counts_whenever_whole_groups_have_enough(
    sizes: list[int], counts: Counts, seed: int
) -> None:
    assume(sum(counts) > 0)
    groups = {f"group {k}": size for k, size in enumerate(sizes)}
    possible = {pairs_in(groups, dict(zip(groups, p, strict=True))) for p in product(SPLITS, repeat=len(groups))}
    if any(all(has >= asked for has, asked in zip(found, counts, strict=True)) for found in possible):
        trimmed = trimmed_split(groups, counts, seed=seed)
        kept = {group: groups[group] - trimmed.drops.get(group, 0) for group in trimmed.split_of}
        assert pairs_in(kept, trimmed.split_of) == counts
        assert min(kept.values()) >= 0
    else:
        with pytest.raises(SplitLeakError):
            trimmed_split(groups, counts, seed=seed)


def test_groups_too_large_to_give_every_split_enough_are_refused_with_counts_that_can_be_had() -> None:
    with pytest.raises(SplitLeakError, match="gives at least 300, 50 and 45") as caught:
        trimmed_split({f"group {k}": 20 + 20 * (k == 0) for k in range(19)}, (300, 50, 45))
    assert "300,50,40 with --trim" in caught.value.hint


def test_too_few_pairs_to_trim_are_refused_with_what_is_there() -> None:
    with pytest.raises(SplitLeakError, match="1200 together, and there are 1150 in 1 groups"):
        trimmed_split({"a": 1150})


def test_negative_counts_and_unknown_fixed_groups_are_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="negative"):
        exact_split({"a": 5}, (6, -1, 0))
    with pytest.raises(ValueError, match="fixed group"):
        exact_split({"a": 5}, (5, 0, 0), fixed={"b": "train"})
