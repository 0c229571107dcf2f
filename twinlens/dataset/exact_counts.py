"""Exactly as many pairs in each split as asked for, out of whole groups.

One table over the two smaller splits holds every pair of sums that whole groups can give them, and the number of
groups, in drawn order, with which each first becomes possible. The solution is read back from it: a sum that
first became possible with group k contains group k.
"""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinlens.dataset.schema import SPLITS, SplitName
from twinlens.dataset.splits import draw
from twinlens.errors import SplitLeakError

Counts = tuple[int, int, int]
"""Pairs of train, val and test."""


@dataclass(frozen=True, slots=True)
class Trimmed:
    """Whole groups with at least the asked counts, and what each has too many."""

    split_of: dict[str, SplitName]
    """Split of every group that is used; groups that are left out wholly are missing."""
    drops: dict[str, int]
    """How many pairs of a used group are too many; groups that keep all are missing."""


def exact_split(
    pairs_per_group: Mapping[str, int],
    counts: Counts = (960, 120, 120),
    *,
    seed: int = 0,
    fixed: Mapping[str, SplitName] | None = None,
) -> dict[str, SplitName]:
    """A split for every group, so that train, val and test have exactly `counts` pairs.

    `seed` draws which of the solutions; names, counts and seed decide, never the order of the groups. `fixed`
    decides on groups by hand.

    Raises:
        SplitLeakError: no division of whole groups has these counts; the message names the nearest that has.
    """
    task = _Task.of(pairs_per_group, counts, seed=seed, fixed=fixed or {})
    _require_enough(task)
    split_of = dict(fixed or {})
    goal = task.asked[task.small[0]], task.asked[task.small[1]]
    table = _reached_with(task.sizes, task.given_small, goal, goal=goal)
    if task.total != sum(counts) or task.given[task.rest] > task.asked[task.rest] or table[goal] < 0:
        raise _no_division(task)
    split_of.update(_taken(task, table, goal))
    return split_of | {group: task.rest for group in task.free if group not in split_of}


def trimmed_split(
    pairs_per_group: Mapping[str, int],
    counts: Counts = (960, 120, 120),
    *,
    seed: int = 0,
    fixed: Mapping[str, SplitName] | None = None,
) -> Trimmed:
    """Whole groups for every split with at least `counts` pairs, and how many pairs to drop to reach them.

    The two smaller splits are filled with the smallest surplus that leaves enough for the largest, then the
    largest with the smallest surplus out of what is left; other groups are left out wholly. Surplus pairs come
    out of a split's largest groups. Which pairs those are is for the caller to draw.

    Raises:
        SplitLeakError: there are too few pairs, or whole groups cannot give every split its count.
    """
    task = _Task.of(pairs_per_group, counts, seed=seed, fixed=fixed or {})
    _require_enough(task)
    table = _reached_with(task.sizes, task.given_small, task.limits)
    a, b = (task.asked[split] for split in task.small)
    first, second = np.ogrid[a : table.shape[0], b : table.shape[1]]
    enough = (table[a:, b:] >= 0) & (task.total - first - second >= task.asked[task.rest])
    if not enough.any():
        raise _no_division(task, " at least")
    row, column = _lowest(first + second, enough)
    split_of = dict(fixed or {})
    split_of.update(_taken(task, table, (a + row, b + column)))
    split_of.update(_filled(task, [group for group in task.free if group not in split_of]))
    return Trimmed(split_of, _surplus(task, split_of))


