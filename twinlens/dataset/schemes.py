"""A split scheme: which pairs train, validate, examine, or stay out, and why that is no leak."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from twinlens.dataset.exact_counts import Counts, exact_split, trimmed_split
from twinlens.dataset.groups import Member, group_of_scenes
from twinlens.dataset.leaky import divide_within_groups
from twinlens.dataset.schema import SPLITS, SplitName
from twinlens.dataset.splits import DEFAULT_RATIOS, draw, split_scenes
from twinlens.errors import SettingsError, SplitLeakError
from twinlens.settings import Settings

Share = SplitName | Literal["unused"]


@dataclass(frozen=True, kw_only=True)
class SplitSettings(Settings):
    """How pairs are divided."""

    ratios: tuple[float, float, float] = DEFAULT_RATIOS
    """Shares of train, validation and test, by number of pairs."""
    counts: Counts | None = None
    """Exact numbers of pairs in train, validation and test; they take the place of `ratios`."""
    trim: bool = False
    """Drop the pairs that stand in the way of `counts`."""
    seed: int = 0
    """Draws which scenes go where."""
    assignment: Mapping[str, str] = field(default_factory=dict)
    """Scenes whose split is decided by hand: scene to train, val or test."""
    places: Mapping[str, str] = field(default_factory=dict)
    """Where scenes were recorded: scene to place. Scenes of one place are never divided."""
    leave_out_mirror_state: str = ""
    """Examine this mirror state only, and train and validate on every other; "" examines all that were trained."""
    allow_leaky: bool = False
    """Divide within scenes where there are too few of them."""

    def check(self) -> None:
        """Raise `SettingsError` where a value cannot work."""
        if len(self.ratios) != 3 or min(self.ratios) <= 0:
            raise SettingsError(
                f"SplitSettings.ratios is {self.ratios}; three positive shares are needed",
                hint="give train, val and test a share each, such as 0.8 0.1 0.1",
            )
        if not all(math.isfinite(ratio) for ratio in self.ratios):
            raise SettingsError(f"SplitSettings.ratios is {self.ratios}", hint="give three finite shares")
        self.require("seed", minimum=0, maximum=2**63 - 1)
        counts = self.counts
        if counts is not None and (len(counts) != 3 or min(counts) < 0 or sum(counts) == 0):
            raise SettingsError(
                f"SplitSettings.counts is {counts}; three numbers of pairs are needed, not all of them 0",
                hint="give train, val and test a number each, such as 960,120,120",
            )
        if self.trim and counts is None:
            raise SettingsError(
                "SplitSettings.trim drops pairs to reach counts, and no counts are given", hint="give counts too"
            )
        if self.leave_out_mirror_state and counts is not None:
            raise SettingsError(
                "SplitSettings.counts are of all pairs of a scene, and leaving out a mirror state takes some away",
                hint="give ratios, or leave no mirror state out",
            )
        unknown = sorted(set(self.assignment.values()) - set(SPLITS))
        if unknown:
            raise SettingsError(
                f"SplitSettings.assignment names {', '.join(unknown)}, which is no split",
                hint=f"assign scenes to {', '.join(SPLITS)}",
            )


@dataclass(frozen=True, slots=True)
class Scheme:
    """Where every pair went."""

    rows: dict[Share, tuple[int, ...]]
    """Rows of the members in train, val, test and unused, rising; every row is in one of them."""
    group_of: dict[str, str]
    """Scene to group."""
    leaky: bool
    """Whether a group was divided."""
    dropped: tuple[str, ...]
    """Pairs that were dropped to reach the counts, by name; they are unused."""


def divide(members: Sequence[Member], settings: SplitSettings, *, same: Iterable[tuple[str, str]] = ()) -> Scheme:
    """Give every pair to train, val or test, whole groups at a time, or leave it unused.

    Names, counts and seed decide, never the order of `members`.

    Args:
        members: the pairs.
        settings: how.
        same: scenes that show the same thing under two names.

    Raises:
        SplitLeakError: the groups are too few, cannot meet the counts, or contradict what was decided by hand.
    """
    ids = [member.pair_id for member in members]
    if len(set(ids)) < len(ids):
        raise ValueError(f"{len(ids) - len(set(ids))} pairs share their name with another")
    same = list(same)
    group_of = group_of_scenes({member.scene for member in members}, places=settings.places, same=same)
    fixed = _fixed_groups(group_of, settings, same)
    pairs_per_group = Counter(group_of[member.scene] for member in members)
    lacking = _lacking(settings, fixed)
    leaky = len(pairs_per_group) - len(fixed) < len(lacking)
    if leaky and not settings.allow_leaky:
        raise _too_few(group_of, fixed, lacking)
    if leaky:
        share_of = divide_within_groups(
            members,
            group_of,
            fixed,
            ratios=settings.ratios,
            counts=settings.counts,
            trim=settings.trim,
            seed=settings.seed,
        )
    else:
        share_of = _divided_by_group(members, group_of, pairs_per_group, fixed=fixed, settings=settings)
    dropped = sorted(name for name in ids if name not in share_of)
    if settings.leave_out_mirror_state:
        share_of = _without_state(members, share_of, settings.leave_out_mirror_state)
    rows: dict[Share, list[int]] = {"train": [], "val": [], "test": [], "unused": []}
    for row, name in enumerate(ids):
        rows[share_of.get(name, "unused")].append(row)
    return Scheme({share: tuple(found) for share, found in rows.items()}, group_of, leaky, tuple(dropped))


def _divided_by_group(
    members: Sequence[Member],
    group_of: Mapping[str, str],
    pairs_per_group: Mapping[str, int],
    *,
    fixed: dict[str, SplitName],
    settings: SplitSettings,
) -> dict[str, SplitName]:
    """Split of every pair by name; pairs that are dropped are missing."""
    seed, drops = settings.seed, dict[str, int]()
    if settings.counts is None:
        split_of = split_scenes(pairs_per_group, ratios=settings.ratios, seed=seed, assignment=fixed)
    elif settings.trim:
        trimmed = trimmed_split(pairs_per_group, settings.counts, seed=seed, fixed=fixed)
        split_of, drops = trimmed.split_of, dict(trimmed.drops)
    else:
        split_of = exact_split(pairs_per_group, settings.counts, seed=seed, fixed=fixed)
    found = {}
    for member in sorted(members, key=lambda member: draw(seed, member.pair_id)):
        group = group_of[member.scene]
        if drops.get(group, 0):
            drops[group] -= 1
        elif group in split_of:
            found[member.pair_id] = split_of[group]
    return found


def _fixed_groups(
    group_of: Mapping[str, str], settings: SplitSettings, same: Iterable[tuple[str, str]]
) -> dict[str, SplitName]:
    """The split of every group that a scene's assignment decides on."""
    unseen = sorted(set(settings.assignment) - set(group_of))
    if unseen:
        raise SplitLeakError(
            f"{', '.join(unseen)} is assigned to a split, and no pair shows it; "
            f"the scenes are {', '.join(sorted(group_of)) or 'none'}",
            hint="correct the scene names in the assignment",
        )
    decided_by: dict[str, str] = {}
    for scene, split in sorted(settings.assignment.items()):
        first = decided_by.setdefault(group_of[scene], scene)
        if settings.assignment[first] != split:
            raise SplitLeakError(
                f"{first} is assigned to {settings.assignment[first]} and {scene} to {split}, "
                f"and they must not be divided: {_why(first, scene, group_of, settings.places, same)}",
                hint="assign both to one split",
            )
    return {
        group: split
        for group, scene in decided_by.items()
        for split in SPLITS
        if split == settings.assignment[scene]
    }


