"""Chunk data: what a camera says about a frame behind its pixels, each piece followed by its tag and length.

Layout after GigE Vision: image, tag, length; then every chosen chunk, tag, length; all big-endian. A reader
starts at the end.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

IMAGE_TAG = 0x0000_0001
TAGS = {"FrameID": 0x0000_0002, "Timestamp": 0x0000_0003, "CounterValue": 0x0000_0004, "ExposureTime": 0x0000_0005}
"""Chunks a virtual camera knows, as ChunkSelector names them; the numbers are its own."""
_TAG = struct.Struct(">II")
_VALUE_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameFacts:
    """What chunks tell about a frame."""

    block_id: int
    timestamp: int
    """Start of exposure, ticks."""
    number: int
    """Of the trigger."""
    exposure_us: float


def tail_bytes(names: Sequence[str]) -> int:
    """Bytes behind the pixels with these chunks, tags included; 0 without chunks."""
    return _TAG.size + len(names) * (_VALUE_BYTES + _TAG.size) if names else 0


def tail(names: Sequence[str], facts: FrameFacts, *, image_bytes: int) -> bytes:
    """Everything behind the pixels."""
    values = {
        "FrameID": struct.pack(">Q", facts.block_id),
        "Timestamp": struct.pack(">Q", facts.timestamp),
        "CounterValue": struct.pack(">q", facts.number),
        "ExposureTime": struct.pack(">d", facts.exposure_us),
    }
    chunks = (values[name] + _TAG.pack(TAGS[name], _VALUE_BYTES) for name in names)
    return _TAG.pack(IMAGE_TAG, image_bytes) + b"".join(chunks) if names else b""


def read_chunks(payload: bytes) -> dict[int, bytes]:
    """Chunks by tag, the image among them.

    Raises:
        ValueError: tags and lengths contradict the payload's size.
    """
    return dict(_backwards(payload))


def _backwards(payload: bytes) -> Iterator[tuple[int, bytes]]:
    end = len(payload)
    while end:
        if end < _TAG.size:
            raise ValueError(f"{end} bytes are left in front of the first chunk")
        tag, length = _TAG.unpack_from(payload, end - _TAG.size)
        start = end - _TAG.size - length
        if start < 0:
            raise ValueError(f"chunk {tag:#x} of {length} bytes does not fit into the {end} bytes before it")
        yield tag, payload[start : start + length]
        end = start
