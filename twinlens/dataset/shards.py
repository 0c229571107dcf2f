"""Training from WebDataset shards: sequential reads, so that a network's or a bucket's disk is fast enough.

Decoding a whole frame costs far more than a crop of it; so each decoded pair gives several crops, and a bounded
buffer mixes them with those of other pairs. Crops and batches are those that datasets give.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import IterableDataset, get_worker_info

from twinlens.dataset.batches import Batch, as_batch
from twinlens.dataset.exchange.pictures import decoded, in_channels
from twinlens.dataset.exchange.webdataset import samples, shards_of
from twinlens.dataset.patches import Crop, valid_place
from twinlens.dataset.schema import SplitName
from twinlens.errors import DatasetError, FormatError
from twinlens.pixels import Mask, Picture
from twinlens.settings import Settings


@dataclass(frozen=True, slots=True)
class ShardPair:
    """One decoded pair of a shard."""

    key: str
    input: Picture
    target: Picture
    mask: Mask
    bit_depth: int
    index: int
    """Of the pair within its split; -1 where the shard does not tell."""


@dataclass(frozen=True, kw_only=True)
class CropDraw(Settings):
    """How crops are drawn from shards."""

    crop_px: int
    crops_per_pair: int = 8
    """From each decoded pair, before the next is decoded."""
    buffered_crops: int = 256
    """Kept to be mixed: 50 MB at 256 px and 8 bit."""
    seed: int = 0

    def check(self) -> None:
        """Raise `SettingsError` where a value cannot work."""
        for name in ("crop_px", "crops_per_pair", "buffered_crops"):
            self.require(name, minimum=1, maximum=1e9)


class ShardCrops(IterableDataset[Crop]):
    """Random crops of a split's shards; every node and every worker reads shards of its own.

    Rounds have no end: shards are dealt anew in each, and all nodes together read every shard once per round. The
    same seed, node and worker give the same crops. Give `collate` to a `DataLoader` to get batches.

    Raises:
        FormatError: the folder has no shards of the split, or they hold no pairs.
        DatasetError: the frames are smaller than a crop, or there are fewer shards than nodes.
    """

    def __init__(
        self, folder: Path, split: SplitName, draw: CropDraw, *, rank: int = 0, world_size: int = 1
    ) -> None:
        if not 0 <= rank < world_size:
            raise ValueError(f"rank {rank} of {world_size} nodes")
        self.shards = shards_of(folder, split)
        self._draw = draw
        self._node = (rank, world_size)
        if len(self.shards) < world_size:
            raise DatasetError(
                f"{folder} has {len(self.shards)} shards of {split}, {world_size} nodes need one each",
                hint="export again with a smaller --shard-mb",
            )
        first = next(pairs_of(self.shards[0]), None)
        if first is None:
            raise FormatError(f"{self.shards[0]} holds no pair", hint="export the dataset again")
        self.bit_depth = first.bit_depth
        self.shape_hw = first.mask.shape
        height, width = self.shape_hw
        if draw.crop_px > min(self.shape_hw):
            raise DatasetError(
                f"{folder}: frames are {width}x{height} px, crops of {draw.crop_px} px were asked for",
                hint=f"choose crops of at most {min(self.shape_hw)} px",
            )

    def __iter__(self) -> Iterator[Crop]:
        """Crops without end."""
        worker = get_worker_info()
        place = (worker.id, worker.num_workers) if worker is not None else (0, 1)
        rng = np.random.default_rng((self._draw.seed, *self._node, *place))
        return _mixed(self._drawn(place, rng), size=self._draw.buffered_crops, rng=rng)

    def collate(self, crops: Sequence[Crop]) -> Batch:
        """A batch of float32 in [0, 1]."""
        return as_batch(crops, bit_depth=self.bit_depth)

    def _drawn(self, place: tuple[int, int], rng: np.random.Generator) -> Iterator[Crop]:
        number = 0
        while True:
            order = np.random.default_rng((self._draw.seed, number)).permutation(len(self.shards))
            dealt = [self.shards[k] for k in order.tolist()]
            mine = split_by_node(split_by_node(dealt, *self._node), *place)
            if not mine:
                return  # more workers than shards, in this round and all others
            for shard in mine:
                for pair in pairs_of(shard):
                    for _ in range(self._draw.crops_per_pair):
                        yield _crop(pair, self._draw.crop_px, rng)
            number += 1


def split_by_node(shards: Sequence[Path], rank: int, world_size: int) -> list[Path]:
    """The shards of one node (or worker) of several: no two get the same, and all together get all."""
    return list(shards[rank::world_size])


def pairs_of(shard: Path) -> Iterator[ShardPair]:
    """Every pair of a shard, decoded, in the order in which it lies there.

    Raises:
        FormatError: the shard is damaged, or a sample lacks its input or target.
    """
    for key, members in samples(shard):
        where = f"{key} in {shard}"
        lacking = [name for name in ("input.png", "target.png") if name not in members]
        if lacking:
            raise FormatError(
                f"{where} has no {' and '.join(lacking)}; it has {', '.join(sorted(members))}",
                hint="write shards with: twinlens export DATASET.h5 --to webdataset -o FOLDER",
            )
        facts = _facts(members.get("json", b"{}"), where)
        read = decoded(members["input.png"], where=where), decoded(members["target.png"], where=where)
        colour = in_channels(read, colour="rgb" if facts.get("channels") == 3 else "keep")
        first, second = (picture >> facts.get("shift_bits", 0) for picture in colour)
        if first.shape != second.shape:
            raise FormatError(
                f"the input of {where} is {first.shape}, its target {second.shape}", hint="write the shard again"
            )
        has_mask = "mask.png" in members
        mask = decoded(members["mask.png"], where=where) != 0 if has_mask else np.ones(first.shape[:2], np.bool_)
        bit_depth = int(facts.get("bit_depth", 8 * first.dtype.itemsize))
        yield ShardPair(key, first, second, mask, bit_depth, int(facts.get("index", -1)))


def _facts(text: bytes, where: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as cause:
        raise FormatError(f"the JSON of {where} is damaged: {cause}", hint="export the dataset again") from cause
    return found if isinstance(found, dict) else {}


def _crop(pair: ShardPair, crop_px: int, rng: np.random.Generator) -> Crop:
    """A crop as `random_crops` draws it, copied, so that the buffer holds no whole frames."""

    def mask_at(top: int, left: int) -> Mask:
        return pair.mask[top : top + crop_px, left : left + crop_px]

    top, left, mask = valid_place(mask_at, pair.mask.shape, crop_px=crop_px, rng=rng)
    window = np.s_[top : top + crop_px, left : left + crop_px]
    return Crop(pair.input[window].copy(), pair.target[window].copy(), mask.copy(), pair.index, top, left)


def _mixed(crops: Iterator[Crop], *, size: int, rng: np.random.Generator) -> Iterator[Crop]:
    """The same crops in another order, with at most `size` waiting."""
    waiting: list[Crop] = []
    for crop in crops:
        if len(waiting) < size:
            waiting.append(crop)
            continue
        place = int(rng.integers(size))
        yield waiting[place]
        waiting[place] = crop
    yield from waiting
