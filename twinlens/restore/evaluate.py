"""How good a restorer is on pairs it has never seen, beside doing nothing and beside classical methods."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from twinlens.dataset.paired import StoredPair
from twinlens.errors import RestoreError
from twinlens.pixels import Mask, Picture
from twinlens.restore.evaluation_settings import EvaluationSettings
from twinlens.restore.metrics import psnr, require_protocol, ssim
from twinlens.restore.realign import Realigned, realign
from twinlens.restore.scores import (
    EvaluationReport,
    GroupScore,
    ImageScore,
    MethodQuality,
    Quality,
    RealignedScore,
)
from twinlens.restore.summarise import summarise

__all__ = [
    "Baseline",
    "EvaluationReport",
    "EvaluationSettings",
    "GroupScore",
    "ImageScore",
    "MethodQuality",
    "Quality",
    "RealignedScore",
    "ScoredPicture",
    "evaluate",
    "summarise",
]

Baseline = Callable[[StoredPair], Picture]
"""A classical method: it may look at the pair's target, and is an oracle then."""


@dataclass(frozen=True)
class ScoredPicture:
    """A score, and the restored picture it is about."""

    score: ImageScore
    restored: Picture = field(repr=False)


def evaluate(
    pairs: Iterable[StoredPair],
    restorer: Callable[[Picture], Picture],
    *,
    baselines: Mapping[str, Baseline] | None = None,
    settings: EvaluationSettings | None = None,
) -> Iterator[ScoredPicture]:
    """Restore and score pair by pair; `summarise` makes the report of what this yields.

    Args:
        pairs: a split of a dataset; one that training never saw.
        restorer: degraded picture in, restored picture out.
        baselines: methods to score on the same pairs, by name.
        settings: protocol and re-alignment.

    Raises:
        RestoreError: the restorer, a baseline or the protocol does not take such pictures.
    """
    settings = settings or EvaluationSettings()
    for pair in pairs:
        try:
            yield _scored(pair, restorer, baselines or {}, settings)
        except RestoreError as cause:
            raise RestoreError(f"pair {pair.pair_id}: {cause.message}", hint=cause.hint) from cause
        except ValueError as cause:  # too small for the protocol's windows
            raise RestoreError(f"pair {pair.pair_id}: {cause}", hint="build the dataset without it") from cause


def _scored(
    pair: StoredPair,
    restorer: Callable[[Picture], Picture],
    baselines: Mapping[str, Baseline],
    settings: EvaluationSettings,
) -> ScoredPicture:
    require_protocol(settings.protocol, channels=1 if pair.input.ndim == 2 else pair.input.shape[2])
    started = time.monotonic()
    restored = restorer(pair.input)
    restore_s = time.monotonic() - started
    others = {name: method(pair) for name, method in baselines.items()}
    scorer = _Scorer(pair, settings)
    score = ImageScore(
        pair_id=pair.pair_id,
        scene=pair.scene,
        mirror_state=pair.mirror_state,
        input=scorer.quality(pair.input, pair.mask),
        restored=scorer.quality(restored, pair.mask),
        baselines=tuple(MethodQuality(name, scorer.quality(other, pair.mask)) for name, other in others.items()),
        restore_s=restore_s,
        ceiling_db=pair.ceiling_db if math.isfinite(pair.ceiling_db) else None,
        realigned=None if settings.realign == "none" else scorer.realigned(restored, others),
    )
    return ScoredPicture(score, restored)


@dataclass(frozen=True)
class _Scorer:
    """Pictures against one pair's target."""

    pair: StoredPair
    settings: EvaluationSettings

    @property
    def white(self) -> float:
        return float(2**self.pair.bit_depth - 1)

    def quality(self, picture: Picture, mask: Mask) -> Quality:
        """On the pixels of a mask."""
        target, protocol = self.pair.target, self.settings.protocol
        return Quality(
            psnr_db=psnr(picture, target, data_range=self.white, mask=mask, protocol=protocol),
            ssim=ssim(picture, target, data_range=self.white, mask=mask, protocol=protocol),
        )

    def realigned(self, restored: Picture, others: Mapping[str, Picture]) -> RealignedScore | None:
        """Each picture moved by its own displacement; None where one of them fits nowhere near."""
        moved = [self._moved(picture) for picture in (self.pair.input, restored, *others.values())]
        found = [one for one in moved if one is not None]
        if len(found) < len(moved):
            return None
        before, after, *rest = (self.quality(one.picture, one.mask) for one in found)
        return RealignedScore(
            input=before,
            restored=after,
            restored_in_place=self.quality(restored, found[1].mask),
            baselines=tuple(MethodQuality(name, one) for name, one in zip(others, rest, strict=True)),
            moved_px=found[1].moved_px,
        )

    def _moved(self, picture: Picture) -> Realigned | None:
        pair = self.pair
        return realign(picture, pair.target, pair.mask, method=self.settings.realign, data_range=self.white)