@dataclass(frozen=True, slots=True)
class _Task:
    """What is asked, what is given, and the free groups in drawn order."""

    asked: dict[SplitName, int]
    given: dict[SplitName, int]
    """Pairs of the groups that are fixed."""
    small: tuple[SplitName, SplitName]
    """The two splits that are asked for fewest pairs."""
    rest: SplitName
    free: list[str]
    pairs: Mapping[str, int]

    @staticmethod
    def of(pairs: Mapping[str, int], counts: Counts, *, seed: int, fixed: Mapping[str, SplitName]) -> "_Task":
        if min(counts) < 0 or sum(counts) == 0:
            raise ValueError(f"counts are {counts}; none may be negative, and not all zero")
        if min(pairs.values(), default=1) < 1 or not fixed.keys() <= pairs.keys():
            raise ValueError("every group needs a pair, and every fixed group is one of them")
        asked = dict(zip(SPLITS, counts, strict=True))
        first, second, rest = sorted(SPLITS, key=lambda split: asked[split])
        given = {split: sum(pairs[g] for g, where in fixed.items() if where == split) for split in SPLITS}
        free = sorted((group for group in pairs if group not in fixed), key=lambda group: draw(seed, group))
        return _Task(asked, given, (first, second), rest, free, pairs)

    @property
    def sizes(self) -> list[int]:
        return [self.pairs[group] for group in self.free]

    @property
    def total(self) -> int:
        return sum(self.pairs.values())

    @property
    def given_small(self) -> tuple[int, int]:
        return self.given[self.small[0]], self.given[self.small[1]]

    @property
    def limits(self) -> tuple[int, int]:
        """Sums beyond these are never nearest: moving one group elsewhere is at least as near."""
        largest = max(self.sizes, default=0)
        first, second = (
            min(self.total, max(self.asked[split], self.given[split]) + largest)
            if self.asked[split]
            else self.given[split]
            for split in self.small
        )
        return first, second


def _reached_with(
    sizes: Sequence[int], start: tuple[int, int], limits: tuple[int, int], *, goal: tuple[int, int] | None = None
) -> NDArray[np.int16]:
    """Entry (a, b): how many of `sizes` it takes, in order, until some of them can raise `start` to (a, b).

    Sizes may go to a, to b or to neither; -1 where the sums cannot be had. Ends early once `goal` can.
    """
    table = np.full((limits[0] + 1, limits[1] + 1), -1, np.int16)
    if start[0] > limits[0] or start[1] > limits[1]:
        return table
    reached = np.zeros(table.shape, np.bool_)
    table[start], reached[start] = 0, True
    highest = list(start)
    for k, size in enumerate(sizes, 1):
        if goal is not None and reached[goal]:
            break
        highest = [min(high + size, limit) for high, limit in zip(highest, limits, strict=True)]
        area = np.s_[start[0] : highest[0] + 1, start[1] : highest[1] + 1]
        before = reached[area]
        after = before.copy()
        after[size:] |= before[:-size]
        after[:, size:] |= before[:, :-size]
        np.copyto(table[area], k, where=after != before)
        reached[area] = after
    return table


def _taken(task: _Task, table: NDArray[np.int16], goal: tuple[int, int]) -> dict[str, SplitName]:
    """The groups that raise the two smaller splits to `goal`."""
    split_of: dict[str, SplitName] = {}
    a, b = goal
    while table[a, b] > 0:
        k = table[a, b]
        group = task.free[k - 1]
        size = task.pairs[group]
        if a >= size and 0 <= table[a - size, b] < k:
            split_of[group], a = task.small[0], a - size
        else:
            split_of[group], b = task.small[1], b - size
    return split_of


def _filled(task: _Task, free: list[str]) -> dict[str, SplitName]:
    """Groups of `free` that bring the largest split to its count with the smallest surplus."""
    sizes = [task.pairs[group] for group in free]
    asked, given = task.asked[task.rest], task.given[task.rest]
    table = _reached_with(sizes, (given, 0), (max(asked, given) + max(sizes, default=0), 0))
    sums = np.arange(len(table))[:, None]
    reached = _lowest(sums, (table >= 0) & (sums >= asked))[0]
    split_of: dict[str, SplitName] = {}
    while table[reached, 0] > 0:
        group = free[table[reached, 0] - 1]
        split_of[group] = task.rest
        reached -= task.pairs[group]
    return split_of


