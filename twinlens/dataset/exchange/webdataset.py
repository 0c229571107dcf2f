"""WebDataset shards: tar files of samples KEY.input.png, KEY.target.png, KEY.mask.png and KEY.json.

The same dataset gives the same bytes: no dates, no owners, one order. Shards are per split, so no scene crosses.
"""

import json
import tarfile
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Self

from twinlens.dataset.exchange.found import Encoded, FoundPair, PictureSource, matched, require_paired, split_in
from twinlens.dataset.exchange.pictures import SUFFIXES, png
from twinlens.dataset.exchange.piece import ExportSettings, Piece
from twinlens.dataset.schema import SplitName
from twinlens.errors import DatasetError, FormatError

SIDES = ("input", "target", "mask")
BLOCK = 512
RECORD = 10240
"""A tar file is padded to a multiple of this."""


class WebdatasetWriter:
    """Writes `SPLIT-NNNNNN.tar`, each no larger than asked unless one pair is."""

    def __init__(self, folder: Path, settings: ExportSettings) -> None:
        self._folder = folder
        self._limit_bytes = settings.shard_bytes
        self._shard: tarfile.TarFile | None = None
        self._split: SplitName | None = None
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_shard()

    def add(self, piece: Piece) -> None:
        """Write one piece."""
        members = {f"{piece.name}.{side}.png": png(getattr(piece, side)) for side in SIDES}
        members[f"{piece.name}.json"] = json.dumps(piece.facts, sort_keys=True, allow_nan=False).encode()
        size = sum(BLOCK + -(-len(data) // BLOCK) * BLOCK for data in members.values())
        shard = self._shard_for(piece.split, size)
        for name, data in sorted(members.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o644
            shard.addfile(member, BytesIO(data))

    def _shard_for(self, split: SplitName, size: int) -> tarfile.TarFile:
        if split != self._split:
            self._count = 0
        if self._shard is not None and (
            split != self._split or _padded(self._shard.offset + size) > self._limit_bytes
        ):
            self._end_shard()
        if self._shard is None:
            path = self._folder / f"{split}-{self._count:06d}.tar"
            # Names are plain ASCII and short, so each member has exactly one block before it.
            self._shard = tarfile.open(path, "w", format=tarfile.PAX_FORMAT)  # noqa: SIM115 -- closed by __exit__
            self._split, self._count = split, self._count + 1
        return self._shard

    def _end_shard(self) -> None:
        if self._shard is not None:
            self._shard.close()
        self._shard = None


def shards_of(folder: Path, split: SplitName | None = None) -> list[Path]:
    """The tar files in `folder`, sorted; those of one split, where one is named.

    Raises:
        FormatError: there are none.
    """
    found = [path for path in sorted(folder.glob("*.tar")) if split is None or split_in(path.stem) == split]
    if not found:
        raise FormatError(
            f"{folder} has no {split + ' ' if split else ''}shards (*.tar)",
            hint="write them with: twinlens export DATASET.h5 --to webdataset -o FOLDER",
        )
    return found


def samples(shard: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Key and members of every sample, read from front to back: `{"input.png": ..., "json": ...}`.

    Raises:
        FormatError: the shard is no tar file, is cut short, or holds a picture twice.
    """
    key, members = "", dict[str, bytes]()
    try:
        with tarfile.open(shard, "r|") as archive:
            for member in archive:
                name, extension = _key_and_extension(member.name)
                file = archive.extractfile(member)
                if file is None:
                    continue
                if name != key and members:
                    yield key, members
                    members = {}
                if extension in members:
                    raise _twice(member.name, shard)
                key, members[extension] = name, file.read()
    except (tarfile.TarError, OSError, EOFError) as cause:
        raise FormatError(f"{shard} cannot be read: {cause}", hint="copy or write the shard again") from cause
    if members:
        yield key, members


def find_webdataset(source: Path, *, sides: tuple[str, str]) -> list[FoundPair]:
    """Pairs of all shards in `source`; a shard named like a split is of that split.

    Args:
        source: the folder of shards.
        sides: extensions of input and target between key and picture type, such as "input" in KEY.input.png.

    Raises:
        FormatError: there are no shards, or one is damaged.
        DatasetError: a picture has no partner.
    """
    found = []
    for shard in shards_of(source):
        of_side = _members(shard)
        pairs = matched(of_side.get(sides[0], {}), of_side.get(sides[1], {}), where=str(shard))
        masks = of_side.get("mask", {})
        require_paired(masks, (name for name, _, _ in pairs), where=str(shard))
        found += [FoundPair(name, split_in(shard.stem), one, other, masks.get(name)) for name, one, other in pairs]
    if not found:
        raise DatasetError(
            f"the shards in {source} hold no KEY.{sides[0]}.png and KEY.{sides[1]}.png",
            hint="name the extensions with --input and --target",
        )
    return found


def _members(shard: Path) -> dict[str, dict[str, PictureSource]]:
    """The pictures of a shard by extension and key."""
    found: dict[str, dict[str, PictureSource]] = {}
    try:
        with tarfile.open(shard, "r:") as archive:
            for member in archive:
                key, extension = _key_and_extension(member.name)
                side, suffix = Path(extension).stem, Path(extension).suffix
                if member.isfile() and suffix.lower() in SUFFIXES:
                    place = partial(_part, shard, member.offset_data, member.size)
                    of_side = found.setdefault(side, {})
                    if key in of_side:
                        raise _twice(member.name, shard)
                    of_side[key] = Encoded(f"{member.name} in {shard}", place)
    except (tarfile.TarError, OSError) as cause:
        raise FormatError(f"{shard} cannot be read: {cause}", hint="copy or write the shard again") from cause
    return found


def _twice(name: str, shard: Path) -> FormatError:
    return FormatError(f"{shard} holds {name} twice", hint="give every sample of a shard a key of its own")


def _part(path: Path, offset: int, size: int) -> BytesIO:
    with path.open("rb") as file:
        file.seek(offset)
        return BytesIO(file.read(size))


def _key_and_extension(name: str) -> tuple[str, str]:
    """WebDataset's rule: the key ends at the first dot of the last part of the path."""
    folder, slash, last = name.rpartition("/")
    key, _, extension = last.partition(".")
    return folder + slash + key, extension


def _padded(size: int) -> int:
    """Bytes of a tar file whose members take `size`: two empty blocks end it."""
    return -(-(size + 2 * BLOCK) // RECORD) * RECORD