def _why(
    a: str, b: str, group_of: Mapping[str, str], places: Mapping[str, str], same: Iterable[tuple[str, str]]
) -> str:
    if places.get(a) and places.get(a) == places.get(b):
        return f"both show the place {places[a]}"
    if {a, b} in ({*tie} for tie in same):
        return "their pictures show the same"
    chain = sorted(scene for scene, group in group_of.items() if group == group_of[a])
    return f"places and pictures that are the same tie {', '.join(chain)} together"


def _lacking(settings: SplitSettings, fixed: Mapping[str, SplitName]) -> list[SplitName]:
    """Splits that want pairs and are given none."""
    asked = settings.counts or settings.ratios
    return [split for split, share in zip(SPLITS, asked, strict=True) if share and split not in fixed.values()]


def _too_few(
    group_of: Mapping[str, str], fixed: Mapping[str, SplitName], lacking: list[SplitName]
) -> SplitLeakError:
    scenes_of: dict[str, list[str]] = {}
    for scene, group in sorted(group_of.items()):
        scenes_of.setdefault(group, []).append(scene)
    named = "; ".join(" + ".join(scenes) for scenes in scenes_of.values()) or "none"
    return SplitLeakError(
        f"{len(group_of)} scenes make {len(scenes_of)} groups ({named}), of which {len(fixed)} are assigned; "
        f"{' and '.join(lacking)} would be left without one",
        hint="capture more scenes, or divide within scenes with --allow-leaky and call the scores optimistic",
    )


def _without_state(
    members: Sequence[Member], split_of: Mapping[str, SplitName], state: str
) -> dict[str, SplitName]:
    """Test pairs at `state` and the other pairs at other states.

    Raises:
        SplitLeakError: nobody saw the state, or a split is left without pairs.
    """
    states = Counter(member.mirror_state for member in members)
    if state not in states:
        listed = ", ".join(f"{name} ({count} pairs)" for name, count in sorted(states.items()))
        raise SplitLeakError(
            f"no pair was taken at mirror state {state}; there are {listed or 'none'}",
            hint="leave one of those out",
        )
    kept = {}
    seen: dict[SplitName, Counter[str]] = {split: Counter() for split in SPLITS}
    for member in members:
        if member.pair_id in split_of:
            split = split_of[member.pair_id]
            seen[split][member.mirror_state] += 1
            if (split == "test") == (member.mirror_state == state):
                kept[member.pair_id] = split
    for split in SPLITS:
        if split not in kept.values():
            listed = ", ".join(f"{name} ({count} pairs)" for name, count in sorted(seen[split].items()))
            raise SplitLeakError(
                f"with mirror state {state} left out {split} has no pairs: its scenes were seen at {listed}",
                hint="draw with another seed, assign a scene that was seen at that state to test "
                "and one that was seen at others to train and val",
            )
    return kept
