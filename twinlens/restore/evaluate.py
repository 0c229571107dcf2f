"""How good a restorer is on pairs it has never seen, beside doing nothing and beside classical methods."""

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from twinlens.dataset.paired import StoredPair
from twinlens.errors import RestoreError
from twinlens.pixels import Picture
from twinlens.restore.metrics import PROTOCOL, psnr, ssim

Baseline = Callable[[StoredPair], Picture]
"""A classical method: it may look at the pair's target, and is an oracle then."""


@dataclass(frozen=True)
class Quality:
    """One picture, or the mean over several, against the target on valid pixels."""

    psnr_db: float
    ssim: float


@dataclass(frozen=True)
class MethodQuality:
    """What one named method reached."""

    method: str
    quality: Quality


@dataclass(frozen=True, kw_only=True)
class ImageScore:
    """One pair: its input, what the network made of it, and what the baselines did."""

    scene: str
    input: Quality
    restored: Quality
    baselines: tuple[MethodQuality, ...]
    restore_s: float
    """Wall time the restorer took."""


@dataclass(frozen=True)
class ScoredPicture:
    """A score, and the restored picture it is about."""

    score: ImageScore
    restored: Picture = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class EvaluationReport:
    """Scores per image, in the order of the pairs, and their means."""

    protocol: str
    """Which SSIM: "wang2003"."""
    split: str
    dataset_hash: str
    """Content hash of the dataset the pairs came from."""
    images: tuple[ImageScore, ...]
    mean_input: Quality
    mean_restored: Quality
    mean_baselines: tuple[MethodQuality, ...]
    gain_db: float
    """Mean restored PSNR minus mean input PSNR."""


def evaluate(
    pairs: Iterable[StoredPair],
    restorer: Callable[[Picture], Picture],
    *,
    baselines: Mapping[str, Baseline] | None = None,
) -> Iterator[ScoredPicture]:
    """Restore and score pair by pair; `summarise` makes the report of what this yields.

    Args:
        pairs: a split of a dataset; one that training never saw.
        restorer: degraded picture in, restored picture out.
        baselines: methods to score on the same pairs, by name.

    Raises:
        RestoreError: the restorer does not take such pictures.
    """
    for pair in pairs:
        started = time.monotonic()
        restored = restorer(pair.input)
        restore_s = time.monotonic() - started
        score = ImageScore(
            scene=pair.scene,
            input=quality(pair.input, pair),
            restored=quality(restored, pair),
            baselines=tuple(
                MethodQuality(name, quality(method(pair), pair)) for name, method in (baselines or {}).items()
            ),
            restore_s=restore_s,
        )
        yield ScoredPicture(score, restored)


def quality(picture: Picture, pair: StoredPair) -> Quality:
    """A picture against the pair's target, on the pair's valid pixels."""
    white = float(2**pair.bit_depth - 1)
    return Quality(
        psnr_db=psnr(picture, pair.target, data_range=white, mask=pair.mask),
        ssim=ssim(picture, pair.target, data_range=white, mask=pair.mask),
    )


def summarise(scores: Sequence[ImageScore], *, split: str, dataset_hash: str) -> EvaluationReport:
    """The report over all images; each image counts the same.

    Raises:
        RestoreError: there is no image.
    """
    if not scores:
        raise RestoreError(f"the {split} split holds no pair to evaluate", hint="build a dataset with more scenes")
    mean_input = _mean([score.input for score in scores])
    mean_restored = _mean([score.restored for score in scores])
    # Every score has the same baselines in the same order: one call of `evaluate` made them.
    columns = zip(*(score.baselines for score in scores), strict=True)
    return EvaluationReport(
        protocol=PROTOCOL,
        split=split,
        dataset_hash=dataset_hash,
        images=tuple(scores),
        mean_input=mean_input,
        mean_restored=mean_restored,
        mean_baselines=tuple(
            MethodQuality(column[0].method, _mean([found.quality for found in column])) for column in columns
        ),
        gain_db=mean_restored.psnr_db - mean_input.psnr_db,
    )


def _mean(qualities: Sequence[Quality]) -> Quality:
    return Quality(
        psnr_db=statistics.fmean(found.psnr_db for found in qualities),
        ssim=statistics.fmean(found.ssim for found in qualities),
    )
