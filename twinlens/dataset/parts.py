"""Parts of a build: what one task made, sealed on its own, so that a killed build goes on where it stopped."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from twinlens.dataset.contents import read_rejects
from twinlens.dataset.entry import Entry
from twinlens.dataset.measure import require_intact
from twinlens.dataset.schema import LIBVER, Reject
from twinlens.dataset.text import fixed
from twinlens.dataset.writer import PairWriter
from twinlens.storage import reserve_disk, sealed

SCHEMA = "twinlens.part"


@dataclass(frozen=True, slots=True)
class PartReport:
    """What a part holds."""

    path: Path
    pairs: int
    rejects: int


def write_part(found: Iterable[Entry | Reject], path: Path) -> PartReport:
    """Write what a task makes, as it makes it.

    Raises:
        OSError: the disk is full or cannot be written.
    """
    with sealed(path) as part, h5py.File(part, "w", libver=LIBVER) as file:
        reserve_disk(file, 0)
        writer = PairWriter(file)
        rejects = writer.append_all(found)
        writer.write_groups({member.scene: member.scene for member in writer.members}, {})
        writer.write_mirror_states(())
        writer.write_rejects(rejects)
        file.attrs["schema"] = fixed(SCHEMA)
        file.flush()
    return PartReport(path, len(writer), len(rejects))


def read_part(path: Path) -> Iterator[Entry | Reject]:
    """Its entries, one in memory at a time, then its rejects.

    Raises:
        CorruptError: the pixels of a pair are not those that were written.
    """
    with h5py.File(path, "r", locking=False) as file:
        count = len(file["/pairs/table"]) if "/pairs" in file else 0
        for row in range(count):
            yield require_intact(_entry(file, row), path)
        yield from read_rejects(file)


def read_part_rows(path: Path) -> Iterator[Entry | Reject]:
    """As `read_part` with empty pictures, for those who look at figures only."""
    with h5py.File(path, "r", locking=False) as file:
        count = len(file["/pairs/table"]) if "/pairs" in file else 0
        for row in range(count):
            yield _entry(file, row, pixels=False)
        yield from read_rejects(file)


def _entry(file: h5py.File, row: int, *, pixels: bool = True) -> Entry:
    pairs = file["/pairs"]
    values = pairs["table"][row]
    at = np.s_[row] if pixels else np.s_[row, :0]
    gain, offset = pairs["photometric"][row].tolist()
    return Entry(
        row=values,
        input=pairs["input"][at],
        target=pairs["target"][at],
        mask=pairs["mask"][at].view(np.bool_),
        scene=file["/groups/table"]["scene"][values["group_id"]].decode(),
        mirror_state=file["/mirror_states"]["label"][values["mirror_state"]].decode(),
        b_from_a=pairs["b_from_a"][row],
        photometric=(gain, offset),
    )
