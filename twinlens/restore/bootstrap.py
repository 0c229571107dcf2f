"""How sure a mean is: a confidence interval by drawing scenes again."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Interval:
    """Where a mean over other scenes of this kind lies in 95 of 100 cases."""

    low: float
    high: float


def interval_95(
    values: Sequence[float], scenes: Sequence[Hashable], *, resamples: int, rng: np.random.Generator
) -> Interval | None:
    """The 95 % percentile interval of the mean, by bootstrap over scenes (Efron 1979); None for a single scene.

    Frames of one scene are alike, so whole scenes are drawn, with replacement, and each image counts the same:
    drawing images would promise an accuracy that another scene does not keep. Where a value is infinite (a
    picture equal to its target) the interval is None too. Of fewer than about ten scenes it is too narrow.

    Args:
        values: one per image.
        scenes: the scene of each image.
        resamples: draws.
        rng: draws the scenes.
    """
    names = sorted(set(scenes), key=list(scenes).index)
    if len(names) < 2 or not all(map(math.isfinite, values)):
        return None
    rows = np.array([names.index(scene) for scene in scenes])
    counts = np.bincount(rows)
    sums = np.bincount(rows, weights=np.asarray(values, np.float64))
    drawn = rng.integers(0, len(names), (resamples, len(names)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(low), float(high))
