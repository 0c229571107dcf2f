"""Draws are the same for the same seed: however many ranks share them, wherever the run was stopped."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twinlens.calibrate.align import AlignedPair
from twinlens.dataset import CropKey, PairCrops, PairedDataset, PairSampler, build_dataset, passport_weights
from twinlens.dataset.paired import PairSplit
from twinlens.errors import DatasetError

PairsMaker = Callable[..., Iterator[AlignedPair]]


@pytest.fixture
def split(dataset: PairedDataset) -> PairSplit:
    """Six pairs."""
    found = dataset.split("train")
    assert len(found) == 6
    return found


def epochs(sampler: PairSampler, count: int) -> list[list[CropKey]]:
    """What a run draws that trains on everything it is given."""
    drawn = []
    for _ in range(count):
        drawn.append(list(sampler))
        assert len(drawn[-1]) == len(sampler)
        sampler.advance(len(drawn[-1]))
    return drawn


def test_an_epoch_takes_every_pair_as_often_as_asked(split: PairSplit) -> None:
    for epoch in epochs(PairSampler(split, seed=0, repeats=3), 4):
        assert Counter(key.row for key in epoch) == dict.fromkeys(range(6), 3)


def test_draws_are_numbered_without_end(split: PairSplit) -> None:
    drawn = chain(*epochs(PairSampler(split, seed=0, repeats=2), 3))
    assert [key.draw for key in drawn] == list(range(36))


def test_another_epoch_and_another_seed_have_another_order(split: PairSplit) -> None:
    first, second = epochs(PairSampler(split, seed=0, repeats=5), 2)
    other = list(PairSampler(split, seed=1, repeats=5))
    assert len({tuple(key.row for key in drawn) for drawn in (first, second, other)}) == 3


@pytest.mark.parametrize("world_size", [2, 3, 4, 5])
@pytest.mark.parametrize("weights", [None, np.arange(6.0)], ids=["evenly", "weighted"])
def test_ranks_together_draw_what_one_process_draws(split: PairSplit, world_size: int, weights: Any) -> None:
    alone = list(chain(*epochs(PairSampler(split, seed=7, repeats=2, weights=weights), 6)))
    ranks = [
        epochs(
            PairSampler(split, seed=7, repeats=2, weights=weights, rank=rank, world_size=world_size),
            5,
        )
        for rank in range(world_size)
    ]
    for together in zip(*ranks, strict=True):
        assert len({len(epoch) for epoch in together}) == 1
    drawn = sorted(chain(*chain(*ranks)))
    assert drawn == alone[: len(drawn)]
    assert len(drawn) > 4 * 12


@pytest.mark.parametrize("stopped_after", [0, 1, 5, 11, 12, 17])
def test_a_resumed_run_draws_what_one_that_never_stopped_draws(split: PairSplit, stopped_after: int) -> None:
    whole = list(chain(*epochs(PairSampler(split, seed=3, repeats=2), 4)))
    stopped = PairSampler(split, seed=3, repeats=2)
    for _ in range(stopped_after):
        next(iter(stopped))
        stopped.advance(1)
    resumed = PairSampler(split, seed=3, repeats=2)
    resumed.load_state_dict(stopped.state_dict())
    assert list(resumed) == whole[stopped_after : 12 * (stopped_after // 12 + 1)]


def test_a_run_goes_on_with_another_number_of_ranks(split: PairSplit) -> None:
    whole = list(chain(*epochs(PairSampler(split, seed=3), 4)))
    two = [PairSampler(split, seed=3, rank=rank, world_size=2) for rank in range(2)]
    for sampler in two:
        sampler.advance(2)
    assert two[0].state_dict() == two[1].state_dict()
    three = [PairSampler(split, seed=3, rank=rank, world_size=3) for rank in range(3)]
    drawn = []
    for sampler in three:
        sampler.load_state_dict(two[0].state_dict())
        drawn += list(chain(*epochs(sampler, 3)))
    assert sorted(drawn) == whole[4 : 4 + len(drawn)]


def test_what_was_fetched_ahead_does_not_count(split: PairSplit) -> None:
    sampler = PairSampler(split, seed=0)
    ahead = iter(sampler)
    fetched = [next(ahead) for _ in range(4)]
    sampler.advance(1)
    assert next(ahead).draw == 4
    assert list(sampler)[:3] == fetched[1:]


def test_a_state_of_another_run_is_refused(split: PairSplit, dataset: PairedDataset) -> None:
    sampler = PairSampler(split, seed=0)
    for other in (PairSampler(split, seed=1), PairSampler(dataset.split("val"), seed=0)):
        with pytest.raises(DatasetError, match="the sampler's state is of"):
            sampler.load_state_dict(other.state_dict())


def test_weights_are_the_chances_of_being_drawn(split: PairSplit) -> None:
    weights = np.array([0.0, 1.0, 1.0, 2.0, 0.0, 4.0])
    drawn = Counter(key.row for key in PairSampler(split, seed=0, repeats=400, weights=weights))
    assert set(drawn) == {1, 2, 3, 5}
    # 2400 draws: the standard error of the most frequent is 24.
    np.testing.assert_allclose([drawn[k] for k in range(6)], 2400 * weights / 8, atol=100)


def test_passport_weights_halve_at_a_tenth_of_a_pixel(pair: Callable[..., AlignedPair], tmp_path: Path) -> None:
    passport = pair(0).passport
    residuals = (0.0, 0.1, 0.3)
    built = (
        pair(k, passport=replace(passport, residual_px=residuals[k % 3], residual_p95_px=0.5)) for k in range(12)
    )
    build_dataset(built, tmp_path / "d.h5")
    split = PairedDataset(tmp_path / "d.h5").split("train")
    expected = {0: 1.0, 1: 0.5, 2: 0.1}
    np.testing.assert_allclose(
        passport_weights(split), [expected[one.trigger_index % 3] for one in split], rtol=1e-6
    )
    drawn = Counter(
        split[key.row].trigger_index % 3 for key in PairSampler(split, seed=0, repeats=100, weights="passport")
    )
    assert drawn[0] > drawn[1] > drawn[2]


@pytest.mark.parametrize(
    "wrong",
    [{"repeats": 0}, {"rank": 2, "world_size": 2}, {"weights": np.ones(5)}, {"weights": np.zeros(6)}],
    ids=str,
)
def test_arguments_that_cannot_work_are_refused(split: PairSplit, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"repeats is|weights of shape"):
        PairSampler(split, seed=0, **wrong)


def test_more_ranks_than_draws_are_refused(split: PairSplit) -> None:
    with pytest.raises(DatasetError, match="6 train pairs are 6 draws for 7 ranks") as caught:
        PairSampler(split, seed=0, world_size=7)
    assert "repeats" in caught.value.hint


def test_a_state_of_another_dataset_is_refused(dataset: PairedDataset, pairs: PairsMaker, tmp_path: Path) -> None:
    build_dataset(pairs(10, session_id="another"), tmp_path / "other.h5")
    state = PairSampler(dataset.split("train"), seed=1).state_dict()
    other = PairSampler(PairedDataset(tmp_path / "other.h5").split("train"), seed=1)
    with pytest.raises(DatasetError, match="this sampler of"):
        other.load_state_dict(state)


def test_unknown_residuals_weigh_nothing_and_say_so(pairs: PairsMaker, tmp_path: Path) -> None:
    unknown = [replace(one, passport=replace(one.passport, residual_px=float("nan"))) for one in pairs(10)]
    build_dataset(unknown, tmp_path / "d.h5")
    train = PairedDataset(tmp_path / "d.h5").split("train")
    with pytest.raises(DatasetError, match=f"the residual of {len(train)} of {len(train)} train pairs is unknown"):
        PairSampler(train, seed=1, weights="passport")


def test_no_crops_are_drawn_from_an_empty_split(dataset: PairedDataset) -> None:
    with pytest.raises(DatasetError, match="no pair is in unused"):
        PairCrops(dataset.split("unused"), crop_px=16, seed=0)
