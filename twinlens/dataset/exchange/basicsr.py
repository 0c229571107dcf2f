"""BasicSR's layout: folders lq and gt with a meta-info file, or its own kind of LMDB."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, Self

from twinlens.dataset.exchange.found import (
    Encoded,
    FoundPair,
    PictureSource,
    matched,
    named_pictures,
    require_paired,
)
from twinlens.dataset.exchange.optional import optional
from twinlens.dataset.exchange.pictures import PNG_LEVEL, png
from twinlens.dataset.exchange.piece import ExportSettings, Piece
from twinlens.dataset.schema import SPLITS, SplitName
from twinlens.errors import DatasetError, FormatError

SIDES = {"lq": "input", "gt": "target", "mask": "mask"}
"""BasicSR's name of a side to ours; nothing of BasicSR's looks for masks."""
LMDB_LIST = "meta_info.txt"
SPARE_BYTES = 2**20
"""Room for an LMDB's own pages, and for a PNG that is larger than its pixels."""
COMMIT_BYTES = 2**24
"""Waiting in memory at most, beside one picture; every commit waits for the disk."""


class BasicsrWriter:
    """Writes `SPLIT/{lq,gt,mask}/NAME.png` or `SPLIT/{lq,gt,mask}.lmdb`, and `meta_info_SPLIT.txt`."""

    def __init__(self, folder: Path, settings: ExportSettings) -> None:
        self._folder = folder
        self._is_lmdb = settings.lmdb
        self._lines: dict[SplitName, list[str]] = {split: [] for split in SPLITS}
        self._databases: dict[tuple[SplitName, str], _Database] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        for split in SPLITS:
            for side in SIDES:
                path = self._folder / split / (f"{side}.lmdb" if self._is_lmdb else side)
                path.mkdir(parents=True)
                if self._is_lmdb:
                    self._databases[split, side] = self._open.enter_context(_Database(path))
        return self

    def __exit__(self, *failure: Any) -> None:
        self._open.__exit__(*failure)
        for split, lines in self._lines.items():
            (self._folder / f"meta_info_{split}.txt").write_text("".join(f"{line}\n" for line in lines))

    def add(self, piece: Piece) -> None:
        """Write one piece."""
        for side, ours in SIDES.items():
            picture = getattr(piece, ours)
            if self._is_lmdb:
                self._databases[piece.split, side].put(piece.name, png(picture), size=_size(picture))
            else:
                (self._folder / piece.split / side / f"{piece.name}.png").write_bytes(png(picture))
        self._lines[piece.split].append(f"{piece.name}.png {_size(piece.target)}")


def find_basicsr(
    source: Path, *, sides: tuple[str, str], lists: Sequence[tuple[SplitName | None, Path]]
) -> list[FoundPair]:
    """Pairs of BasicSR folders or LMDBs: those that a meta-info file lists, or all where there is none.

    Args:
        source: what everything else lies in.
        sides: folders (or .lmdb) of input and target; {split} stands for train, val and test.
        lists: meta-info files by split; none takes the meta_info_SPLIT.txt there are.

    Raises:
        FormatError: there is nothing of the kind.
        DatasetError: a picture has no partner, or a listed one is missing.
    """
    found = []
    has_splits = any("{split}" in side for side in sides)
    listed = _names_by_split(lists, has_splits=has_splits)
    for split in SPLITS if has_splits else list(listed) or [None]:
        folders = [_database_or_folder(source / side.replace("{split}", str(split))) for side in sides]
        if not any(folder.exists() for folder in folders):
            _require_unlisted(lists, split, f"there is no {' or '.join(map(str, folders))}")
            continue
        inputs, targets = (_pictures(folder) for folder in folders)
        masks = _pictures(_database_or_folder(folders[1].with_name("mask")))
        require_paired(masks, targets, where=str(folders[1].parent))
        names = listed.get(split)
        own_list = source / f"meta_info_{split}.txt"
        if names is None and own_list.is_file():
            names = _listed(own_list)
        if names is not None:
            inputs, targets = (_only(names, side, folder=folders[k]) for k, side in enumerate((inputs, targets)))
        for name, one, other in matched(inputs, targets, where=str(folders[1].parent)):
            found.append(FoundPair(name, split, one, other, masks.get(name)))
    if not found:
        raise FormatError(
            f"{source} holds no pictures in {' and '.join(sides)}" + (", or none that is listed" if lists else ""),
            hint="name the folders with --input and --target, such as --input LQ --target GT --list meta_info.txt",
        )
    return found


