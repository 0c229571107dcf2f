"""Segments on disk hold what was recorded, and a disk that fails says so."""

import errno
import shutil
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import xxhash

from twinlens.capture import recorder as recorder_module
from twinlens.capture import segment as segment_module
from twinlens.capture.frame import Frame, FrameRecord
from twinlens.capture.recorder import DETECTOR, Recorder, read_rows
from twinlens.capture.rows import row_hash
from twinlens.capture.segment import Segment
from twinlens.errors import CaptureError, HostLimitError

sys.path.insert(0, str(Path(__file__).parent))
from segments import ODD_SHAPE_HW, PAGE_SHAPE_HW, frame


def recorder(folder: Path, written: list[FrameRecord]) -> Recorder:
    return Recorder(folder, "a", attributes={"session_id": "s"}, on_written=written.append)


@pytest.mark.parametrize("shape_hw", [PAGE_SHAPE_HW, ODD_SHAPE_HW])
def test_every_frame_is_on_disk_with_its_record_and_hash(tmp_path: Path, shape_hw: tuple[int, int]) -> None:
    written: list[FrameRecord] = []
    subject = recorder(tmp_path / "a", written)
    frames = [frame(i, shape_hw) for i in range(5)]
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


def test_frames_of_another_size_begin_another_segment(tmp_path: Path) -> None:
    subject = recorder(tmp_path / "a", [])
    for shape_hw in (PAGE_SHAPE_HW, PAGE_SHAPE_HW, ODD_SHAPE_HW):
        subject.put(frame(1, shape_hw))
    subject.close()
    assert (subject.segments, subject.frames_written) == (2, 3)
    assert subject.bytes_written == 2 * 32 * 128 + 12 * 17


def test_no_segment_is_ever_written_over(tmp_path: Path) -> None:
    for i in range(2):
        subject = recorder(tmp_path / "a", [])
        subject.put(frame(i))
        subject.close()
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["seg_000000.h5", "seg_000001.h5"]


def test_two_recorders_cannot_share_a_folder(tmp_path: Path) -> None:
    subject = recorder(tmp_path / "a", [])
    with pytest.raises(HostLimitError, match="being written by another process"):
        recorder(tmp_path / "a", [])
    subject.close()
    recorder(tmp_path / "a", []).close()


def test_ten_bit_frames_say_how_bright_they_are(tmp_path: Path) -> None:
    pixels = np.full((32, 32), 1023, np.uint16)
    pixels[:, ::2] = 100  # every 4th column is looked at: these
    pixels[16:] = 1023
    subject = recorder(tmp_path / "a", [])
    subject.put(replace(frame(0), pixels=pixels, bit_depth=10))
    subject.close()
    with h5py.File(tmp_path / "a" / "seg_000000.h5") as segment:
        (row,) = segment[f"{DETECTOR}/frames"][:]
        assert segment[f"{DETECTOR}/data"].dtype == np.uint16
    assert row["saturated_fraction"] == 0.5
    assert row["mean"] == pytest.approx((1023 + 100) / 2)
    assert row["row_xxh3_64"] == row_hash(row)


def test_a_segment_names_its_camera_and_program_as_nexus_does(tmp_path: Path) -> None:
    attributes = {"serial": "S1", "vendor": "V", "model": "", "pixel_format": "Mono8", "latch_host_ns": 12}
    subject = Recorder(tmp_path / "a", "a", attributes=attributes, on_written=lambda _: None)
    subject.put(frame(0))
    subject.close()
    with h5py.File(tmp_path / "a" / "seg_000000.h5") as segment:
        assert segment.attrs["latch_host_ns"] == 12
        assert segment["entry/instrument/camera"].attrs["NX_class"] == b"NXcollection"
        assert segment["entry/instrument/camera/serial"][()] == b"S1"
        assert "model" not in segment["entry/instrument/camera"]
        assert segment["entry/process/program"][()] == b"twinlens"
        assert segment[DETECTOR].attrs["pixel_format"] == b"Mono8"
        assert np.array_equal(segment["entry/data/data"][0], frame(0).pixels)


