"""The trigger number, written into the first pixels of a virtual frame so that a wrong pair can be seen.

Eight pixels of the first row hold one byte each: "TL", the number (big-endian), and a CRC-16 of the six.
The bytes survive any pixel format of 8 bits and more.
"""

import binascii
import struct

import numpy as np

from twinlens.pixels import Mono

STAMP_WIDTH = 8
"""Pixels of the first row that carry the stamp."""
_MARK = b"TL"


def stamp_trigger(pixels: Mono, trigger_index: int) -> None:
    """Overwrite the first eight pixels with the trigger number, modulo 2^32."""
    _check_width(pixels)
    pixels[0, :STAMP_WIDTH] = trigger_stamp(trigger_index, bit_depth=8)


def trigger_stamp(trigger_index: int, *, bit_depth: int) -> Mono:
    """The stamp as an image of one row, (1, 8), for pixels of 8 or 10 bits."""
    head = _MARK + struct.pack(">I", trigger_index % 2**32)
    values = np.frombuffer(head + _check(head), dtype=np.uint8).reshape(1, -1)
    return values.astype(np.uint16) if bit_depth > 8 else values


def read_trigger(pixels: Mono) -> int:
    """The trigger number a virtual frame carries.

    Raises:
        ValueError: the pixels hold no intact stamp.
    """
    _check_width(pixels)
    values = pixels[0, :STAMP_WIDTH]
    stamp = values.astype(np.uint8).tobytes()
    head, check = stamp[:6], stamp[6:]
    if int(values.max()) > 0xFF or head[:2] != _MARK or check != _check(head):
        raise ValueError(f"no trigger stamp in the first {STAMP_WIDTH} pixels: {values.tolist()}")
    return int(struct.unpack(">I", head[2:])[0])


def _check(head: bytes) -> bytes:
    return struct.pack(">H", binascii.crc_hqx(head, 0xFFFF))


def _check_width(pixels: Mono) -> None:
    if pixels.shape[0] < 1 or pixels.shape[1] < STAMP_WIDTH:
        raise ValueError(f"image is {pixels.shape}, a trigger stamp needs {STAMP_WIDTH} pixels in its first row")
