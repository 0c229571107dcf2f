"""The one place that speaks to a person: results on standard output, progress and errors on standard error."""

import dataclasses
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.live import Live
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

PLAIN_LINE_S = 5.0
"""Between two lines of figures where they cannot be shown in place."""
REDRAW_S = 0.25


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


class Board:
    """Figures that change: shown in place on a terminal, elsewhere as a plain line now and then."""

    def __init__(self, *, is_silent: bool) -> None:
        self._is_silent = is_silent
        self._live: Live | None = None
        self._due_s = 0.0 if _err.is_terminal else time.monotonic() + PLAIN_LINE_S

    @property
    def is_due(self) -> bool:
        """Whether what is given to `show` now would be seen."""
        return not self._is_silent and time.monotonic() >= self._due_s

    def show(
        self, title: str, values: Mapping[str, str], columns: Sequence[str], rows: Sequence[Sequence[str]]
    ) -> None:
        """Show named figures, and a table below them, if it is time."""
        if not self.is_due:
            return
        if not _err.is_terminal:
            self._due_s = time.monotonic() + PLAIN_LINE_S
            cells = [
                f"{row[0]} {name} {cell}" for row in rows for name, cell in zip(columns[1:], row[1:], strict=True)
            ]
            note("; ".join([title, *(f"{name} {value}" for name, value in values.items()), *cells]))
            return
        self._due_s = time.monotonic() + REDRAW_S
        named, grid = Table.grid(padding=(0, 2)), Table(*columns, box=box.SIMPLE_HEAD)
        for name, value in values.items():
            named.add_row(Text(name, style="dim"), Text(value))
        for row in rows:
            grid.add_row(*(Text(cell) for cell in row))
        if self._live is None:
            self._live = Live(console=_err, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(Group(Text(title, style="bold"), named, grid), refresh=True)

    def take_down(self) -> None:
        """Leave nothing of it on the terminal until it is shown again."""
        if self._live is not None:
            self._live.stop()
            self._live = None


@contextmanager
def board(*, is_silent: bool = False) -> Iterator[Board]:
    """A board on standard error, taken down at the end."""
    shown = Board(is_silent=is_silent)
    try:
        yield shown
    finally:
        shown.take_down()


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
