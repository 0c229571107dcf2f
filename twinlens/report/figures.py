"""Plots of training and results as vector pictures; every axis says its unit."""

import base64
import io
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from twinlens.report.pictures import Shown
from twinlens.report.street import Ceiling
from twinlens.restore.evaluate import EvaluationReport, ImageScore
from twinlens.restore.train import StepReport

INPUT, RESTORED, BASELINE, INK = "#8a94a3", "#0b6bcb", "#d9730d", "#1f2933"

_STYLE: dict[Any, Any] = {
    "axes.edgecolor": "#9aa5b1",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "font.size": 9,
    "grid.color": "#e4e7eb",
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "svg.hashsalt": "twinlens",
    "text.parse_math": False,  # scenes and mirror states are anybody's text, "$" included
    "xtick.color": "#52606d",
    "ytick.color": "#52606d",
}
_CSS_PX_PER_INCH = 96
_PNG_DPI = 160
_MOST_ROWS = 40


@contextmanager
def figure(width_in: float, height_in: float) -> Iterator[Figure]:
    """An empty figure in the house's style, of no backend's global state."""
    with _house_style():
        yield Figure(figsize=(width_in, height_in), layout="constrained")


@contextmanager
def _house_style() -> Iterator[None]:
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # A name in a script that the bundled font lacks is drawn as boxes; the page around it has it in letters.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def as_vector(drawn: Figure, alt: str) -> Shown:
    """A figure as an SVG data URI; call it inside `figure`, whose style it needs."""
    stream = io.BytesIO()
    drawn.savefig(stream, format="svg", metadata={"Date": None})
    width_in, height_in = drawn.get_size_inches()
    source = f"data:image/svg+xml;base64,{base64.b64encode(stream.getvalue()).decode()}"
    return Shown(source, alt, round(width_in * _CSS_PX_PER_INCH), round(height_in * _CSS_PX_PER_INCH))


@dataclass(frozen=True)
class Drawing:
    """A figure that a page shows as vectors and a folder keeps as PNG, and what it says in words."""

    drawn: Figure
    alt: str

    def vector(self) -> Shown:
        """As an SVG data URI."""
        with _house_style():
            return as_vector(self.drawn, self.alt)

    def png(self) -> bytes:
        """As the bytes of a PNG file."""
        stream = io.BytesIO()
        with _house_style():
            self.drawn.savefig(stream, format="png", dpi=_PNG_DPI)
        return stream.getvalue()


def loss_curve(training: Sequence[StepReport]) -> Shown:
    """The training loss over the steps."""
    steps, losses = [r.step for r in training], [r.loss for r in training]
    with figure(6.1, 3.3) as drawn:
        axes = drawn.add_subplot()
        axes.plot(steps, losses, color=RESTORED)
        if min(losses) > 0:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter("{x:g}")
        axes.set(xlabel="optimiser step", ylabel="loss (sum over the three stages)", title="Training loss")
        alt = f"Training loss over {steps[-1]} steps, from {losses[0]:.4f} to {losses[-1]:.4f}."
        return as_vector(drawn, alt)


def validation_curve(training: Sequence[StepReport]) -> Shown | None:
    """PSNR on the validation crops over the steps, beside that of their input; None if never validated."""
    points = [(r.step, r.psnr_db) for r in training if r.psnr_db is not None]
    if not points:
        return None
    inputs = [r.input_psnr_db for r in training if r.input_psnr_db is not None]
    best_step, best = max(points, key=lambda point: point[1])
    with figure(6.1, 3.3) as drawn:
        axes = drawn.add_subplot()
        axes.plot(*zip(*points, strict=True), color=RESTORED, marker="o", markersize=3.5, label="restored")
        axes.plot(
            best_step, best, "o", color=RESTORED, markersize=9, fillstyle="none", label=f"best: {best:.2f} dB"
        )
        if inputs:
            axes.axhline(inputs[-1], color=INPUT, linestyle="--", label=f"input: {inputs[-1]:.2f} dB")
        axes.set(xlabel="optimiser step", ylabel="PSNR (dB)", title="Validation scenes, never trained on")
        axes.legend(loc="best")
        return as_vector(drawn, f"Validation PSNR over the steps; the best is {best:.2f} dB at step {best_step}.")


def score_chart(evaluation: EvaluationReport, ceilings: Sequence[Ceiling] = ()) -> Shown:
    """Input, baselines and restored PSNR of each test frame, one row each, the worst input at the bottom.

    Args:
        evaluation: the scores.
        ceilings: what registration lets a perfect restoration reach, as vertical lines.
    """
    images = sorted(evaluation.images, key=lambda image: image.input.psnr_db)
    # Where there are too many rows to read, every k-th is shown; the table holds all.
    images = images[:: -(-len(images) // _MOST_ROWS)]
    with figure(9.0, 1.3 + 0.3 * len(images)) as drawn:
        axes = drawn.add_subplot()
        rows = range(len(images))
        before = [image.input.psnr_db for image in images]
        after = [image.restored.psnr_db for image in images]
        axes.hlines(rows, before, after, color="#b6d4f2", linewidth=4, zorder=1)
        axes.plot(before, rows, "o", color=INPUT, label="input")
        for marker, baseline in zip("Dsv^<>", evaluation.mean_baselines, strict=False):
            scores = [_psnr_of(image, baseline.method) for image in images]
            axes.plot(scores, rows, marker, color=BASELINE, markersize=5, label=baseline.method)
        axes.plot(after, rows, "o", color=RESTORED, label="restored")
        for ceiling, line in zip(ceilings, ("--", "-.", ":"), strict=False):
            axes.axvline(ceiling.psnr_db, color=INK, linestyle=line, linewidth=1.2, label=ceiling.title)
        axes.set_yticks(rows, [image.scene for image in images])
        axes.set(xlabel="PSNR against the target (dB), more is better", ylim=(-0.7, len(images) - 0.3))
        axes.grid(visible=False, axis="y")
        drawn.legend(loc="outside upper left", ncols=4)
        return as_vector(
            drawn, "PSNR of input, baseline and restored picture for each test frame, as in the table."
        )


def _psnr_of(image: ImageScore, method: str) -> float:
    return next((scored.quality.psnr_db for scored in image.baselines if scored.method == method), math.nan)
