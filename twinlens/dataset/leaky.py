"""Dividing within groups, where there are too few of them: a leak, kept as small as runs of neighbours allow."""

from collections.abc import Mapping, Sequence

from twinlens.dataset.exact_counts import Counts
from twinlens.dataset.groups import Member
from twinlens.dataset.schema import SPLITS, SplitName
from twinlens.dataset.splits import draw
from twinlens.errors import SplitLeakError


def divide_within_groups(
    members: Sequence[Member],
    group_of: Mapping[str, str],
    fixed: Mapping[str, SplitName],
    *,
    ratios: tuple[float, float, float],
    counts: Counts | None,
    trim: bool,
    seed: int,
) -> dict[str, SplitName]:
    """Split of every pair by name; pairs that are dropped are missing.

    Pairs are laid out group by group, session by session and in trigger order, and cut twice: train, val, test.
    Neighbours stay together but at two cuts, and validation lies between, so that no test pair follows a training
    pair. Groups in `fixed` stay whole.

    Args:
        members: the pairs.
        group_of: scene to group.
        fixed: groups that are decided on by hand.
        ratios: shares of train, val and test.
        counts: exact numbers of pairs instead.
        trim: drop the pairs that are too many for `counts`.
        seed: draws the order of groups and sessions, and which pairs are dropped.

    Raises:
        SplitLeakError: there are fewer pairs than splits to fill, or their number is not the one asked for.
    """
    found = {m.pair_id: fixed[group_of[m.scene]] for m in members if group_of[m.scene] in fixed}
    given = [sum(1 for split in found.values() if split == wanted) for wanted in SPLITS]
    free = [m for m in members if m.pair_id not in found]
    if counts is not None:
        lengths = [count - has for count, has in zip(counts, given, strict=True)]
        too_many = len(free) - sum(lengths)
        if min(lengths) < 0 or too_many < 0 or (too_many and not trim):
            raise _cannot_count(counts, len(members), given)
        free = sorted(free, key=lambda m: draw(seed, m.pair_id))[too_many:]
    else:
        lengths = _rounded_lengths(len(free), given, ratios)
    free.sort(key=lambda m: (draw(seed, group_of[m.scene]), draw(seed, m.session_id), m.trigger_index, m.pair_id))
    start = 0
    for split, length in zip(SPLITS, lengths, strict=True):
        found.update({m.pair_id: split for m in free[start : start + length]})
        start += length
    return found


def _rounded_lengths(free: int, given: Sequence[int], ratios: Sequence[float]) -> list[int]:
    """How many free pairs train, val and test get: at least one where none is given, the largest the rest."""
    total = free + sum(given)
    needed = [int(count == 0) for count in given]
    if free < sum(needed):
        raise SplitLeakError(
            f"{total} pairs, {free} of them free, cannot fill train, val and test", hint="capture more"
        )
    lengths = list(needed)
    by_ratio = sorted(range(3), key=lambda k: ratios[k])
    for k in by_ratio[:-1]:
        wanted = round(ratios[k] / sum(ratios) * total) - given[k]
        spare = free - sum(lengths)
        lengths[k] += min(max(0, wanted - lengths[k]), spare)
    lengths[by_ratio[-1]] += free - sum(lengths)
    return lengths


def _cannot_count(counts: Counts, total: int, given: Sequence[int]) -> SplitLeakError:
    listed, fixed = ", ".join(map(str, counts)), ", ".join(map(str, given))
    return SplitLeakError(
        f"{listed} pairs are asked for train, val and test, and there are {total}, "
        f"of which {fixed} are assigned by hand",
        hint="ask for counts that add up to what is there, or for less with --trim",
    )
