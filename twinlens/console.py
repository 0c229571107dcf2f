"""The one place that speaks to a person: results on standard output, progress and errors on standard error."""

import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from twinlens.errors import TwinlensError

_out = Console(highlight=False, soft_wrap=True)
_err = Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """Print one line of result."""
    _out.print(Text(text))


def note(text: str) -> None:
    """Print one line that belongs to no result."""
    _err.print(Text(text, style="dim"), soft_wrap=True)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table of results."""
    grid = Table(*columns, title=title, title_justify="left", title_style="bold")
    for row in rows:
        grid.add_row(*(Text(str(cell)) for cell in row))
    _out.print(grid)


def figures(title: str, values: Mapping[str, object]) -> None:
    """Print named figures, one a line."""
    _out.print(Text(title, style="bold"))
    width = max((len(name) for name in values), default=0)
    for name, value in values.items():
        _out.print(Text.assemble((f"{name:<{width}}", "dim"), "  ", str(value)))


def report_json(report: Any) -> None:
    """Print a report (a dataclass or plain values) as JSON, and nothing else."""
    values = dataclasses.asdict(report) if dataclasses.is_dataclass(report) else report  # type: ignore[arg-type]
    sys.stdout.write(json.dumps(values, indent=2, default=str) + "\n")


def show_error(error: TwinlensError) -> None:
    """Print an error of ours with its hint."""
    body = Text(error.message)
    if error.hint:
        body.append("\n\n" + error.hint, style="bold")
    _err.print(Panel(body, title=type(error).__name__, title_align="left", border_style="red"))


class Bar:
    """A progress bar that long work moves along."""

    def __init__(self, progress: Progress, description: str, total: float | None) -> None:
        self._progress = progress
        self._total = total
        self._task = progress.add_task(description, total=total, text="")

    def move(self, completed: float, text: str = "", *, total: float | None = None) -> None:
        """Set how much is done, of how much, and what is being done."""
        self._progress.update(self._task, completed=completed, total=total or self._total, text=text)


@contextmanager
def bar(description: str, total: float | None = None) -> Iterator[Bar]:
    """A progress bar on standard error with the time left; plain lines where it is no terminal."""
    columns = [
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[text]}"),
    ]
    if not _err.is_terminal:
        note(f"{description} ...")
    with Progress(*columns, console=_err, disable=not _err.is_terminal) as progress:
        yield Bar(progress, description, total)
