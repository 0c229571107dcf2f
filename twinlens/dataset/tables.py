"""What a `twinlens.pairs` file says, as it stands there: for a check that must also read what is wrong."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from twinlens.dataset.schema import SPLITS, Source
from twinlens.dataset.text import text_of


@dataclass(frozen=True)
class SchemeRows:
    """Who is in which part of one split scheme."""

    name: str
    rows_of: dict[str, NDArray[np.int64]]
    """Train, val and test, and what the scheme leaves unused."""
    is_leaky: bool
    """Whether groups were allowed into several parts when it was made."""

    def splits(self) -> dict[str, NDArray[np.int64]]:
        """Train, val and test, as far as they are there."""
        return {name: self.rows_of[name] for name in SPLITS if name in self.rows_of}


@dataclass(frozen=True)
class Tables:
    """Everything but pixels and corrections; nothing is checked."""

    attributes: dict[str, str]
    table: NDArray[Any]
    b_from_a: NDArray[np.float64]
    photometric: NDArray[np.float32]
    scenes: tuple[str, ...]
    groups: tuple[str, ...]
    """The group of each scene, which no split divides."""
    mirror_states: tuple[str, ...]
    schemes: tuple[SchemeRows, ...]
    sources: tuple[Source, ...]
    config_json: str
    calibration_json: str

    def __len__(self) -> int:
        return len(self.table)

    def column(self, name: str) -> NDArray[Any] | None:
        """A column of the table; None in files older than it."""
        return self.table[name] if name in (self.table.dtype.names or ()) else None

    def group_of_row(self) -> NDArray[np.int64]:
        """(n,) the group of each pair, as a number."""
        return numbered_groups(self.groups, self.table["group_id"])


def numbered_groups(groups: Sequence[str], scene_ids: NDArray[np.int32]) -> NDArray[np.int64]:
    """(n,) the group of each row as a number, from the name of each scene's group and the scene of each row."""
    numbers = {name: k for k, name in enumerate(dict.fromkeys(groups))}
    of_scene = np.array([numbers[name] for name in groups], np.int64)
    return np.asarray(of_scene[scene_ids], np.int64)


def read_tables(file: h5py.File) -> Tables:
    """Read an open file.

    Raises:
        OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError, IndexError: it is damaged.
    """
    groups, states = file["/groups/table"][()], file["/mirror_states"][()]
    provenance = file["/provenance"]
    return Tables(
        attributes={name: text_of(value) for name, value in file.attrs.items()},
        table=file["/pairs/table"][()],
        b_from_a=file["/pairs/b_from_a"][()],
        photometric=file["/pairs/photometric"][()],
        scenes=tuple(text_of(row["scene"]) for row in groups),
        groups=tuple(text_of(row["name"]) for row in groups),
        mirror_states=tuple(text_of(row["label"]) for row in states),
        schemes=tuple(_schemes(file["/splits"])),
        sources=tuple(
            Source(text_of(row["session_id"]), text_of(row["path"]), text_of(row["sha256"]))
            for row in provenance["sources"][()]
        ),
        config_json=text_of(provenance["config_json"][()]),
        calibration_json=text_of(provenance["calibration"][()]),
    )


def _schemes(group: h5py.Group) -> Iterator[SchemeRows]:
    for name, scheme in sorted(group.items()):
        rows_of = {part: np.asarray(rows[()], np.int64) for part, rows in scheme.items()}
        yield SchemeRows(name, rows_of, bool(scheme.attrs.get("leaky", 0)))
