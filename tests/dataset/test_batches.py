"""Crops are the same place of every picture, valid where they can be, and the same for the same seed."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from twinlens.calibrate.align import AlignedPair
from twinlens.dataset import PairedDataset, as_batch, build_dataset, random_batches, random_crops
from twinlens.dataset.paired import PairSplit
from twinlens.errors import DatasetError

PairMaker = Callable[..., AlignedPair]
Built = Callable[..., PairSplit]


@pytest.fixture
def train(tmp_path: Path) -> Built:
    """The training split of given pairs."""

    def built(pairs: Iterator[AlignedPair]) -> PairSplit:
        build_dataset(pairs, tmp_path / "d.h5", overwrite=True)
        return PairedDataset(tmp_path / "d.h5").split("train")

    return built


def test_every_crop_shows_one_place_of_one_pair(dataset: PairedDataset) -> None:
    split = dataset.split("train")
    for crop in islice(random_crops(split, crop_px=16, rng=np.random.default_rng(0)), 60):
        pair = split[crop.index]
        place = np.s_[crop.top : crop.top + 16, crop.left : crop.left + 16]
        np.testing.assert_array_equal(crop.input, pair.input[place])
        np.testing.assert_array_equal(crop.target, pair.target[place])
        np.testing.assert_array_equal(crop.mask, pair.mask[place])


def test_a_round_takes_every_pair_once(dataset: PairedDataset) -> None:
    split = dataset.split("train")
    crops = random_crops(split, crop_px=8, rng=np.random.default_rng(0))
    for _ in range(5):
        assert sorted(crop.index for crop in islice(crops, len(split))) == list(range(len(split)))


def test_crops_reach_every_corner(dataset: PairedDataset) -> None:
    crops = list(islice(random_crops(dataset.split("train"), crop_px=30, rng=np.random.default_rng(0)), 900))
    assert {crop.top for crop in crops} == set(range(11))
    # The left 4 columns are invalid: 1 of 30 may be in, more would be under 95 % valid.
    assert {crop.left for crop in crops} == set(range(3, 27))


def test_crops_are_valid_where_a_valid_place_exists(pair: PairMaker, train: Built) -> None:
    half = np.zeros((40, 56), np.bool_)
    half[:, 28:] = True
    split = train(pair(k, mask=half) for k in range(10))
    crops = list(islice(random_crops(split, crop_px=8, rng=np.random.default_rng(0)), 300))
    # 43 % of places are valid: 8 draws all fail in 1 of 90 crops.
    assert np.mean([crop.mask.mean() >= 0.95 for crop in crops]) > 0.95


def test_a_pair_without_a_valid_place_gives_its_best_and_says_so(pair: PairMaker, train: Built) -> None:
    corner = np.zeros((40, 56), np.bool_)
    corner[0, 0] = True
    split = train(pair(k, mask=corner) for k in range(10))
    crop = next(random_crops(split, crop_px=8, rng=np.random.default_rng(0)))
    assert crop.mask.sum() <= 1


def test_the_same_seed_gives_the_same_batches(dataset: PairedDataset) -> None:
    split = dataset.split("train")

    def some(seed: int) -> torch.Tensor:
        rng = np.random.default_rng(seed)
        batches = random_batches(split, crop_px=16, batch_size=4, rng=rng, steps=5)
        return torch.stack([batch.input for batch in batches])

    assert torch.equal(some(1), some(1))
    assert not torch.equal(some(1), some(2))


@pytest.mark.parametrize("bit_depth", [8, 10, 12])
def test_full_scale_becomes_one(pair: PairMaker, train: Built, bit_depth: int) -> None:
    dtype = np.uint8 if bit_depth == 8 else np.uint16
    full = np.full((40, 56), 2**bit_depth - 1, dtype)
    split = train(pair(k, bit_depth=bit_depth, input=full, target=full // 3) for k in range(10))
    batch = next(random_batches(split, crop_px=16, batch_size=2, rng=np.random.default_rng(0), steps=1))
    assert batch.input.shape == batch.target.shape == batch.mask.shape == (2, 1, 16, 16)
    assert batch.input.dtype == batch.target.dtype == batch.mask.dtype == torch.float32
    assert torch.all(batch.input == 1.0)
    torch.testing.assert_close(batch.target, torch.full((2, 1, 16, 16), (full[0, 0] // 3) / (2**bit_depth - 1)))


def test_a_batch_holds_exactly_the_pixels_divided(dataset: PairedDataset) -> None:
    pair = dataset.split("val")[0]
    batch = as_batch([pair], bit_depth=dataset.bit_depth)
    np.testing.assert_array_equal(batch.input[0, 0].numpy(), pair.input / np.float32(255))
    np.testing.assert_array_equal(batch.mask[0, 0].numpy(), pair.mask)


def test_as_many_batches_as_asked(dataset: PairedDataset) -> None:
    rng = np.random.default_rng(0)
    assert len(list(random_batches(dataset.split("val"), crop_px=8, batch_size=3, rng=rng, steps=7))) == 7


def test_crops_larger_than_the_frame_are_refused_at_once(dataset: PairedDataset) -> None:
    with pytest.raises(DatasetError, match="56x40 px, crops of 41 px") as caught:
        random_crops(dataset.split("train"), crop_px=41, rng=np.random.default_rng(0))
    assert "at most 40" in caught.value.hint
