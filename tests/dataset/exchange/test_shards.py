"""Shards feed a training: every pair once per round, whichever node and worker reads it."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from twinlens.dataset import CropDraw, ExportSettings, PairedDataset, ShardCrops, export_dataset
from twinlens.dataset.shards import pairs_of, split_by_node
from twinlens.errors import DatasetError, FormatError, SettingsError

DRAW = CropDraw(crop_px=16, crops_per_pair=2, buffered_crops=5)


@pytest.fixture
def dataset(built: Callable[..., PairedDataset]) -> PairedDataset:
    return built(bit_depth=10)


@pytest.fixture
def folder(dataset: PairedDataset, tmp_path: Path) -> Path:
    """Shards of two or so pairs each."""
    export_dataset(dataset, tmp_path / "shards", to="webdataset", settings=ExportSettings(shard_bytes=45_000))
    return tmp_path / "shards"


def test_shards_hold_the_pairs_of_their_split(folder: Path, dataset: PairedDataset) -> None:
    pairs = [pair for shard in sorted(folder.glob("train-*.tar")) for pair in pairs_of(shard)]
    assert [pair.index for pair in pairs] == list(range(len(dataset.split("train"))))
    for read, stored in zip(pairs, dataset.split("train"), strict=True):
        np.testing.assert_array_equal(read.input, stored.input)
        np.testing.assert_array_equal(read.target, stored.target)
        np.testing.assert_array_equal(read.mask, stored.mask)
        assert read.bit_depth == 10


def test_a_crop_shows_one_place_of_one_pair(folder: Path, dataset: PairedDataset) -> None:
    split = dataset.split("train")
    for crop in islice(ShardCrops(folder, "train", DRAW), 50):
        pair = split[crop.index]
        place = np.s_[crop.top : crop.top + 16, crop.left : crop.left + 16]
        for name in ("input", "target", "mask"):
            np.testing.assert_array_equal(getattr(crop, name), getattr(pair, name)[place])


@pytest.mark.parametrize("seed", range(3))
def test_two_nodes_see_disjoint_pairs_and_together_all(folder: Path, dataset: PairedDataset, seed: int) -> None:
    draw = CropDraw(crop_px=16, crops_per_pair=1, buffered_crops=1, seed=seed)
    seen = []
    for rank in range(2):
        crops = ShardCrops(folder, "train", draw, rank=rank, world_size=2)
        order = np.random.default_rng((seed, 0)).permutation(len(crops.shards))
        mine = split_by_node([crops.shards[k] for k in order], rank, 2)
        count = sum(1 for shard in mine for _ in pairs_of(shard))
        seen.append([crop.index for crop in islice(crops, count)])
    assert not set(seen[0]) & set(seen[1])
    assert sorted(seen[0] + seen[1]) == list(range(len(dataset.split("train"))))


def test_workers_share_a_nodes_shards(folder: Path, dataset: PairedDataset) -> None:
    crops = ShardCrops(folder, "train", CropDraw(crop_px=16, crops_per_pair=1, buffered_crops=1))
    workers = min(2, len(crops.shards))
    loader = DataLoader(crops, batch_size=2, num_workers=workers, collate_fn=crops.collate, timeout=60)
    batches = list(islice(loader, 12))
    assert all(batch.input.shape == (2, 1, 16, 16) for batch in batches)
    seen = {batch.input[k].numpy().tobytes() for batch in batches for k in range(2)}
    assert len(seen) > len(dataset.split("train"))  # crops differ from round to round and from worker to worker


def test_more_workers_than_shards_end_in_peace(folder: Path) -> None:
    crops = ShardCrops(folder, "val", DRAW)
    assert len(crops.shards) == 1
    loader = DataLoader(crops, batch_size=1, num_workers=2, collate_fn=crops.collate, timeout=60)
    assert len(list(islice(loader, 6))) == 6


def test_the_same_seed_gives_the_same_crops(folder: Path) -> None:
    def some(seed: int) -> list[tuple[int, int, int]]:
        draw = CropDraw(crop_px=16, seed=seed, buffered_crops=7)
        return [(crop.index, crop.top, crop.left) for crop in islice(ShardCrops(folder, "train", draw), 60)]

    assert some(1) == some(1)
    assert some(1) != some(2)


def test_a_buffer_mixes_pairs_and_loses_none(folder: Path, dataset: PairedDataset) -> None:
    draw = CropDraw(crop_px=16, crops_per_pair=8, buffered_crops=40)
    found = [crop.index for crop in islice(ShardCrops(folder, "train", draw), 8)]
    assert len(set(found)) > 1
    # Whoever waits longest has left the buffer after a few rounds.
    many = [crop.index for crop in islice(ShardCrops(folder, "train", draw), 600)]
    assert set(many) == set(range(len(dataset.split("train"))))


def test_a_crop_in_the_buffer_holds_no_frame(folder: Path) -> None:
    crop = next(iter(ShardCrops(folder, "train", DRAW)))
    assert crop.input.base is None
    assert crop.input.shape == (16, 16)


def test_full_scale_becomes_one(folder: Path) -> None:
    crops = ShardCrops(folder, "train", DRAW)
    some = list(islice(crops, 4))
    batch = crops.collate(some)
    assert batch.input.dtype == torch.float32
    np.testing.assert_array_equal(batch.input[2, 0].numpy(), some[2].input / np.float32(1023))


def test_shards_spread_over_16_bits_give_the_same_crops(
    folder: Path, dataset: PairedDataset, tmp_path: Path
) -> None:
    settings = ExportSettings(shard_bytes=45_000, full_range=True)
    export_dataset(dataset, tmp_path / "bright", to="webdataset", settings=settings)
    plain = {pair.key: pair for shard in folder.glob("*.tar") for pair in pairs_of(shard)}
    for shard in (tmp_path / "bright").glob("*.tar"):
        for pair in pairs_of(shard):
            np.testing.assert_array_equal(pair.input, plain[pair.key].input)
            assert pair.bit_depth == 10


def test_what_cannot_work_is_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="56x40 px, crops of 41 px"):
        ShardCrops(folder, "train", CropDraw(crop_px=41))
    with pytest.raises(DatasetError, match="1 shards of val, 2 nodes"):
        ShardCrops(folder, "val", DRAW, world_size=2)
    with pytest.raises(FormatError, match="no train shards"):
        ShardCrops(tmp_path, "train", DRAW)
    with pytest.raises(SettingsError, match="crops_per_pair"):
        CropDraw(crop_px=16, crops_per_pair=0)
    shard = sorted(folder.glob("test-*.tar"))[0]
    shard.write_bytes(shard.read_bytes()[:4000])
    with pytest.raises(FormatError, match=shard.name):
        list(pairs_of(shard))
