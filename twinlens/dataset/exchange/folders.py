"""Any folders of pictures, by two patterns such as 'blur/{name}.png' and 'sharp/{name}.png'."""

import re
from pathlib import Path, PurePosixPath

from twinlens.dataset.exchange.found import SPLIT_NAMES, FoundPair, PictureSource, file_picture, matched
from twinlens.dataset.exchange.lists import scene_of_folder
from twinlens.dataset.schema import SplitName
from twinlens.errors import FormatError


def find_in_folders(source: Path, *, sides: tuple[str, str], mask: str) -> list[FoundPair]:
    """Pairs of the files whose paths in `source` fit the patterns of input and target with the same {name}.

    {name} stands for any text, folders included; {split} for train, val, test and their usual synonyms.

    Raises:
        FormatError: a pattern has no {name}, or fits no file.
        DatasetError: a file has no partner.
    """
    patterns = [_expression(side) for side in sides]
    files = [path.relative_to(source).as_posix() for path in sorted(source.rglob("*")) if path.is_file()]
    found: list[dict[tuple[str, str], str]] = [_fitting(pattern, files) for pattern in patterns]
    masks = _fitting(_expression(mask), files) if mask else {}
    for side, fitting in zip(sides, found, strict=True):
        if not fitting:
            raise FormatError(
                f"of {len(files)} files in {source}, none fits {side!r}", hint="such as 'blur/{name}.png'"
            )
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
    text = re.escape(pattern)
    splits = "|".join(SPLIT_NAMES)
    text = text.replace(re.escape("{split}"), f"(?P<split>(?i:{splits}))", 1)
    text = text.replace(re.escape("{name}"), "(?P<name>.+)", 1)
    text = text.replace(re.escape("{split}"), "(?P=split)").replace(re.escape("{name}"), "(?P=name)")
    return re.compile(text)


def _fitting(pattern: re.Pattern[str], files: list[str]) -> dict[tuple[str, str], str]:
    """(split, name) to file."""
    found: dict[tuple[str, str], str] = {}
    for file in files:
        fit = pattern.fullmatch(file)
        if fit is not None:
            found[fit.groupdict().get("split") or "", fit["name"]] = file
    return found


def _label(key: tuple[str, str]) -> str:
    return "/".join(part for part in key if part)


def _split(name: str) -> SplitName | None:
    return SPLIT_NAMES[name.lower()] if name else None


def _mask(source: Path, file: str | None) -> PictureSource | None:
    return file_picture(source / file) if file else None
