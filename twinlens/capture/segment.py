"""One HDF5 segment: frames of one camera as raw chunks, and a table with a row for each.

A `.part` file until it is sealed. Written in SWMR mode, so that whatever was flushed can be read after a crash;
whole frames are raw chunks, so that a reader can memory-map them. Names follow NeXus where it has one.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xxhash

from twinlens import __version__
from twinlens.capture.frame import CameraRole, Frame, FrameRecord
from twinlens.errors import CaptureError
from twinlens.storage import sync_folder

SEGMENT_SCHEMA = "twinlens.segment"
SEGMENT_VERSION = "1.1.0"
LIBVER = ("v110", "v110")
"""SWMR and raw chunks work with it, and HDF5 1.10 reads it; "latest" is whatever a wheel bundles."""
DETECTOR = "entry/instrument/detector"
FRAME_ROW = np.dtype(
    [
        ("frame_id", "<u8"),
        ("trigger_index", "<i8"),
        ("ts_camera_ns", "<u8"),
        ("ts_host_mono_ns", "<i8"),
        ("ts_host_utc_ns", "<i8"),
        ("exposure_us", "<f8"),
        ("gain_db", "<f8"),
        ("lost_packets", "<u4"),
        ("complete", "u1"),
        ("arming", "<u4"),
        ("take", "<u4"),
        ("mean", "<f4"),
        ("saturated_fraction", "<f4"),
        ("xxh3_64", "<u8"),
        ("row_xxh3_64", "<u8"),
    ]
)
"""`trigger_index` is the block id, unwrapped and relative to arming; `session.json` says which trigger that is.
`mean` and `saturated_fraction` are of every 16th pixel in both directions. The last column guards the row."""
ROWS_PER_CHUNK = 256
AMPLE_BYTES = 2**30
"""With more room than this, nothing is reserved: writing into reserved blocks costs ext4 three times as much."""
RESERVE_BYTES = 64 * 2**20
METADATA_BYTES = 2**20
"""More than the tables and indices of one frame take."""
_SAMPLING = 16


class Segment:
    """A segment that is being written."""

    def __init__(self, path: Path, frame: Frame, attributes: Mapping[str, Any]) -> None:
        """Create the file for frames like `frame`.

        Raises:
            OSError: it cannot be created.
        """
        self.frames = 0
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._full_scale = (1 << frame.bit_depth) - 1
        self._file = h5py.File(self._part, "w", libver=LIBVER)
        self._descriptor = self._file.id.get_vfd_handle()
        self._pending: list[np.void] = []
        self._rows_written = 0
        self._describe(attributes)
        shape_hw = frame.pixels.shape
        detector = self._file[DETECTOR]
        self._data = detector.create_dataset(
            "data", (0, *shape_hw), frame.pixels.dtype, maxshape=(None, *shape_hw), chunks=(1, *shape_hw)
        )
        self._rows = detector.create_dataset("frames", (0,), FRAME_ROW, maxshape=(None,), chunks=(ROWS_PER_CHUNK,))
        self._reserved_bytes = 0
        self._used_bytes = METADATA_BYTES
        self._file.flush()
        os.fsync(self._descriptor)
        sync_folder(path.parent)
        self._file.swmr_mode = True

    def append(self, frame: Frame) -> FrameRecord:
        """Write one frame; its row follows with the next `flush`. The record as written, with its hash.

        Raises:
            OSError: the disk is full; the file can still be sealed.
        """
        self._reserve(frame.pixels.nbytes + METADATA_BYTES)
        row = _row(frame, full_scale=self._full_scale)
        self._data.resize(self.frames + 1, axis=0)
        self._data.id.write_direct_chunk((self.frames, 0, 0), frame.pixels)
        self._used_bytes += frame.pixels.nbytes
        self._pending.append(row)
        self.frames += 1
        return _record(row, frame.record.camera)

    def flush(self) -> None:
        """Make every frame so far survive a crash and a power cut: pixels, then rows, then the disk itself."""
        if not self._pending:
            return
        self._data.flush()
        count = self._rows_written + len(self._pending)
        self._rows.resize(count, axis=0)
        self._rows[self._rows_written : count] = np.array(self._pending, FRAME_ROW)
        self._rows.flush()
        os.fdatasync(self._descriptor)
        self._rows_written = count
        self._pending.clear()

    def seal(self) -> None:
        """Close the file, mark it complete and give it its final name."""
        self.flush()
        self._file.close()
        mark_complete(self._part)
        self._part.replace(self._path)
        sync_folder(self._path.parent)

    def _reserve(self, wanted_bytes: int) -> None:
        """Claim room on the disk before HDF5 needs it.

        HDF5 keeps writes back and retries them while it closes, where h5py can only ignore an error; what is left
        then crashes the process when it exits. So a full disk must be noticed here.
        """
        if self._used_bytes + wanted_bytes <= self._reserved_bytes:
            return
        disk = os.fstatvfs(self._descriptor)
        if disk.f_bavail * disk.f_frsize > AMPLE_BYTES:
            return
        end = max(self._used_bytes, self._reserved_bytes)
        try:
            step = max(RESERVE_BYTES, wanted_bytes)
            os.posix_fallocate(self._descriptor, end, step)
        except OSError:
            step = wanted_bytes + self._used_bytes - end  # the last frames that fit
            os.posix_fallocate(self._descriptor, end, step)
        self._reserved_bytes = end + step

    def _describe(self, attributes: Mapping[str, Any]) -> None:
        file = self._file
        file.attrs.update(
            {
                "schema": SEGMENT_SCHEMA,
                "schema_version": SEGMENT_VERSION,
                "twinlens_version": __version__,
                "NX_class": "NXroot",
                "default": "entry",
                "complete": 0,
                **attributes,
            }
        )
        file.create_group(DETECTOR).attrs["NX_class"] = "NXdetector"
        file["entry"].attrs["NX_class"] = "NXentry"
        file["entry/instrument"].attrs["NX_class"] = "NXinstrument"
        camera = file.create_group("entry/instrument/camera")
        camera.attrs["NX_class"] = "NXcollection"
        camera.attrs.update(
            {k: attributes[k] for k in ("vendor", "model", "serial", "user_name") if k in attributes}
        )
        process = file.create_group("entry/process")
        process.attrs.update({"NX_class": "NXprocess", "program": "twinlens", "version": __version__})


def mark_complete(path: Path) -> None:
    """Set `complete` in a closed segment, and make that survive a power cut."""
    with h5py.File(path, "r+", libver=LIBVER) as file:
        file.attrs.modify("complete", 1)
        file.flush()
        os.fsync(file.id.get_vfd_handle())


def row_hash(row: np.void) -> int:
    """xxh3-64 of every column but the last."""
    return int(xxhash.xxh3_64_intdigest(row.tobytes()[: FRAME_ROW.fields["row_xxh3_64"][1]]))  # type: ignore[index]


def read_rows(segment: h5py.File, camera: CameraRole) -> list[FrameRecord]:
    """The frame records of one open segment, in file order.

    Raises:
        CaptureError: the file is not one of our segments.
    """
    if segment.attrs.get("schema") != SEGMENT_SCHEMA:
        raise CaptureError(
            f"{segment.filename} is not a {SEGMENT_SCHEMA} file",
            hint="a session's a/ and b/ folders hold only the segments that 'twinlens capture' wrote",
        )
    return [_record(row, camera) for row in segment[f"{DETECTOR}/frames"][:]]


def _row(frame: Frame, *, full_scale: int) -> np.void:
    record, sample = frame.record, frame.pixels[::_SAMPLING, ::_SAMPLING]
    row = np.zeros((), FRAME_ROW)[()]
    utc_minus_mono_ns = time.time_ns() - time.monotonic_ns()
    for name, value in (
        ("frame_id", record.frame_id),
        ("trigger_index", record.trigger_index),
        ("ts_camera_ns", record.camera_time_ns),
        ("ts_host_mono_ns", record.host_time_ns),
        ("ts_host_utc_ns", record.host_time_ns + utc_minus_mono_ns),
        ("exposure_us", record.exposure_us),
        ("gain_db", record.gain_db),
        ("lost_packets", record.lost_packets),
        ("complete", record.complete),
        ("arming", record.arming),
        ("take", record.take),
        ("mean", sample.mean()),
        ("saturated_fraction", (sample >= full_scale).mean()),
        ("xxh3_64", xxhash.xxh3_64_intdigest(frame.pixels.data)),
    ):
        row[name] = value
    row["row_xxh3_64"] = row_hash(row)
    return row


def _record(row: np.void, camera: CameraRole) -> FrameRecord:
    names = row.dtype.names or ()
    return FrameRecord(
        camera=camera,
        trigger_index=int(row["trigger_index"]),
        frame_id=int(row["frame_id"]),
        camera_time_ns=int(row["ts_camera_ns"]),
        host_time_ns=int(row["ts_host_mono_ns"]),
        exposure_us=float(row["exposure_us"]),
        gain_db=float(row["gain_db"]),
        complete=bool(row["complete"]),
        lost_packets=int(row["lost_packets"]),
        xxh3=int(row["xxh3_64"]),
        arming=int(row["arming"]) if "arming" in names else 0,
        take=int(row["take"]) if "take" in names else 0,
    )
