"""The report: one page that needs nothing beside it, and its numbers as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twinlens.report.environment import page_environment
from twinlens.report.experiment_figures import ExperimentFigures, experiment_figures
from twinlens.report.figures import loss_curve, score_chart, validation_curve
from twinlens.report.gallery import gallery
from twinlens.report.numbers import report_numbers
from twinlens.report.picture_files import write_registration_files
from twinlens.report.pictures import Shown
from twinlens.report.selection import MOST_STATES
from twinlens.report.state_figures import StateFigures, state_figures
from twinlens.report.street import Street
from twinlens.restore.metrics import PROTOCOL
from twinlens.storage import sealed, write_artefact

SCHEMA, SCHEMA_VERSION = "twinlens.report", "1.0.0"
PICTURE_FOLDER = "registration"
"""Beside the page: registration's figures and overlays as PNG files."""

_CALIBRATION_ROWS = (
    ("pairs_used", "Pairs used", 0),
    ("residual_px", "Residual, median (px)", 3),
    ("residual_p95_px", "Residual, p95 (px)", 3),
    ("tile_ncc", "Correlation of tiles, median", 3),
    ("corner_sigma_px", "Uncertainty of the corners (px)", 4),
    ("field", "Beyond a homography", None),
    ("field_rms_px", "Root mean square of that (px)", 3),
    ("ceiling_db", "Score ceiling (dB)", 2),
    ("sigma_px", "Blur, second moment (px)", 2),
    ("kernel_px", "Width of the blur kernel (px)", 0),
    ("gain", "Gain of B against A", 4),
    ("curvature", "Curvature, share of full scale", 4),
    ("vignette", "Change of the gain in the corners", 4),
    ("offset", "Offset (grey levels)", 2),
    ("seconds", "Time (s)", 1),
)
_FOUND_ROWS = (
    ("largest_residual_px", "Residual, largest of the tiles (px)", 3),
    ("brightness_rms", "Brightness left, root mean square (grey levels)", 2),
)


@dataclass(frozen=True)
class Figures:
    """Every plot of a report."""

    states: tuple[StateFigures, ...]
    loss: Shown | None
    validation: Shown | None
    scores: Shown | None
    experiment: ExperimentFigures | None


def write_report(street: Street, out: Path) -> Path:
    """Write `report.json`, `report.html` and registration's pictures into the folder `out`.

    The pictures are PNG files in its folder "registration". Returns the page's path.
    """
    numbers, figures = report_numbers(street), _figures(street)
    page = _page(street, numbers, figures)
    write_artefact(out / "report.json", SCHEMA, SCHEMA_VERSION, numbers)
    write_registration_files(street, figures.states, out / PICTURE_FOLDER)
    path = out / "report.html"
    with sealed(path) as part:
        part.write_text(page, encoding="utf-8")
    return path


def _page(street: Street, numbers: Mapping[str, Any], figures: Figures) -> str:
    return (
        page_environment()
        .get_template("report.html")
        .render(
            numbers=numbers,
            gallery=gallery(street),
            figures=figures,
            most_states=MOST_STATES,
            picture_folder=PICTURE_FOLDER,
            pictures_beside=bool(street.registration) or any(list(state.named()) for state in figures.states),
            sections=_sections(street),
            calibration_rows=_CALIBRATION_ROWS,
            found_rows=_FOUND_ROWS,
            protocol=street.evaluation.protocol if street.evaluation else PROTOCOL,
        )
    )


def _figures(street: Street) -> Figures:
    return Figures(
        states=tuple(state_figures(street)),
        loss=loss_curve(street.training) if street.training else None,
        validation=validation_curve(street.training) if street.training else None,
        scores=_scores(street),
        experiment=experiment_figures(street.experiment, street.evaluation, street.training)
        if street.experiment and street.evaluation
        else None,
    )


def _scores(street: Street) -> Shown | None:
    evaluation = street.evaluation
    return score_chart(evaluation, street.ceilings) if evaluation and evaluation.images else None


def _sections(street: Street) -> list[tuple[str, str]]:
    there = {
        "Experiment": street.experiment is not None,
        "Capture": street.capture is not None,
        "Registration": bool(street.calibration or street.registration or street.truth),
        "Dataset": bool(street.dataset or street.pairs),
        "Training": bool(street.training),
        "Results": bool(street.evaluation or street.triples),
        "Guide": True,
        "Settings": bool(street.settings or street.versions),
    }
    return [(name.lower(), name) for name, walked in there.items() if walked]
