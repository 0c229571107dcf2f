"""Pixel formats as cameras send them: names, codes, bits, bytes, and how a picture is read from a payload.

Names and codes are those of the GenICam Pixel Format Naming Convention (PFNC).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from twinlens.errors import CaptureError, SettingsError
from twinlens.pixels import Mono

if TYPE_CHECKING:
    Payload = np.ndarray[tuple[int], np.dtype[np.uint8]]
else:
    Payload = np.ndarray
    """(n,) uint8, as it came over the wire"""


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """One monochrome PFNC format."""

    name: str
    code: int
    """PFNC value, as in the leader of a block; its bits 16 to 23 say how many bits a pixel takes."""
    bit_depth: int
    """Bits that carry information."""
    layout: str
    """How pixels lie in memory."""

    @property
    def bits_per_pixel(self) -> int:
        """Bits a pixel takes in the payload, padding included."""
        return self.code >> 16 & 0xFF


PIXEL_FORMATS = {
    pixel_format.name: pixel_format
    for pixel_format in (
        PixelFormat("Mono8", 0x0108_0001, 8, "one byte"),
        PixelFormat("Mono10", 0x0110_0003, 10, "two bytes, little-endian, the upper six bits zero"),
        PixelFormat("Mono10p", 0x010A_0046, 10, "four pixels in five bytes, least significant bits first"),
        PixelFormat("Mono10Packed", 0x010C_0004, 10, "two pixels in three bytes, as in GigE Vision 1.x"),
    )
}
"""Every format this project records."""


def pixel_format(name: str) -> PixelFormat:
    """The format with this PFNC name.

    Raises:
        SettingsError: no such format is recorded here.
    """
    if name not in PIXEL_FORMATS:
        raise SettingsError(
            f"pixel_format is {name!r}, one of {', '.join(PIXEL_FORMATS)} is needed",
            hint='set pixel_format = "Mono8", or a 10-bit format where the link carries it',
        )
    return PIXEL_FORMATS[name]


def pixel_format_of_code(code: int) -> PixelFormat | None:
    """The format with this PFNC code, or None where it is not recorded here."""
    return next((known for known in PIXEL_FORMATS.values() if known.code == code), None)


def bit_depth(name: str) -> int:
    """Bits per pixel that carry information: 8 or 10."""
    return pixel_format(name).bit_depth


def bytes_per_frame(name: str, shape_hw: tuple[int, int]) -> int:
    """Bytes of a picture on the wire; packed pixels run on over line ends and fill up the last byte only."""
    height, width = shape_hw
    return -(-height * width * pixel_format(name).bits_per_pixel // 8)


def decode(payload: Payload, name: str, shape_hw: tuple[int, int]) -> Mono:
    """The picture in a payload: (h, w) uint8 for Mono8, uint16 of 0..1023 otherwise; always a copy.

    Bytes behind the picture (chunk data, padding) are passed over.

    Raises:
        CaptureError: the payload is too short, or Mono10 pixels exceed 10 bits.
    """
    if payload.dtype != np.uint8 or payload.ndim != 1:
        raise ValueError(f"a payload is (n,) uint8, not {payload.shape} {payload.dtype}")
    needed = bytes_per_frame(name, shape_hw)
    if payload.size < needed:
        raise CaptureError(
            f"a frame of {payload.size} bytes arrived, {shape_hw[1]}x{shape_hw[0]} {name} takes {needed}",
            hint="the camera's Width, Height or PixelFormat changed while it streamed; start again",
        )
    picture = np.ascontiguousarray(payload[:needed])
    if name == "Mono8":
        return picture.reshape(shape_hw).copy()
    pixels: np.ndarray[tuple[int], np.dtype[np.uint16]] = _UNPACK[name](picture, shape_hw[0] * shape_hw[1])
    return pixels.reshape(shape_hw)


def _unpack_mono10(data: Any, count: int) -> Any:
    pixels = data.view("<u2").astype(np.uint16)
    if count and int(pixels.max()) > 1023:
        raise CaptureError(
            f"a Mono10 pixel holds {int(pixels.max())}, 0 to 1023 is possible",
            hint="this camera does not align Mono10 to the low bits; choose Mono8 or Mono10p",
        )
    return pixels


def _unpack_mono10p(data: Any, count: int) -> Any:
    """Pixel i takes bits 10 i to 10 i + 9, counted from the least significant bit of byte 0 (PFNC, suffix p)."""
    groups = -(-count // 4)
    data = _padded(data, 5 * groups)
    pixels = np.empty((groups, 4), dtype=np.uint16)
    for k in range(4):
        # Pixel k of a group of five bytes lies in the 16-bit word that starts at byte k, 2 k bits up.
        word = np.ndarray((groups,), "<u2", data, offset=k, strides=(5,))
        pixels[:, k] = (word >> (2 * k)) & 0x3FF
    return pixels.reshape(-1)[:count]


def _unpack_mono10packed(data: Any, count: int) -> Any:
    """Bytes of two pixels: 9..2 of the first; its 1..0 in bits 0-1, the second's in bits 4-5; 9..2 of the second.

    Source: GigE Vision 1.2, GVSP_PIX_MONO10_PACKED.
    """
    groups = -(-count // 2)
    data = _padded(data, 3 * groups + 1)
    # Both pixels of three bytes at once: word = first | shared << 8 | second << 16, and a byte of the next group.
    words = np.ndarray((groups,), "<u4", data, strides=(3,))
    pixels = np.empty(groups, dtype="<u4")
    for start in range(0, groups, _WORDS_AT_ONCE):
        word = words[start : start + _WORDS_AT_ONCE].copy()
        upper = (word & 0xFF00FF) << 2
        upper |= (word >> 8) & 0x3
        word <<= 4
        word &= 0x30000
        np.bitwise_or(upper, word, out=pixels[start : start + _WORDS_AT_ONCE])
    return pixels.view("<u2").astype(np.uint16, copy=False)[:count]


_WORDS_AT_ONCE = 16384
"""A block of this size stays in the processor's cache."""

_UNPACK = {"Mono10": _unpack_mono10, "Mono10p": _unpack_mono10p, "Mono10Packed": _unpack_mono10packed}


def _padded(data: Any, size: int) -> Any:
    """The data, or a copy filled up with zeros where the last group of pixels is not whole."""
    return data if data.size == size else np.concatenate([data, np.zeros(size - data.size, dtype=np.uint8)])
