"""The plots of a dataset's page; every axis says its unit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import LogLocator, NullLocator

from twinlens.dataset.analysis import DatasetAnalysis
from twinlens.report.figures import BASELINE, INK, INPUT, RESTORED, as_vector, figure
from twinlens.report.pictures import Shown

TARGET = RESTORED
_SPLIT_COLOURS = {"train": "#3f83f8", "val": "#e3a008", "test": "#8b5cf6"}
_BINS = 40


@dataclass(frozen=True)
class DatasetFigures:
    """Every plot of a dataset's page; None where nothing is known."""

    levels: Shown
    sharpness: Shown
    spectrum: Shown
    psnr: Shown | None
    residual: Shown | None
    skew: Shown | None
    exposure: Shown | None


def dataset_figures(analysis: DatasetAnalysis) -> DatasetFigures:
    """Draw them."""
    pairs = analysis.pairs
    return DatasetFigures(
        levels=_levels(analysis),
        sharpness=_sharpness(analysis),
        spectrum=_spectrum(analysis),
        psnr=_histogram([pair.psnr_db for pair in pairs], "PSNR of the input (dB)"),
        residual=_histogram([pair.residual_px for pair in pairs], "registration residual (px)"),
        skew=_histogram([pair.skew_us for pair in pairs], "time from A to B (µs)"),
        exposure=_histogram([pair.exposure_us for pair in pairs], "exposure (µs)"),
    )


def _levels(analysis: DatasetAnalysis) -> Shown:
    white = 2**analysis.summary.bit_depth - 1
    edges = np.linspace(0, white + 1, len(analysis.levels_input) + 1)
    with figure(6.1, 3.3) as drawn:
        axes = drawn.add_subplot()
        for shares, colour, label in (
            (analysis.levels_input, INPUT, "input"),
            (analysis.levels_target, TARGET, "target"),
        ):
            axes.stairs(100 * np.array(shares), edges, color=colour, label=label, linewidth=1.8)
        axes.set(xlabel="grey level", ylabel="pixels (%)", title="Grey levels", xlim=(0, white + 1))
        axes.legend()
        return as_vector(drawn, "Share of pixels at each grey level, of input and target.")


def _sharpness(analysis: DatasetAnalysis) -> Shown:
    least = 1e-2
    with figure(6.1, 4.2) as drawn:
        axes = drawn.add_subplot()
        for split, colour in (*_SPLIT_COLOURS.items(), ("unused", INPUT)):
            chosen = [pair for pair in analysis.pairs if pair.split == split]
            if chosen:
                axes.loglog(
                    [max(pair.sharpness_input, least) for pair in chosen],
                    [max(pair.sharpness_target, least) for pair in chosen],
                    "o",
                    color=colour,
                    label=split,
                    markersize=4,
                    alpha=0.75,
                )
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_locator(NullLocator())
        low, high = (op(*axes.get_xlim(), *axes.get_ylim()) for op in (min, max))
        axes.plot([low, high], [low, high], color=INK, linestyle="--", linewidth=1, label="equally sharp")
        axes.set(
            xlabel="Laplacian variance of the input (grey levels²)",
            ylabel="of the target (grey levels²)",
            title="Sharpness of both sides of each pair",
            xlim=(low, high),
            ylim=(low, high),
        )
        axes.legend()
        below = sum(pair.sharpness_input > pair.sharpness_target for pair in analysis.pairs)
        return as_vector(drawn, f"Sharpness of the target over that of the input; {below} inputs are sharper.")


def _spectrum(analysis: DatasetAnalysis) -> Shown:
    with figure(6.1, 3.3) as drawn:
        axes = drawn.add_subplot()
        axes.plot(analysis.frequencies, analysis.spectrum_ratio_db, color=RESTORED)
        axes.axhline(0, color=INK, linestyle="--", linewidth=1)
        axes.set(
            xlabel="spatial frequency (cycles/px)",
            ylabel="input / target (dB)",
            title="Power of the input against the target's",
            xlim=(0, 0.5),
        )
        return as_vector(drawn, "Ratio of the radial power spectra of input and target.")


def _histogram(figures: Sequence[float], what: str) -> Shown | None:
    """What is known of `figures`; None where nothing is."""
    values = [one for one in figures if np.isfinite(one)]
    if not values:
        return None
    low, high = min(values), max(values)
    with figure(4.0, 2.6) as drawn:
        axes = drawn.add_subplot()
        if np.isclose(low, high):
            axes.bar([low], [len(values)], width=max(abs(low) / 100, 1e-3), color=RESTORED)
            margin = max(abs(low) / 10, 0.1)
            axes.set_xlim(low - margin, low + margin)
        else:
            axes.hist(values, bins=min(_BINS, max(5, len(values) // 3)), color=RESTORED)
            axes.axvline(float(np.median(values)), color=BASELINE, linestyle="--", label="median")
            axes.legend()
        axes.set(xlabel=what, ylabel="pairs")
        return as_vector(drawn, f"Histogram of {what}: {low:.4g} to {high:.4g} over {len(values)} pairs.")