def _surplus(task: _Task, split_of: Mapping[str, SplitName]) -> dict[str, int]:
    """How many pairs each group has too many, taken one by one from a split's largest group."""
    drops: dict[str, int] = {}
    for split in SPLITS:
        groups = sorted(group for group, where in split_of.items() if where == split)
        largest_first = [(-task.pairs[group], group) for group in groups]
        heapq.heapify(largest_first)
        for _ in range(sum(task.pairs[group] for group in groups) - task.asked[split]):
            size, group = largest_first[0]
            heapq.heapreplace(largest_first, (size + 1, group))
            drops[group] = drops.get(group, 0) + 1
    return drops


def _require_enough(task: _Task) -> None:
    asked = _in_order(task.asked)
    if task.total < sum(asked):
        raise SplitLeakError(
            f"{_listed(asked)} pairs are asked for, {sum(asked)} together, and there are {task.total} "
            f"in {len(task.pairs)} groups",
            hint="ask for fewer pairs, or capture more",
        )


def _lowest(score: NDArray[Any], allowed: NDArray[np.bool_]) -> tuple[int, int]:
    """Where the lowest allowed score stands; the first of several."""
    beyond = score.max() + 1
    row, column = np.unravel_index(int(np.argmin(np.where(allowed, score, beyond))), score.shape)
    return int(row), int(column)


def _no_division(task: _Task, bound: str = "") -> SplitLeakError:
    asked = _in_order(task.asked)
    seen = f"no division of {len(task.pairs)} groups with {task.total} pairs gives{bound} {_listed(asked)} pairs"
    nearest = _nearest(task)
    if nearest is None:
        return SplitLeakError(
            f"{seen}: {len(task.free)} groups are free, and every split needs one",
            hint="capture more scenes, or assign fewer by hand",
        )
    trimmed = [min(pair) for pair in zip(asked, nearest, strict=True)]
    if list(nearest) == trimmed:
        hint = f"ask for --counts {_option(nearest)}"
    else:
        hint = f"ask for --counts {_option(nearest)}, or for --counts {_option(trimmed)} with --trim"
    return SplitLeakError(
        f"{seen} to train, val and test; the nearest counts of whole groups are {_listed(nearest)}",
        hint=hint,
    )


def _nearest(task: _Task) -> Counts | None:
    """The counts that whole groups can have with the smallest sum of deviations; None with too few groups."""
    table = _reached_with(task.sizes, task.given_small, task.limits)
    a, b = (task.asked[split] for split in task.small)
    first, second = np.ogrid[: np.int32(table.shape[0]), : np.int32(table.shape[1])]
    rest = np.int32(task.total) - first - second
    off = abs(first - np.int32(a)) + abs(second - np.int32(b)) + abs(rest - np.int32(task.asked[task.rest]))
    filled = (table >= 0) & (first >= min(a, 1)) & (second >= min(b, 1)) & (rest >= 1)
    if not filled.any():
        return None
    off[~filled] = np.iinfo(np.int32).max
    rows, columns = np.nonzero(off == off.min())
    # Where pairs lack or abound, every split shares in that.
    reached = np.stack([rows, columns, task.total - rows - columns])
    wanted = np.array([a, b, task.asked[task.rest]])[:, None]
    evenest = int(np.argmin(((reached - wanted) ** 2 / np.maximum(wanted, 1)).sum(axis=0)))
    pairs = dict(zip((*task.small, task.rest), reached[:, evenest].tolist(), strict=True))
    return _in_order(pairs)


def _in_order(of: Mapping[SplitName, int]) -> Counts:
    return of["train"], of["val"], of["test"]


def _listed(counts: Sequence[int]) -> str:
    return f"{counts[0]}, {counts[1]} and {counts[2]}"


def _option(counts: Sequence[int]) -> str:
    return ",".join(map(str, counts))
