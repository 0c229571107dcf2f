"""Makes the segments of a killed recording readable again, without any external tool.

A file that was open for SWMR writing keeps a flag that forbids opening it, and the end of file of its first moment
in its superblock: what HDF5's own tool does about the flag alone cuts the file down to that. So the superblock
(HDF5 File Format Specification 3.0, II.A, versions 2 and 3) gets both fields and its checksum anew.
"""

import os
import struct
from dataclasses import dataclass
from pathlib import Path

import h5py
import xxhash

from twinlens.capture.segment import DETECTOR, LIBVER, mark_complete, row_hash
from twinlens.errors import SessionError
from twinlens.storage import sync_folder

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SUPERBLOCK_BYTES = 48
_FLAGS_AT, _END_AT, _CHECKSUM_AT = 11, 28, 44
_MASK = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What became of one segment."""

    path: str
    frames: int
    """Frames whose hash is right."""
    dropped_frames: int
    """Frames without a row, or whose pixels or row are not what was written."""


def repair_session(folder: Path) -> list[RepairReport]:
    """Mend every segment below a session's folder that a killed process left open.

    Raises:
        SessionError: a segment is beyond repair.
    """
    return [repair_segment(part) for part in sorted(folder.glob("[ab]/seg_*.h5.part"))]


def repair_segment(part: Path) -> RepairReport:
    """Make one `.part` segment readable and give it its final name; safe to repeat, never cuts data off.

    A segment without a single whole frame is removed.

    Raises:
        SessionError: it is no HDF5 file that can be opened even then.
    """
    final = part.with_suffix("")
    try:
        mend_superblock(part)
        frames, dropped = _keep_whole_frames(part)
    except (OSError, KeyError, ValueError, RuntimeError) as cause:
        if part.stat().st_size < _SUPERBLOCK_BYTES:  # killed before HDF5 wrote its first block
            part.unlink()
            return RepairReport(str(final), 0, 0)
        raise SessionError(
            f"{part} is beyond repair: {cause}", hint="move it away; the other segments are not affected"
        ) from cause
    if frames == 0:
        part.unlink()
    else:
        mark_complete(part)
        part.replace(final)
    sync_folder(part.parent)
    return RepairReport(str(final), frames, dropped)


def mend_superblock(path: Path) -> None:
    """Clear the flag of an open writer and set the end of file to the file's size, in place."""
    with path.open("r+b") as file:
        block = bytearray(file.read(_SUPERBLOCK_BYTES))
        if len(block) < _SUPERBLOCK_BYTES or not block.startswith(_SIGNATURE) or block[8] not in (2, 3):
            raise ValueError("no HDF5 superblock of version 2 or 3 at its beginning")
        if block[9:11] != b"\x08\x08":
            raise ValueError(f"sizes of offsets and lengths are {block[9]} and {block[10]}, 8 and 8 are known")
        block[_FLAGS_AT] = 0
        (end,) = struct.unpack_from("<Q", block, _END_AT)
        struct.pack_into("<Q", block, _END_AT, max(end, os.fstat(file.fileno()).st_size))
        struct.pack_into("<I", block, _CHECKSUM_AT, lookup3(bytes(block[:_CHECKSUM_AT])))
        file.seek(0)
        file.write(block)
        file.flush()
        os.fsync(file.fileno())


def _keep_whole_frames(path: Path) -> tuple[int, int]:
    """(whole, dropped): frames without a row are cut off, frames that are damaged are marked incomplete."""
    with h5py.File(path, "r+", libver=LIBVER) as file:
        data, rows = file[f"{DETECTOR}/data"], file[f"{DETECTOR}/frames"]
        count, recorded = min(len(data), len(rows)), len(data)
        table = rows[:count]
        damaged = 0
        for index in range(count):
            row = table[index]
            pixels = data[index]
            if xxhash.xxh3_64_intdigest(pixels.data) != row["xxh3_64"] or row_hash(row) != row["row_xxh3_64"]:
                table[index]["complete"] = 0
                table[index]["row_xxh3_64"] = row_hash(table[index])
                damaged += 1
        data.resize(count, axis=0)
        rows.resize(count, axis=0)
        if damaged:
            rows[:] = table
        return count - damaged, recorded - count + damaged


def lookup3(data: bytes) -> int:
    """Bob Jenkins' lookup3 hash (hashlittle, initial value 0), which guards HDF5's metadata."""
    a = b = c = (0xDEADBEEF + len(data)) & _MASK
    padded = data + bytes(-len(data) % 12)
    words = struct.unpack(f"<{len(padded) // 4}I", padded)
    for start in range(0, len(words) - 3, 3):
        a, b, c = _mix((a + words[start]) & _MASK, (b + words[start + 1]) & _MASK, (c + words[start + 2]) & _MASK)
    if not data:
        return c
    a, b, c = ((value + word) & _MASK for value, word in zip((a, b, c), words[-3:], strict=True))
    return _final(a, b, c)


def _rotate(value: int, bits: int) -> int:
    return (value << bits | value >> (32 - bits)) & _MASK


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    for bits in ((4, 6, 8), (16, 19, 4)):
        a = ((a - c) & _MASK) ^ _rotate(c, bits[0])
        c = (c + b) & _MASK
        b = ((b - a) & _MASK) ^ _rotate(a, bits[1])
        a = (a + c) & _MASK
        c = ((c - b) & _MASK) ^ _rotate(b, bits[2])
        b = (b + a) & _MASK
    return a, b, c


def _final(a: int, b: int, c: int) -> int:
    for target, bits in enumerate((14, 11, 25, 16, 4, 14, 24)):
        if target % 3 == 0:
            c = ((c ^ b) - _rotate(b, bits)) & _MASK
        elif target % 3 == 1:
            a = ((a ^ c) - _rotate(c, bits)) & _MASK
        else:
            b = ((b ^ a) - _rotate(a, bits)) & _MASK
    return c
