"""Grey levels as the bytes of a pixel format on the wire (PFNC), the counterpart of `capture.pixel_formats`."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from twinlens.pixels import Mono

MONO8 = 0x0108_0001
MONO10 = 0x0110_0003
MONO10P = 0x010A_0046
MONO10_PACKED = 0x010C_0004

Bytes = NDArray[np.uint8]
"""(n,) uint8"""


def bit_depth(pixel_format: int) -> int:
    """Bits of a pixel that carry information."""
    return 8 if pixel_format == MONO8 else 10


def pack(pixels: Mono, pixel_format: int) -> Bytes:
    """The payload of an image: (n,) bytes, packed pixels without padding at line ends.

    uint8 pixels are 8 bits deep and uint16 pixels 10. Where the format has fewer bits the lowest are cut off,
    where it has more they are 0.
    """
    levels = np.ascontiguousarray(pixels).reshape(-1)
    if pixel_format == MONO8:
        return levels if levels.dtype == np.uint8 else (levels >> 2).astype(np.uint8)
    ten = levels if levels.dtype == np.uint16 else levels.astype(np.uint16) << 2
    return _PACK[pixel_format](ten)


def pack_levels(levels: Bytes, pixel_format: int) -> Bytes:
    """The payload of a few pixels whose values stay as they are in every format, 0 to 255."""
    if pixel_format == MONO8:
        return levels
    return _PACK[pixel_format](levels.astype(np.uint16))


def _mono10(levels: NDArray[np.uint16]) -> Bytes:
    """Two bytes a pixel, little-endian."""
    return levels.astype("<u2", copy=False).view(np.uint8)


def _mono10p(levels: NDArray[np.uint16]) -> Bytes:
    """Four pixels in five bytes, least significant bits first."""
    p0, p1, p2, p3 = _columns(levels, 4)
    packed = np.empty((len(p0), 5), np.uint8)
    packed[:, 0] = p0
    packed[:, 1] = p0 >> 8 | p1 << 2
    packed[:, 2] = p1 >> 6 | p2 << 4
    packed[:, 3] = p2 >> 4 | p3 << 6
    packed[:, 4] = p3 >> 2
    return packed.reshape(-1)[: -(-len(levels) * 10 // 8)]


def _mono10_packed(levels: NDArray[np.uint16]) -> Bytes:
    """Two pixels in three bytes: the upper eight bits of each with the lowest two of both between them."""
    p0, p1 = _columns(levels, 2)
    packed = np.empty((len(p0), 3), np.uint8)
    packed[:, 0] = p0 >> 2
    packed[:, 1] = (p0 & 3) | (p1 & 3) << 4
    packed[:, 2] = p1 >> 2
    return packed.reshape(-1)[: -(-len(levels) * 12 // 8)]


def _columns(levels: NDArray[np.uint16], count: int) -> NDArray[np.uint16]:
    """Every `count`-th pixel, (count, n); the last group is filled up with zeros."""
    missing = -len(levels) % count
    whole = np.concatenate([levels, np.zeros(missing, np.uint16)]) if missing else levels
    return whole.reshape(-1, count).T


_PACK: dict[int, Callable[[NDArray[np.uint16]], Bytes]] = {
    MONO10: _mono10,
    MONO10P: _mono10p,
    MONO10_PACKED: _mono10_packed,
}
