"""Which pair comes next: an endless numbered list of draws, which ranks share and a resumed run finds again."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from twinlens.dataset.paired import PairSplit
from twinlens.errors import DatasetError

TOLERATED_PX = 0.1
"""Misregistration that halves a pair's weight; at the registration's gate of 0.3 px a tenth is left."""


class CropKey(NamedTuple):
    """One draw; with a seed, it determines a crop."""

    draw: int
    """Its number in the endless list."""
    row: int
    """The pair's, within its split."""


class PairSampler(Sampler[CropKey]):
    """One epoch's draws from where the run stands; for a `DataLoader` over `PairCrops`.

    Draw k of the endless list depends on the seed and the split alone. Of W ranks, rank r takes the draws r, r + W
    and so on from the position on, so together they take what one process takes, and all take the same number.
    Where an epoch does not divide by W, what is left over begins the next: nothing is dropped or comes twice.

    The position counts draws that were trained on, as the caller says with `advance`; what a `DataLoader` has
    fetched ahead does not count. Without `advance` every epoch is the same one.
    """

    def __init__(
        self,
        split: PairSplit,
        *,
        seed: int,
        repeats: int = 1,
        weights: Literal["passport"] | NDArray[np.floating] | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        """Draw from `split`.

        Args:
            split: whose pairs are drawn.
            seed: gives the same draws again.
            repeats: rounds over all pairs that make an epoch.
            weights: None takes every pair once a round; else as many draws a round, with these chances (n,), or
                those of `passport_weights`.
            rank: which of the processes that share the draws this is.
            world_size: how many they are.
        """
        if repeats < 1 or seed < 0 or not 0 <= rank < world_size:
            raise ValueError(
                f"repeats is {repeats}, seed {seed}, rank {rank} of {world_size}; "
                "1 or more, 0 or more and 0 to below are needed"
            )
        draws = repeats * len(split)
        if draws < world_size:
            raise DatasetError(
                f"{split.dataset.path}: {len(split)} {split.name} pairs are {draws} draws for {world_size} ranks",
                hint="raise repeats, or train on fewer ranks",
            )
        self.position = 0
        """Draws that were trained on, of all ranks together."""
        self._seed, self._rank, self._world_size = seed, rank, world_size
        self._pairs = len(split)
        self._dataset = split.dataset.content_hash
        self._per_epoch = draws
        self._chances = _chances(split, weights)

    def __len__(self) -> int:
        """Draws of this rank to the end of the epoch."""
        left = self._per_epoch - self.position % self._per_epoch
        return left // self._world_size or (left + self._per_epoch) // self._world_size

    def __iter__(self) -> Iterator[CropKey]:
        first = self.position + self._rank
        return self._keys(range(first, first + len(self) * self._world_size, self._world_size))

    def advance(self, count: int) -> None:
        """Count `count` draws of this rank as done, and as many of every other: ranks train in step."""
        self.position += count * self._world_size

    def state_dict(self) -> dict[str, int | str]:
        """Where the run stands, for a checkpoint; the same on every rank, and good for any number of them."""
        return {**self._identity, "position": self.position}

    @property
    def _identity(self) -> dict[str, int | str]:
        return {"seed": self._seed, "pairs": self._pairs, "dataset": self._dataset}

    def load_state_dict(self, state: dict[str, int | str]) -> None:
        """Go on where `state` was taken.

        Raises:
            DatasetError: it comes from another seed, dataset or split.
        """
        mine = self._identity
        other = {name: state.get(name) for name in mine}
        if other != mine:
            raise DatasetError(
                f"the sampler's state is of {other}, this sampler of {mine}",
                hint="go on with the dataset and the seed that the run began with",
            )
        self.position = int(state["position"])

    def _keys(self, draws: range) -> Iterator[CropKey]:
        latest = -1
        for draw in draws:
            number, place = divmod(draw, self._pairs)
            if number != latest:
                latest, order = number, self._round(number)
            yield CropKey(draw, order[place])

    def _round(self, number: int) -> list[int]:
        rng = np.random.default_rng((self._seed, number))
        if self._chances is None:
            order = rng.permutation(self._pairs)
        else:
            order = rng.choice(self._pairs, self._pairs, p=self._chances)
        found: list[int] = order.tolist()
        return found


def passport_weights(split: PairSplit) -> NDArray[np.float64]:
    """(n,) 1 for a perfectly registered pair, a half at `TOLERATED_PX`, 0.1 at three times that.

    Raises:
        DatasetError: nobody measured the residual of some pair.
    """
    unknown = int(np.isnan(split.residual_px).sum())
    if unknown:
        raise DatasetError(
            f"{split.dataset.path}: the residual of {unknown} of {len(split)} {split.name} pairs is unknown",
            hint="draw without passport weights, or give weights of your own",
        )
    found: NDArray[np.float64] = 1.0 / (1.0 + (split.residual_px.astype(np.float64) / TOLERATED_PX) ** 2)
    return found


def _chances(
    split: PairSplit, weights: Literal["passport"] | NDArray[np.floating] | None
) -> NDArray[np.float64] | None:
    if weights is None:
        return None
    given = np.asarray(passport_weights(split) if isinstance(weights, str) else weights, np.float64)
    if given.shape != (len(split),) or not np.isfinite(given).all() or given.min() < 0 or given.sum() == 0:
        raise ValueError(
            f"weights of shape {given.shape} for {len(split)} pairs; one for each is needed, none negative, some "
            "above 0"
        )
    chances: NDArray[np.float64] = given / given.sum()
    return chances
