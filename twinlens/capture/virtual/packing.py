"""Pixels as they lie in a camera's payload, for the four PFNC formats of the MER-530."""

import numpy as np
from numpy.typing import NDArray

from twinlens.capture.pixel_formats import Payload, pixel_format_of_code
from twinlens.pixels import Mono

Deep = NDArray[np.uint16]


def pack(pixels: Mono, code: int) -> Payload:
    """The payload bytes of an image in the pixel format with this PFNC code.

    `pixels` is uint8 (8 bits) or uint16 (10 bits); 10 bits become 8 by dropping the lowest two, 8 become 10 with
    zeros below, as in a camera's converter.

    Raises:
        ValueError: no such format.
    """
    found = pixel_format_of_code(code)
    flat = np.ascontiguousarray(pixels).reshape(-1)
    if found is None:
        raise ValueError(f"pixel format 0x{code:08x} is not known")
    if found.name == "Mono8":
        return flat if flat.dtype == np.uint8 else (flat >> 2).astype(np.uint8)
    deep = flat.astype(np.uint16) << 2 if flat.dtype == np.uint8 else flat
    if found.name == "Mono10":
        return deep.astype("<u2", copy=False).view(np.uint8)
    if found.name == "Mono10p":
        return _pack_lsb_first(deep)
    return _pack_gige(deep)


def _pack_lsb_first(flat: Deep) -> Payload:
    """Mono10p: a stream of bits, lowest first; four pixels in five bytes."""
    p = np.zeros(-(-len(flat) // 4) * 4, np.uint16)
    p[: len(flat)] = flat
    p = p.reshape(-1, 4)
    out = np.empty((len(p), 5), np.uint8)
    out[:, 0] = p[:, 0]
    out[:, 1] = p[:, 0] >> 8 | p[:, 1] << 2
    out[:, 2] = p[:, 1] >> 6 | p[:, 2] << 4
    out[:, 3] = p[:, 2] >> 4 | p[:, 3] << 6
    out[:, 4] = p[:, 3] >> 2
    return out.reshape(-1)[: -(-len(flat) * 10 // 8)]


def _pack_gige(flat: Deep) -> Payload:
    """Mono10Packed: two pixels in three bytes, their low bits together in the middle one."""
    p = np.zeros(-(-len(flat) // 2) * 2, np.uint16)
    p[: len(flat)] = flat
    p = p.reshape(-1, 2)
    out = np.empty((len(p), 3), np.uint8)
    out[:, 0] = p[:, 0] >> 2
    out[:, 1] = (p[:, 0] & 3) | (p[:, 1] & 3) << 4
    out[:, 2] = p[:, 1] >> 2
    return out.reshape(-1)
