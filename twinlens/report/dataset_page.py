"""A dataset's own page, its numbers, its card and its `croissant.json`."""

import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from twinlens.dataset.analysis import MOST_PAIRS, DatasetAnalysis, analyse
from twinlens.dataset.card import CARD_MARK, dataset_card
from twinlens.dataset.croissant import croissant, plain_description
from twinlens.dataset.paired import PairedDataset
from twinlens.errors import DatasetError
from twinlens.pixels import Mask, Picture
from twinlens.report.dataset_figures import dataset_figures
from twinlens.report.dataset_sheet import GAIN, contact_sheet
from twinlens.report.environment import page_environment
from twinlens.report.plain import plain
from twinlens.restore.metrics import PROTOCOL, ssim
from twinlens.storage import sealed, write_artefact

SCHEMA, SCHEMA_VERSION = "twinlens.dataset_report", "1.0.0"
_SMALLEST_PX = 11
"""SSIM needs a window of its own."""


def write_dataset_report(
    dataset: PairedDataset,
    out: Path,
    *,
    most_pairs: int = MOST_PAIRS,
    on_pair: Callable[[int, int], None] = lambda _done, _of: None,
) -> Path:
    """Write report.html, report.json, README.md and croissant.json into the folder `out`; the page's path.

    Pixels of at most `most_pairs` pairs are looked at.

    Raises:
        DatasetError: the dataset is damaged, or `out` holds a README.md or report.json of somebody else.
    """
    _require_ours(out)
    likeness = _ssim if min(dataset.shape_hw) >= _SMALLEST_PX else None
    analysis = analyse(dataset, likeness=likeness, most_pairs=most_pairs, on_pair=on_pair)
    numbers = dataset_numbers(dataset, analysis)
    page = (
        page_environment()
        .get_template("dataset_report.html")
        .render(
            numbers=numbers,
            figures=dataset_figures(analysis),
            sheet=contact_sheet(dataset, analysis),
            protocol=PROTOCOL,
            difference_gain=GAIN,
        )
    )
    write_artefact(out / "report.json", SCHEMA, SCHEMA_VERSION, numbers)
    for name, text in (
        ("report.html", page),
        ("README.md", dataset_card(dataset, analysis)),
        ("croissant.json", croissant(dataset, out)),
    ):
        with sealed(out / name) as part:
            part.write_text(text, encoding="utf-8")
    return out / "report.html"


def _require_ours(out: Path) -> None:
    """Raise `DatasetError` where writing would replace what we did not write."""
    card, numbers = out / "README.md", out / "report.json"
    if os.path.lexists(card) and CARD_MARK not in _text(card):
        raise DatasetError(
            f"{card} is not a card that twinlens wrote", hint="give another folder, or move it away"
        )
    if os.path.lexists(numbers) and f'"schema": "{SCHEMA}"' not in _text(numbers):
        raise DatasetError(f"{numbers} is not of a dataset's report", hint="give another folder, or move it away")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def dataset_numbers(dataset: PairedDataset, analysis: DatasetAnalysis) -> dict[str, Any]:
    """Everything the page shows, and every pair's figures, as JSON has it."""
    fields = asdict(analysis)
    summary = fields.pop("summary")
    rejects = [{"reason": reject.reason, "text": reject.text} for reject in dataset.rejects]
    return {
        "title": f"{dataset.name} {dataset.version}",
        "description": plain_description(dataset),
        "imported_from": plain(dataset.imported_from()),
        "dataset": plain(summary),
        "sources": [plain(asdict(source)) for source in dataset.provenance().sources],
        "reject_list": plain(rejects),
        **plain(fields),
    }


def _ssim(input: Picture, target: Picture, mask: Mask, white: float) -> float:  # noqa: A002 -- the role's name
    return ssim(input, target, data_range=white, mask=mask if mask.any() else None)