def _names_by_split(
    lists: Sequence[tuple[SplitName | None, Path]], *, has_splits: bool
) -> dict[SplitName | None, list[str]]:
    """The names that each split's lists have together; without folders by split, no two splits share one."""
    if has_splits:
        _require_unlisted(lists, None, "folders are by split, and it names none")
    listed: dict[SplitName | None, list[str]] = {}
    for split, path in lists:
        listed.setdefault(split, []).extend(_listed(path))
    together = listed.values() if has_splits else [[name for names in listed.values() for name in names]]
    for names in together:
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        if twice:
            raise DatasetError(
                f"{len(twice)} of {len(names)} names are listed twice: {', '.join(twice[:3])}",
                hint="list every picture once",
            )
    return listed


def _require_unlisted(
    lists: Sequence[tuple[SplitName | None, Path]], split: SplitName | None, reason: str
) -> None:
    for of_split, path in lists:
        if of_split == split:
            raise FormatError(
                f"{path} is not used: {reason}",
                hint=f"name its split, --list train={path.name}, or folders without {{split}} with --input",
            )


class _Database:
    """One LMDB as BasicSR reads it: NAME to PNG, and a list of what is in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lmdb = optional("lmdb", extra="exchange")
        self._lines: list[str] = []
        self._waiting: list[tuple[bytes, bytes]] = []

    def __enter__(self) -> Self:
        self._room_bytes = SPARE_BYTES
        self._environment = self._lmdb.open(str(self._folder), map_size=self._room_bytes)
        return self

    def __exit__(self, *_: object) -> None:
        self._commit()
        self._environment.close()
        (self._folder / LMDB_LIST).write_text("".join(f"{line}\n" for line in self._lines))

    def put(self, name: str, data: bytes, *, size: str) -> None:
        """Store one picture."""
        self._waiting.append((name.encode("ascii"), data))
        self._lines.append(f"{name}.png {size} {PNG_LEVEL}")
        if sum(len(data) for _, data in self._waiting) >= COMMIT_BYTES:
            self._commit()

    def _commit(self) -> None:
        self._room_bytes += sum(len(data) + 2 * 4096 for _, data in self._waiting)
        self._environment.set_mapsize(self._room_bytes)
        try:
            with self._environment.begin(write=True) as transaction:
                for key, data in self._waiting:
                    transaction.put(key, data)
        except self._lmdb.Error as cause:
            raise DatasetError(
                f"{self._folder} was not written: {cause}", hint="check that its disk has room"
            ) from cause
        self._waiting.clear()


def _size(picture: Any) -> str:
    height, width, *channels = picture.shape
    return f"({height},{width},{channels[0] if channels else 1})"


def _database_or_folder(path: Path) -> Path:
    database = path.with_name(f"{path.name}.lmdb")
    return database if database.is_dir() else path


def _pictures(folder: Path) -> dict[str, PictureSource]:
    if folder.suffix != ".lmdb" or not folder.is_dir():
        return named_pictures(folder)
    if not (folder / LMDB_LIST).is_file():
        raise FormatError(
            f"{folder} has no {LMDB_LIST}, which BasicSR puts into its LMDBs",
            hint="give the folders that it was made from",
        )
    names = _listed(folder / LMDB_LIST)
    return {name: Encoded(f"{name} in {folder}", partial(_value, folder, name)) for name in names}


def _value(folder: Path, name: str) -> BytesIO:
    lmdb = optional("lmdb", extra="exchange")
    try:
        with (
            lmdb.open(str(folder), readonly=True, lock=False, create=False) as environment,
            environment.begin() as transaction,
        ):
            data = transaction.get(name.encode())
    except lmdb.Error as cause:
        raise FormatError(f"{folder} cannot be read: {cause}", hint="make it again") from cause
    if data is None:
        raise FormatError(f"{folder} lists {name} and does not hold it", hint="make the LMDB again")
    return BytesIO(data)


def _listed(path: Path) -> list[str]:
    """Names without suffix: BasicSR's lines are `NAME.png (h,w,c)`, with more behind."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as cause:
        raise FormatError(f"{path} cannot be read: {cause}", hint="give a meta-info file") from cause
    names = [line.split()[0] for line in lines if line.strip()]
    return [str(Path(name).with_suffix("").as_posix()) for name in names]


def _only(
    names: Sequence[str], pictures: Mapping[str, PictureSource], *, folder: Path
) -> dict[str, PictureSource]:
    missing = [name for name in names if name not in pictures]
    if missing:
        raise DatasetError(
            f"{folder} lacks {len(missing)} of {len(names)} listed pictures: {', '.join(missing[:3])}",
            hint="correct the meta-info file, or put the pictures back",
        )
    return {name: pictures[name] for name in names}
