"""Text of fixed length in HDF5: any other lies in heaps without checksums, where a flipped bit can hang a reader.

Files of older releases hold such text, and it is read too (`heaps.py`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = Sequence[str] | NDArray[Any]


def fixed(text: str) -> NDArray[Any]:
    """A text as one value of its own length, in UTF-8."""
    encoded = text.encode()
    return np.array(encoded, f"S{max(1, len(encoded))}")


def fixed_attributes(values: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes whose texts have a fixed length."""
    return {name: fixed(value) if isinstance(value, str) else value for name, value in values.items()}


def text_of(value: Any) -> str:
    """Text of an attribute or a field, of fixed length or not."""
    return value.decode() if isinstance(value, bytes) else str(value)


def table_of(columns: Mapping[str, Column]) -> NDArray[Any]:
    """Rows (n,) from columns of n texts, numbers or equally long arrays; texts are as wide as the longest."""
    arrays = {name: _column(values) for name, values in columns.items()}
    count = len(next(iter(arrays.values())))
    rows = np.zeros(count, [(name, values.dtype, values.shape[1:]) for name, values in arrays.items()])
    for name, values in arrays.items():
        rows[name] = values
    return rows


def _column(values: Column) -> NDArray[Any]:
    if isinstance(values, np.ndarray):
        return values
    encoded = [value.encode() for value in values]
    return np.array(encoded, f"S{max((1, *map(len, encoded)))}")
