"""Pairs found in somebody else's folder or file, not read yet; they are matched by name, never by order."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from io import BufferedIOBase
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from twinlens.dataset.exchange.files import files_under
from twinlens.dataset.exchange.pictures import SUFFIXES, decoded, picture_size
from twinlens.dataset.schema import SplitName
from twinlens.errors import DatasetError, FormatError
from twinlens.pixels import Picture

SPLIT_NAMES: Mapping[str, SplitName] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
NAMED = 3
"""How many of the offending names an error lists."""
T = TypeVar("T")


@runtime_checkable
class PictureSource(Protocol):
    """One picture, not read yet."""

    @property
    def where(self) -> str:
        """Its place, for messages."""

    def shape_hw(self) -> tuple[int, int]:
        """Height and width, without reading all of it."""

    def read(self) -> Picture:
        """(h, w) or (h, w, 3) RGB."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A picture as PNG, TIFF, JPEG or BMP: a file, a member of an archive or a value of a database."""

    where: str
    opened: Callable[[], BufferedIOBase]

    def shape_hw(self) -> tuple[int, int]:
        """Height and width, from its head."""
        with self.opened() as file:
            return picture_size(file, where=self.where)

    def read(self) -> Picture:
        """(h, w) or (h, w, 3) RGB.

        Raises:
            FormatError: it is no picture.
        """
        with self.opened() as file:
            return decoded(file.read(), where=self.where)


@dataclass(frozen=True, slots=True)
class FoundPair:
    """Where one pair lies."""

    name: str
    """Of its files, without folder and suffix; the same on both sides."""
    split: SplitName | None
    """None where the source has no splits."""
    input: PictureSource
    target: PictureSource
    mask: PictureSource | None = None
    """None where every pixel counts."""
    group: str = ""
    """The sequence or folder it lies in, which is its scene unless told otherwise."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What an export of ours tells of it."""

    @property
    def key(self) -> str:
        """Its name in the whole source."""
        return f"{self.split}/{self.name}" if self.split else self.name

    def with_facts(self, facts: Mapping[str, Any]) -> "FoundPair":
        """The same pair with what is known of it."""
        return replace(self, facts=facts)


def file_picture(path: Path) -> Encoded:
    """The picture in a file."""
    return Encoded(str(path), partial(_opened, path))


def _opened(path: Path) -> BufferedIOBase:
    try:
        return path.open("rb")
    except OSError as cause:
        raise FormatError(f"{path} cannot be read: {cause.strerror}", hint="put the picture back") from cause


def named_pictures(folder: Path) -> dict[str, PictureSource]:
    """The pictures under `folder`, by path in it without suffix; none where there is no such folder.

    Raises:
        FormatError: two differ in nothing but their suffix.
    """
    found: dict[str, PictureSource] = {}
    for path in files_under(folder) if folder.is_dir() else ():
        if path.suffix.lower() not in SUFFIXES:
            continue
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise FormatError(f"{folder} has two pictures called {name}", hint="keep one of them")
        found[name] = file_picture(path)
    return found


def matched(inputs: Mapping[str, T], targets: Mapping[str, T], *, where: str) -> list[tuple[str, T, T]]:
    """(name, input, target) of all names, sorted.

    Raises:
        DatasetError: a name is on one side only.
    """
    lonely = [
        f"{len(alone)} {side} have no {other} ({_first(alone)})"
        for side, other, alone in (
            ("inputs", "target", inputs.keys() - targets.keys()),
            ("targets", "input", targets.keys() - inputs.keys()),
        )
        if alone
    ]
    if lonely:
        raise DatasetError(
            f"{where} has {len(inputs)} inputs and {len(targets)} targets: {'; '.join(lonely)}",
            hint="pairs are matched by file name: name both sides alike, or remove what has no partner",
        )
    return [(name, inputs[name], targets[name]) for name in sorted(inputs)]


def require_paired(masks: Iterable[str], names: Iterable[str], *, where: str) -> None:
    """Raise `DatasetError` where a mask has no pair."""
    alone = set(masks) - set(names)
    if alone:
        raise DatasetError(
            f"{where}: {len(alone)} masks have no pair ({_first(alone)})",
            hint="name masks like their pairs, or remove what has none",
        )


def split_folders(source: Path) -> list[tuple[SplitName, Path]]:
    """The folders in `source` that are named like a split."""
    return [
        (SPLIT_NAMES[path.name.lower()], path)
        for path in sorted(source.iterdir())
        if path.is_dir() and path.name.lower() in SPLIT_NAMES
    ]


def split_in(text: str) -> SplitName | None:
    """The split that a file name such as "gopro-train-000001.tar" tells."""
    words = re.split(r"[^a-z]+", text.lower())
    named = {SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES}
    return named.pop() if len(named) == 1 else None


def _first(names: Iterable[str]) -> str:
    names = sorted(names)
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
