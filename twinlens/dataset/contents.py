"""Opening a `twinlens.pairs` file: check that it is whole, and take everything but pixels into memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from twinlens.dataset.schema import (
    CORRECTIONS,
    PAIR_ROW,
    SCHEMA,
    SCHEMA_VERSION,
    SCHEME,
    SPLITS,
    MirrorStateRecord,
    Provenance,
    Source,
    SplitName,
)
from twinlens.dataset.tiled import Stack, find_stacks
from twinlens.errors import CorruptError, FormatError, SplitLeakError
from twinlens.storage import check_schema_version


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
    mirror_states: tuple[MirrorStateRecord, ...]
    splits: dict[SplitName, NDArray[np.int64]]
    split_of: dict[str, SplitName]
    """Scene to split."""
    provenance: Provenance
    is_corrected: bool


def read_contents(path: Path) -> Contents:
    """Read and check everything but pixels.

    Raises:
        FormatError: the file is missing, foreign or newer.
        CorruptError: the file is cut short, damaged or was never finished.
        SplitLeakError: a scene lies in two splits.
    """
    with opened(path) as file:
        _check_head(file, path)
        table = file["/pairs/table"][()].astype(PAIR_ROW)
        scenes = tuple(str(name.decode()) for name in file["/groups/table"]["scene"].tolist())
        splits: dict[SplitName, NDArray[np.int64]] = {s: file[f"{SCHEME}/{s}"][()] for s in SPLITS}
        input_, target, mask = find_stacks(file, path)
        found = Contents(
            path=path,
            name=str(file.attrs["name"]),
            version=str(file.attrs["version"]),
            twinlens_version=str(file.attrs["twinlens_version"]),
            content_hash=str(file.attrs["content_hash"]),
            bit_depth=int(table["bit_depth"][0]),
            input=input_,
            target=target,
            mask=mask,
            table=table,
            b_from_a=file["/pairs/b_from_a"][()],
            photometric=file["/pairs/photometric"][()],
            scenes=scenes,
            mirror_states=_mirror_states(file),
            splits=splits,
            split_of=_split_of_scene(table["group_id"], scenes, splits, path=path),
            provenance=_provenance(file),
            is_corrected=CORRECTIONS in file,
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
    except (OSError, KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError) as cause:
        raise CorruptError(
            f"{path} is damaged or cut short: {cause}", hint="copy it again, or build it again"
        ) from cause


def _check_head(file: h5py.File, path: Path) -> None:
    schema = file.attrs.get("schema")
    if schema != SCHEMA:
        raise FormatError(
            f"{path} holds {schema!r}, {SCHEMA!r} is needed", hint="give a file that `twinlens build` wrote"
        )
    check_schema_version(str(file.attrs["schema_version"]), SCHEMA_VERSION, path=path, error=FormatError)
    if int(file.attrs["complete"]) != 1:
        raise CorruptError(f"{path} was never finished (complete = 0)", hint="build it again")


def _mirror_states(file: h5py.File) -> tuple[MirrorStateRecord, ...]:
    return tuple(
        MirrorStateRecord(row["label"].decode(), tuple(float(v) for v in row["values"]), row["unit"].decode())
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
    )


def _split_of_scene(
    group_ids: NDArray[np.int32],
    scenes: tuple[str, ...],
    splits: dict[SplitName, NDArray[np.int64]],
    *,
    path: Path,
) -> dict[str, SplitName]:
    split_of: dict[str, SplitName] = {}
    for split, indices in splits.items():
        for group_id in np.unique(group_ids[indices]).tolist():
            other = split_of.setdefault(scenes[group_id], split)
            if other != split:
                raise SplitLeakError(
                    f"{path}: scene {scenes[group_id]} lies in {other} and in {split}",
                    hint="results on this file would flatter: build it again",
                )
    return split_of


def _check_consistent(found: Contents) -> None:
    count = len(found.table)
    lengths: dict[str, Any] = {
        "input": len(found.input),
        "target": len(found.target),
        "mask": len(found.mask),
        "b_from_a": len(found.b_from_a),
        "photometric": len(found.photometric),
        "the splits together": sum(map(len, found.splits.values())),
    }
    wrong = {name: length for name, length in lengths.items() if length != count}
    shapes = {found.input.shape_hw, found.target.shape_hw, found.mask.shape_hw}
    twice = count - np.unique(np.concatenate(list(found.splits.values()))).size
    if wrong or len(shapes) != 1 or twice:
        raise CorruptError(
            f"{found.path}: {count} rows in the table, but {wrong or 'as many of everything else'}; "
            f"frame shapes {sorted(shapes)}; {max(twice, 0)} pairs in no split",
            hint="build it again",
        )
