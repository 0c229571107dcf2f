"""The table of a segment: one row per frame, with a hash of the pixels and one of the row itself."""

import time
from pathlib import Path

import h5py
import numpy as np
import xxhash

from twinlens.capture.frame import CameraRole, FrameRecord
from twinlens.errors import CaptureError
from twinlens.pixels import Mono
from twinlens.storage import check_schema_version

SEGMENT_SCHEMA = "twinlens.segment"
SEGMENT_VERSION = "1.1.0"
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
        ("xxh3_64", "<u8"),
        ("arming", "<u4"),
        ("take", "<u4"),
        ("mean", "<f4"),
        ("saturated_fraction", "<f4"),
        ("row_xxh3_64", "<u8"),
    ]
)
"""`trigger_index` is the block id, unwrapped and relative to arming; `session.json` says which trigger that is.
`xxh3_64` is of the pixel bytes, `row_xxh3_64` of the bytes of all fields before it.
`mean` and `saturated_fraction` are of every 4th pixel of every 16th line, in units of the pixel format.
"""


def frame_row(record: FrameRecord, pixels: Mono, bit_depth: int) -> np.void:
    """The row of a frame whose record holds the hash of its pixels."""
    sample = pixels[::16, ::4]
    row: np.void = np.zeros(1, FRAME_ROW)[0]
    row["frame_id"] = record.frame_id
    row["trigger_index"] = record.trigger_index
    row["ts_camera_ns"] = record.camera_time_ns
    row["ts_host_mono_ns"] = record.host_time_ns
    row["ts_host_utc_ns"] = record.host_time_ns + time.time_ns() - time.monotonic_ns()
    row["exposure_us"] = record.exposure_us
    row["gain_db"] = record.gain_db
    row["lost_packets"] = record.lost_packets
    row["complete"] = record.complete
    row["xxh3_64"] = record.xxh3
    row["arming"] = record.arming
    row["take"] = record.take
    row["mean"] = sample.mean()
    row["saturated_fraction"] = np.count_nonzero(sample >= 2**bit_depth - 1) / sample.size
    row["row_xxh3_64"] = row_hash(row)
    return row


def row_hash(row: np.void) -> int:
    """xxh3-64 of a row's bytes before its own hash."""
    return int(xxhash.xxh3_64_intdigest(row.tobytes()[: -FRAME_ROW["row_xxh3_64"].itemsize]))


def read_rows(segment: h5py.File, camera: CameraRole) -> list[FrameRecord]:
    """The frame records of one open segment, in file order.

    Raises:
        CaptureError: the file is not one of our segments.
    """
    path = Path(segment.filename)
    if text_of(segment, "schema") != SEGMENT_SCHEMA:
        raise CaptureError(
            f"{path} is not a {SEGMENT_SCHEMA} file",
            hint="a session's a/ and b/ folders hold only the segments that 'twinlens capture' wrote",
        )
    check_schema_version(text_of(segment, "schema_version"), SEGMENT_VERSION, path=path, error=CaptureError)
    return [record_of(row, camera) for row in segment[f"{DETECTOR}/frames"][:]]


def text_of(segment: h5py.File, name: str) -> str:
    """An attribute that is a text; empty if it is not there."""
    value = segment.attrs.get(name, "")
    return value.decode() if isinstance(value, bytes) else str(value)


def record_of(row: np.void, camera: CameraRole) -> FrameRecord:
    """What a row says, as a record."""
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
        arming=int(row["arming"]),
        take=int(row["take"]),
    )
