"""The pairs that a calibration works on: a bounded number, alike, each with a name."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinlens.calibrate.frames import check_pair, whole_depth
from twinlens.errors import DegenerateGeometryError

AnyPair = tuple[NDArray[Any], NDArray[Any]]
Pairs = Iterable[AnyPair]
"""(a, b) frames (h, w) uint8 or uint16 of one mirror state; a sequence is read at evenly spread places."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the pairs come from."""

    mirror_state: str = ""
    session_ids: tuple[str, ...] = ()
    bit_depth: int | None = None
    """Significant bits of a pixel; None takes all of the dtype."""
    names: tuple[str, ...] = ()
    """What each pair is called, in the order of the pairs; empty counts them."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Pairs in memory."""

    pairs: tuple[AnyPair, ...]
    names: tuple[str, ...]
    bit_depth: int

    @property
    def shape_hw(self) -> tuple[int, int]:
        """Of every frame."""
        height, width = self.pairs[0][0].shape
        return height, width

    def only(self, indices: Sequence[int]) -> "Taken":
        """Some of them."""
        return replace(
            self,
            pairs=tuple(self.pairs[index] for index in indices),
            names=tuple(self.names[index] for index in indices),
        )


def take(pairs: Pairs, count: int, origin: Origin) -> Taken:
    """At most `count` pairs: spread evenly over a sequence, the first of anything else.

    Raises:
        DegenerateGeometryError: they are not alike, or one cannot be used.
        ValueError: there is none, or one is not a pair of mono images.
    """
    if isinstance(pairs, Sequence):
        places = np.unique(np.linspace(0, len(pairs) - 1, min(count, len(pairs))).round().astype(int)).tolist()
        taken = [pairs[place] for place in places]
    else:
        taken = list(islice(pairs, count))
        places = list(range(len(taken)))
    if not taken:
        raise ValueError("no pair was given; at least 1 is needed")
    counted = [f"pair {index + 1} of {len(taken)}" for index in range(len(taken))]
    names = [origin.names[place] for place in places] if origin.names else counted
    bit_depth = whole_depth(taken[0][0]) if origin.bit_depth is None else origin.bit_depth
    first = taken[0][0]
    for (a, b), name in zip(taken, names, strict=True):
        check_pair(a, b, bit_depth=bit_depth, name=name)
        if a.shape != first.shape or a.dtype != first.dtype:
            raise DegenerateGeometryError(
                f"{name} is {a.shape} {a.dtype}, {names[0]} is {first.shape} {first.dtype}",
                hint="calibrate pairs that were recorded with one region of interest and pixel format",
            )
    return Taken(tuple(taken), tuple(names), bit_depth)
