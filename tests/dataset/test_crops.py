"""A crop is determined by seed, draw and pair: not by the process that reads it, nor by how that was started."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, StackDataset

from twinlens.calibrate.align import AlignedPair
from twinlens.dataset import (
    Augment,
    Batch,
    Crop,
    CropKey,
    CropLoader,
    DatasetSettings,
    PairCrops,
    PairedDataset,
    PairSampler,
    build_dataset,
)
from twinlens.dataset.paired import PairSplit
from twinlens.errors import DatasetError

PairsMaker = Callable[..., Iterator[AlignedPair]]
EVERYTHING = Augment(dihedral=True, brightness_jitter=0.2)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def splits(pairs: PairsMaker, tmp_path: Path) -> tuple[PairSplit, PairSplit]:
    """The same pairs, contiguous and in tiles."""
    found = []
    for layout in ("contiguous", "tiles"):
        path = tmp_path / f"{layout}.h5"
        build_dataset(pairs(8, shape_hw=(150, 200)), path, settings=DatasetSettings(layout=layout))
        found.append(PairedDataset(path).split("train"))
    return found[0], found[1]


def test_400_crops_are_the_same_however_workers_are_started(splits: tuple[PairSplit, PairSplit]) -> None:
    sampler = PairSampler(splits[0], seed=5, repeats=100)
    keys = list(islice(sampler, 400))
    both = StackDataset(*(PairCrops(split, crop_px=48, seed=5, augment=EVERYTHING) for split in splits))
    expected = [both[key] for key in keys]
    assert all(same(contiguous, tiles) for contiguous, tiles in expected)
    assert len({crop.input.tobytes() for crop, _ in expected}) == 400
    for start_method in ("fork", "spawn", "forkserver"):
        loader = DataLoader(
            both, sampler=keys, batch_size=None, num_workers=2, multiprocessing_context=start_method
        )
        found = list(loader)
        assert len(found) == 400
        for mine, other in zip(expected, found, strict=True):
            assert all(same(one, two) for one, two in zip(mine, other, strict=True))


def same(one: Crop, two: Crop) -> bool:
    return (one.index, one.top, one.left) == (two.index, two.top, two.left) and all(
        getattr(one, name).dtype == getattr(two, name).dtype
        and np.array_equal(getattr(one, name), getattr(two, name))
        for name in ("input", "target", "mask")
    )


def test_a_crop_is_the_named_place_of_its_pair(splits: tuple[PairSplit, PairSplit]) -> None:
    for split in splits:
        crops = PairCrops(split, crop_px=48, seed=0)
        for key in PairSampler(split, seed=0, repeats=5):
            crop, pair = crops[key], split[key.row]
            place = np.s_[crop.top : crop.top + 48, crop.left : crop.left + 48]
            np.testing.assert_array_equal(crop.input, pair.input[place])
            np.testing.assert_array_equal(crop.target, pair.target[place])
            np.testing.assert_array_equal(crop.mask, pair.mask[place])


def test_augmentation_does_not_move_a_crop(splits: tuple[PairSplit, PairSplit]) -> None:
    plain, turned = (PairCrops(splits[0], crop_px=48, seed=0, augment=how) for how in (None, EVERYTHING))
    for draw in range(20):
        one, other = plain[CropKey(draw, 1)], turned[CropKey(draw, 1)]
        assert (one.top, one.left) == (other.top, other.left)


def test_draw_pair_and_seed_each_give_another_crop(splits: tuple[PairSplit, PairSplit]) -> None:
    crops, reseeded = (PairCrops(splits[0], crop_px=48, seed=seed) for seed in (0, 1))
    seen = [crops[0, 1], crops[1, 1], crops[0, 2], reseeded[0, 1]]
    assert len({(crop.top, crop.left) for crop in seen}) == 4


@pytest.mark.parametrize("layout", ["contiguous", "tiles"])
def test_10_bit_full_scale_is_1023(pairs: PairsMaker, tmp_path: Path, layout: str) -> None:
    full = np.full((150, 200), 1023, np.uint16)
    built = pairs(8, shape_hw=(150, 200), bit_depth=10, input=full, target=full // 3)
    build_dataset(built, tmp_path / "d.h5", settings=DatasetSettings(layout=layout))
    split = PairedDataset(tmp_path / "d.h5").split("train")
    crops = PairCrops(split, crop_px=48, seed=0)
    assert crops[0, 0].input.dtype == np.uint16
    batch = next(iter(CropLoader(crops, PairSampler(split, seed=0), batch_size=2)))
    assert batch.input.shape == batch.target.shape == batch.mask.shape == (2, 1, 48, 48)
    assert batch.input.dtype == torch.float32
    assert torch.all(batch.input == 1.0)
    torch.testing.assert_close(batch.target, torch.full((2, 1, 48, 48), 1 / 3))


def loader(split: PairSplit, **options: int) -> CropLoader:
    crops = PairCrops(split, crop_px=48, seed=2, augment=EVERYTHING)
    return CropLoader(crops, PairSampler(split, seed=2, repeats=6), batch_size=4, **options)


def inputs(batches: Iterator[Batch] | CropLoader) -> list[torch.Tensor]:
    return [batch.input.clone() for batch in batches]


def test_a_loader_with_workers_resumes_after_any_batch(splits: tuple[PairSplit, PairSplit]) -> None:
    whole = loader(splits[0])
    expected = inputs(whole) + inputs(whole)
    stopped = loader(splits[0], workers=1)
    found = inputs(islice(stopped, 3))
    state = stopped.sampler.state_dict()
    assert state["position"] == 12  # though workers have read ahead
    resumed = loader(splits[1])
    resumed.sampler.load_state_dict(state)
    assert len(resumed) == len(expected) // 2 - 3
    again = found + inputs(resumed) + inputs(resumed)
    assert all(torch.equal(one, two) for one, two in zip(again, expected, strict=True))
    # The run that was stopped may also go on itself, with the workers it has.
    again = found + inputs(stopped) + inputs(stopped)
    assert all(torch.equal(one, two) for one, two in zip(again, expected, strict=True))


def test_a_loader_of_ones_own_makes_the_same_batches(splits: tuple[PairSplit, PairSplit]) -> None:
    crops, sampler = PairCrops(splits[1], crop_px=48, seed=2, augment=EVERYTHING), PairSampler(splits[1], seed=2)
    own = list(DataLoader(crops, sampler=sampler, batch_size=3, collate_fn=crops.collate))
    ours = list(CropLoader(crops, sampler, batch_size=3))
    for one, other in zip(own, ours, strict=True):
        for name in ("input", "target", "mask"):
            assert torch.equal(getattr(one, name), getattr(other, name))
            assert getattr(one, name).is_contiguous()


def test_crops_larger_than_the_frame_are_refused_at_once(splits: tuple[PairSplit, PairSplit]) -> None:
    with pytest.raises(DatasetError, match="200x150 px, crops of 151 px"):
        PairCrops(splits[0], crop_px=151, seed=0)
