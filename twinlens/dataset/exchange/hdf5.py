"""Any HDF5 file: two datasets (n, h, w) or (n, h, w, 3) by name."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from twinlens.dataset.exchange.found import FoundPair
from twinlens.dataset.schema import SPLITS, SplitName
from twinlens.errors import DatasetError, FormatError
from twinlens.pixels import Picture


@dataclass(frozen=True, slots=True)
class Hdf5Row:
    """One frame of a dataset; the file is opened for every read."""

    path: Path
    name: str
    row: int
    size: tuple[int, int]

    @property
    def where(self) -> str:
        """Its place, for messages."""
        return f"row {self.row} of {self.name} in {self.path}"

    def shape_hw(self) -> tuple[int, int]:
        """Height and width."""
        return self.size

    def read(self) -> Picture:
        """(h, w) or (h, w, 3).

        Raises:
            FormatError: it cannot be read.
        """
        try:
            with h5py.File(self.path, "r", locking=False) as file:
                frame: Picture = np.asarray(file[self.name][self.row])
        except (OSError, KeyError) as cause:
            raise FormatError(f"{self.where} cannot be read: {cause}", hint="copy the file again") from cause
        return frame[..., 0] if frame.ndim == 3 and frame.shape[2] == 1 else frame


def find_hdf5(source: Path, *, sides: tuple[str, str], mask: str, scenes: str) -> list[FoundPair]:
    """Row k of one dataset with row k of the other.

    Args:
        source: the file.
        sides: names of the datasets of input and target; {split} stands for train, val and test.
        mask: name of a dataset (n, h, w) that is not 0 where both can be compared; "" = everywhere.
        scenes: name of a dataset (n,) of texts or numbers that tells which rows show one scene; "" = none does.

    Raises:
        FormatError: the file or a dataset is missing, or holds no pictures.
        DatasetError: the datasets differ in length.
    """
    if not all(sides):
        raise FormatError(
            f"which datasets of {source} are pairs?", hint="name them: --input /blur --target /sharp"
        )
    splits: tuple[SplitName | None, ...] = SPLITS if "{split}" in sides[0] else (None,)
    try:
        with h5py.File(source, "r", locking=False) as file:
            found = []
            for split in splits:
                one, other, masks, labels = (n.replace("{split}", str(split)) for n in (*sides, mask, scenes))
                if split is not None and one not in file and other not in file:
                    continue
                rows: list[list[Hdf5Row] | None] = [_rows(file, name, source) for name in (one, other)]
                rows.append(_rows(file, masks, source, is_mask=True) if masks else None)
                found += _pairs(split, rows, _labels(file, labels, source), source=source, width=6)
    except OSError as cause:
        raise FormatError(f"{source} is no HDF5 file: {cause}", hint="give a file that h5dump reads") from cause
    if not found:
        raise FormatError(
            f"{source} holds no pairs in {' and '.join(sides)}", hint="look at its names with h5ls -r"
        )
    return found


def _rows(file: h5py.File, name: str, source: Path, *, is_mask: bool = False) -> list[Hdf5Row]:
    dataset = _dataset(file, name, source)
    is_picture = dataset.ndim == 3 or (dataset.ndim == 4 and dataset.shape[3] in (1, 3))
    if not is_picture or dataset.dtype not in (np.uint8, np.uint16, *([np.bool_] if is_mask else [])):
        raise FormatError(
            f"{name} of {source} is {dataset.shape} {dataset.dtype}; (n, h, w) or (n, h, w, 3) of uint8 or uint16 "
            "is needed",
            hint="convert it: floats have no grey levels" if dataset.dtype != np.bool_ else "is it a --mask?",
        )
    size = (int(dataset.shape[1]), int(dataset.shape[2]))
    return [Hdf5Row(source, name, row, size) for row in range(len(dataset))]


def _labels(file: h5py.File, name: str, source: Path) -> list[str] | None:
    if not name:
        return None
    values = _dataset(file, name, source)[()].tolist()
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def _dataset(file: h5py.File, name: str, source: Path) -> Any:
    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        there: list[str] = []
        file.visititems(lambda path, item: there.append(path) if isinstance(item, h5py.Dataset) else None)
        raise FormatError(
            f"{source} has no dataset {name}; it has {', '.join(there[:8]) or 'none'}", hint="name one of those"
        )
    return found


def _pairs(
    split: SplitName | None,
    rows: list[list[Hdf5Row] | None],
    labels: list[str] | None,
    *,
    source: Path,
    width: int,
) -> list[FoundPair]:
    inputs, targets, masks = (of_side or [] for of_side in rows)
    lengths = [len(some) for some in (*rows, labels) if some is not None]
    if len(set(lengths)) != 1:
        raise DatasetError(
            f"{source}: the datasets have {', '.join(map(str, lengths))} rows; one number is needed",
            hint="rows are paired by number: name datasets that belong together",
        )
    return [
        FoundPair(
            f"{row:0{width}d}",
            split,
            inputs[row],
            targets[row],
            masks[row] if masks else None,
            group=labels[row] if labels else "",
        )
        for row in range(len(inputs))
    ]
