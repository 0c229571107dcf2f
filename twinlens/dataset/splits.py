"""Who trains and who is examined: whole scenes go to train, validation or test, and are never divided."""

import hashlib
from collections.abc import Mapping

from twinlens.dataset.schema import SPLITS, SplitName
from twinlens.errors import SplitLeakError

DEFAULT_RATIOS = (0.8, 0.1, 0.1)


def split_scenes(
    pairs_per_scene: Mapping[str, int],
    *,
    ratios: tuple[float, float, float] = DEFAULT_RATIOS,
    seed: int = 0,
    assignment: Mapping[str, str] | None = None,
) -> dict[str, SplitName]:
    """Give every scene to one split, so that pair counts come as near to `ratios` as whole scenes allow.

    The answer depends on names, counts and `seed`, never on the order in which scenes were met. The smallest
    share is filled first, with the set of scenes whose pairs add up nearest to it; the largest takes the rest.
    `ratios` are the shares of train, val and test; they need not add up to 1. `assignment` decides on scenes by
    hand.

    Raises:
        SplitLeakError: there are fewer scenes than splits to fill, or `assignment` names a scene nobody saw.
    """
    fixed = _checked_assignment(assignment or {}, pairs_per_scene)
    split_of: dict[str, SplitName] = dict(fixed)
    free = sorted((scene for scene in pairs_per_scene if scene not in fixed), key=lambda s: draw(seed, s))
    wanted = _wanted_pairs(pairs_per_scene, fixed, ratios)
    needy = [split for split in SPLITS if split not in fixed.values()]
    if len(free) < len(needy):
        raise _too_few(pairs_per_scene, fixed, needy)

    by_share = sorted(SPLITS, key=lambda split: ratios[SPLITS.index(split)])
    for split in by_share[:-1]:
        later_needy = [other for other in needy if by_share.index(other) > by_share.index(split)]
        kept_back = _largest(free, pairs_per_scene, count=len(later_needy))
        offered = [scene for scene in free if scene not in kept_back]
        sizes = [pairs_per_scene[scene] for scene in offered]
        chosen = {offered[k] for k in _nearest_sum(sizes, wanted[split], at_least_one=split in needy)}
        split_of.update(dict.fromkeys(chosen, split))
        free = [scene for scene in free if scene not in chosen]
    split_of.update(dict.fromkeys(free, by_share[-1]))
    return split_of


def draw(seed: int, name: str) -> bytes:
    """A scene's, group's or pair's place in the lottery: its own, whoever else takes part."""
    return hashlib.blake2b(f"{seed}\n{name}".encode()).digest()


def _checked_assignment(assignment: Mapping[str, str], seen: Mapping[str, int]) -> dict[str, SplitName]:
    unseen = sorted(set(assignment) - set(seen))
    if unseen:
        raise SplitLeakError(
            f"{', '.join(unseen)} is assigned to a split, and no pair shows it; "
            f"the scenes are {', '.join(sorted(seen))}",
            hint="correct the scene names in the assignment",
        )
    unknown = sorted(set(assignment.values()) - set(SPLITS))
    if unknown:
        raise ValueError(f"no split is called {', '.join(unknown)}; the splits are {', '.join(SPLITS)}")
    return {scene: split for scene, name in assignment.items() for split in SPLITS if split == name}


def _wanted_pairs(
    pairs_per_scene: Mapping[str, int], fixed: Mapping[str, SplitName], ratios: tuple[float, float, float]
) -> dict[SplitName, float]:
    """How many pairs each split still wants beyond those it is given."""
    unit = sum(pairs_per_scene.values()) / sum(ratios)
    given = {split: sum(pairs_per_scene[s] for s, where in fixed.items() if where == split) for split in SPLITS}
    return {split: ratio * unit - given[split] for split, ratio in zip(SPLITS, ratios, strict=True)}


def _too_few(seen: Mapping[str, int], fixed: Mapping[str, SplitName], needy: list[SplitName]) -> SplitLeakError:
    named = ", ".join(sorted(seen)) or "none"
    return SplitLeakError(
        f"{len(seen)} scenes ({named}), of which {len(fixed)} are assigned, leave "
        f"{' and '.join(needy)} without one; train, val and test need a scene each and may not share it",
        hint="capture more scenes, or give those you have names of their own",
    )


def _largest(scenes: list[str], pairs_per_scene: Mapping[str, int], *, count: int) -> set[str]:
    # The big scenes stay for the later, larger splits: what is left for them can then always fill them.
    return set(sorted(scenes, key=lambda scene: pairs_per_scene[scene], reverse=True)[:count])


def _nearest_sum(sizes: list[int], wanted: float, *, at_least_one: bool) -> list[int]:
    """Positions in `sizes` whose values add up nearest to `wanted`; the smaller sum where two are as near.

    Exact: bit s of `reachable[k]` says whether some of the first k sizes add up to s.
    """
    reachable = [1]
    for size in sizes:
        reachable.append(reachable[-1] | reachable[-1] << size)
    sums = [s for s in range(int(at_least_one), sum(sizes) + 1) if reachable[-1] >> s & 1]
    rest = min(sums, key=lambda s: abs(s - wanted))
    chosen = []
    for k in range(len(sizes), 0, -1):
        if not reachable[k - 1] >> rest & 1:
            chosen.append(k - 1)
            rest -= sizes[k - 1]
    return chosen
