"""What is in a paired dataset, in numbers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinlens.dataset.schema import SplitName


@dataclass(frozen=True, slots=True)
class Spread:
    """How one number is spread over the pairs."""

    minimum: float
    median: float
    p95: float
    maximum: float
    mean: float


@dataclass(frozen=True, slots=True)
class SplitCount:
    """How much one split holds."""

    split: SplitName
    scenes: int
    pairs: int


@dataclass(frozen=True, slots=True)
class SceneCount:
    """How much one scene holds, and where it went."""

    scene: str
    split: SplitName
    pairs: int
    input_psnr_db: float
    """Mean over its pairs."""


@dataclass(frozen=True, slots=True)
class MirrorCount:
    """How many pairs were taken at one mirror state."""

    mirror_state: str
    pairs: int


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """A dataset in numbers; every field is plain, and `dataclasses.asdict` gives JSON."""

    name: str
    version: str
    content_hash: str
    pairs: int
    scenes: int
    sessions: int
    shape_hw: tuple[int, int]
    bit_depth: int
    splits: tuple[SplitCount, ...]
    """Train, val, test."""
    scene_counts: tuple[SceneCount, ...]
    mirror_states: tuple[MirrorCount, ...]
    residual_px: Spread
    ncc: Spread
    input_psnr_db: Spread
    """Input against target: what a network must beat."""
    saturated_fraction_mean: float
    overlap_mean: float
    bytes_on_disk: int
    is_corrected: bool = False
    """Whether frames have had their camera's dark, gain and defect correction."""


def spread(values: NDArray[Any]) -> Spread:
    """Describe a non-empty array."""
    numbers = np.asarray(values, np.float64)
    return Spread(
        minimum=float(numbers.min()),
        median=float(np.median(numbers)),
        p95=float(np.percentile(numbers, 95)),
        maximum=float(numbers.max()),
        mean=float(numbers.mean()),
    )
