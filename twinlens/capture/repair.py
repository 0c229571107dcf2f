"""Makes the segments of a killed recording readable, with nothing but this package.

A killed segment has two faults: its superblock says that a writer is at work, and it gives the length the file
had when it was created. (`h5clear -s` mends the first, believes the second and cuts the frames off.) The rest is
in place, because the recorder writes in SWMR order; what lies in the segment is then checked frame by frame.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xxhash

from twinlens.capture.rows import DETECTOR, row_hash, text_of
from twinlens.capture.segment import PAGE_BYTES, PART, Segment
from twinlens.errors import SessionError
from twinlens.storage import hold_folder, release_disk, sync_folder

log = logging.getLogger(__name__)

DAMAGED = ".damaged"
"""Appended to the name of a segment whose good frames had to be copied into a new one."""
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SUPERBLOCK_BYTES = 48
"""Versions 2 and 3 with 8-byte addresses; HDF5 file format specification 3.0, II.A."""


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What became of one segment."""

    path: str
    """Where its frames are now; empty if none could be read."""
    frames: int
    dropped_frames: int
    """Frames without a whole row, or whose pixels do not have the hash in their row."""


def repair_session(folder: Path) -> list[RepairReport]:
    """Seal every segment that killed processes left open below a session's folder; its account is not touched.

    A camera's folder that is being recorded into is left alone.
    """
    reports = []
    for camera in (folder / "a", folder / "b"):
        parts = sorted(camera.glob(f"seg_*.h5{PART}"))
        if parts:
            with suppress(BlockingIOError), hold_folder(camera):
                reports += [repair_segment(part) for part in parts]
    return reports


def repair_segment(path: Path) -> RepairReport:
    """Make a killed `.part` segment, or a sealed one that is damaged, hold whole frames only, and seal it.

    Every step can be repeated: a repair that is killed is repaired by the next one. No frame is moved unless one
    in the middle is bad, or one of a sealed segment; then the good ones are copied to a new segment and the old
    one is kept beside it, as is one of which nothing can be read.
    """
    sealed = path.with_name(path.name.removesuffix(PART))
    if path.stat().st_size < _SUPERBLOCK_BYTES:  # killed before HDF5 had written anything
        path.unlink()
        return RepairReport("", 0, 0)
    try:
        _mend_superblock(path)
        with h5py.File(path, "r", locking=False) as file:
            good = list(frames_intact(file))
            count = max(len(good), len(file[f"{DETECTOR}/data"]), len(file[f"{DETECTOR}/frames"]))
    except (OSError, KeyError, RuntimeError, SessionError) as error:
        log.warning("%s cannot be read: %s", path, error)
        _keep_aside(path)
        return RepairReport("", 0, 0)
    kept = sum(good)
    log.info("%s: %d of %d frames are whole", path, kept, count)
    if path == sealed and kept == count:
        log.info("%s needs no repair", path)
    elif kept == 0 and path != sealed:
        path.unlink()
    elif kept == 0:
        _keep_aside(path)
    elif path == sealed or not all(good[:kept]) or not _shorten(path, kept):
        _copy_good_frames(path, good)
    else:
        release_disk(path)
        _sync(path)
        path.replace(sealed)
    sync_folder(path.parent)
    return RepairReport(str(sealed) if kept else "", kept, count - kept)


def frames_intact(file: h5py.File) -> Iterator[bool]:
    """For each frame that has a row: whether the row and the pixels have their hashes."""
    data, rows = file[f"{DETECTOR}/data"], file[f"{DETECTOR}/frames"]
    pixels = np.empty(data.shape[1:], data.dtype)
    for index, row in enumerate(rows[: len(data)]):
        if row_hash(row) != int(row["row_xxh3_64"]):
            yield False
            continue
        try:
            data.read_direct(pixels, np.s_[index])
        except OSError:
            yield False
            continue
        yield xxhash.xxh3_64_intdigest(pixels.data) == int(row["xxh3_64"])


def _shorten(path: Path, frames: int) -> bool:
    """Leave the first `frames` frames, and mark the segment complete; False if its tables do not let us."""
    try:
        with h5py.File(path, "r+", libver=("v110", "v110")) as file:
            for name in ("frames", "data"):
                if len(file[f"{DETECTOR}/{name}"]) != frames:
                    file[f"{DETECTOR}/{name}"].resize(frames, axis=0)
            file.attrs.modify("complete", np.uint8(1))
    except (OSError, RuntimeError) as error:
        log.info("%s cannot be shortened in place: %s", path, error)
        return False
    return True


