"""Exporting a dataset: every pair of its splits, in a layout that other people's tools read."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from twinlens.dataset.entry import Entry
from twinlens.dataset.exchange.basicsr import BasicsrWriter
from twinlens.dataset.exchange.facts import facts_of
from twinlens.dataset.exchange.gopro import GoproWriter
from twinlens.dataset.exchange.imagefolder import ImagefolderWriter
from twinlens.dataset.exchange.manifest import left_out, write_manifest
from twinlens.dataset.exchange.new_folder import new_folder
from twinlens.dataset.exchange.pictures import grey_as_rgb
from twinlens.dataset.exchange.piece import ExportSettings, Piece, Writer
from twinlens.dataset.exchange.webdataset import WebdatasetWriter
from twinlens.dataset.exchange.zarr_groups import ZarrWriter
from twinlens.dataset.measure import require_intact
from twinlens.dataset.paired import PairedDataset
from twinlens.dataset.schema import SPLITS, SplitName
from twinlens.errors import DatasetError

ExportFormat = Literal["gopro", "basicsr", "imagefolder", "webdataset", "zarr"]
_WRITERS: dict[str, Callable[[Path, ExportSettings], AbstractContextManager[Writer]]] = {
    "gopro": GoproWriter,
    "basicsr": BasicsrWriter,
    "imagefolder": ImagefolderWriter,
    "webdataset": WebdatasetWriter,
    "zarr": ZarrWriter,
}


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written."""

    folder: str
    format: str
    content_hash: str
    """Of the dataset."""
    pairs: int
    pictures: dict[str, int]
    """Of every split: pairs, or patches where they were asked for."""
    left_out: int
    """Pairs of the dataset that lie in no split of the scheme."""
    files: int
    bytes: int


def export_dataset(
    dataset: PairedDataset,
    out: Path,
    *,
    to: ExportFormat,
    settings: ExportSettings | None = None,
    on_pair: Callable[[int], None] = lambda _: None,
) -> ExportReport:
    """Write the pairs of train, val and test as the new folder `out`; one pair is in memory at a time.

    Pixels and masks are written as they are: 10-bit frames as 16-bit pictures of 0 to 1023. What is
    known of each pair lies beside them in twinlens-export.json.

    Raises:
        DatasetError: `out` exists or cannot be written, frames are smaller than a patch, or scheme or package
            are missing.
        CorruptError: pixels are not those that were written.
    """
    settings = settings or ExportSettings()
    if settings.patch_px > min(dataset.shape_hw):
        height, width = dataset.shape_hw
        raise DatasetError(
            f"frames are {width}x{height} px, patches of {settings.patch_px} px were asked for",
            hint=f"choose patches of at most {min(height, width)} px",
        )
    written: dict[str, dict[str, Any]] = {}
    done = 0
    with new_folder(out) as part:
        with _WRITERS[to](part, settings) as writer:
            for name, entry, where in _named(dataset, settings.scheme):
                for piece in _pieces(name, entry, where, settings):
                    writer.add(piece)
                    written[f"{piece.split}/{piece.name}"] = piece.facts
                done += 1
                on_pair(done)
        write_manifest(part, dataset, to=to, settings=settings, pairs=written)
        sizes = [path.stat().st_size for path in part.rglob("*") if path.is_file()]
    return ExportReport(
        folder=str(out),
        format=to,
        content_hash=dataset.content_hash,
        pairs=done,
        pictures=dict(Counter(key.partition("/")[0] for key in written)),
        left_out=left_out(dataset, written),
        files=len(sizes),
        bytes=sum(sizes),
    )


def _named(dataset: PairedDataset, scheme: str) -> Iterator[tuple[str, Entry, dict[str, Any]]]:
    """Every pair of the three splits, with a name for its files and its place in split and dataset."""
    taken: set[str] = set()
    for split in SPLITS:
        for index, row in enumerate(dataset.split(split, scheme=scheme).indices.tolist()):
            entry = dataset.entry(row)
            require_intact(entry, dataset.path)
            who = entry.member
            name = "_".join((_slug(who.scene), _slug(who.session_id), f"{who.trigger_index:06d}"))
            # Some file systems take a name in capitals for the same name.
            name = name if name.lower() not in taken else f"{name}_{who.pair_id}"
            taken.add(name.lower())
            yield name, entry, {"split": split, "index": index, "row": row}


def _slug(text: str) -> str:
    """A part of a file name on every system: no dots either, at which WebDataset ends a sample's name."""
    return re.sub(r"[^A-Za-z0-9-]+", "-", text)[:60].strip("-") or "x"


def _pieces(name: str, entry: Entry, where: dict[str, Any], settings: ExportSettings) -> Iterator[Piece]:
    split: SplitName = where["split"]
    facts = {**facts_of(entry), **where, "shift_bits": settings.shift_bits(int(entry.row["bit_depth"]))}
    frames = (entry.input, entry.target, entry.mask)
    if not settings.patch_px or split != "train":
        yield _piece(name, frames, facts, is_rgb=settings.rgb)
        return
    height, width = entry.input.shape[:2]
    for top in _places(height, settings):
        for left in _places(width, settings):
            window = np.s_[top : top + settings.patch_px, left : left + settings.patch_px]
            yield _piece(
                f"{name}_y{top:05d}_x{left:05d}",
                tuple(frame[window] for frame in frames),
                {**facts, "patch_top_left_px": [top, left]},
                is_rgb=settings.rgb,
            )


def _piece(name: str, frames: tuple[Any, ...], facts: dict[str, Any], *, is_rgb: bool) -> Piece:
    bright = [frame << facts["shift_bits"] for frame in frames[:2]]
    first, second = (grey_as_rgb(frame) if is_rgb and frame.ndim == 2 else frame for frame in bright)
    return Piece(name=name, split=facts["split"], input=first, target=second, mask=frames[2], facts=facts)


def _places(side_px: int, settings: ExportSettings) -> list[int]:
    """Where patches begin along one side; the last ends with the frame."""
    last = side_px - settings.patch_px
    stride_px = settings.stride_px or max(settings.patch_px // 2, 1)
    return [*range(0, last, stride_px), last]
