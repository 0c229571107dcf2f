"""Any folders of pictures, by two patterns such as 'blur/{name}.png' and 'sharp/{name}.png'."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from twinlens.dataset.exchange.files import files_under
from twinlens.dataset.exchange.found import (
    NAMED,
    SPLIT_NAMES,
    FoundPair,
    PictureSource,
    file_picture,
    matched,
    require_paired,
)
from twinlens.dataset.exchange.lists import scene_of_folder
from twinlens.dataset.exchange.pictures import SUFFIXES
from twinlens.dataset.schema import SplitName
from twinlens.errors import DatasetError, FormatError


def find_in_folders(source: Path, *, sides: tuple[str, str], mask: str) -> list[FoundPair]:
    """Pairs of the files whose paths in `source` fit the patterns of input and target with the same {name}.

    {name} stands for any text, folders included; {split} for train, val, test and their usual synonyms. Suffixes
    fit in capitals too.

    Raises:
        FormatError: a pattern has no {name}, fits no file, or two by one name.
        DatasetError: a picture has no partner, or lies beside those that fit and fits no pattern.
    """
    files = [path.relative_to(source).as_posix() for path in files_under(source)]
    found = [_fitting(side, files) for side in sides]
    masks = _fitting(mask, files) if mask else {}
    for side, fitting in zip(sides, found, strict=True):
        if not fitting:
            raise FormatError(
                f"of {len(files)} files in {source}, none fits {side!r}", hint="such as 'blur/{name}.png'"
            )
    _require_all_fit(source, files, {file for fitting in (*found, masks) for file in fitting.values()})
    require_paired(map(_label, masks), map(_label, found[1]), where=str(source))
    inputs, targets = ({_label(key): key for key in fitting} for fitting in found)
    pairs = []
    for label, one, other in matched(inputs, targets, where=str(source)):
        split, name = other
        target = PurePosixPath(found[1][other])
        pairs.append(
            FoundPair(
                name if split else label,
                _split(split),
                file_picture(source / found[0][one]),
                file_picture(source / target),
                _mask(source, masks.get(other)),
                group=scene_of_folder(target),
            )
        )
    return pairs


def _expression(pattern: str) -> re.Pattern[str]:
    if "{name}" not in pattern:
        raise FormatError(
            f"the pattern {pattern!r} has no {{name}}",
            hint="give patterns such as --input 'blur/{name}.png' --target 'sharp/{name}.png'",
        )
    stem, dot, suffix = pattern.rpartition(".")
    is_suffix = bool(dot) and suffix.isalnum()
    text = f"{re.escape(stem)}\\.(?i:{suffix})" if is_suffix else re.escape(pattern)
    splits = "|".join(SPLIT_NAMES)
    text = text.replace(re.escape("{split}"), f"(?P<split>(?i:{splits}))", 1)
    text = text.replace(re.escape("{name}"), "(?P<name>.+)", 1)
    text = text.replace(re.escape("{split}"), "(?P=split)").replace(re.escape("{name}"), "(?P=name)")
    return re.compile(text)


def _fitting(pattern: str, files: Iterable[str]) -> dict[tuple[str, str], str]:
    """(split, name) to file."""
    found: dict[tuple[str, str], str] = {}
    expression = _expression(pattern)
    for file in files:
        fit = expression.fullmatch(file)
        if fit is None:
            continue
        key = (fit.groupdict().get("split") or "", fit["name"])
        if key in found:
            raise FormatError(
                f"{found[key]} and {file} both fit {pattern!r} as {_label(key)!r}", hint="keep one of them"
            )
        found[key] = file
    return found


def _require_all_fit(source: Path, files: Sequence[str], fitting: set[str]) -> None:
    """Raise `DatasetError` where pictures lie beside those that fit, and fit no pattern."""
    folders = {PurePosixPath(file).parent for file in fitting}
    left = [
        file
        for file in files
        if file not in fitting
        and PurePosixPath(file).parent in folders
        and PurePosixPath(file).suffix.lower() in SUFFIXES
    ]
    if left:
        raise DatasetError(
            f"{source} has {len(left)} pictures beside those that fit: {', '.join(left[:NAMED])}",
            hint="move what belongs to no pair elsewhere, or correct the patterns",
        )


def _label(key: tuple[str, str]) -> str:
    return "/".join(part for part in key if part)


def _split(name: str) -> SplitName | None:
    return SPLIT_NAMES[name.lower()] if name else None


def _mask(source: Path, file: str | None) -> PictureSource | None:
    return file_picture(source / file) if file else None
