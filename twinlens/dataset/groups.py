"""What must not be divided: scenes that show the same thing are one group, and a group lies in one split."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from twinlens.errors import SplitLeakError


@dataclass(frozen=True, slots=True)
class Member:
    """A pair as far as splitting it off is concerned."""

    pair_id: str
    scene: str
    session_id: str
    trigger_index: int
    mirror_state: str


def group_of_scenes(
    scenes: Iterable[str], *, places: Mapping[str, str], same: Iterable[tuple[str, str]]
) -> dict[str, str]:
    """The group of every scene: its own name, or the alphabetically first of all scenes that it is tied to.

    Scenes of one place are tied, and so are the two scenes of every pair in `same`; ties chain. A recording's
    burst shows one scene, so a burst lies within a scene and never across groups. The order of scenes and ties
    does not matter.

    Args:
        scenes: every scene, however often.
        places: scene to place; a scene that is missing, or whose place is "", is tied to nobody by it.
        same: scenes that show the same thing under two names.

    Raises:
        SplitLeakError: `places` or `same` names a scene nobody saw.
    """
    seen = sorted(set(scenes))
    ties = list(same)
    _check_known(seen, places, ties)
    first_at: dict[str, str] = {}
    for scene, place in sorted(places.items()):
        if place:
            ties.append((first_at.setdefault(place, scene), scene))
    parent = {scene: scene for scene in seen}
    for a, b in ties:
        low, high = sorted((_root(parent, a), _root(parent, b)))
        parent[high] = low
    return {scene: _root(parent, scene) for scene in seen}


def _root(parent: dict[str, str], scene: str) -> str:
    while parent[scene] != scene:
        parent[scene] = parent[parent[scene]]
        scene = parent[scene]
    return scene


def _check_known(seen: list[str], places: Mapping[str, str], ties: list[tuple[str, str]]) -> None:
    for what, named in (
        ("given a place", set(places)),
        ("tied to another scene", {s for tie in ties for s in tie}),
    ):
        unseen = sorted(named - set(seen))
        if unseen:
            raise SplitLeakError(
                f"{', '.join(unseen)} is {what}, and no pair shows it; the scenes are {', '.join(seen) or 'none'}",
                hint="correct the scene names",
            )
