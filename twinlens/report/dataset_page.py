"""A dataset's own page, its numbers, its card and its `croissant.json`."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from twinlens.dataset.analysis import MOST_PAIRS, DatasetAnalysis, analyse
from twinlens.dataset.card import dataset_card
from twinlens.dataset.croissant import croissant, plain_description
from twinlens.dataset.paired import PairedDataset
from twinlens.pixels import Mask, Mono
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
        DatasetError: the dataset is damaged.
    """
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


def _ssim(input: Mono, target: Mono, mask: Mask, white: float) -> float:  # noqa: A002 -- the role's name
    return ssim(input, target, data_range=white, mask=mask if mask.any() else None)
