"""What must not be in two splits at once: a pair, a group, the same picture, nearly the same picture."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from twinlens.dataset.duplicates import NEAR_BITS, near_duplicates
from twinlens.dataset.schema import SPLITS
from twinlens.dataset.tables import SchemeRows, Tables

_NONE = -1


def scheme_faults(scheme: SchemeRows, count: int) -> Iterator[str]:
    """Where a scheme's parts are not each row once."""
    missing = [split for split in SPLITS if split not in scheme.rows_of]
    if missing:
        yield f"has no {' and no '.join(missing)}"
    if unknown := sorted(set(scheme.rows_of) - {*SPLITS, "unused"}):
        yield f"has parts that no release knows: {', '.join(unknown)}"
    rows = np.concatenate([np.zeros(0, np.int64), *scheme.rows_of.values()])
    outside = rows[(rows < 0) | (rows >= count)]
    if outside.size:
        yield f"names row {outside[0]} of {count}"
    times = np.bincount(rows[(rows >= 0) & (rows < count)], minlength=count)
    if (times > 1).any():
        yield f"row {np.flatnonzero(times > 1)[0]} and {(times > 1).sum() - 1} more are in several parts"
    if (times == 0).any():
        yield f"row {np.flatnonzero(times == 0)[0]} and {(times == 0).sum() - 1} more are in no part"


def leaks(scheme: SchemeRows, tables: Tables, target_hashes: NDArray[np.uint64]) -> Iterator[str]:
    """What two splits of a scheme share, one line a kind with its first example.

    `target_hashes` are the perceptual hashes of all targets, 0 where there is none.
    """
    split_of = _split_of_row(scheme, len(tables))
    yield from _shared_groups(scheme, tables)
    for column, what in (("xxh_in", "input"), ("xxh_tg", "target")):
        edges = _equal_pairs(tables.table[column], split_of)
        yield from _told(edges, f"have the same {what} pixels", scheme, tables)
    edges = near_pairs(target_hashes, split_of, tables.group_of_row())
    yield from _told(edges, f"have targets within {NEAR_BITS} bits of each other", scheme, tables)


def near_pairs(
    hashes: NDArray[np.uint64], split_of: NDArray[np.int64], group_of: NDArray[np.int64]
) -> list[tuple[int, int]]:
    """Rows of different groups in different splits whose 64-bit hashes are near; 0 stands for no hash."""
    rows = near_duplicates(hashes, group_of)
    first, second = split_of[rows].T
    crosses = (first != second) & (first != _NONE) & (second != _NONE)
    return [(a, b) for a, b in rows[crosses].tolist()]


def _split_of_row(scheme: SchemeRows, count: int) -> NDArray[np.int64]:
    split_of = np.full(count, _NONE, np.int64)
    for split, rows in scheme.splits().items():
        split_of[rows[(rows >= 0) & (rows < count)]] = SPLITS.index(split)
    return split_of


def _shared_groups(scheme: SchemeRows, tables: Tables) -> Iterator[str]:
    group_of = tables.group_of_row()
    names = list(dict.fromkeys(tables.groups))
    homes: dict[int, list[str]] = {}
    for split, rows in scheme.splits().items():
        for group in np.unique(group_of[rows[(rows >= 0) & (rows < len(tables))]]).tolist():
            homes.setdefault(group, []).append(split)
    shared = [(names[group], splits) for group, splits in homes.items() if len(splits) > 1]
    if shared:
        name, splits = shared[0]
        yield f"group {name} lies in {' and '.join(splits)}{_more(len(shared))}"


def _equal_pairs(values: NDArray[np.uint64], split_of: NDArray[np.int64]) -> list[tuple[int, int]]:
    first_of: dict[int, dict[int, int]] = {}
    found = []
    for row, (value, split) in enumerate(zip(values.tolist(), split_of.tolist(), strict=True)):
        if split == _NONE:
            continue
        homes = first_of.setdefault(value, {})
        found += [(other, row) for home, other in homes.items() if home != split]
        homes.setdefault(split, row)
    return found


def _told(edges: list[tuple[int, int]], what: str, scheme: SchemeRows, tables: Tables) -> Iterator[str]:
    if not edges:
        return
    split_of = _split_of_row(scheme, len(tables))
    first, second = (f"{row} ({SPLITS[split_of[row]]}, {_scene(tables, row)})" for row in edges[0])
    yield f"pairs {first} and {second} {what}{_more(len(edges))}"


def _scene(tables: Tables, row: int) -> str:
    return tables.scenes[int(tables.table["group_id"][row])]


def _more(count: int) -> str:
    return f", and {count - 1} more" if count > 1 else ""
