"""From scores of images to a report: means over all, scenes and mirror states, and how sure they are."""

import statistics
from collections.abc import Callable, Sequence

import numpy as np

from twinlens.errors import RestoreError
from twinlens.restore.bootstrap import interval_95
from twinlens.restore.evaluation_settings import EvaluationSettings
from twinlens.restore.scores import (
    EvaluationReport,
    GroupScore,
    ImageScore,
    MethodQuality,
    Quality,
    RealignedScore,
    mean_gain_db,
)


def summarise(
    scores: Sequence[ImageScore], *, split: str, dataset_hash: str, settings: EvaluationSettings | None = None
) -> EvaluationReport:
    """The report over all images; each image counts the same.

    Args:
        scores: of one call of `evaluate`.
        split: where the pairs came from.
        dataset_hash: of the dataset.
        settings: those of `evaluate`.

    Raises:
        RestoreError: there is no image.
    """
    if not scores:
        raise RestoreError(f"the {split} split holds no pair to evaluate", hint="build a dataset with more scenes")
    settings = settings or EvaluationSettings()
    everything = _group("", scores)
    scenes = [score.scene for score in scores]
    intervals = [
        # The same scenes are drawn for each figure, so that their intervals belong together.
        interval_95(
            [figure(score) for score in scores],
            scenes,
            resamples=settings.resamples,
            rng=np.random.default_rng(settings.seed),
        )
        for figure in _FIGURES
    ]
    return EvaluationReport(
        protocol=settings.protocol,
        split=split,
        dataset_hash=dataset_hash,
        images=tuple(scores),
        mean_input=everything.input,
        mean_restored=everything.restored,
        mean_baselines=everything.baselines,
        gain_db=everything.gain_db,
        realignment=settings.realign,
        realigned=_mean_realigned([score.realigned for score in scores if score.realigned is not None]),
        scenes=_groups(scores, lambda score: score.scene),
        mirror_states=_groups(scores, lambda score: score.mirror_state),
        restored_psnr_db_95=intervals[0],
        restored_ssim_95=intervals[1],
        gain_db_95=intervals[2],
        ceiling_db=everything.ceiling_db,
    )


_FIGURES: tuple[Callable[[ImageScore], float], ...] = (
    lambda score: score.restored.psnr_db,
    lambda score: score.restored.ssim,
    lambda score: score.gain_db,
)


def _groups(scores: Sequence[ImageScore], name_of: Callable[[ImageScore], str]) -> tuple[GroupScore, ...]:
    names = dict.fromkeys(map(name_of, scores))
    return tuple(_group(name, [score for score in scores if name_of(score) == name]) for name in names)


def _group(name: str, scores: Sequence[ImageScore]) -> GroupScore:
    ceilings = [score.ceiling_db for score in scores if score.ceiling_db is not None]
    return GroupScore(
        name=name,
        images=len(scores),
        input=_mean([score.input for score in scores]),
        restored=_mean([score.restored for score in scores]),
        baselines=_mean_methods([score.baselines for score in scores]),
        gain_db=mean_gain_db(scores),
        ceiling_db=statistics.fmean(ceilings) if ceilings else None,
    )


def _mean_realigned(scores: Sequence[RealignedScore]) -> RealignedScore | None:
    if not scores:
        return None
    return RealignedScore(
        input=_mean([score.input for score in scores]),
        restored=_mean([score.restored for score in scores]),
        restored_in_place=_mean([score.restored_in_place for score in scores]),
        baselines=_mean_methods([score.baselines for score in scores]),
        moved_px=statistics.fmean(score.moved_px for score in scores),
        images=len(scores),
    )


def _mean_methods(rows: Sequence[tuple[MethodQuality, ...]]) -> tuple[MethodQuality, ...]:
    # Every score has the same baselines in the same order: one call of `evaluate` made them.
    return tuple(
        MethodQuality(column[0].method, _mean([found.quality for found in column]))
        for column in zip(*rows, strict=True)
    )


def _mean(qualities: Sequence[Quality]) -> Quality:
    return Quality(
        psnr_db=statistics.fmean(found.psnr_db for found in qualities),
        ssim=statistics.fmean(found.ssim for found in qualities),
    )
