"""The tags of a TIFF file, taken over into another: description, camera, time, EXIF, GPS, ICC, XMP, resolution.

TIFF 6.0 (Adobe, 1992), section 2; EXIF 3.0 (CIPA DC-008) for the directories that hang below the first.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_ELEMENT_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 1, 7: 1, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4}
"""Of each type of value; a rational (5, 10) is two elements."""
_RATIONALS = (5, 10)
_DIRECTORIES = (34665, 34853, 40965)
"""EXIF, GPS and interoperability: their value is where another directory lies."""
_SUBFILE_TYPE = 254
"""Its bit 0 marks a smaller version of another picture."""
_ORIENTATION = 274
"""Not taken over: OpenCV turns the pixels of a TIFF upright when it reads them."""
_OF_THE_PIXELS = {
    *range(254, 260), 262, 263, 264, 265, 266, 273, _ORIENTATION, *range(277, 282), 284, 290, 291, 292, 293, 297,
    301, 317, 318, 319, *range(320, 326), 330, 332, 333, 334, *range(336, 348), *range(512, 533), 50838, 50839,
}  # fmt: skip
"""How the pixels lie in the file; the other file has its own."""
_DEEPEST = 3


@dataclass(frozen=True)
class _Tag:
    kind: int
    """The type of its values, 1 to 13."""
    count: int
    data: bytes
    """Little-endian; empty where `below` is its value."""
    below: "dict[int, _Tag] | None" = None


@dataclass(frozen=True)
class PixelLayout:
    """How a TIFF says its pixels lie."""

    photometric: int
    """0 white is zero, 1 black is zero, 2 RGB, 3 palette, 5 CMYK, 8 Lab."""
    bits: int
    """Per sample."""
    is_planar: bool
    """Whether each colour lies in a plane of its own."""


def is_tiff(data: bytes) -> bool:
    """Whether it begins as a TIFF of up to 4 GiB does."""
    return data[:4] in (b"II*\0", b"MM\0*")


def is_big_tiff(data: bytes) -> bool:
    """Whether it begins as a TIFF of the form for more than 4 GiB does."""
    return data[:4] in (b"II+\0", b"MM\0+")


def layout_of(data: bytes) -> PixelLayout:
    """How the first picture of a TIFF lies.

    Raises:
        struct.error: it ends before its directory does.
    """
    tags = _directory(data, _first(data), depth=_DEEPEST)

    def first_value(number: int, default: int) -> int:
        tag = tags.get(number)
        return default if tag is None or not tag.data else int.from_bytes(tag.data[:2], "little")

    samples, planar = first_value(277, 1), first_value(284, 1)
    return PixelLayout(first_value(262, 1), first_value(258, 1), is_planar=planar == 2 and samples > 1)


def pages_of(data: bytes) -> int:
    """How many pictures a TIFF holds, smaller versions of them left out.

    Raises:
        struct.error: it ends before its directories do.
    """
    offset, count, seen = _first(data), 0, set[int]()
    while offset and offset not in seen:
        seen.add(offset)
        subfile = _directory(data, offset, depth=_DEEPEST).get(_SUBFILE_TYPE)
        count += subfile is None or not subfile.data[0] & 1
        (entries,) = _unpack(data, "H", offset)
        (offset,) = _unpack(data, "I", offset + 2 + 12 * entries)
    return count


def with_tags_of(source: bytes, result: bytes) -> bytes:
    """The TIFF `result` with those tags of `source` that do not say how its pixels lie.

    Raises:
        struct.error: one of them ends before its directory does.
    """
    own = _directory(result, _first(result), depth=_DEEPEST)
    taken = {
        number: tag for number, tag in _directory(source, _first(source)).items() if number not in _OF_THE_PIXELS
    }
    padded = result + b"\0" * (len(result) % 2)
    body, offset = _packed({**own, **taken}, at=len(padded))
    return padded[:4] + struct.pack("<I", offset) + padded[8:] + body


def _first(data: bytes) -> int:
    return int(_unpack(data, "I", 4)[0])


def _unpack(data: bytes, fields: str, offset: int) -> tuple[int, ...]:
    return struct.unpack_from((">" if data[:1] == b"M" else "<") + fields, data, offset)


def _directory(data: bytes, offset: int, *, depth: int = 0) -> dict[int, _Tag]:
    return dict(_tags(data, offset, depth))


def _tags(data: bytes, offset: int, depth: int) -> Iterator[tuple[int, _Tag]]:
    (entries,) = _unpack(data, "H", offset)
    for entry in range(offset + 2, offset + 2 + 12 * entries, 12):
        number, kind, count = _unpack(data, "HHI", entry)
        if kind not in _ELEMENT_BYTES:
            continue
        if number in _DIRECTORIES and depth < _DEEPEST:
            (below,) = _unpack(data, "I", entry + 8)
            yield number, _Tag(4, 1, b"", _directory(data, below, depth=depth + 1))
            continue
        size = _ELEMENT_BYTES[kind] * count * (2 if kind in _RATIONALS else 1)
        (where,) = (entry + 8,) if size <= 4 else _unpack(data, "I", entry + 8)
        if where + size > len(data):
            raise struct.error(f"tag {number} ends {where + size - len(data)} bytes behind the file")
        yield number, _Tag(kind, count, _little_endian(data, where, size, _ELEMENT_BYTES[kind]))


def _little_endian(data: bytes, where: int, size: int, element_bytes: int) -> bytes:
    raw = data[where : where + size]
    if data[:1] != b"M" or element_bytes == 1:
        return raw
    return np.frombuffer(raw, f">u{element_bytes}").astype(f"<u{element_bytes}").tobytes()


def _packed(tags: dict[int, _Tag], *, at: int) -> tuple[bytes, int]:
    """What to write at `at`, and where in the file the directory then lies: behind all of its values."""
    values, entries = b"", b""
    for number, tag in sorted(tags.items()):
        data = tag.data
        if tag.below is not None:
            body, offset = _packed(tag.below, at=at + len(values))
            values, data = values + body, struct.pack("<I", offset)
        elif len(data) > 4:
            offset, values = at + len(values), values + data + b"\0" * (len(data) % 2)
            data = struct.pack("<I", offset)
        entries += struct.pack("<HHI", number, tag.kind, tag.count) + data.ljust(4, b"\0")
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    return values + directory, at + len(values)
