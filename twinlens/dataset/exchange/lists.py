"""List files as RealBlur's and DPDD's: one pair a line, as paths from the source folder."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from twinlens.dataset.exchange.files import file_inside
from twinlens.dataset.exchange.found import SPLIT_NAMES, FoundPair, file_picture, split_in
from twinlens.dataset.schema import SplitName
from twinlens.errors import DatasetError, FormatError

ROLES = {"input", "target", "blur", "blur_gamma", "sharp", "gt", "lq", "source", "mask", *SPLIT_NAMES}
"""Folder names that tell a picture's role or split, and so no scene."""


def find_listed(
    source: Path, *, lists: Sequence[tuple[SplitName | None, Path]], columns: Sequence[str]
) -> list[FoundPair]:
    """The pairs that list files name.

    Args:
        source: what the paths in the lists begin at.
        lists: by split; none takes the .txt files in `source` whose names tell a split.
        columns: what the columns of a line are: "input", "target", anything else is skipped.

    Raises:
        FormatError: there is no list, a line has too few columns, or a path leads out of `source`.
        DatasetError: a picture is missing, or comes twice.
    """
    if not {"input", "target"} <= set(columns):
        raise FormatError(
            f"the columns are {', '.join(columns)}; input and target are needed",
            hint="such as --columns target,input",
        )
    chosen = list(lists) or [(split_in(path.stem), path) for path in sorted(source.glob("*.txt"))
                             if split_in(path.stem)]  # fmt: skip
    if not chosen:
        raise FormatError(
            f"{source} has no list named after a split, such as train_list.txt",
            hint="name lists with --list train=FILE --list test=FILE, or one with --list FILE",
        )
    found = [pair for split, path in chosen for pair in _lines(source, split, path, columns)]
    _require_files(source, found)
    return found


def scene_of_folder(path: PurePosixPath) -> str:
    """The folders a picture lies in, less those that tell role or split: "scene001/gt/7.png" is of scene001."""
    return "/".join(part for part in path.parent.parts if part.lower() not in ROLES and part not in (".", "/"))


def _lines(source: Path, split: SplitName | None, path: Path, columns: Sequence[str]) -> list[FoundPair]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as cause:
        raise FormatError(f"{path} cannot be read: {cause}", hint="give a text file of paths") from cause
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        cells = line.split("\t") if "\t" in line else line.split()
        if len(cells) < len(columns):
            raise FormatError(
                f"line {number} of {path} has {len(cells)} columns, {len(columns)} are needed",
                hint="say what they are with --columns, such as target,input",
            )
        row = dict(zip(columns, (cell.strip() for cell in cells), strict=False))
        one, other = (file_picture(file_inside(source, row[side], told_by=path)) for side in ("input", "target"))
        target = PurePosixPath(row["target"])
        found.append(
            FoundPair(
                target.with_suffix("").as_posix(),
                split,
                one,
                other,
                group=scene_of_folder(target),
            )
        )
    return found


def _require_files(source: Path, found: Sequence[FoundPair]) -> None:
    files = [side.where for pair in found for side in (pair.input, pair.target)]
    missing = [file for file in files if not Path(file).is_file()]
    if missing:
        raise DatasetError(
            f"{len(missing)} of {len(files)} listed files are not there: {', '.join(missing[:3])}",
            hint=f"paths in lists begin at {source}; give the folder they belong to",
        )
    twice = sorted(file for file, count in Counter(files).items() if count > 1)
    if twice:
        raise DatasetError(
            f"{len(twice)} files are listed twice: {', '.join(twice[:3])}", hint="list every picture once"
        )
