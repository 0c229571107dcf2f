"""Split schemes as a file holds them: rows of train, val, test and unused, and how they were drawn."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from twinlens.dataset.schema import SPLITS, SPLITS_GROUP, UNUSED, SplitName
from twinlens.dataset.schemes import Scheme, SplitSettings
from twinlens.dataset.text import fixed_attributes, text_of

PARTS: tuple[str, ...] = (*SPLITS, UNUSED)


@dataclass(frozen=True, slots=True)
class StoredScheme:
    """Who is trained on, and who is examined, under one name."""

    rows: Mapping[str, NDArray[np.int64]]
    """Of `PARTS`, sorted."""
    is_leaky: bool = False
    """A group lies in several splits because the user said so: scores on it flatter."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """How it was drawn: plain values."""

    def part_of_row(self, count: int) -> NDArray[np.int8]:
        """(count,) which of `PARTS` each row lies in; -1 in none."""
        found = np.full(count, -1, np.int8)
        for number, part in enumerate(PARTS):
            found[self.rows[part]] = number
        return found

    def split(self, name: SplitName) -> NDArray[np.int64]:
        """The rows of one split."""
        return self.rows[name]


def drawn(scheme: Scheme, settings: SplitSettings) -> StoredScheme:
    """A scheme as `divide` drew it, with the settings it was drawn by."""
    rows = {str(part): np.array(sorted(found), np.int64) for part, found in scheme.rows.items()}
    about = {
        "strategy": "whole groups" if not scheme.leaky else "runs of triggers within groups",
        "group_key": "scene, place and look",
        "seed": settings.seed,
        "settings": json.dumps(settings.as_dict(), sort_keys=True, default=dict),
    }
    return StoredScheme(rows, scheme.leaky, about)


def write_schemes(file: h5py.File, schemes: Mapping[str, StoredScheme]) -> None:
    """Write every scheme under its name."""
    for name, scheme in schemes.items():
        group = file.create_group(f"{SPLITS_GROUP}/{name}")
        for part in PARTS:
            group[part] = scheme.rows[part]
        group.attrs.update({**fixed_attributes(scheme.about), "leaky": np.uint8(scheme.is_leaky)})


def read_schemes(file: h5py.File) -> dict[str, StoredScheme]:
    """Every scheme of a file; files older than schema 1.2 leave no pair unused."""
    return {name: _read(group) for name, group in sorted(file[SPLITS_GROUP].items())}


def _read(group: Any) -> StoredScheme:
    rows = {part: np.asarray(group[part][()] if part in group else [], np.int64) for part in PARTS}
    about = {
        name: text_of(value) if isinstance(value, bytes) else value
        for name, value in group.attrs.items()
        if name != "leaky"
    }
    return StoredScheme(rows, bool(group.attrs.get("leaky", 0)), about)


def ids_of_parts(schemes: Mapping[str, StoredScheme], pair_ids: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """The pair ids of every part of every scheme, as the content hash wants them."""
    return {
        name: {part: [pair_ids[row] for row in rows.tolist()] for part, rows in scheme.rows.items()}
        for name, scheme in schemes.items()
    }
