"""Pixels as they lie in a camera's payload, for the four PFNC formats of the MER-530."""

from typing import Any

import numpy as np

from twinlens.capture.pixel_formats import Payload, pixel_format_of_code
from twinlens.pixels import Mono


def pack(pixels: Mono, code: int) -> Payload:
    """The payload bytes of an image in the pixel format with this PFNC code.

    `pixels` is uint8 (8 bits) or uint16 (10 bits); 10 bits become 8 by dropping the lowest two, 8 become 10 with
    zeros below, as in a camera's converter.

    Raises:
        ValueError: no such format.
    """
    found = pixel_format_of_code(code)
    if found is None:
        raise ValueError(f"pixel format 0x{code:08x} is not known")
    flat: Any = np.ascontiguousarray(pixels).reshape(-1)
    is_deep = flat.dtype == np.uint16
    if found.bit_depth == 8:
        packed = (flat >> 2).astype(np.uint8) if is_deep else flat
    else:
        packed = _PACK[found.name](flat if is_deep else flat.astype(np.uint16) << 2)
    payload: Payload = packed
    return payload


def _pack_plain(flat: Any) -> Any:
    """Mono10: two bytes, little-endian."""
    return flat.astype("<u2", copy=False).view(np.uint8)


def _pack_lsb_first(flat: Any) -> Any:
    """Mono10p: a stream of bits, lowest first; four pixels in five bytes."""
    p = _groups_of(4, flat)
    out = np.empty((len(p), 5), np.uint8)
    out[:, 0] = p[:, 0] & 0xFF
    out[:, 1] = (p[:, 0] >> 8 | p[:, 1] << 2) & 0xFF
    out[:, 2] = (p[:, 1] >> 6 | p[:, 2] << 4) & 0xFF
    out[:, 3] = (p[:, 2] >> 4 | p[:, 3] << 6) & 0xFF
    out[:, 4] = p[:, 3] >> 2
    return out.reshape(-1)[: -(-len(flat) * 10 // 8)]


def _pack_gige(flat: Any) -> Any:
    """Mono10Packed: two pixels in three bytes, their low bits together in the middle one."""
    p = _groups_of(2, flat)
    out = np.empty((len(p), 3), np.uint8)
    out[:, 0] = p[:, 0] >> 2
    out[:, 1] = (p[:, 0] & 3) | (p[:, 1] & 3) << 4
    out[:, 2] = p[:, 1] >> 2
    return out.reshape(-1)


def _groups_of(size: int, flat: Any) -> Any:
    """(n, size) pixels, the last group filled up with zeros."""
    count = -(-len(flat) // size) * size
    padded = flat if len(flat) == count else np.concatenate([flat, np.zeros(count - len(flat), np.uint16)])
    return padded.reshape(-1, size)


_PACK = {"Mono10": _pack_plain, "Mono10p": _pack_lsb_first, "Mono10Packed": _pack_gige}