def test_a_frame_becomes_durable_although_no_other_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    durable = threading.Semaphore(0)
    make_durable = Segment.make_durable

    def told(segment: Segment) -> None:
        make_durable(segment)
        assert segment.is_durable
        durable.release()

    monkeypatch.setattr(Segment, "make_durable", told)
    subject = recorder(tmp_path / "a", [])
    for i in range(3):
        subject.put(frame(i))
        assert durable.acquire(timeout=30)
    subject.close()


def test_what_is_written_can_be_read_while_it_is_recorded(tmp_path: Path) -> None:
    written = threading.Semaphore(0)
    subject = Recorder(tmp_path / "a", "a", attributes={}, on_written=lambda _: written.release())
    for i in range(3):
        subject.put(frame(i))
        assert written.acquire(timeout=30)
    part = tmp_path / "a" / "seg_000000.h5.part"
    reader = f"import h5py; print(len(h5py.File({str(part)!r}, swmr=True, locking=False)['{DETECTOR}/frames']))"
    told = subprocess.run([sys.executable, "-c", reader], capture_output=True, text=True, timeout=60, check=True)
    assert int(told.stdout) >= 1  # the last ones may not be flushed yet
    subject.close()


@pytest.mark.parametrize(("stalled_s", "answer"), [(1000.0, "queue full"), (-1.0, "writer stalled")])
def test_a_slow_disk_and_a_stalled_one_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stalled_s: float, answer: str
) -> None:
    monkeypatch.setattr(recorder_module, "QUEUE_FRAMES", 2)
    monkeypatch.setattr(recorder_module, "STALLED_S", stalled_s)
    inside, gate, append = threading.Event(), threading.Event(), Segment.append

    def held(segment: Segment, each: Frame) -> FrameRecord:
        inside.set()
        assert gate.wait(30)
        return append(segment, each)

    monkeypatch.setattr(Segment, "append", held)
    subject = recorder(tmp_path / "a", [])
    subject.put(frame(0))
    assert inside.wait(30)
    assert [subject.put(frame(i)) for i in (1, 2, 3)] == ["queued", "queued", answer]
    monkeypatch.setattr(recorder_module, "HOPELESS_S", -1.0)
    with pytest.raises(HostLimitError, match="has not taken a frame"):
        subject.put(frame(4))
    with pytest.raises(HostLimitError, match="could not be written"):
        subject.close(timeout_s=0.01)
    gate.set()
    subject.close()
    assert subject.frames_written == 3
    assert subject.queue_high_water == 2


def test_a_write_that_fails_seals_the_frames_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[FrameRecord] = []
    subject = recorder(tmp_path / "a", written)
    write = segment_module._PixelFile.write

    def failing(file: segment_module._PixelFile, pixels: np.ndarray, offset: int) -> None:
        if len(written) == 3:
            raise OSError(errno.EIO, "Input/output error")
        write(file, pixels, offset)

    monkeypatch.setattr(segment_module._PixelFile, "write", failing)
    for i in range(5):
        with suppress(HostLimitError):
            subject.put(frame(i))
    with pytest.raises(HostLimitError, match="Input/output error"):
        subject.close()
    with h5py.File(tmp_path / "a" / "seg_000000.h5") as segment:
        assert read_rows(segment, "a") == written
        assert len(segment[f"{DETECTOR}/data"]) == len(written) == 3


def test_a_first_write_that_fails_leaves_no_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(segment_module._PixelFile, "write", failing)
    subject = recorder(tmp_path / "a", [])
    subject.put(frame(0))
    with pytest.raises(HostLimitError, match="No space left"):
        subject.close()
    assert not list((tmp_path / "a").iterdir())


def test_a_sealed_segment_gives_back_the_room_it_claimed(tmp_path: Path) -> None:
    subject = recorder(tmp_path / "a", [])
    subject.put(frame(0))
    subject.close()
    found = (tmp_path / "a" / "seg_000000.h5").stat()
    assert found.st_blocks * 512 < found.st_size + 65536  # 1 MB was claimed beyond


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
