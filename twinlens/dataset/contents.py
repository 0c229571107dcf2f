"""Opening a `twinlens.pairs` file: check that it is whole, and take everything but pixels into memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from twinlens.dataset.layout import Layout
from twinlens.dataset.schema import (
    CORRECTIONS,
    DEFAULT_SCHEME,
    PAIR_ROW,
    REJECTS,
    SCHEMA,
    SCHEMA_VERSION,
    SPLITS,
    MirrorStateRecord,
    Provenance,
    Reject,
    Source,
)
from twinlens.dataset.stored_schemes import PARTS, StoredScheme, read_schemes
from twinlens.dataset.text import text_of
from twinlens.dataset.tiled import Stack, find_stacks
from twinlens.errors import CorruptError, FormatError, SplitLeakError
from twinlens.storage import check_schema_version

READ_ERRORS = (OSError, KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError)
"""What h5py raises where a file is damaged."""


@dataclass(frozen=True)
class Contents:
    """A file's tables, and where its frames lie."""

    path: Path
    name: str
    version: str
    twinlens_version: str
    content_hash: str
    bit_depth: int
    input: Stack
    target: Stack
    mask: Stack
    table: NDArray[Any]
    """(n,) `PAIR_ROW`."""
    b_from_a: NDArray[np.float64]
    """(n, 3, 3)"""
    photometric: NDArray[np.float32]
    """(n, 2) gain and offset."""
    scenes: tuple[str, ...]
    group_of: dict[str, str]
    """Scene to group."""
    places: dict[str, str]
    """Scene to place, where known."""
    mirror_states: tuple[MirrorStateRecord, ...]
    schemes: dict[str, StoredScheme]
    rejects: tuple[Reject, ...]
    provenance: Provenance
    is_corrected: bool
    head: dict[str, str]
    """What the file says of itself: created, license, citation, description and more."""

    @property
    def layout(self) -> Layout:
        """How frames are stored."""
        return "tiles" if self.head.get("layout") == "tiles" else "contiguous"

    @property
    def channels(self) -> int:
        """1, or 3 for RGB."""
        return 3 if len(self.input.shape) == 3 else 1

    @property
    def grid(self) -> Literal["a", "b"]:
        """Whose pixels the pairs lie on."""
        return "a" if self.head.get("grid") == "a" else "b"

    def part_of(self, row: int) -> str:
        """Where the default scheme puts a row: train, val, test or unused."""
        return PARTS[int(self.parts[row])]

    @cached_property
    def pair_ids(self) -> tuple[str, ...]:
        """(n,) the name of every pair."""
        return _texts(self.table["pair_id"])

    @cached_property
    def parts(self) -> NDArray[np.int8]:
        """(n,) the default scheme's part of every row, as a number into `PARTS`."""
        return self.schemes[DEFAULT_SCHEME].part_of_row(len(self.table))


def read_contents(path: Path) -> Contents:
    """Read and check everything but pixels.

    Raises:
        FormatError: the file is missing, foreign or newer.
        CorruptError: the file is cut short, damaged or was never finished.
        SplitLeakError: a group lies in two splits.
    """
    with opened(path) as file:
        _check_head(file, path)
        table = _table(file["/pairs/table"][()])
        groups = file["/groups/table"][()]
        scenes = _texts(groups["scene"])
        input_, target, mask = find_stacks(file, path)
        found = Contents(
            path=path,
            name=text_of(file.attrs["name"]),
            version=text_of(file.attrs["version"]),
            twinlens_version=text_of(file.attrs["twinlens_version"]),
            content_hash=text_of(file.attrs["content_hash"]),
            bit_depth=int(table["bit_depth"][0]),
            input=input_,
            target=target,
            mask=mask,
            table=table,
            b_from_a=file["/pairs/b_from_a"][()],
            photometric=file["/pairs/photometric"][()],
            scenes=scenes,
            group_of=dict(zip(scenes, _texts(groups["name"]), strict=True)),
            places=_places(scenes, groups),
            mirror_states=_mirror_states(file),
            schemes=read_schemes(file),
            rejects=read_rejects(file),
            provenance=_provenance(file),
            is_corrected=CORRECTIONS in file,
            head={str(name): text_of(v) for name, v in file.attrs.items() if isinstance(v, str | bytes)},
        )
    _check_consistent(found)
    return found


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """A dataset's file, open for reading; what goes wrong with it meanwhile is told as damage.

    Raises:
        FormatError: it is missing or no HDF5.
        CorruptError: it is cut short or damaged.
    """
    hint = f"give a file that twinlens wrote as {SCHEMA}"
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as cause:
        raise FormatError(f"{path} cannot be read: {cause.strerror}", hint=hint) from cause
    if not h5py.is_hdf5(path):
        raise FormatError(f"{path} begins with {head!r}, which is not HDF5", hint=hint)
    try:
        # Without a lock, many readers on a network disk do not meet errno 11 or 37.
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except READ_ERRORS as cause:
        raise CorruptError(
            f"{path} is damaged or cut short: {cause}", hint="copy it again, or build it again"
        ) from cause


