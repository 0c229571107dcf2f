"""Frames of an HDF5 file that are stored in pieces: a window is read by touching its own pieces only.

Measured on 2592x2048 px of the twin: a cold 256 px crop of input and target reads 241 kB (its pixels: 131), its
mask 9 kB more, since tiles of one value pack to some bytes and neighbours share a page. A summary of where masks
are whole would save those 9 kB and 0.09 of 0.34 ms, and would have to be stored or kept up: there is none.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from twinlens.dataset.layout import load_codec
from twinlens.dataset.mapped import FrameStack, MappedFile, Stamp, frame_shape, is_mappable, locate_frames
from twinlens.dataset.packed import is_packed, misstated_tile
from twinlens.errors import CorruptError


class TileFile:
    """A read-only HDF5 file that opens itself at the first read, anew in every process it is sent or forked to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp = Stamp.of(path)
        self._file: Any = None
        self._datasets: dict[str, h5py.Dataset] = {}
        self._opened_by = 0

    @property
    def size(self) -> int:
        """Length of the file in bytes."""
        return self._stamp.size

    def dataset(self, name: str) -> h5py.Dataset:
        """The dataset `name` of this process's own handle.

        Raises:
            CorruptError: the file is no longer the one that was opened.
            FormatError: its codec is not installed.
        """
        if self._opened_by != os.getpid():
            self._open()
        if name not in self._datasets:
            self._datasets[name] = self._file[name]
        return self._datasets[name]

    def _open(self) -> None:
        if self._file is not None:
            # Inherited by fork. HDF5 would find the parent's file in its table and read through its descriptor,
            # so that is closed here first; the parent's own copy stays open.
            self._file.close()
        self._stamp.check(self.path)
        load_codec()
        self._file, self._datasets = h5py.File(self.path, "r", locking=False), {}
        # The kernel reads ahead megabytes around every tile otherwise: 1142 instead of 234 kB per crop pair.
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._file.id.get_vfd_handle(), 0, 0, os.POSIX_FADV_RANDOM)
        self._opened_by = os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None, "_datasets": {}, "_opened_by": 0}


@dataclass(frozen=True, slots=True)
class TileStack:
    """The frames of one (n, h, w) or (n, h, w, 3) dataset in pieces; what is read is a copy."""

    file: TileFile
    name: str
    """Of the dataset within the file."""
    count: int
    shape: tuple[int, ...]
    """Of a frame: (h, w) or (h, w, 3)."""
    dtype: np.dtype[Any]

    def __len__(self) -> int:
        return self.count

    @property
    def shape_hw(self) -> tuple[int, int]:
        """Height and width of a frame."""
        return self.shape[0], self.shape[1]

    def __getitem__(self, index: int) -> NDArray[Any]:
        """Frame `index`, whole."""
        return self.window(index, 0, 0, *self.shape_hw)

    def window(self, index: int, top: int, left: int, height: int, width: int) -> NDArray[Any]:
        """That part of frame `index`.

        Raises:
            CorruptError: a piece is damaged, or the file is no longer the one that was opened.
            FormatError: its codec is not installed.
        """
        dataset = self.file.dataset(self.name)
        try:
            read = dataset[index, top : top + height, left : left + width]
        except OSError as cause:
            raise CorruptError(
                f"{self.file.path}: frame {index} of {self.name} cannot be read: {cause}",
                hint="copy the file again, or build it again",
            ) from cause
        seen: NDArray[Any] = read.view(self.dtype)
        seen.flags.writeable = False
        return seen

    def require_unpackable(self, index: int) -> None:
        """Raise `CorruptError` where unpacking frame `index` could crash the process; `window` does not look."""
        dataset = self.file.dataset(self.name)
        misstated = misstated_tile(dataset, index) if is_packed(dataset) else None
        if misstated is not None:
            raise CorruptError(
                f"{self.file.path}: {misstated}", hint="copy the file again, or look at it with `twinlens verify`"
            )


Stack = FrameStack | TileStack


def find_stacks(file: h5py.File, path: Path) -> tuple[Stack, Stack, Stack]:
    """Input, target and mask of the open `file` at `path`: mapped where whole frames lie in it, else in pieces.

    Raises:
        CorruptError: a frame is missing, or ends beyond the end of the file.
    """
    mapped, tiled = MappedFile(path), TileFile(path)

    def find(name: str, dtype: np.dtype[Any] | None = None) -> Stack:
        dataset = file[name]
        if is_mappable(dataset):
            return locate_frames(dataset, mapped, dtype=dtype)
        return _in_pieces(dataset, tiled, np.dtype(dtype or dataset.dtype))

    return find("/pairs/input"), find("/pairs/target"), find("/pairs/mask", np.dtype(np.bool_))


def _in_pieces(dataset: h5py.Dataset, file: TileFile, dtype: np.dtype[Any]) -> TileStack:
    # A piece that was never written would read as black pixels.
    needed = int(np.prod([-(-size // piece) for size, piece in zip(dataset.shape, dataset.chunks, strict=True)]))
    found = dataset.id.get_num_chunks()
    if found != needed:
        raise CorruptError(
            f"{file.path}: {dataset.name} has pixels in {found} of {needed} tiles",
            hint="the file was never finished: build it again",
        )
    return TileStack(file, str(dataset.name), len(dataset), frame_shape(dataset), dtype)