def _copy_good_frames(path: Path, good: list[bool]) -> None:
    sealed = path.with_name(path.name.removesuffix(PART))
    copy = sealed.with_name(f"{sealed.name}.copy")
    Path(f"{copy}{PART}").unlink(missing_ok=True)
    _mend_superblock(path)
    with h5py.File(path, "r", locking=False) as file:
        data, rows = file[f"{DETECTOR}/data"], file[f"{DETECTOR}/frames"]
        segment = Segment(copy, data.shape[1:], data.dtype, _attributes(file))
        for index in np.flatnonzero(good):
            segment.append_row(data[index], rows[index])
        segment.seal()
    _keep_aside(path)
    copy.replace(sealed)


def _keep_aside(path: Path) -> None:
    path.replace(path.with_name(path.name.removesuffix(PART) + DAMAGED))
    sync_folder(path.parent)


def _attributes(file: h5py.File) -> dict[str, Any]:
    return {name: text_of(file, name) if isinstance(value, bytes) else value for name, value in file.attrs.items()}


def _mend_superblock(path: Path) -> None:
    """Say in the superblock that nobody writes, and that the file is as long as it is.

    Raises:
        SessionError: the file does not begin with an HDF5 superblock as ours.
    """
    with path.open("r+b") as file:
        block = bytearray(file.read(_SUPERBLOCK_BYTES))
        if len(block) < _SUPERBLOCK_BYTES or block[:8] != _SIGNATURE or block[8] not in (2, 3) or block[9] != 8:
            raise SessionError(
                f"{path} does not begin like a segment ({len(block)} bytes seen)",
                hint="move the file away, or restore it from a copy",
            )
        # HDF5 allocates whole pages; the last one need not have been written to its end.
        end = -(-os.fstat(file.fileno()).st_size // PAGE_BYTES) * PAGE_BYTES
        os.ftruncate(file.fileno(), end)
        block[11] = 0
        block[28:36] = end.to_bytes(8, "little")
        block[44:48] = lookup3(bytes(block[:44])).to_bytes(4, "little")
        file.seek(0)
        file.write(block)
        file.flush()
        os.fsync(file.fileno())


def lookup3(data: bytes) -> int:
    """Bob Jenkins' lookup3 hash ("hashlittle", seed 0), which HDF5 guards its tables with.

    Written from its author's public description, https://burtleburtle.net/bob/hash/doobs.html.
    """
    a = b = c = (0xDEADBEEF + len(data)) & _MASK
    blocks = max(1, -(-len(data) // 12))  # the last one, of 1 to 12 bytes, is mixed differently
    words = np.frombuffer(data.ljust(12 * blocks, b"\0"), "<u4").tolist()
    for first in range(0, 3 * blocks - 3, 3):
        a, b, c = _mix((a + words[first]) & _MASK, (b + words[first + 1]) & _MASK, (c + words[first + 2]) & _MASK)
    if not data:
        return c
    a, b, c = ((x + word) & _MASK for x, word in zip((a, b, c), words[-3:], strict=True))
    c = ((c ^ b) - _rotated(b, 14)) & _MASK
    a = ((a ^ c) - _rotated(c, 11)) & _MASK
    b = ((b ^ a) - _rotated(a, 25)) & _MASK
    c = ((c ^ b) - _rotated(b, 16)) & _MASK
    a = ((a ^ c) - _rotated(c, 4)) & _MASK
    b = ((b ^ a) - _rotated(a, 14)) & _MASK
    return int((c ^ b) - _rotated(b, 24)) & _MASK


_MASK = 0xFFFFFFFF


def _rotated(x: int, bits: int) -> int:
    return (x << bits | x >> (32 - bits)) & _MASK


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    for bits in (4, 6, 8, 16, 19, 4):
        a = ((a - c) & _MASK) ^ _rotated(c, bits)
        c = (c + b) & _MASK
        a, b, c = b, c, a
    return a, b, c


def _sync(path: Path) -> None:
    with path.open("r+b") as file:
        os.fsync(file.fileno())
