"""Killed and power-cut segments: what was safe is there, what is damaged is not believed."""

import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from twinlens.capture.recorder import Recorder
from twinlens.capture.repair import DAMAGED, lookup3, repair_segment, repair_session
from twinlens.capture.rows import DETECTOR, read_rows
from twinlens.capture.segment import PAGE_BYTES

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from segments import ODD_SHAPE_HW, PAGE_SHAPE_HW, frame, new_segment  # noqa: E402


def indices(segment: Path) -> list[int]:
    """Trigger indices of the rows, after their pixels were compared with what was recorded."""
    with h5py.File(segment) as file:
        rows, data = read_rows(file, "a"), file[f"{DETECTOR}/data"]
        assert file.attrs["complete"] == 1
        assert len(rows) == len(data)
        shape_hw = data.shape[1:]
        for row, pixels in zip(rows, data, strict=True):
            assert np.array_equal(pixels, frame(row.trigger_index, shape_hw).pixels)
    return [row.trigger_index for row in rows]


def killed(folder: Path, frames: int, *, flush_at: tuple[int, ...] = ()) -> Path:
    """What is on the disk when the process ends after so many frames, flushed after some of them."""
    segment = new_segment(folder)
    for i in range(frames):
        segment.append(frame(i))
        if i + 1 in flush_at:
            segment.flush()
    left = segment.part.read_bytes()
    segment.seal()
    segment.part.with_suffix("").unlink()
    segment.part.write_bytes(left)
    return segment.part


def test_lookup3_is_the_published_hash() -> None:
    # The two examples in the comments of its author's lookup3.c.
    assert lookup3(b"") == 0xDEADBEEF
    assert lookup3(b"Four score and seven years ago") == 0x17770551


def test_lookup3_is_what_hdf5_writes(tmp_path: Path) -> None:
    part = killed(tmp_path, 1)
    block = part.read_bytes()[:48]
    assert lookup3(block[:44]) == int.from_bytes(block[44:], "little")


def test_a_killed_segment_cannot_be_opened_and_loses_nothing_that_was_flushed(tmp_path: Path) -> None:
    part = killed(tmp_path, 8, flush_at=(3, 6))
    with pytest.raises(OSError, match="already open for write"):
        h5py.File(part)
    report = repair_segment(part)
    assert indices(tmp_path / "seg_000000.h5") == list(range(6))
    assert (report.frames, report.dropped_frames) == (6, 0)
    assert not part.exists()


def test_a_segment_without_a_flushed_frame_leaves_nothing(tmp_path: Path) -> None:
    assert repair_segment(killed(tmp_path, 4)).frames == 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damaged", [0, 2, 5])
def test_a_frame_with_a_wrong_bit_is_dropped_and_its_segment_kept_aside(tmp_path: Path, damaged: int) -> None:
    part = killed(tmp_path, 6, flush_at=(6,))
    content = bytearray(part.read_bytes())
    content[content.index(frame(damaged).pixels.tobytes()) + 20] ^= 4
    part.write_bytes(content)
    report = repair_segment(part)
    assert indices(tmp_path / "seg_000000.h5") == [i for i in range(6) if i != damaged]
    assert (report.frames, report.dropped_frames) == (5, 1)
    assert (tmp_path / f"seg_000000.h5{DAMAGED}").exists() == (damaged != 5)


def test_a_repair_can_be_repeated_after_each_of_its_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class KilledError(BaseException):
        pass

    def die(*_: object) -> None:
        raise KilledError

    part = killed(tmp_path, 6, flush_at=(6,))
    for step in ("frames_intact", "_shorten", "release_disk", "_sync"):
        with monkeypatch.context() as patch:
            patch.setattr(f"twinlens.capture.repair.{step}", die)
            with pytest.raises(KilledError):
                repair_segment(part)
    assert repair_segment(part).frames == 6
    assert indices(tmp_path / "seg_000000.h5") == list(range(6))
    assert repair_segment(tmp_path / "seg_000000.h5").frames == 6


def test_a_sealed_segment_that_was_cut_short_gives_what_is_left(tmp_path: Path) -> None:
    segment = new_segment(tmp_path, PAGE_SHAPE_HW)
    for i in range(30):
        segment.append(frame(i, PAGE_SHAPE_HW))
        segment.flush()
    segment.seal()
    path = tmp_path / "seg_000000.h5"
    with h5py.File(path) as file:
        end = file[f"{DETECTOR}/data"].id.get_chunk_info(20).byte_offset
    with path.open("r+b") as file:
        file.truncate(end + 100)
    report = repair_segment(path)
    assert report.frames >= 20
    assert indices(path) == list(range(report.frames))


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n"])
def test_a_segment_killed_while_it_was_created_leaves_nothing(tmp_path: Path, content: bytes) -> None:
    part = tmp_path / "seg_000000.h5.part"
    part.write_bytes(content)
    assert repair_segment(part).frames == 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", ["zeros", "foreign", "header", "table"])
