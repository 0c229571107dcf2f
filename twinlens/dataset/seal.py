"""One digest over everything in a `twinlens.pairs` file but its pixels, which every pair's own hash covers."""

import hashlib
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

PIXELS = ("/pairs/input", "/pairs/target", "/pairs/mask")
"""Datasets whose values are left out; how they are stored and what is written at them is not."""
SEAL = "seal"
"""Attribute of the root that holds the digest. Of fixed length: it then lies in a checksummed object header."""
CENSUS_BYTES = 2**24
"""How much of a dataset is read at a time."""


def census(file: h5py.File) -> str:
    """Hex digest (64 characters) of every group, dataset, link and attribute, in the order of their names.

    Raises:
        OSError, KeyError, RuntimeError, ValueError, TypeError: h5py cannot read part of the file.
    """
    digest = hashlib.blake2b(digest_size=32)
    for part in _group_parts(file, seen=set()):
        # Length first: two parts must not pass for one.
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def seal(file: h5py.File) -> None:
    """Write the digest of `file` into it; whatever is written later breaks it."""
    file.attrs[SEAL] = np.bytes_(census(file))


def stored_seal(file: h5py.File) -> str | None:
    """The digest that was written into `file`; None where it has none."""
    found = file.attrs.get(SEAL)
    return None if found is None else np.bytes_(found).decode("ascii", "replace")


def broken_seal(file: h5py.File) -> bool:
    """Whether `file` has another digest than was written into it, or none."""
    return stored_seal(file) != census(file)


def _group_parts(group: h5py.Group, *, seen: set[int]) -> Iterator[bytes]:
    yield f"group {group.name}".encode()
    # A damaged link may lead back to a group above it.
    address = h5py.h5o.get_info(group.id).addr
    if address in seen:
        yield b"again"
        return
    seen.add(address)
    yield from _attribute_parts(group)
    for name in sorted(group):
        link = group.get(name, getlink=True)
        yield f"{type(link).__name__} {name}".encode()
        if isinstance(link, h5py.SoftLink | h5py.ExternalLink):
            yield repr((getattr(link, "filename", ""), link.path)).encode()
        elif isinstance(found := group[name], h5py.Group):
            yield from _group_parts(found, seen=seen)
        elif isinstance(found, h5py.Dataset):
            yield from _dataset_parts(found)
        else:
            yield _type_name(found.dtype).encode()


def _dataset_parts(dataset: h5py.Dataset) -> Iterator[bytes]:
    plist = dataset.id.get_create_plist()
    filters = [plist.get_filter(k) for k in range(plist.get_nfilters())]
    stored = (dataset.shape, dataset.maxshape, dataset.chunks, filters)
    yield f"dataset {dataset.name} {_type_name(dataset.dtype)} {stored}".encode()
    yield from _attribute_parts(dataset)
    if dataset.name in PIXELS or dataset.shape is None:
        return
    if not dataset.shape:
        yield from _value_parts(np.asarray(dataset[()], dataset.dtype), dataset.dtype)
        return
    row_bytes = max(1, int(np.prod(dataset.shape[1:], dtype=np.int64)) * dataset.dtype.itemsize)
    rows = max(1, CENSUS_BYTES // row_bytes)
    for start in range(0, dataset.shape[0], rows):
        yield from _value_parts(dataset[start : start + rows], dataset.dtype)


def _attribute_parts(found: h5py.Group | h5py.Dataset) -> Iterator[bytes]:
    for name in sorted(found.attrs):
        if name == SEAL and found.name == "/":
            continue
        stored = found.attrs.get_id(name)
        yield f"attribute {name} {_type_name(stored.dtype)} {stored.shape}".encode()
        value = found.attrs[name]
        if not isinstance(value, h5py.Empty):
            yield from _value_parts(np.asarray(value, stored.dtype), stored.dtype)


def _value_parts(values: Any, dtype: np.dtype[Any]) -> Iterator[bytes]:
    """`values` as bytes: little endian, in C order, strings and ragged rows one by one."""
    if dtype.names is not None:
        # Column by column: between them may lie bytes that mean nothing.
        for name in dtype.names:
            yield from _value_parts(values[name], dtype[name])
    elif dtype.subdtype is not None:
        yield from _value_parts(values, dtype.subdtype[0])
    elif dtype.hasobject:
        inner = None if h5py.check_string_dtype(dtype) else h5py.check_vlen_dtype(dtype)
        for one in np.asarray(values, object).ravel().tolist():
            if inner is not None:
                yield from _value_parts(np.asarray(one, inner), inner)
            else:
                yield one if isinstance(one, bytes) else str(one).encode("utf-8", "surrogateescape")
    else:
        plain = np.asarray(values)
        yield np.ascontiguousarray(plain, plain.dtype.newbyteorder("<")).tobytes()


def _type_name(dtype: np.dtype[Any]) -> str:
    """The name of an HDF5 type: numpy's own forgets what lies in strings, ragged rows and enumerations."""
    if dtype.names is not None:
        fields = ", ".join(f"{name} {_type_name(dtype[name])}" for name in dtype.names)
        return f"{{{fields}}}"
    if dtype.subdtype is not None:
        return f"{_type_name(dtype.subdtype[0])} {dtype.subdtype[1]}"
    if (text := h5py.check_string_dtype(dtype)) is not None:
        return f"text {text.encoding} {text.length}"
    if (inner := h5py.check_vlen_dtype(dtype)) is not None:
        return f"ragged {_type_name(inner)}"
    if (names := h5py.check_enum_dtype(dtype)) is not None:
        return f"enum {sorted(names.items())} {dtype.str}"
    return f"{dtype.str} {h5py.check_ref_dtype(dtype)}" if dtype.hasobject else dtype.str
