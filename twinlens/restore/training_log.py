"""What a training reports, line by line on disk: JSONL, CSV, and for TensorBoard if asked."""

import csv
import dataclasses
import io
import json
import logging
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from twinlens.errors import SettingsError
from twinlens.storage import sealed

log = logging.getLogger(__name__)

LOG, TABLE, BOARD = "training.jsonl", "training.csv", "tensorboard"


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """Where a training stands."""

    step: int
    """Steps taken."""
    steps: int
    """Steps in all."""
    loss: float
    """Mean since the report before."""
    learning_rate: float
    gradient_norm: float
    """Before clipping, at this step."""
    elapsed_s: float
    """Of training, without the time between a stop and its resumption."""
    went_back_from: int | None = None
    """The step at which loss or gradient were found not finite since the report before; the run went back."""
    psnr_db: float | None = None
    """Restored validation crops against their targets, if this step was validated."""
    input_psnr_db: float | None = None
    """The same crops, not restored."""
    is_best: bool = False
    """The highest validation score so far; it was written as best.safetensors."""


_COLUMNS = tuple(field.name for field in dataclasses.fields(StepReport))


class TrainingLog:
    """The reports of one training; what is reported is on disk."""

    def __init__(self, folder: Path, *, until_step: int = 0, tensorboard: bool = False) -> None:
        """Begin, or go on after `until_step`: what an earlier run reported beyond it is dropped.

        Raises:
            SettingsError: TensorBoard was asked for and is not installed.
        """
        self._folder = folder
        self._rows = _rows_until(folder / LOG, until_step)
        self._board = _board(folder / BOARD, until_step) if tensorboard else None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        for name, begun in ((LOG, "".join(map(_json_line, self._rows))), (TABLE, _table(self._rows))):
            with sealed(self._folder / name) as part:
                part.write_text(begun)
        # By lines: what was reported survives a crash.
        self._log, self._csv = (
            self._open.enter_context((self._folder / name).open("a", buffering=1)) for name in (LOG, TABLE)
        )
        if self._board is not None:
            self._open.callback(self._board.close)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def write(self, report: StepReport) -> None:
        """Add one report."""
        row = dataclasses.asdict(report)
        self._log.write(_json_line(row))
        self._csv.write(_csv_line(row))
        if self._board is not None:
            for name, value in row.items():
                if isinstance(value, float):
                    self._board.add_scalar(name, value, report.step)


def _rows_until(path: Path, step: int) -> list[dict[str, Any]]:
    if not step or not path.exists():
        return []
    rows = []
    for line in path.read_text(errors="replace").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict) or not isinstance(row.get("step"), int):
            # Cut short by a crash, perhaps: a torn log must not hold up a sound state.
            log.warning("%s: left out a line that is no report: %.60r", path, line)
        elif row["step"] <= step:
            rows.append(row)
    return rows


def _table(rows: list[dict[str, Any]]) -> str:
    return ",".join(_COLUMNS) + "\n" + "".join(map(_csv_line, rows))


def _csv_line(row: Mapping[str, Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(row.get(name) for name in _COLUMNS)
    return text.getvalue()


def _json_line(row: Mapping[str, Any]) -> str:
    return json.dumps(row) + "\n"


def _board(folder: Path, until_step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - an optional package
    except ImportError as cause:
        raise SettingsError(
            "TensorBoard is not installed", hint="pip install 'twinlens[tensorboard]', or leave tensorboard out"
        ) from cause
    return SummaryWriter(str(folder), purge_step=until_step + 1)
