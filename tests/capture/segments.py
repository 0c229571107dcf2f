"""Small frames and segments to break."""

from pathlib import Path

import numpy as np

from twinlens.capture.frame import CameraRole, Frame, FrameRecord
from twinlens.capture.segment import Segment

PAGE_SHAPE_HW = (32, 128)
"""One page of pixels: such frames are written past the page cache, where the file system allows it."""
ODD_SHAPE_HW = (12, 17)


def frame(index: int, shape_hw: tuple[int, int] = ODD_SHAPE_HW, *, camera: CameraRole = "a") -> Frame:
    """Noise that only this index has."""
    pixels = np.random.default_rng(index).integers(0, 256, shape_hw, dtype=np.uint8)
    record = FrameRecord(
        camera=camera,
        trigger_index=index,
        frame_id=index + 1,
        camera_time_ns=index * 50_000_000,
        host_time_ns=7,
        exposure_us=10_000.0,
        gain_db=0.0,
        complete=True,
        lost_packets=0,
        xxh3=0,
    )
    return Frame(pixels, record)


def new_segment(folder: Path, shape_hw: tuple[int, int] = ODD_SHAPE_HW) -> Segment:
    """An empty segment, `folder`/seg_000000.h5.part."""
    attributes = {"session_id": "s", "serial": "A1", "vendor": "V", "segment_index": 0, "role": "a"}
    return Segment(folder / "seg_000000.h5", shape_hw, np.dtype(np.uint8), attributes)
