"""Hugging Face's imagefolder: split folders of pictures, and a metadata.csv in each with a row per pair."""

import csv
import json
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Any, Self

from twinlens.dataset.exchange.files import file_inside
from twinlens.dataset.exchange.found import FoundPair, file_picture, split_folders
from twinlens.dataset.exchange.pictures import png
from twinlens.dataset.exchange.piece import ExportSettings, Piece
from twinlens.dataset.schema import SPLITS, SplitName
from twinlens.errors import DatasetError, FormatError

TABLE = "metadata.csv"
SIDES = ("input", "target", "mask")
COLUMNS = {side: f"{side}_file_name" for side in SIDES}


class ImagefolderWriter:
    """Writes `SPLIT/{input,target,mask}/NAME.png` and `SPLIT/metadata.csv`."""

    def __init__(self, folder: Path, settings: ExportSettings) -> None:  # noqa: ARG002 -- as all writers
        self._folder = folder
        self._open = ExitStack()
        self._tables: dict[SplitName, Any] = {}

    def __enter__(self) -> Self:
        for split in SPLITS:
            for side in SIDES:
                (self._folder / split / side).mkdir(parents=True)
        return self

    def __exit__(self, *failure: Any) -> None:
        self._open.__exit__(*failure)

    def add(self, piece: Piece) -> None:
        """Write one piece."""
        names = {COLUMNS[side]: f"{side}/{piece.name}.png" for side in SIDES}
        for side in SIDES:
            (self._folder / piece.split / names[COLUMNS[side]]).write_bytes(png(getattr(piece, side)))
        row = {**names, **{name: _cell(value) for name, value in piece.facts.items()}}
        if piece.split not in self._tables:
            path = self._folder / piece.split / TABLE
            file = self._open.enter_context(path.open("w", newline="", encoding="utf-8"))
            self._tables[piece.split] = csv.DictWriter(file, list(row))
            self._tables[piece.split].writeheader()
        self._tables[piece.split].writerow(row)


def find_imagefolder(source: Path) -> list[FoundPair]:
    """Pairs of the metadata.csv in `source` or in its split folders; columns as `ImagefolderWriter` names them.

    Raises:
        FormatError: there is no such table, it lacks a column, or a path leads out of its folder.
        DatasetError: a file in it is missing.
    """
    folders: list[tuple[SplitName | None, Path]] = [
        (split, folder) for split, folder in split_folders(source) if (folder / TABLE).is_file()
    ]
    if not folders and (source / TABLE).is_file():
        folders = [(None, source)]
    if not folders:
        raise FormatError(
            f"{source} has no {TABLE}, nor have folders train, val and test in it",
            hint=f"name both pictures of a pair in {COLUMNS['input']} and {COLUMNS['target']} of {TABLE}",
        )
    return [pair for split, folder in folders for pair in _rows(split, folder)]


def _rows(split: SplitName | None, folder: Path) -> list[FoundPair]:
    try:
        with (folder / TABLE).open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as cause:
        raise FormatError(f"{folder / TABLE} is no table: {cause}", hint="write it as CSV in UTF-8") from cause
    lacking = [COLUMNS[side] for side in ("input", "target") if rows and COLUMNS[side] not in rows[0]]
    if lacking:
        raise FormatError(
            f"{folder / TABLE} has no column {' and '.join(lacking)}", hint="name both pictures of a pair there"
        )
    files = {side: [row.get(COLUMNS[side]) or "" for row in rows] for side in SIDES}
    named = [name for side in SIDES for name in files[side] if name or side != "mask"]
    missing = [name for name in named if not file_inside(folder, name, told_by=folder / TABLE).is_file()]
    if missing:
        raise DatasetError(
            f"{folder} lacks {len(missing)} pictures that {TABLE} names: {', '.join(missing[:3])}",
            hint="put them back, or remove their rows",
        )
    return [
        FoundPair(
            _name(target),
            split,
            file_picture(folder / one),
            file_picture(folder / target),
            file_picture(folder / mask) if mask else None,
            group=row.get("scene") or "",
        )
        for one, target, mask, row in zip(files["input"], files["target"], files["mask"], rows, strict=True)
    ]


def _name(file: str) -> str:
    """What the pair is called: its target's path without suffix, and without a folder that only tells the side."""
    path = PurePosixPath(file).with_suffix("")
    return PurePosixPath(*path.parts[1:]).as_posix() if path.parts[0] in SIDES else path.as_posix()


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list) else value
