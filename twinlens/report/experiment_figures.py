"""The figures of a repeated experiment: the test score against training rounds, and what a shift alone costs."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from twinlens.report.experiment import Experiment
from twinlens.report.figures import BASELINE, INK, INPUT, RESTORED, as_vector, figure
from twinlens.report.pictures import Shown
from twinlens.restore.evaluate import EvaluationReport, Quality
from twinlens.restore.train import StepReport

_VALIDATION = "#7a5195"
_REACH_DB = 4.0
"""A ceiling this far above the highest curve is told in words: drawn, it would press all else together."""


@dataclass(frozen=True)
class ExperimentFigures:
    """The plots that stand beside the paper's."""

    rounds: Shown
    displaced: Shown


def experiment_figures(
    experiment: Experiment, evaluation: EvaluationReport, training: Sequence[StepReport]
) -> ExperimentFigures:
    """Both plots of an experiment."""
    return ExperimentFigures(
        rounds=rounds_figure(experiment, evaluation, training), displaced=displaced_figure(experiment, evaluation)
    )


def rounds_figure(experiment: Experiment, evaluation: EvaluationReport, training: Sequence[StepReport]) -> Shown:
    """Test PSNR and SSIM of every kept checkpoint over the training rounds, with the validation crops' PSNR."""
    with figure(12.6, 4.9) as drawn:
        left, right = drawn.subplots(1, 2)
        _psnr_over_rounds(left, experiment, evaluation, training)
        _ssim_over_rounds(right, experiment, evaluation)
        last = experiment.rounds[-1]
        alt = (
            f"Test PSNR and SSIM against training rounds: {last.psnr_db:.2f} dB and {last.ssim:.4f} after "
            f"{last.rounds:.1f} rounds."
        )
        return as_vector(drawn, alt)


def _psnr_over_rounds(
    axes: Axes, experiment: Experiment, evaluation: EvaluationReport, training: Sequence[StepReport]
) -> None:
    rounds, scores = [r.rounds for r in experiment.rounds], [r.psnr_db for r in experiment.rounds]
    axes.plot(rounds, scores, color=RESTORED, marker="o", markersize=4.5, label="test, whole frames")
    per_step = experiment.rounds[-1].rounds / experiment.rounds[-1].step
    checked = [(report.step * per_step, report.psnr_db) for report in training if report.psnr_db is not None]
    if checked:
        axes.plot(
            *zip(*checked, strict=True),
            color=_VALIDATION,
            linewidth=1.2,
            marker=".",
            label="validation, crops: chooses the model",
        )
    axes.axhline(
        evaluation.mean_input.psnr_db,
        color=INPUT,
        linestyle="--",
        label=f"test input: {evaluation.mean_input.psnr_db:.2f} dB",
    )
    _quoted(
        axes, experiment.quoted.psnr_db, f"{experiment.quoted.source}: {experiment.quoted.psnr_db:.2f} dB, quoted"
    )
    _chosen(axes, experiment)
    _ceiling(axes, experiment.ceiling_db)
    axes.set(xlabel="training rounds (crops seen / training pairs)", ylabel="PSNR (dB)", title="PSNR")
    _legend_below(axes)


def _ssim_over_rounds(axes: Axes, experiment: Experiment, evaluation: EvaluationReport) -> None:
    rounds, scores = [r.rounds for r in experiment.rounds], [r.ssim for r in experiment.rounds]
    axes.plot(rounds, scores, color=RESTORED, marker="o", markersize=4.5, label="test, whole frames")
    axes.axhline(
        evaluation.mean_input.ssim,
        color=INPUT,
        linestyle="--",
        label=f"test input: {evaluation.mean_input.ssim:.4f}",
    )
    _quoted(axes, experiment.quoted.ssim, f"{experiment.quoted.source}: {experiment.quoted.ssim:.4f}, quoted")
    _chosen(axes, experiment)
    axes.set(
        xlabel="training rounds (crops seen / training pairs)",
        ylabel=f"SSIM ({evaluation.protocol})",
        title="SSIM",
    )
    _legend_below(axes)


def _legend_below(axes: Axes) -> None:
    # Inside, it would cover lines that run from border to border.
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, fontsize=8)


def _quoted(axes: Axes, value: float, label: str) -> None:
    axes.axhline(value, color=BASELINE, linestyle="-.", linewidth=1.4, label=label)


def _chosen(axes: Axes, experiment: Experiment) -> None:
    per_step = experiment.rounds[-1].rounds / experiment.rounds[-1].step
    axes.axvline(
        experiment.chosen_step * per_step, color=INK, linestyle=":", linewidth=1.0, label="chosen on validation"
    )


def _ceiling(axes: Axes, ceiling_db: float | None) -> None:
    if ceiling_db is None:
        return
    low, high = axes.get_ylim()
    if ceiling_db < high + _REACH_DB:
        axes.axhline(ceiling_db, color=INK, linewidth=1.2, label=f"ceiling by registration: {ceiling_db:.1f} dB")
    else:
        axes.plot(
            [], [], color=INK, linewidth=1.2, label=f"ceiling by registration: {ceiling_db:.1f} dB, far above"
        )
        axes.set_ylim(low, high)


def displaced_figure(experiment: Experiment, evaluation: EvaluationReport) -> Shown:
    """PSNR and SSIM of sharp test targets against themselves, displaced, over the displacement."""
    shifts = [score.shift_px for score in experiment.displaced]
    quoted = Quality(experiment.quoted.psnr_db, experiment.quoted.ssim)
    with figure(12.6, 4.5) as drawn:
        left, right = drawn.subplots(1, 2)
        for axes, name, unit, digits in ((left, "psnr_db", "PSNR (dB)", 2), (right, "ssim", "SSIM", 4)):
            scores = [getattr(score, name) for score in experiment.displaced]
            axes.plot(shifts, scores, color=INK, marker="o", markersize=4, label="sharp target, displaced")
            for quality, colour, line, title in (
                (evaluation.mean_restored, RESTORED, "--", "restored here"),
                (evaluation.mean_input, INPUT, "--", "input here"),
                (quoted, BASELINE, "-.", f"{experiment.quoted.source}, quoted"),
            ):
                value = getattr(quality, name)
                axes.axhline(
                    value, color=colour, linestyle=line, linewidth=1.4, label=f"{title}: {value:.{digits}f}"
                )
            axes.set(xlabel="displacement (px)", ylabel=unit, title=f"{unit.split()[0]} of a perfect restoration")
            _legend_below(axes)
        first, last = experiment.displaced[0], experiment.displaced[-1]
        alt = (
            f"A perfect restoration displaced by {first.shift_px:g} px scores {first.psnr_db:.2f} dB, by "
            f"{last.shift_px:g} px {last.psnr_db:.2f} dB."
        )
        return as_vector(drawn, alt)
