"""Which trigger a frame answers, and which frames make a pair: by trigger index, never by order of arrival."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from twinlens.capture.frame import CameraRole, FrameRecord

BLOCK_ID_MAX = 65535
"""GigE Vision 1.x block ids are 16 bit and run 1..65535; 0 is never used."""

GapReason = Literal["not delivered", "incomplete", "queue full", "not written"]


@dataclass(frozen=True, slots=True)
class Gap:
    """One frame that should be there and is not."""

    trigger_index: int
    camera: CameraRole
    reason: GapReason


class TriggerCounter:
    """Turns block ids into trigger indices: unwrapped, relative to the first block after arming."""

    def __init__(self, first_frame_id: int = 1) -> None:
        self._last_id = first_frame_id
        self._last_index = 0

    def index_of(self, frame_id: int) -> int:
        """The trigger that `frame_id` answers; ids may skip, and wrap from 65535 to 1."""
        if frame_id <= BLOCK_ID_MAX and self._last_id <= BLOCK_ID_MAX:
            half = BLOCK_ID_MAX // 2
            step = (frame_id - self._last_id + half) % BLOCK_ID_MAX - half
        else:
            step = frame_id - self._last_id
        self._last_id = frame_id
        self._last_index += step
        return self._last_index


def pair_records(a: Iterable[FrameRecord], b: Iterable[FrameRecord]) -> list[tuple[FrameRecord, FrameRecord]]:
    """Complete records of A and B that share a trigger index, in trigger order."""
    by_index_a = {record.trigger_index: record for record in a if record.complete}
    by_index_b = {record.trigger_index: record for record in b if record.complete}
    return [(by_index_a[i], by_index_b[i]) for i in sorted(by_index_a.keys() & by_index_b.keys())]