def test_a_segment_that_cannot_be_read_is_kept_aside_and_stops_no_other(tmp_path: Path, damage: str) -> None:
    for camera in ("a", "b"):
        (tmp_path / camera).mkdir()
        part = killed(tmp_path / camera, 2, flush_at=(2,))
    content = part.read_bytes()
    if damage == "zeros":
        content = bytes(len(content))
    elif damage == "foreign":
        with h5py.File(part.with_suffix(".x"), "w", libver="v110") as file:
            file["x"] = 1
        content = part.with_suffix(".x").read_bytes()
        part.with_suffix(".x").unlink()
    elif damage == "header":
        content = content.replace(b"NXdetector", b"NXdetectoR")
    else:
        content = content.replace(b"OHDR", b"ohdr", 1)
    part.write_bytes(content)
    assert [report.frames for report in repair_session(tmp_path)] == [2, 0]
    assert indices(tmp_path / "a" / "seg_000000.h5") == [0, 1]
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["seg_000000.h5.damaged"]


def test_a_folder_that_is_being_recorded_into_is_not_repaired(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "a", "a", attributes={}, on_written=lambda _: None)
    (tmp_path / "b").mkdir()
    shutil.copy(killed(tmp_path, 2, flush_at=(2,)), tmp_path / "a")
    shutil.move(tmp_path / "seg_000000.h5.part", tmp_path / "b")
    assert [Path(report.path).parent.name for report in repair_session(tmp_path)] == ["b"]
    recorder.close()
    assert [Path(report.path).parent.name for report in repair_session(tmp_path)] == ["a"]


@pytest.mark.parametrize("shape_hw", [PAGE_SHAPE_HW, ODD_SHAPE_HW])
@pytest.mark.parametrize("seed", range(8))
def test_no_page_that_a_power_cut_leaves_old_or_new_costs_a_frame_older_than_the_last_sync(
    tmp_path: Path, shape_hw: tuple[int, int], seed: int
) -> None:
    # Harsher than a journalling file system: since the last sync every page may be as any write left it, whatever
    # its neighbours are, and the file may have any length in between.
    rng = random.Random(seed)
    segment = new_segment(tmp_path, shape_hw)
    safe, versions = 0, [segment.part.read_bytes()]
    for i in range(rng.randrange(2, 500)):
        segment.append(frame(i, shape_hw))
        if rng.random() < 0.1:
            segment.flush()
            versions.append(segment.part.read_bytes())
        if rng.random() < 0.04:
            segment.make_durable()
            safe, versions = segment.frames, [segment.part.read_bytes()]
    versions.append(segment.part.read_bytes())
    cut = tmp_path / "cut"
    cut.mkdir()
    (cut / "seg_000000.h5.part").write_bytes(mixed(versions, rng))
    segment.seal()
    if repair_segment(cut / "seg_000000.h5.part").frames or safe:
        found = indices(cut / "seg_000000.h5")
        assert found[:safe] == list(range(safe))


def mixed(versions: list[bytes], rng: random.Random) -> bytes:
    oldest, newest = len(versions[0]), len(versions[-1])
    cut = bytearray(rng.choice([oldest, newest, rng.randrange(oldest, newest + 1)]))
    for start in range(0, len(cut), PAGE_BYTES):
        page = rng.choice(versions)[start : min(start + PAGE_BYTES, len(cut))]
        cut[start : start + len(page)] = page
    return bytes(cut)


WRITING = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from segments import frame
from twinlens.capture.recorder import Recorder

recorder = Recorder(Path(sys.argv[2]) / "a", "a", attributes={}, on_written=lambda record: print(
    record.trigger_index, flush=True))
for i in range(100_000):
    while recorder.put(frame(i, (32, 128))) != "queued":
        time.sleep(0.01)
"""


@pytest.mark.parametrize("written", [1, 40, 300])
def test_a_writer_killed_for_real_leaves_a_segment_that_can_be_read(tmp_path: Path, written: int) -> None:
    command = [sys.executable, "-c", WRITING, str(HERE), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for _ in range(written):
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
    repair_session(tmp_path)
    found = [index for path in sorted((tmp_path / "a").iterdir()) for index in indices(path)]
    assert found == list(range(len(found)))


def test_the_system_tools_read_a_repaired_segment(tmp_path: Path, system_tool: Callable[[str, str], str]) -> None:
    h5dump = system_tool("h5dump", "hdf5-tools")
    repair_segment(killed(tmp_path, 3, flush_at=(3,)))
    told = subprocess.run(
        [h5dump, "-H", str(tmp_path / "seg_000000.h5")], capture_output=True, text=True, timeout=60, check=True
    )
    assert "SIMPLE { ( 3, 12, 17 )" in told.stdout
