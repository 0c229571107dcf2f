"""Scenes and splits of an import: a source's own splits are kept, and no scene lies in two of them."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from twinlens.dataset.exchange.found import FoundPair
from twinlens.dataset.exchange.import_settings import ImportSettings
from twinlens.dataset.schema import SPLITS
from twinlens.errors import DatasetError, SplitLeakError


@dataclass(frozen=True, slots=True)
class KeptSplits:
    """What decides on the splits of an import."""

    assignment: dict[str, str]
    """Scenes whose split the source tells."""
    ratios: tuple[float, float, float]
    """Shares for all others."""


def scenes_of(found: Sequence[FoundPair], pattern: str) -> list[str]:
    """The scene of every pair: by `pattern`, else as an export tells, else its folder, else it is one of its own.

    Raises:
        DatasetError: the pattern does not fit a name.
    """
    return [_scene(pair, pattern) for pair in found]


def kept_splits(found: Sequence[FoundPair], scenes: Sequence[str], settings: ImportSettings) -> KeptSplits:
    """Which scenes stay in the split they come from; a split the source lacks gets its share of train.

    Raises:
        SplitLeakError: a scene lies in two splits, or there are splits and train is none of them.
    """
    splits = [pair.split for pair in found]
    present = [split for split in SPLITS if split in splits]
    if settings.split_again or not present:
        return KeptSplits({}, settings.ratios)
    if None in splits or "train" not in present:
        raise SplitLeakError(
            f"of {len(found)} pairs, {splits.count(None)} are in no split, the others in {', '.join(present)}; "
            "what is missing can only be taken from train",
            hint="draw new splits by whole scenes with --split-again",
        )
    split_of: dict[str, str] = {}
    for scene, split in zip(scenes, splits, strict=True):
        if split_of.setdefault(scene, str(split)) != split:
            raise SplitLeakError(
                f"the scene {scene!r} lies in {split_of[scene]} and in {split}",
                hint="tell scenes apart with --scene-pattern, or draw new splits with --split-again",
            )
    lacking = [split for split in SPLITS if split not in present]
    if not lacking:
        return KeptSplits(split_of, settings.ratios)
    # With counts as shares, a split that is kept wants exactly the pairs it has.
    pairs = Counter(splits)
    of_train = {
        split: share for split, share in zip(SPLITS, settings.ratios, strict=True) if split in ("train", *lacking)
    }
    unit = pairs["train"] / sum(of_train.values())
    first, second, third = (of_train[s] * unit if s in of_train else float(pairs[s]) for s in SPLITS)
    kept = {scene: split for scene, split in split_of.items() if split != "train"}
    return KeptSplits(kept, (first, second, third))


def _scene(pair: FoundPair, pattern: str) -> str:
    if pattern:
        fit = re.search(pattern, pair.key)
        scene = fit[fit.re.groups and 1] if fit else None
        if not scene:
            raise DatasetError(
                f"the scene pattern {pattern!r} finds nothing in {pair.key!r}",
                hint="it is looked for in SPLIT/NAME, without suffix",
            )
        return scene
    return str(pair.facts.get("scene") or pair.group or pair.key)
