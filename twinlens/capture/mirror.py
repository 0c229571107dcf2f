"""States of the deformable mirror: read from files, and set by a command of the lab's own."""

import csv
import math
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from twinlens.capture.frame import MirrorState
from twinlens.errors import CaptureError, SettingsError

STATE_VARIABLE = "TWINLENS_MIRROR_STATE"
"""Environment variable that tells the command the label of the state."""
VOLTAGES_VARIABLE = "TWINLENS_VOLTAGES"
"""Environment variable that tells the command the voltages, with commas in between; empty when there are none."""
VOLT = "V"
_TOLD_BYTES = 2000
_LONGEST_COMMAND_S = 86_400.0


def read_voltages(path: Path) -> tuple[float, ...]:
    """Actuator voltages from a text file: one number a line, or rows with commas.

    Empty lines and lines that begin with # are passed over.

    Raises:
        SettingsError: the file cannot be read, holds no number, or holds something else; the line is named.
    """
    voltages: list[float] = []
    for line, cells in _rows(path):
        voltages += _volts(path, line, cells)
    if not voltages:
        raise SettingsError(f"{path} holds no number", hint="write one voltage a line, or a row with commas")
    return tuple(voltages)


def read_mirror_states(path: Path) -> tuple[MirrorState, ...]:
    """Mirror states from a CSV table: a row is a label and, where they are known, the voltages after it.

    Lines that begin with # are passed over. The table may begin with a header whose first cell is "label". A label
    may come again with the same voltages.

    Raises:
        SettingsError: the file cannot be read or a row cannot be right; its line is named.
    """
    states: dict[str, MirrorState] = {}
    order: list[MirrorState] = []
    for line, (label, *cells) in _rows(path):
        if not order and label.lower() == "label":
            continue
        if not label:
            raise SettingsError(f"{path}, line {line}: no label", hint="begin each row with the state's label")
        values = _volts(path, line, cells)
        state = MirrorState(label, values, VOLT if values else "")
        known = states.setdefault(label, state)
        if known != state:
            raise SettingsError(
                f"{path}, line {line}: {label!r} has other voltages than before",
                hint="give each set of voltages a label of its own",
            )
        if order and len(order[0].values) != len(values):
            raise SettingsError(
                f"{path}, line {line}: {len(values)} voltages; the first state has {len(order[0].values)}",
                hint="give every state the same number of voltages",
            )
        order.append(state)
    if not order:
        raise SettingsError(f"{path} lists no mirror state", hint="write one row a state: label, v1, v2, ...")
    return tuple(order)


def set_mirror(command: str, state: MirrorState, *, timeout_s: float) -> Iterator[None]:
    """Run the lab's command that sets the mirror; yields nothing, again and again, while it runs.

    The shell runs it, with `TWINLENS_MIRROR_STATE` and `TWINLENS_VOLTAGES` in its environment. It may wait until
    the mirror has settled. It is ended when the iterator is closed.

    Raises:
        CaptureError: it exits with another code than 0, or takes longer than `timeout_s`.
    """
    environment = {
        **os.environ,
        STATE_VARIABLE: state.label,
        VOLTAGES_VARIABLE: ",".join(repr(value) for value in state.values),
    }
    deadline_s = time.monotonic() + min(timeout_s, _LONGEST_COMMAND_S)
    with tempfile.TemporaryFile() as told:
        # A session of its own: what the shell started can be ended with it.
        process = subprocess.Popen(  # noqa: S602 - the person's own command, on the person's own computer
            command,
            shell=True,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            while process.poll() is None:
                if time.monotonic() > deadline_s:
                    raise CaptureError(
                        f"{command!r} has not set the mirror to {state.label!r} within {timeout_s:g} s",
                        hint="give it longer with --before-each-timeout, or mend the command",
                    )
                yield
        finally:
            _end(process)
        if process.returncode:
            raise CaptureError(
                f"{command!r} ended with exit code {process.returncode} for mirror state {state.label!r}"
                f"{_last_words(told)}",
                hint="run it by hand with TWINLENS_MIRROR_STATE and TWINLENS_VOLTAGES set; 0 means done",
            )


def _rows(path: Path) -> Iterator[tuple[int, Sequence[str]]]:
    """(line number, cells) of each row that is neither empty nor a comment."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # spreadsheets begin a file with a byte order mark
    except (OSError, UnicodeDecodeError) as cause:
        raise SettingsError(f"{path} cannot be read: {cause}", hint="give a text file") from cause
    for line, content in enumerate(text.splitlines(), start=1):
        if not content.strip() or content.lstrip().startswith("#"):
            continue
        try:
            (cells,) = csv.reader([content], skipinitialspace=True)
        except csv.Error as cause:
            raise SettingsError(f"{path}, line {line}: {cause}", hint="write short rows with commas") from cause
        yield line, [cell.strip() for cell in cells]


def _volts(path: Path, line: int, cells: Sequence[str]) -> tuple[float, ...]:
    while cells and not cells[-1]:
        cells = cells[:-1]  # spreadsheets fill short rows with empty cells
    values = []
    for cell in cells:
        try:
            values.append(float(cell))
        except ValueError:
            values.append(math.nan)
        if not math.isfinite(values[-1]):
            raise SettingsError(
                f"{path}, line {line}: {cell!r} is not a voltage",
                hint="write volts with a decimal point, and commas in between",
            )
    return tuple(values)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    with suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _last_words(told: IO[bytes]) -> str:
    told.seek(0, os.SEEK_END)
    told.seek(max(0, told.tell() - _TOLD_BYTES))
    lines = told.read().decode(errors="replace").split("\n")
    words = [line.strip() for line in lines if line.strip()]
    return f"; it said: {words[-1]}" if words else ""
