"""Scores as tables that a person reads."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from twinlens import console

if TYPE_CHECKING:
    from twinlens.restore.bootstrap import Interval
    from twinlens.restore.scores import EvaluationReport, GroupScore, ImageScore, Quality
else:
    EvaluationReport = GroupScore = ImageScore = Interval = Quality = Any  # importing them would make --help slow

NONE = "-"
FEW_SCENES = 10
"""Below which a percentile bootstrap promises too much."""


def show_evaluation(report: EvaluationReport, *, by: str, split_pairs: int) -> None:
    """Print the means, and below them a row per "scene", "state" or "image".

    Args:
        report: the scores.
        by: what has a row in the second table.
        split_pairs: pairs in the split, of which fewer may have been scored.
    """
    images = len(report.images)
    counted = f"{images} images" if images == split_pairs else f"the first {images} of {split_pairs} images"
    title = f"{report.split} split, protocol {report.protocol}, {counted} of {len(report.scenes)} scenes"
    columns = ["", "PSNR dB", "95 %", "SSIM", "95 %"]
    if report.realignment != "none":
        columns += [f"dB re-aligned by {report.realignment}", "SSIM re-aligned"]
    console.table(title, columns, [row[: len(columns)] for row in _means(report)])
    if len(report.scenes) == 1:
        console.note("one scene tells nothing of others: there is no confidence interval")
    elif len(report.scenes) < FEW_SCENES:
        console.note(f"{len(report.scenes)} scenes are few: an interval drawn from them is too narrow")
    if report.realignment != "none":
        console.note(_about_moving(report))
    first, rows = _rows(report, by)
    methods = [method.method for method in report.mean_baselines]
    columns = [*first, "input dB", "restored dB", "gain dB", *(f"{name} dB" for name in methods), "ceiling dB",
               "input SSIM", "restored SSIM"]  # fmt: skip
    console.table(f"by {by}", columns, rows)


def _means(report: EvaluationReport) -> Iterable[Sequence[str]]:
    moved = report.realigned
    yield "input", *_pair(report.mean_input, None, None), *_moved(moved.input if moved else None)
    yield (
        "restored",
        *_pair(report.mean_restored, report.restored_psnr_db_95, report.restored_ssim_95),
        *_moved(moved.restored if moved else None),
    )
    after = moved.baselines if moved else ()
    for place, method in enumerate(report.mean_baselines):
        yield method.method, *_pair(method.quality, None, None), *_moved(after[place].quality if after else None)
    yield "gain", f"{report.gain_db:+.2f}", _interval(report.gain_db_95, 2), "", "", "", ""
    ceiling = NONE if report.ceiling_db is None else f"{report.ceiling_db:.2f}"
    yield "ceiling", ceiling, "", "", "", "", ""


def _about_moving(report: EvaluationReport) -> str:
    found, images = report.realigned, len(report.images)
    if found is None:
        return "nothing is re-aligned: no small displacement fits, or no area is left"
    lost = (
        "" if found.images == images else f" over {found.images} of {images} images, as nothing fits the others,"
    )
    return (
        f"re-aligned scores are{lost} on pixels some way from borders and masks; there, not moved, restored has "
        f"{found.restored_in_place.psnr_db:.2f} dB. The mean move is {found.moved_px:.3f} px"
    )


def _pair(quality: Quality, psnr_95: Interval | None, ssim_95: Interval | None) -> Sequence[str]:
    psnr, ssim = f"{quality.psnr_db:.2f}", f"{quality.ssim:.4f}"
    return psnr, _interval(psnr_95, 2), ssim, _interval(ssim_95, 4)


def _moved(quality: Quality | None) -> Sequence[str]:
    return (NONE, NONE) if quality is None else (f"{quality.psnr_db:.2f}", f"{quality.ssim:.4f}")


def _interval(found: Interval | None, digits: int) -> str:
    return "" if found is None else f"{found.low:.{digits}f} .. {found.high:.{digits}f}"


def _rows(report: EvaluationReport, by: str) -> tuple[Sequence[str], list[Sequence[str]]]:
    if by == "image":
        return ("scene", "pair"), [(one.scene, one.pair_id, *_row(one)) for one in report.images]
    groups = report.scenes if by == "scene" else report.mirror_states
    first = "scene" if by == "scene" else "mirror state"
    return (first, "images"), [(one.name, str(one.images), *_row(one)) for one in groups]


def _row(one: "GroupScore | ImageScore") -> Sequence[str]:
    others = [method.quality for method in one.baselines]
    return (
        f"{one.input.psnr_db:.2f}",
        f"{one.restored.psnr_db:.2f}",
        f"{one.gain_db:+.2f}",
        *(f"{quality.psnr_db:.2f}" for quality in others),
        NONE if one.ceiling_db is None else f"{one.ceiling_db:.2f}",
        f"{one.input.ssim:.4f}",
        f"{one.restored.ssim:.4f}",
    )
