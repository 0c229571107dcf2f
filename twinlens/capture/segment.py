"""One HDF5 segment of one camera: whole frames as raw chunks, one table row per frame.

A segment is a `.part` file until it is sealed and renamed. It is written so that nothing older than its last
`make_durable` is lost when the process is killed (SWMR keeps the file's tables readable) or the power fails.
Names follow NeXus (NXdetector, NXcollection, NXprocess) where it has one.
"""

import mmap
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xxhash

from twinlens import __version__
from twinlens.capture.frame import Frame, FrameRecord
from twinlens.capture.rows import DETECTOR, FRAME_ROW, SEGMENT_SCHEMA, SEGMENT_VERSION, frame_row
from twinlens.pixels import Mono
from twinlens.storage import release_disk, require_free, reserve_disk, sync_data, sync_folder

PART = ".part"
ROWS_PER_CHUNK = 256
"""28 kB, written whole with every flush."""
PAGE_BYTES = 4096
"""What disks and kernels write whole, and O_DIRECT asks for.

HDF5 then keeps each of its tables inside one page, and a power cut finds it old or new, never half of each.
"""
_HEADER_HASH = "header_xxh3"
_SEALING = (_HEADER_HASH, "complete")


class Segment:
    """A segment that is being written."""

    def __init__(
        self, path: Path, shape_hw: tuple[int, ...], dtype: np.dtype[Any], attributes: Mapping[str, Any]
    ) -> None:
        """Create `path` with `.part` appended; `attributes` go to the root, and where NeXus has a place for them.

        Raises:
            OSError: the disk is full, or the folder cannot be written.
        """
        self.frames = 0
        self.part = path.with_name(path.name + PART)
        self._path = path
        self.is_durable = True
        """Whether a power cut would cost no frame."""
        self._pending: list[np.void] = []
        frame_bytes = int(np.prod(shape_hw)) * dtype.itemsize
        require_free(path.parent, 2 * frame_bytes + PAGE_BYTES * 1024)
        self._file = h5py.File(
            self.part, "x", libver=("v110", "v110"), fs_strategy="page", fs_page_size=PAGE_BYTES
        )
        reserve_disk(self._file, frame_bytes)
        self._data = _create_datasets(self._file, shape_hw, dtype)
        self._rows = self._file[f"{DETECTOR}/frames"]
        _describe(self._file, attributes)
        self._file.attrs[_HEADER_HASH] = header_hash(self._file)
        self._file.flush()
        self._file.swmr_mode = True  # from here on nothing can be added, and everything can be read
        self._pixels = _PixelFile(self.part, frame_bytes)
        self._sync()
        sync_folder(path.parent)

    def fits(self, frame: Frame) -> bool:
        """Whether a frame has the size and type of this segment."""
        return bool(self._data.shape[1:] == frame.pixels.shape and self._data.dtype == frame.pixels.dtype)

    def append(self, frame: Frame) -> FrameRecord:
        """Write a frame; its record with the hash of its pixels.

        Raises:
            OSError: the disk is full or fails; the frames before this one can still be sealed.
        """
        pixels: Mono = np.require(frame.pixels, requirements="C")
        record = replace(frame.record, xxh3=xxhash.xxh3_64_intdigest(pixels.data))
        self.append_row(pixels, frame_row(record, pixels, frame.bit_depth))
        return record

    def append_row(self, pixels: Mono, row: np.void) -> None:
        """Write a frame whose row is known."""
        reserve_disk(self._file, pixels.nbytes)
        place = (self.frames,) + (0,) * pixels.ndim
        if len(self._data) == self.frames:  # a try before this one may have failed after this line
            self._data.resize(self.frames + 1, axis=0)
        # Written past HDF5 and, where possible, past the page cache: a sixth of the CPU time, and the sync that
        # follows has nothing left to write and holds nobody up.
        self._pixels.write(pixels, self._data.id.get_chunk_info_by_coord(place).byte_offset)
        self.frames += 1
        self._pending.append(row)
        self.is_durable = False

    def flush(self) -> None:
        """Hand everything so far to the system, pixels before rows: then it survives the end of this process."""
        if self._pending:
            self._append_pending()
            self._data.flush()
            self._rows.flush()

    def make_durable(self) -> None:
        """Put everything so far where a power cut cannot take it."""
        self.flush()
        self._sync()
        self.is_durable = True

    def seal(self) -> None:
        """Close the file and give it its final name; without a frame, remove it."""
        self._append_pending()
        if self.frames and len(self._data) > self.frames:  # the chunk of a frame that could not be written
            self._data.resize(self.frames, axis=0)
        self._file.attrs.modify("complete", np.uint8(1))
        self._file.close()
        release_disk(self.part)
        self._sync()
        self._pixels.close()
        if self.frames:
            self.part.replace(self._path)
        else:
            self.part.unlink()
        sync_folder(self._path.parent)

    def _append_pending(self) -> None:
        if self._pending:
            self._rows.resize(self.frames, axis=0)
            self._rows[self.frames - len(self._pending) :] = np.array(self._pending, FRAME_ROW)
            self._pending.clear()

    def _sync(self) -> None:
        sync_data(self._pixels.fileno())


