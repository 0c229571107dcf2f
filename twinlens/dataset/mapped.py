"""Frames of an HDF5 file as memory-mapped views: no handle stays open, nothing is copied, fork is harmless."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from twinlens.errors import CorruptError


class MappedFile:
    """A read-only file that maps itself into memory at the first view, anew in every process it is sent to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp = Stamp.of(path)
        self._bytes: NDArray[np.uint8] | None = None

    @property
    def size(self) -> int:
        """Length of the file in bytes."""
        return self._stamp.size

    def view(self, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """An array that lies at `offset` bytes; it must lie inside the file.

        Raises:
            CorruptError: the file is no longer the one that was opened.
        """
        if self._bytes is None:
            self._stamp.check(self.path)
            self._bytes = np.memmap(self.path, np.uint8, mode="r")
        return np.ndarray(shape, dtype, buffer=self._bytes.data, offset=offset)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_bytes": None}


@dataclass(frozen=True, slots=True)
class Stamp:
    """By what a file is known again in another process."""

    size: int
    """In bytes."""
    changed_ns: int

    @classmethod
    def of(cls, path: Path) -> "Stamp":
        """The stamp of the file as it lies there now.

        Raises:
            CorruptError: it has gone.
        """
        try:
            found = path.stat()
        except OSError as cause:
            raise CorruptError(f"{path} has gone: {cause}", hint="put it back, or open another") from cause
        return cls(found.st_size, found.st_mtime_ns)

    def check(self, path: Path) -> None:
        """Raise `CorruptError` unless the file at `path` is still the one that was stamped."""
        if Stamp.of(path) != self:
            raise CorruptError(f"{path} changed after it was opened", hint="datasets never change: open it again")


@dataclass(frozen=True, slots=True)
class FrameStack:
    """The frames of one (n, h, w) or (n, h, w, 3) dataset."""

    file: MappedFile
    offsets: NDArray[np.int64]
    """(n,) where each frame begins, in bytes."""
    shape: tuple[int, ...]
    """Of a frame: (h, w) or (h, w, 3)."""
    dtype: np.dtype[Any]

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def shape_hw(self) -> tuple[int, int]:
        """Height and width of a frame."""
        return self.shape[0], self.shape[1]

    def __getitem__(self, index: int) -> NDArray[Any]:
        """Frame `index` as a read-only view."""
        return self.file.view(int(self.offsets[index]), self.shape, self.dtype)

    def window(self, index: int, top: int, left: int, height: int, width: int) -> NDArray[Any]:
        """That part of frame `index` as a read-only view."""
        return self[index][top : top + height, left : left + width]


def is_mappable(dataset: h5py.Dataset) -> bool:
    """Whether every frame lies in the file as it is: contiguous, or one whole unfiltered frame per chunk."""
    whole = dataset.chunks is None or dataset.chunks == (1, *dataset.shape[1:])
    return bool(whole and dataset.id.get_create_plist().get_nfilters() == 0)


def locate_frames(dataset: h5py.Dataset, file: MappedFile, *, dtype: np.dtype[Any] | None = None) -> FrameStack:
    """Find the frames of the mappable `dataset` inside `file`.

    Where `dtype` is given, the bytes are read as that type of the same size, not as the one stored.

    Raises:
        CorruptError: a frame is missing, or ends beyond the end of the file.
    """
    count, shape = len(dataset), frame_shape(dataset)
    frame_bytes = math.prod(shape) * dataset.dtype.itemsize
    if dataset.chunks is None:
        offsets = dataset.id.get_offset() + frame_bytes * np.arange(count, dtype=np.int64)
    else:
        offsets = _chunk_offsets(dataset, file.path)
    end = int(offsets.max(initial=0)) + frame_bytes
    if end > file.size:
        raise CorruptError(
            f"{file.path}: {dataset.name} ends at byte {end}, the file at {file.size}",
            hint="the file was cut short: copy or build it again",
        )
    return FrameStack(file, offsets, shape, np.dtype(dtype or dataset.dtype))


def frame_shape(dataset: h5py.Dataset) -> tuple[int, ...]:
    """(h, w) or (h, w, 3) of the frames of a stack.

    Raises:
        ValueError: it is no stack of frames.
    """
    _, height, width, *channels = dataset.shape
    if channels not in ([], [3]):
        raise ValueError(f"{dataset.name} is {dataset.shape}; (n, h, w) or (n, h, w, 3) is needed")
    return int(height), int(width), *map(int, channels)


def _chunk_offsets(dataset: h5py.Dataset, path: Path) -> NDArray[np.int64]:
    offsets = np.full(dataset.shape[0], -1, np.int64)

    def note(chunk: Any) -> None:
        offsets[chunk.chunk_offset[0]] = chunk.byte_offset

    dataset.id.chunk_iter(note)
    missing = np.flatnonzero(offsets < 0)
    if missing.size:
        raise CorruptError(
            f"{path}: {dataset.name} has no pixels for {missing.size} of {len(offsets)} frames",
            hint="the file was never finished: build it again",
        )
    return offsets
