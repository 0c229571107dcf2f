"""Which packets of a frame leave the camera, in which order: decided per frame, reproducible from the seed."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from twinlens.capture.virtual.faults import Faults


@dataclass(frozen=True, slots=True)
class PacketPlan:
    """What becomes of the packets of one frame; payload packets are numbered from 1, the leader is 0."""

    order: tuple[int, ...]
    """Payload packets as they leave."""
    leader: bool = True
    trailer: bool = True
    held_back: tuple[int, ...] = ()
    """Payload packets that leave later."""
    corrupted: int = 0
    """A packet of which only a wrong copy leaves; 0 = none."""
    dropped: int = 0
    """Packets that do not leave (as they should)."""
    stall_after: int = -1
    """The stream pauses after this many packets; -1 = never."""

    def runs(self) -> Iterator[tuple[int, int]]:
        """(first, last) of consecutive packets, in the order in which they leave; no run crosses the pause."""
        start = 0
        for position, (before, after) in enumerate(pairwise((*self.order, -1)), start=1):
            if after != before + 1 or position == self.stall_after:
                yield self.order[start], before
                start = position


class PacketFaults:
    """Draws the fate of each frame's packets."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        shares = (faults.drop, faults.drop_leader, faults.drop_trailer, faults.reorder, faults.duplicate)
        self.are_none = not any((*shares, faults.delay, faults.corrupt)) and faults.stall_at_frame < 0

    def plan(self, frame_index: int, count: int) -> PacketPlan:
        """The fate of a frame of `count` payload packets, the `frame_index`-th since arming."""
        faults = self._faults
        rng = np.random.default_rng((faults.seed, frame_index))
        lost = self._lost(count, rng)
        corrupted = int(rng.integers(1, count + 1)) if rng.random() < faults.corrupt else 0
        lost.discard(corrupted)
        late = set(_chosen(count, faults.delay, rng)) - lost - {corrupted}
        order = [i for i in range(1, count + 1) if i not in lost and i not in late and i != corrupted]
        twice = set(_chosen(count, faults.duplicate, rng))
        behind = set(_chosen(count, faults.reorder, rng))
        leader, trailer = rng.random() >= faults.drop_leader, rng.random() >= faults.drop_trailer
        order = _reordered(order, behind)
        order = [i for packet in order for i in ([packet] * (2 if packet in twice else 1))]
        return PacketPlan(
            order=tuple(order),
            leader=leader,
            trailer=trailer,
            held_back=tuple(sorted(late)),
            corrupted=corrupted,
            dropped=len(lost) + bool(corrupted) + (not leader) + (not trailer),
            stall_after=len(order) // 2 if frame_index == faults.stall_at_frame else -1,
        )

    def survives_resend(self, rng: np.random.Generator) -> bool:
        """Whether a resent packet leaves."""
        return rng.random() >= self._faults.resends_drop

    def _lost(self, count: int, rng: np.random.Generator) -> set[int]:
        burst = self._faults.drop_burst
        starts = _chosen(count, self._faults.drop / burst, rng)
        return {i for start in starts for i in range(start, min(count, start + burst - 1) + 1)}


def _chosen(count: int, share: float, rng: np.random.Generator) -> list[int]:
    return [int(i) + 1 for i in np.flatnonzero(rng.random(count) < share)] if share else []


def _reordered(order: list[int], behind: set[int]) -> list[int]:
    """Each packet in `behind` changes places with its successor."""
    swapped, position = list(order), 0
    while position < len(swapped) - 1:
        if swapped[position] in behind:
            swapped[position], swapped[position + 1] = swapped[position + 1], swapped[position]
            position += 1
        position += 1
    return swapped