class _PixelFile:
    """A second way into a segment, for pixels only."""

    def __init__(self, path: Path, frame_bytes: int) -> None:
        self._buffer: mmap.mmap | None = None
        self._file = path.open("r+b", buffering=0)
        if frame_bytes % PAGE_BYTES == 0 and hasattr(os, "O_DIRECT"):
            with suppress(OSError):  # tmpfs and some network file systems know no O_DIRECT
                descriptor = os.open(path, os.O_RDWR | os.O_DIRECT)
                self._file.close()
                self._file = FileIO(descriptor, "r+")
                self._buffer = mmap.mmap(-1, frame_bytes)  # page-aligned, as O_DIRECT wants it

    def fileno(self) -> int:
        return self._file.fileno()

    def write(self, pixels: Mono, offset: int) -> None:
        payload = pixels.data.cast("B")
        if self._buffer is not None:
            np.copyto(np.frombuffer(self._buffer, np.uint8), np.frombuffer(payload, np.uint8))
            payload = memoryview(self._buffer)
        self._file.seek(offset)
        written = 0
        while written < len(payload):
            written += self._file.write(payload[written:]) or 0

    def close(self) -> None:
        self._file.close()


def _create_datasets(file: h5py.File, shape_hw: tuple[int, ...], dtype: np.dtype[Any]) -> h5py.Dataset:
    detector = file.create_group(DETECTOR)
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_chunk((1, *shape_hw))
    creation.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)  # a chunk has its place as soon as the shape includes it
    creation.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    space = h5py.h5s.create_simple((0, *shape_hw), (h5py.h5s.UNLIMITED, *shape_hw))
    data = h5py.h5d.create(detector.id, b"data", h5py.h5t.py_create(dtype, logical=True), space, creation)
    detector.create_dataset("frames", (0,), FRAME_ROW, maxshape=(None,), chunks=(ROWS_PER_CHUNK,))
    return h5py.Dataset(data)


def _describe(file: h5py.File, attributes: Mapping[str, Any]) -> None:
    described = {
        "schema": SEGMENT_SCHEMA,
        "schema_version": SEGMENT_VERSION,
        "twinlens_version": __version__,
        "NX_class": "NXroot",
        "default": "entry",
        "complete": np.uint8(0),
        "started_utc": datetime.now(UTC).isoformat(timespec="milliseconds"),
        **attributes,
    }
    _attach(file, described)
    started = described["started_utc"]  # of the recording, should these frames be copied from another segment
    _attach(file[DETECTOR], {name: described[name] for name in _DETECTOR_FIELDS if name in described})
    _group(file, DETECTOR, "NXdetector")
    _group(file, "entry/instrument", "NXinstrument")
    _group(file, "entry", "NXentry", start_time=started)
    camera = {name: described[name] for name in _CAMERA_FIELDS if described.get(name)}
    _group(file, "entry/instrument/camera", "NXcollection", **camera)
    program = {"program": "twinlens", "version": described["twinlens_version"], "date": started}
    _group(file, "entry/process", "NXprocess", **program)
    _group(file, "entry/data", "NXdata")
    _attach(file["entry/data"], {"signal": "data"})
    file["entry/data/data"] = h5py.SoftLink(f"/{DETECTOR}/data")
    _attach(file["entry"], {"default": "data"})


_DETECTOR_FIELDS = ("pixel_format", "bit_depth")
_CAMERA_FIELDS = ("vendor", "model", "serial", "user_name", "firmware", "address", "mac")


def _group(file: h5py.File, name: str, nx_class: str, **fields: str) -> None:
    group = file.require_group(name)
    _attach(group, {"NX_class": nx_class})
    for field, value in fields.items():
        group[field] = _fixed(value)


def _attach(node: h5py.Group, attributes: Mapping[str, Any]) -> None:
    for name, value in attributes.items():
        node.attrs[name] = _fixed(value) if isinstance(value, str) else value


def _fixed(text: str) -> Any:
    """A string with a place of its own in the file.

    HDF5 keeps strings of variable length in a heap without a checksum; one wrong bit there made it loop for ever.
    """
    encoded = text.encode() or b"\0"
    return np.array(encoded, h5py.string_dtype("utf-8", len(encoded)))


def header_hash(file: h5py.File) -> np.uint64:
    """xxh3-64 of everything a segment says beside frames and rows; HDF5 guards its tables, but not its texts."""
    told: list[str] = []

    def tell(name: str, node: h5py.Group | h5py.Dataset) -> None:
        told.extend(f"{name}@{key}={value}" for key, value in node.attrs.items() if key not in _SEALING)
        if isinstance(node, h5py.Dataset) and node.shape == ():
            told.append(f"{name}={node[()]!r}")

    tell("", file)
    file.visititems(tell)
    return np.uint64(xxhash.xxh3_64_intdigest("\n".join(sorted(told)).encode()))