def _check_head(file: h5py.File, path: Path) -> None:
    schema = text_of(file.attrs.get("schema"))
    if schema != SCHEMA:
        raise FormatError(
            f"{path} holds {schema!r}, {SCHEMA!r} is needed", hint="give a file that `twinlens build` wrote"
        )
    check_schema_version(text_of(file.attrs["schema_version"]), SCHEMA_VERSION, path=path, error=FormatError)
    if int(file.attrs["complete"]) != 1:
        raise CorruptError(f"{path} was never finished (complete = 0)", hint="build it again")


def _mirror_states(file: h5py.File) -> tuple[MirrorStateRecord, ...]:
    return tuple(
        MirrorStateRecord(
            row["label"].decode(), tuple(float(v) for v in row["values"] if not np.isnan(v)), row["unit"].decode()
        )
        for row in file["/mirror_states"][()]
    )


def _provenance(file: h5py.File) -> Provenance:
    group = file["/provenance"]
    return Provenance(
        config_json=group["config_json"][()].decode(),
        calibration_json=group["calibration"][()].decode(),
        sources=tuple(
            Source(row["session_id"].decode(), row["path"].decode(), row["sha256"].decode())
            for row in group["sources"][()]
        ),
        mirror_states=_mirror_states(file),
        parent=text_of(file.attrs.get("parent", "")),
    )


def _table(stored: NDArray[Any]) -> NDArray[Any]:
    """The rows as this release knows them; what an older one did not write is unknown: nan, or 0 in integers."""
    table = np.zeros(len(stored), PAIR_ROW)
    for name in PAIR_ROW.names or ():
        if name in (stored.dtype.names or ()):
            table[name] = stored[name]
        elif PAIR_ROW[name].base.kind == "f":
            table[name] = np.nan
    return table


def _texts(column: NDArray[Any]) -> tuple[str, ...]:
    return tuple(str(value.decode()) for value in column.tolist())


def _places(scenes: tuple[str, ...], groups: NDArray[Any]) -> dict[str, str]:
    if "place" not in (groups.dtype.names or ()):
        return {}
    return {scene: place for scene, place in zip(scenes, _texts(groups["place"]), strict=True) if place}


def read_rejects(file: h5py.File) -> tuple[Reject, ...]:
    """What was left out, and why."""
    if REJECTS not in file:
        return ()
    return tuple(
        Reject(
            session_id=row["session_id"].decode(),
            trigger_index=int(row["trigger_index"]),
            scene=row["scene"].decode(),
            mirror_state=row["mirror_state"].decode(),
            reason=row["reason"].decode(),
            text=row["text"].decode(),
        )
        for row in file[REJECTS][()]
    )


def _check_consistent(found: Contents) -> None:
    count = len(found.table)
    lengths: dict[str, Any] = {
        "input": len(found.input),
        "target": len(found.target),
        "mask": len(found.mask),
        "b_from_a": len(found.b_from_a),
        "photometric": len(found.photometric),
    }
    wrong = {name: length for name, length in lengths.items() if length != count}
    shapes = {found.input.shape, found.target.shape, found.mask.shape + found.input.shape[2:]}
    if wrong or len(shapes) != 1:
        raise CorruptError(
            f"{found.path}: {count} rows in the table, but {wrong or 'as many of everything else'}; "
            f"frame shapes {sorted(shapes)}",
            hint="build it again",
        )
    if DEFAULT_SCHEME not in found.schemes:
        raise CorruptError(f"{found.path} has no split scheme {DEFAULT_SCHEME!r}", hint="build it again")
    for name, scheme in found.schemes.items():
        _check_scheme(found, name, scheme)


def _check_scheme(found: Contents, name: str, scheme: StoredScheme) -> None:
    count = len(found.table)
    rows = np.concatenate([scheme.rows[part] for part in PARTS])
    if not np.array_equal(np.sort(rows), np.arange(count)):
        raise CorruptError(
            f"{found.path}: scheme {name!r} lists {len(rows)} rows, {np.unique(rows).size} of them different; "
            f"each of {count} pairs is needed once",
            hint="build it again",
        )
    if scheme.is_leaky:
        return
    split_of: dict[str, str] = {}
    for split in SPLITS:
        for scene_id in np.unique(found.table["group_id"][scheme.rows[split]]).tolist():
            scene = found.scenes[scene_id]
            other = split_of.setdefault(found.group_of[scene], split)
            if other != split:
                raise SplitLeakError(
                    f"{found.path}: scene {scene} lies in {split} of scheme {name!r}, "
                    f"and its group {found.group_of[scene]!r} in {other}",
                    hint="scores on it would flatter: divide it anew with `twinlens derive --new-splits`",
                )
