"""What an evaluation finds: per image, per scene and mirror state, and over all. Numbers only."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from twinlens.restore.bootstrap import Interval


@dataclass(frozen=True)
class Quality:
    """One picture, or the mean over several, against the target on valid pixels."""

    psnr_db: float
    """Infinite where the picture equals its target."""
    ssim: float


@dataclass(frozen=True)
class MethodQuality:
    """What one named method reached."""

    method: str
    quality: Quality


@dataclass(frozen=True, kw_only=True)
class RealignedScore:
    """The same pictures, each moved onto the target first, on pixels some way from borders and masked ones."""

    input: Quality
    restored: Quality
    restored_in_place: Quality
    """On the same pixels without being moved: the difference is what moving is worth."""
    baselines: tuple[MethodQuality, ...]
    moved_px: float
    """How far the middle of the restored picture moved."""
    images: int = 1
    """Over how many images this is the mean."""


@dataclass(frozen=True, kw_only=True)
class ImageScore:
    """One pair: its input, what the network made of it, and what the baselines did."""

    pair_id: str
    scene: str
    mirror_state: str
    input: Quality
    restored: Quality
    baselines: tuple[MethodQuality, ...]
    restore_s: float
    """Wall time the restorer took."""
    ceiling_db: float | None = None
    """PSNR that a perfect restoration could reach, by the pair's passport; None where nobody measured it."""
    realigned: RealignedScore | None = None
    """None where nobody asked, or no small displacement fits."""

    @property
    def gain_db(self) -> float:
        """Restored PSNR minus input PSNR."""
        return gain_db(self.input, self.restored)


@dataclass(frozen=True, kw_only=True)
class GroupScore:
    """Means over the images of one scene, or one mirror state."""

    name: str
    images: int
    input: Quality
    restored: Quality
    baselines: tuple[MethodQuality, ...]
    gain_db: float
    ceiling_db: float | None


@dataclass(frozen=True, kw_only=True)
class EvaluationReport:
    """Scores per image, in the order of the pairs, and their means."""

    protocol: str
    """What PSNR and SSIM are: a name of `PROTOCOLS`."""
    split: str
    dataset_hash: str
    """Content hash of the dataset the pairs came from."""
    images: tuple[ImageScore, ...]
    mean_input: Quality
    mean_restored: Quality
    mean_baselines: tuple[MethodQuality, ...]
    gain_db: float
    """Mean of restored PSNR minus input PSNR, over images where neither is infinite."""
    realignment: str = "none"
    """How pictures were moved for `realigned`; every other score is of pictures as they are."""
    realigned: RealignedScore | None = None
    """Means after re-alignment, over the images it succeeded on."""
    scenes: tuple[GroupScore, ...] = ()
    mirror_states: tuple[GroupScore, ...] = ()
    restored_psnr_db_95: Interval | None = None
    """95 % interval of the mean by bootstrap over scenes; None for a single scene, which tells of no other."""
    restored_ssim_95: Interval | None = None
    gain_db_95: Interval | None = None
    ceiling_db: float | None = None
    """Mean over the images whose passports tell one."""


def mean_gain_db(scores: Sequence[ImageScore]) -> float:
    """By how much PSNR rose in the mean, over images where neither picture equals its target; 0 without any."""
    gains = [score.gain_db for score in scores if math.isfinite(score.gain_db)]
    return statistics.fmean(gains) if gains else 0.0


def gain_db(before: Quality, after: Quality) -> float:
    """By how much PSNR rose; 0 where both pictures equal the target."""
    return 0.0 if before.psnr_db == after.psnr_db == math.inf else after.psnr_db - before.psnr_db
