"""The report: one page that needs nothing beside it, and its numbers as JSON."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from twinlens.report.figures import loss_curve, score_chart, validation_curve
from twinlens.report.figures_registration import error_map, kernels
from twinlens.report.gallery import MOST_STATES, gallery
from twinlens.report.numbers import report_numbers
from twinlens.report.pictures import Shown
from twinlens.report.street import Street
from twinlens.restore.metrics import PROTOCOL
from twinlens.storage import sealed, write_artefact

SCHEMA, SCHEMA_VERSION = "twinlens.report", "1.0.0"

_CALIBRATION_ROWS = (
    ("pairs_used", "Pairs used", 0),
    ("residual_px", "Residual, median (px)", 3),
    ("residual_p95_px", "Residual, p95 (px)", 3),
    ("tile_ncc", "Correlation of tiles, median", 3),
    ("corner_sigma_px", "Uncertainty of the corners (px)", 4),
    ("sigma_px", "Blur, second moment (px)", 2),
    ("kernel_px", "Width of the blur kernel (px)", 0),
    ("gain", "Gain of B against A", 4),
    ("vignette", "Change of the gain in the corners", 4),
    ("offset", "Offset (grey levels)", 2),
    ("seconds", "Time (s)", 1),
)


@dataclass(frozen=True)
class Figures:
    """Every plot of a report."""

    error_map: Shown | None
    kernels: tuple[Shown, ...]
    loss: Shown | None
    validation: Shown | None
    scores: Shown | None


def write_report(street: Street, out: Path) -> Path:
    """Write `report.json` and then `report.html` into the folder `out`; returns the page's path."""
    numbers = report_numbers(street)
    page = _page(street, numbers)
    write_artefact(out / "report.json", SCHEMA, SCHEMA_VERSION, numbers)
    path = out / "report.html"
    with sealed(path) as part:
        part.write_text(page, encoding="utf-8")
    return path


def _page(street: Street, numbers: Mapping[str, Any]) -> str:
    environment = Environment(
        loader=PackageLoader("twinlens.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "fill": _fill, "flat": _flat, "rows": _rows, "words": _words}
    return environment.get_template("report.html").render(
        numbers=numbers,
        gallery=gallery(street),
        figures=_figures(street),
        registrations_given=len(street.registration),
        sections=_sections(street),
        calibration_rows=_CALIBRATION_ROWS,
        protocol=street.evaluation.protocol if street.evaluation else PROTOCOL,
    )


def _figures(street: Street) -> Figures:
    return Figures(
        error_map=error_map(street.truth) if street.truth else None,
        kernels=_kernels(street),
        loss=loss_curve(street.training) if street.training else None,
        validation=validation_curve(street.training) if street.training else None,
        scores=score_chart(street.evaluation) if street.evaluation and street.evaluation.images else None,
    )


def _kernels(street: Street) -> tuple[Shown, ...]:
    """One plot for each mirror state shown; the simulated truth is that of the first."""
    true = street.truth.true_kernel_b if street.truth else None
    found = [(pictures.kernel, pictures.mirror_state) for pictures in street.registration[:MOST_STATES]]
    drawn = [
        kernels(kernel, true if index == 0 else None, mirror_state=state if len(found) > 1 else "")
        for index, (kernel, state) in enumerate(found or [(None, "")])
    ]
    return tuple(plot for plot in drawn if plot is not None)


def _sections(street: Street) -> list[tuple[str, str]]:
    there = {
        "Capture": street.capture is not None,
        "Registration": bool(street.calibration or street.registration or street.truth),
        "Dataset": bool(street.dataset or street.pairs),
        "Training": bool(street.training),
        "Results": bool(street.evaluation or street.triples),
        "Guide": True,
        "Settings": bool(street.settings or street.versions),
    }
    return [(name.lower(), name) for name, walked in there.items() if walked]


def _number(value: float | None, digits: int) -> Markup:
    """A number of report.json, rounded; marked, so that a test can find each one there."""
    if value is None or not math.isfinite(value):
        return Markup('<span class="none">–</span>')
    return Markup('<span class="n">{}</span>').format(f"{value:.{digits}f}")


def _fill(text: str, *values: Any) -> Markup:
    """A sentence with values in its %s; the values are escaped, marked numbers stay marked."""
    return Markup(text) % values  # noqa: S704 - `text` stands in our own templates


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as rows: dotted name, value as JSON writes it."""
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            rows += _flat(value, f"{prefix}{name}.")
        else:
            rows.append((f"{prefix}{name}", value if isinstance(value, str) else json.dumps(value)))
    return rows


def _rows(columns: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The row names of a table given by columns, each once, in order."""
    return list(dict.fromkeys(name for column in columns.values() for name in column))


def _words(name: str) -> str:
    """StreamLostPacketCount reads "lost packet count", saturated_fraction reads "saturated fraction"."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removeprefix("Stream"))
    return spaced.replace("_", " ").lower()
