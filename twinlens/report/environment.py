"""What every page is made with: templates that escape, miss nothing, and write numbers in one way."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


def page_environment() -> Environment:
    """The templates of this package, with filters number, fill, flat, rows and words."""
    environment = Environment(
        loader=PackageLoader("twinlens.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "fill": _fill, "flat": _flat, "rows": _rows, "words": _words}
    return environment


def _number(value: float | None, digits: int) -> Markup:
    """A number of report.json, rounded; marked, so that a test can find each one there."""
    if value is None or not math.isfinite(value):
        return Markup('<span class="none">–</span>')
    # Adding zero turns -0.0 into 0.0.
    return Markup('<span class="n">{}</span>').format(f"{round(value, digits) + 0.0:.{digits}f}")


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
