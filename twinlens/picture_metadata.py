"""What an image file says beside its pixels (EXIF, ICC, XMP, texts), taken over byte for byte into another file.

PNG into PNG, TIFF into TIFF, and JPEG into PNG, which is how restored pictures are written.
PNG: W3C, Portable Network Graphics, third edition; JPEG segments: EXIF 3.0 (CIPA DC-008), ICC.1:2022 annex B,
XMP part 3.
"""

import struct
import zlib
from collections.abc import Iterator

from twinlens.tiff_tags import is_tiff, with_tags_of

_PNG = b"\x89PNG\r\n\x1a\n"
_HEADER_BYTES = len(_PNG) + 25
"""A PNG's signature and its first chunk, IHDR."""
_KEPT_CHUNKS = (
    b"cHRM", b"cICP", b"eXIf", b"gAMA", b"iCCP", b"iTXt", b"pHYs", b"sBIT", b"sRGB", b"tEXt", b"tIME", b"zTXt",
)  # fmt: skip
_EXIF = b"Exif\0\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_ICC = b"ICC_PROFILE\0"
_APP1, _APP2, _START_OF_SCAN = 0xE1, 0xE2, 0xDA
_COLOUR_TYPE_AT = len(_PNG) + 17
_SPACES = {0: b"GRAY", 2: b"RGB "}
"""The colour space that an ICC profile must be of, by the PNG's colour type."""


def with_metadata_of(source: bytes, result: bytes) -> bytes:
    """The file `result`, a PNG or TIFF, with what `source` says beside its pixels; with nothing where it cannot.

    The orientation stays with the pixels it was written for: OpenCV leaves those of PNG and JPEG as they lie,
    and turns those of TIFF, whose orientation is therefore dropped.

    Raises:
        struct.error: the source's metadata are cut short.
    """
    if is_tiff(result):
        return with_tags_of(source, result) if is_tiff(source) else result
    if source.startswith(_PNG):
        chunks = b"".join(_chunk(kind, data) for kind, data in _chunks(source) if kind in _KEPT_CHUNKS)
    elif source.startswith(b"\xff\xd8"):
        chunks = b"".join(_chunk(kind, data) for kind, data in _from_jpeg(source, result[_COLOUR_TYPE_AT]))
    else:
        return result
    return result[:_HEADER_BYTES] + chunks + result[_HEADER_BYTES:]


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_PNG)
    while at < len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        yield kind, png[at + 8 : at + 8 + length]
        at += 12 + length


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _from_jpeg(jpeg: bytes, colour_type: int) -> Iterator[tuple[bytes, bytes]]:
    """Chunks of a PNG that say what a JPEG's segments say."""
    profile: dict[int, bytes] = {}
    for marker, data in _segments(jpeg):
        if marker == _APP1 and data.startswith(_EXIF):
            yield b"eXIf", data[len(_EXIF) :]
        elif marker == _APP1 and data.startswith(_XMP):
            yield b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + data[len(_XMP) :]
        elif marker == _APP2 and data.startswith(_ICC):
            profile[data[len(_ICC)]] = data[len(_ICC) + 2 :]
    whole = b"".join(profile[part] for part in sorted(profile))
    if whole and whole[16:20] == _SPACES.get(colour_type):
        yield b"iCCP", b"ICC Profile\0\0" + zlib.compress(whole)


def _segments(jpeg: bytes) -> Iterator[tuple[int, bytes]]:
    at = 2
    while at + 4 <= len(jpeg):
        fill, marker, length = struct.unpack_from(">BBH", jpeg, at)
        if fill != 0xFF or marker == _START_OF_SCAN:
            return
        yield marker, jpeg[at + 4 : at + 2 + length]
        at += 2 + length
