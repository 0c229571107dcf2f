"""How the frames of a stack lie in HDF5: whole and raw to be mapped into memory, or in small compressed tiles.

"contiguous" stores one whole frame per chunk without a filter: a chunk is the frame's bytes at some offset.
"tiles" stores 128 x 128 px per chunk, bitshuffled and LZ4-packed: smaller, and a crop reads few bytes of it, which
is what counts on a network disk or where the dataset does not fit into memory.
"""

from importlib import import_module
from typing import Any, Literal, get_args

import h5py
import numpy as np
from numpy.typing import NDArray

from twinlens.errors import FormatError

Layout = Literal["contiguous", "tiles"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
TILE_PX = 128
"""A 256 px crop touches 3 x 3 tiles nearly always: 2.25 times its own pixels. Tiles of 256 px would double that,
and tiles of 64 px cost more calls and pages than they save."""


def create_stack(
    file: h5py.File, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], layout: Layout
) -> h5py.Dataset:
    """An empty dataset of frames of `shape` (h, w) or (h, w, 3) at the path `name`, to be grown and given frames.

    Raises:
        FormatError: tiles are asked for, and hdf5plugin is not installed.
    """
    tile = shape if layout == "contiguous" else (min(TILE_PX, shape[0]), min(TILE_PX, shape[1]), *shape[2:])
    packing = {} if layout == "contiguous" else dict(load_codec().Bitshuffle(cname="lz4"))
    return file.create_dataset(
        name, shape=(0, *shape), maxshape=(None, *shape), chunks=(1, *tile), dtype=dtype, **packing
    )


def append_frame(dataset: h5py.Dataset, index: int, frame: NDArray[Any]) -> None:
    """Store `frame` (h, w) or (h, w, 3) as the last of a stack of `index` frames."""
    dataset.resize(index + 1, axis=0)
    if dataset.id.get_create_plist().get_nfilters():
        dataset[index] = frame.astype(dataset.dtype, copy=False)
    else:
        # Straight from memory to the file: the chunk cache would copy a frame twice.
        dataset.id.write_direct_chunk((index, *(0 for _ in frame.shape)), np.ascontiguousarray(frame))


def load_codec() -> Any:
    """The module hdf5plugin, whose import teaches this process's HDF5 to read and write tiles.

    Raises:
        FormatError: it is not installed.
    """
    try:
        return import_module("hdf5plugin")
    except ModuleNotFoundError as cause:
        raise FormatError(
            "tiles are packed by bitshuffle-LZ4, and the package hdf5plugin is not installed",
            hint="pip install hdf5plugin, or build with the layout contiguous",
        ) from cause
