"""Stand-in."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from twinlens.dataset.groups import Member, group_of_scenes
from twinlens.dataset.splits import split_scenes
from twinlens.settings import Settings


@dataclass(frozen=True, kw_only=True)
class SplitSettings(Settings):
    ratios: tuple[float, float, float] = (0.8, 0.1, 0.1)
    counts: tuple[int, int, int] | None = None
    trim: bool = False
    seed: int = 0
    assignment: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    leave_out_mirror_state: str = ""
    allow_leaky: bool = False


@dataclass(frozen=True)
class Scheme:
    rows: dict
    group_of: dict
    leaky: bool = False
    dropped: tuple = ()


def divide(members: Sequence[Member], settings: SplitSettings, *, same: Iterable[tuple[str, str]] = ()) -> Scheme:
    group_of = group_of_scenes([m.scene for m in members], places=settings.places, same=same)
    counts = Counter(group_of[m.scene] for m in members)
    split_of = split_scenes(
        counts,
        ratios=settings.ratios,
        seed=settings.seed,
        assignment={group_of[s]: v for s, v in settings.assignment.items() if s in group_of},
    )
    rows = {
        p: tuple(k for k, m in enumerate(members) if split_of[group_of[m.scene]] == p)
        for p in ("train", "val", "test")
    }
    return Scheme({**rows, "unused": ()}, group_of)
