"""Named arrays in one file of the safetensors format: a JSON header, then the bytes; no code, no pickles.

Written out here because a training machine may have nothing but numpy, h5py, torch and OpenCV.
"""

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinlens.errors import CheckpointError
from twinlens.storage import sealed

_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "U16": "<u2",
    "U8": "|u1",
    "BOOL": "|b1",
}
_BFLOAT16 = "BF16"
_NAMES = {np.dtype(code): name for name, code in _DTYPES.items()}
_HINT = (
    "give a checkpoint that twinlens wrote; if this one was copied, copy it again; published weights come in by "
    "twinlens import --from official"
)


def write_tensors(path: Path, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> None:
    """Write arrays and string metadata; the file appears whole."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    offset = 0
    for name, array in tensors.items():
        end = offset + array.nbytes
        header[name] = {
            "dtype": _NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(header, allow_nan=False).encode()
    text += b" " * (-len(text) % 8)  # the format wants the data to start at a multiple of 8
    with sealed(path) as part, part.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in tensors.values():
            file.write(np.ascontiguousarray(array).tobytes())


def read_tensors(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Arrays and metadata of a file; no array is read before the whole header has been believed.

    Raises:
        CheckpointError: the file is missing, not safetensors, or shorter or longer than its header says.
    """
    header, data = _open(path)
    metadata = header.pop("__metadata__", {})
    try:
        tensors = {name: _view(data, entry) for name, entry in header.items()}
        places = sorted(tuple(entry["data_offsets"]) for entry in header.values())
    except _UnreadableError as cause:
        raise CheckpointError(f"{path} holds numbers of type {cause}, which cannot be read", hint=_HINT) from cause
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as cause:
        raise CheckpointError(f"{path} is cut short or damaged: {cause!r}", hint=_HINT) from cause
    ends = [0, *(end for _, end in places)]
    if [begin for begin, _ in places] != ends[:-1] or ends[-1] != len(data):
        raise CheckpointError(f"{path} holds {len(data)} bytes of arrays, its header {ends[-1]}", hint=_HINT)
    return tensors, metadata


class _UnreadableError(ValueError):
    """A type of number that NumPy does not have."""


def _open(path: Path) -> tuple[dict[str, Any], bytes]:
    try:
        raw = path.read_bytes()
    except OSError as cause:
        raise CheckpointError(f"{path} cannot be read: {cause.strerror}", hint=_HINT) from cause
    length = struct.unpack_from("<Q", raw)[0] if len(raw) >= 8 else 0
    if not 2 <= length <= len(raw) - 8:
        raise CheckpointError(f"{path} ({len(raw)} bytes) is not a whole safetensors file", hint=_HINT)
    try:
        header = json.loads(raw[8 : 8 + length])
    except (ValueError, RecursionError) as cause:
        raise CheckpointError(f"{path} is not a safetensors file: {cause}", hint=_HINT) from cause
    if not isinstance(header, dict) or not isinstance(header.get("__metadata__", {}), dict):
        raise CheckpointError(f"{path} is not a safetensors file: its header is no object", hint=_HINT)
    return header, raw[8 + length :]


def _view(data: bytes, entry: Any) -> NDArray[Any]:
    """One array of the file; anything but a well-formed header entry raises."""
    kind, shape = entry["dtype"], tuple(int(n) for n in entry["shape"])
    if kind not in _DTYPES and kind != _BFLOAT16:
        raise _UnreadableError(kind)
    dtype = np.dtype(_DTYPES.get(kind, "<u2"))
    begin, end = entry["data_offsets"]
    if not 0 <= begin <= end <= len(data) or end - begin != dtype.itemsize * math.prod(shape):
        raise ValueError(f"array of shape {shape} at bytes {begin} to {end} of {len(data)}")
    array = np.frombuffer(data[begin:end], dtype=dtype).reshape(shape)
    # bfloat16 is the upper half of float32.
    return (array.astype(np.uint32) << 16).view(np.float32) if kind == _BFLOAT16 else array
