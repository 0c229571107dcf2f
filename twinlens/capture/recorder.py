"""Writes one camera's frames into HDF5 segments, off the acquisition thread.

A segment is a `.part` file until it is closed and renamed; whole frames are written as raw chunks, so that a
reader can memory-map them. Names follow NeXus (NXdetector) where it has one.
"""

import logging
import os
import queue
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xxhash

from twinlens import __version__
from twinlens.capture.frame import CameraRole, Frame, FrameRecord
from twinlens.errors import CaptureError, HostLimitError
from twinlens.pixels import Mono
from twinlens.storage import reserve_disk, sync_folder

log = logging.getLogger(__name__)

SEGMENT_SCHEMA = "twinlens.segment"
SEGMENT_VERSION = "1.0.0"
DETECTOR = "entry/instrument/detector"
FRAME_ROW = np.dtype(
    [
        ("frame_id", "<u8"),
        ("trigger_index", "<u8"),
        ("ts_camera_ns", "<u8"),
        ("ts_host_mono_ns", "<i8"),
        ("exposure_us", "<f8"),
        ("gain_db", "<f8"),
        ("lost_packets", "<u4"),
        ("complete", "u1"),
        ("xxh3_64", "<u8"),
        ("arming", "<u4"),
        ("take", "<u4"),
    ]
)
QUEUE_FRAMES = 60
"""3 s at 20 fps: disks were seen to stall for almost 1 s."""
SEGMENT_FRAMES = 400
"""About 2 GB of 8-bit frames."""


class Recorder:
    """A bounded queue and the thread that empties it into segments."""

    def __init__(
        self,
        folder: Path,
        camera: CameraRole,
        *,
        attributes: Mapping[str, Any],
        on_written: Callable[[FrameRecord], None],
        first_segment: int = 0,
    ) -> None:
        self._folder = folder
        self._camera = camera
        self._attributes = dict(attributes)
        self._on_written = on_written
        self._queue: queue.Queue[Frame | None] = queue.Queue(QUEUE_FRAMES)
        self._segment: _Segment | None = None
        self._segment_count = first_segment
        self.queue_high_water = 0
        self._error: Exception | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._thread = threading.Thread(target=self._run, name=f"recorder-{camera}", daemon=True)
        self._thread.start()

    @property
    def queued(self) -> int:
        return self._queue.qsize()

    def put(self, frame: Frame) -> str:
        """Queue a frame; False if the queue is full, and the caller counts a drop.

        Raises:
            HostLimitError: writing failed, for instance on a full disk.
        """
        self._check()
        try:
            self._queue.put_nowait(frame)
        except queue.Full:
            return "queue full"
        self.queue_high_water = max(self.queue_high_water, self._queue.qsize())
        return "queued"

    def close(self, *, timeout_s: float = 60.0) -> None:
        """Write what is queued, seal the last segment and stop."""
        if self._thread.is_alive():
            self._queue.put(None, timeout=timeout_s)
            self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise HostLimitError(
                f"camera {self._camera}: {self._queue.qsize()} frames could not be written in {timeout_s:g} s",
                hint="record to a faster disk",
            )
        self._check()

    def _check(self) -> None:
        if self._error is not None:
            raise HostLimitError(
                f"camera {self._camera}: writing to {self._folder} failed: {self._error}",
                hint="check free space and permissions of the output folder",
            ) from self._error

    def _run(self) -> None:
        try:
            while (frame := self._queue.get()) is not None:
                self._write(frame)
            self._seal()
        except Exception as error:  # noqa: BLE001 - the top of a thread: forwarded by put and close
            with suppress(Exception):  # the frames before this one may still be sealed
                self._seal()
            self._error = error
            with suppress(queue.Empty):  # so that nobody waits for room in a queue that is not read any more
                while True:
                    self._queue.get_nowait()

    def _write(self, frame: Frame) -> None:
        if self._segment is None:
            path = self._folder / f"seg_{self._segment_count:06d}.h5"
            attributes = {**self._attributes, "segment_index": self._segment_count, "role": self._camera}
            self._segment = _Segment(path, frame.pixels.shape, frame.pixels.dtype, attributes)
            self._segment_count += 1
        record = replace(frame.record, xxh3=xxhash.xxh3_64_intdigest(frame.pixels.data))
        self._segment.append(frame.pixels, record)
        if self._segment.frames == SEGMENT_FRAMES:
            self._seal()
        self._on_written(record)

    def _seal(self) -> None:
        if self._segment is not None:
            self._segment.seal()
            self._segment = None


class _Segment:
    def __init__(
        self, path: Path, shape_hw: tuple[int, ...], dtype: np.dtype[Any], attributes: Mapping[str, Any]
    ) -> None:
        self.frames = 0
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._file = h5py.File(self._part, "w", libver=("v110", "v110"))
        self._file.attrs.update(
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
        detector = self._file.create_group(DETECTOR)
        self._file["entry"].attrs["NX_class"] = "NXentry"
        self._file["entry/instrument"].attrs["NX_class"] = "NXinstrument"
        detector.attrs["NX_class"] = "NXdetector"
        self._data = detector.create_dataset(
            "data", (0, *shape_hw), dtype, maxshape=(None, *shape_hw), chunks=(1, *shape_hw)
        )
        self._rows = detector.create_dataset("frames", (0,), FRAME_ROW, maxshape=(None,), chunks=(4096,))

    def append(self, pixels: Mono, record: FrameRecord) -> None:
        reserve_disk(self._file, pixels.nbytes)
        self._data.resize(self.frames + 1, axis=0)
        self._data.id.write_direct_chunk((self.frames, 0, 0), pixels)
        self._rows.resize(self.frames + 1, axis=0)
        self._rows[self.frames] = (
            record.frame_id,
            record.trigger_index,
            record.camera_time_ns,
            record.host_time_ns,
            record.exposure_us,
            record.gain_db,
            record.lost_packets,
            record.complete,
            record.xxh3,
            record.arming,
            record.take,
        )
        self.frames += 1

    def seal(self) -> None:
        self._file.attrs["complete"] = 1
        self._file.flush()
        os.fsync(self._file.id.get_vfd_handle())
        self._file.close()
        self._part.replace(self._path)
        sync_folder(self._path.parent)


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
    return [
        FrameRecord(
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
            arming=int(row["arming"]),
            take=int(row["take"]),
        )
        for row in segment[f"{DETECTOR}/frames"][:]
    ]
