"""Segments on disk hold what was recorded, and a disk that fails says so."""

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest
import xxhash

from twinlens.capture import recorder as recorder_module
from twinlens.capture.frame import Frame, FrameRecord
from twinlens.capture.recorder import DETECTOR, Recorder, read_rows
from twinlens.errors import CaptureError, HostLimitError


def frame(index: int, shape_hw: tuple[int, int] = (12, 16)) -> Frame:
    pixels = np.random.default_rng(index).integers(0, 256, shape_hw, dtype=np.uint8)
    record = FrameRecord(
        camera="a",
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


def recorder(folder: Path, written: list[FrameRecord]) -> Recorder:
    return Recorder(folder, "a", attributes={"session_id": "s"}, on_written=written.append)


def test_every_frame_is_on_disk_with_its_record_and_hash(tmp_path: Path) -> None:
    written: list[FrameRecord] = []
    subject = recorder(tmp_path / "a", written)
    frames = [frame(i) for i in range(5)]
    assert all(subject.put(each) == "queued" for each in frames)
    subject.close()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["seg_000000.h5"]
    with h5py.File(tmp_path / "a" / "seg_000000.h5") as segment:
        assert segment.attrs["complete"] == 1
        assert np.array_equal(segment[f"{DETECTOR}/data"][:], [each.pixels for each in frames])
        rows = read_rows(segment, "a")
    assert rows == written
    assert [row.xxh3 for row in rows] == [xxhash.xxh3_64_intdigest(each.pixels.tobytes()) for each in frames]


def test_a_full_segment_is_sealed_and_the_next_one_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "SEGMENT_FRAMES", 2)
    written: list[FrameRecord] = []
    subject = recorder(tmp_path / "a", written)
    for i in range(5):
        subject.put(frame(i))
    subject.close()
    counts = []
    for path in sorted((tmp_path / "a").iterdir()):
        with h5py.File(path) as segment:
            counts.append(len(segment[f"{DETECTOR}/data"]))
    assert counts == [2, 2, 1]


def test_a_full_queue_is_told_to_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "QUEUE_FRAMES", 2)
    gate = threading.Event()
    subject = Recorder(tmp_path / "a", "a", attributes={}, on_written=lambda _: gate.wait(10) and None)
    # One frame is held in the writer by the gate, two wait in the queue: at most four puts until it is full.
    answers = [subject.put(frame(i)) for i in range(4)]
    gate.set()
    subject.close()
    assert answers[-1] == "queue full"
    assert answers[:2] == ["queued", "queued"]


def test_a_disk_that_fails_ends_the_recording_with_its_reason(tmp_path: Path) -> None:
    subject = recorder(tmp_path / "a", [])
    shutil.rmtree(tmp_path / "a")
    subject.put(frame(0))
    with pytest.raises(HostLimitError, match="writing to"):
        subject.close()


def test_a_foreign_hdf5_file_is_no_segment(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file, pytest.raises(CaptureError, match="not a"):
        read_rows(file, "a")


FILLING = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_recorder import frame, recorder
from twinlens.errors import HostLimitError

resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, 4_000_000))
written = []
subject = recorder(Path(sys.argv[2]) / "a", written)
try:
    for i in range(1000):
        subject.put(frame(i, (512, 640)))
    subject.close()
except HostLimitError as error:
    print(len(written))
    sys.exit(f"{error.message} | {error.hint}")
"""


def test_a_disk_that_fills_up_is_reported_and_keeps_the_frames_before(tmp_path: Path) -> None:
    # A limit on the size of files stops writes as a full disk does, without needing a disk.
    child = subprocess.run(
        [sys.executable, "-c", FILLING, str(Path(__file__).parent), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert child.returncode == 1, child.stderr  # HDF5 crashes at exit when it could not write what it kept back
    assert "File too large" in child.stderr
    assert "free space" in child.stderr
    with h5py.File(tmp_path / "a" / "seg_000000.h5") as segment:
        assert len(read_rows(segment, "a")) == int(child.stdout) > 3
