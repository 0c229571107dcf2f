"""A dataset's card: README.md with Hugging Face's header and the questions of Datasheets for Datasets.

T. Gebru et al., Datasheets for Datasets, Communications of the ACM 64(12), 2021. Answers come from the file; what
it does not know is said to be unknown, for its maker to fill in.
"""

import json
from collections.abc import Iterator, Sequence

from twinlens.dataset.analysis import DatasetAnalysis
from twinlens.dataset.croissant import colour_word, plain_description
from twinlens.dataset.imported import ImportedFrom
from twinlens.dataset.paired import PairedDataset
from twinlens.dataset.schema import Provenance
from twinlens.dataset.summary import Spread

CARD_MARK = "<!-- This card was written by twinlens, which replaces it when it writes its report here again. -->"
UNKNOWN = "Unknown: the file does not say."
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_HUB_LICENCES = ("apache-2.0", "mit", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0")


def dataset_card(dataset: PairedDataset, analysis: DatasetAnalysis) -> str:
    """The text of README.md."""
    head = dataset.contents.head
    sections = {
        "Motivation": [head.get("description") or UNKNOWN],
        "Composition": list(_composition(analysis)),
        "Collection": list(_collection(dataset, analysis)),
        "Preprocessing": [*_preprocessing(dataset), *_left_out(dataset, analysis)],
        "Uses": list(_uses(dataset, analysis)),
        "Distribution": list(_distribution(dataset)),
        "Maintenance": list(_maintenance(dataset)),
    }
    body = [CARD_MARK, f"# {dataset.name} {dataset.version}", plain_description(dataset)]
    for title, paragraphs in sections.items():
        body += [f"## {title}", *paragraphs]
    return _header(dataset) + "\n" + "\n\n".join(body) + "\n"


def _header(dataset: PairedDataset) -> str:
    licence = dataset.contents.head.get("license", "")
    lines = [f"pretty_name: {json.dumps(dataset.name)}"]
    if not licence:
        lines.append("license: unknown")
    elif licence.lower() in _HUB_LICENCES:
        lines.append(f"license: {licence.lower()}")
    else:
        lines += ["license: other", f"license_name: {json.dumps(licence)}"]
    size = next((name for most, name in _SIZES if len(dataset) < most), "n>1M")
    lines += ["task_categories:", "- image-to-image", "size_categories:", f"- {size}"]
    lines += ["tags:", "- image-restoration", "- paired-images", f"- {colour_word(dataset)}", "- hdf5"]
    return "\n".join(["---", *lines, "---", ""])


def _composition(analysis: DatasetAnalysis) -> Iterator[str]:
    summary = analysis.summary
    yield _table(("part", "pairs", "scenes"), [(s.split, s.pairs, s.scenes) for s in summary.splits])
    yield (
        f"{summary.groups or summary.scenes} groups of scenes; "
        + ("the default scheme divides some of them." if summary.is_leaky else "none lies in two splits.")
        + f" Schemes in the file: {', '.join(summary.schemes)}."
    )
    yield _table(("mirror state", "pairs"), [(m.mirror_state, m.pairs) for m in summary.mirror_states])
    rows = [
        ("input PSNR (dB)", analysis.psnr_db, 2),
        ("input SSIM", analysis.likeness, 3),
        ("registration residual (px)", analysis.residual_px, 3),
        ("score ceiling (dB)", analysis.ceiling_db, 2),
        ("sharpness, target / input", analysis.sharpness_ratio, 2),
        ("noise of the input (grey levels)", analysis.noise_input, 2),
    ]
    yield _table(
        ("figure", "min", "median", "p95", "max", "mean"), [_spread(name, s, digits) for name, s, digits in rows]
    )
    if analysis.read < summary.pairs:
        yield f"Noise is of {analysis.read} and SSIM of {analysis.scored} evenly spread pairs."
    alike = (
        "whether groups hold look-alikes is unknown, for want of perceptual hashes"
        if analysis.near_groups is None
        else f"{analysis.near_groups} look-alikes between groups, {analysis.near_across_splits} across splits"
    )
    yield f"{analysis.same_pixels} targets have the pixels of another; {alike}."
    yield "Whether people can be recognised in the pictures is unknown: nothing has looked for them."


def _collection(dataset: PairedDataset, analysis: DatasetAnalysis) -> Iterator[str]:
    sources, imported = dataset.provenance().sources, dataset.imported_from()
    if imported is not None:
        yield from _from_files(dataset, imported)
    elif sources:
        yield (
            "Two cameras took each pair at one trigger: A sharp, B through the degradation to be undone. "
            f"{analysis.summary.sessions} sessions"
            + (
                f", dated {analysis.dates[0][0]} to {analysis.dates[-1][0]} by their names."
                if analysis.dates
                else "."
            )
        )
    else:
        yield "How the pictures were taken is unknown: the file names no session."
    if sources:
        columns = ("source", "SHA-256 of its account, or of its files")
        yield _table(columns, [(s.session_id, s.sha256 or "unknown") for s in sources])


def _from_files(dataset: PairedDataset, imported: ImportedFrom) -> Iterator[str]:
    own = sum(
        name.decode() == imported.source.session_id for name in dataset.contents.table["session_id"].tolist()
    )
    is_mixed = not imported.exported_from and own < len(dataset)
    yield (
        f"{f'{own} pairs come' if is_mixed else 'Pairs come'} from files: `{imported.source.path}`, read as "
        f"{imported.format}"
        + (f", an export of the dataset {imported.exported_from}." if imported.exported_from else ".")
        + (" The others come from sessions of two cameras." if is_mixed else "")
        + " How the pictures in these files were taken is unknown."
    )


def _preprocessing(dataset: PairedDataset) -> Iterator[str]:
    is_imported = dataset.imported_from() is not None
    corrections = "had their camera's dark, gain and defect correction"
    if is_imported and not dataset.is_corrected:
        yield f"Whether frames {corrections} is unknown."
    else:
        yield f"Frames {'have' if dataset.is_corrected else 'have not'} {corrections}."
    if is_imported:
        yield "Who registered the pairs of the imported files, and how, is unknown."
    elif _has_calibration(dataset.provenance()):
        resampled, kept = ("target", "B") if dataset.contents.grid == "b" else ("input", "A")
        yield f"Pairs lie on {kept}'s pixels: the {resampled} was resampled once, by the calibration in the file."
    else:
        yield "Pairs are stored as they were given: the file holds no calibration."


def _left_out(dataset: PairedDataset, analysis: DatasetAnalysis) -> Iterator[str]:
    rejects = analysis.summary.rejects
    if rejects:
        told = ", ".join(f"{one.pairs} by {one.reason}" for one in rejects)
        yield f"{sum(one.pairs for one in rejects)} pairs were left out when it was built: {told}."
    elif dataset.imported_from() is None:
        yield "No pairs were left out when it was built, as far as the file lists them."


def _uses(dataset: PairedDataset, analysis: DatasetAnalysis) -> Iterator[str]:
    yield (
        f"Training and judging networks that {_task(dataset)}. Read it with "
        f'`twinlens.dataset.PairedDataset("{dataset.path.name}")`, or any HDF5 reader.'
    )
    if analysis.test_psnr_db is None:
        yield "The default scheme has no pair in test: nothing can be judged on it."
    else:
        score = f"{analysis.test_psnr_db:.2f} dB"
        yield f"Doing nothing scores {score} in the mean over test; a network must beat that."
    yield "Do not choose settings on test, and do not mirror or turn pairs in training unless the blur allows it."


def _task(dataset: PairedDataset) -> str:
    return "restore camera B's pictures" if dataset.imported_from() is None else "make targets of inputs"


def _distribution(dataset: PairedDataset) -> Iterator[str]:
    head = dataset.contents.head
    yield f"Licence: {head['license']}." if head.get("license") else f"Licence: {UNKNOWN.lower()}"
    yield f"Cite as: {head['citation']}" if head.get("citation") else f"Citation: {UNKNOWN.lower()}"
    yield f"Content hash `{dataset.content_hash}`; `twinlens verify {dataset.path.name}` checks every byte."


def _maintenance(dataset: PairedDataset) -> Iterator[str]:
    head = dataset.contents.head
    yield f"Created {head.get('created') or 'at an unknown date'} by twinlens {dataset.twinlens_version}."
    parent = head.get("parent")
    yield (
        f"Made from the dataset of content hash `{parent}`."
        if parent
        else "It names no dataset that it came from."
    )
    yield "A version never changes: a correction is a new file with a new version. Who maintains it is unknown."


def _has_calibration(provenance: Provenance) -> bool:
    return provenance.calibration_json.strip() not in ("", "{}")


def _spread(name: str, found: Spread | None, digits: int) -> tuple[str, ...]:
    if found is None:
        return (name, *["unknown"] * 5)
    values = (found.minimum, found.median, found.p95, found.maximum, found.mean)
    return (name, *(f"{value:.{digits}f}" for value in values))


def _table(columns: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> str:
    lines = [columns, ("---",) * len(columns), *rows]
    # A bar would end a cell, and names are anybody's text.
    cells = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)
