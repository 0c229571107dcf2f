"""What the page of a repeated experiment is made from, beside the street it walked."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from twinlens.restore.displaced import DisplacedScore


@dataclass(frozen=True, kw_only=True)
class Quoted:
    """What a paper says: quoted here, not measured."""

    source: str
    setup: str
    """What was recorded, and how, in words."""
    training: str
    """What was trained, and how, in words."""
    counts: list[int]
    """Pairs of train, validation and test."""
    psnr_db: float
    ssim: float
    elsewhere: str
    """What the paper sets beside it: the network on another dataset, by another protocol."""
    elsewhere_psnr_db: float
    elsewhere_ssim: float


@dataclass(frozen=True, kw_only=True)
class RoundScore:
    """What the checkpoint of one training step reached on the whole test split."""

    step: int
    rounds: float
    """Crops seen by then, over pairs to train on."""
    psnr_db: float
    ssim: float


@dataclass(frozen=True, kw_only=True)
class SplitRow:
    """What one split holds."""

    split: str
    pairs: int
    scenes: int
    mirror_states: int


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One run of a recipe at one scale."""

    recipe: str
    scale: str
    meant_for: str
    differs: tuple[str, ...]
    """What is not as in the paper."""
    date: str
    device: str
    quoted: Quoted
    splits: tuple[SplitRow, ...]
    rounds: tuple[RoundScore, ...]
    """In the order of training."""
    crops_per_step: int
    chosen_step: int
    """Of the checkpoint with the best validation score."""
    ceiling_db: float | None
    """Mean over the test pairs of what registration lets a perfect restoration reach."""
    displaced: tuple[DisplacedScore, ...]
    """What a perfect restoration would score against a target that lies beside it."""
    seed: int
    """Drew the splits and the triples."""
    stage_s: Mapping[str, float]
    """Wall time by stage."""

    @property
    def shift_of_quoted_px(self) -> float | None:
        """Displacement at which a perfect restoration would score what the paper quotes; None beyond the curve."""
        points = sorted((score.psnr_db, score.shift_px) for score in self.displaced)
        for (low_db, far_px), (high_db, near_px) in pairwise(points):
            if low_db <= self.quoted.psnr_db <= high_db:
                part = (self.quoted.psnr_db - low_db) / (high_db - low_db)
                return far_px + part * (near_px - far_px)
        return None
