"""The words of pairing: block ids become indices, gaps have reasons, slips are told, runs map indices to triggers.

Pairs are made by trigger index, never by order of arrival; which index a frame answers is decided in `matching`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from twinlens.capture.frame import CameraRole, FrameRecord

BLOCK_ID_MAX = 65535
"""GigE Vision 1.x block ids are 16 bit and run 1..65535; 0 is never used."""

GapReason = Literal[
    "not triggered",
    "late",
    "lost on the network",
    "incomplete",
    "queue full",
    "writer stalled",
    "camera lost",
    "not written",
    "not delivered",
]
"""Why a frame is not there.

"late": exposed so late after its trigger that it shows another moment; "not delivered": nothing of it and
nothing after it came; "not written": it arrived and is not in a sealed segment.
"""


@dataclass(frozen=True, slots=True)
class Gap:
    """One frame that should be there and is not."""

    trigger_index: int
    camera: CameraRole
    reason: GapReason


@dataclass(frozen=True, slots=True)
class Loss:
    """A frame that a camera's own process knows to be lost, by the index its block id gives."""

    camera: CameraRole
    frame_index: int
    reason: GapReason


@dataclass(frozen=True, slots=True)
class Slip:
    """A camera whose block ids stopped counting triggers, and what brought them back in step."""

    camera: CameraRole
    trigger_index: int
    """From this trigger on."""
    by: int
    """Triggers that made no frame (positive), or frames that no trigger asked for (negative)."""


@dataclass(frozen=True, slots=True)
class Run:
    """Frames of one camera without a gap, whose indices differ from their triggers by the same number."""

    camera: CameraRole
    take: int
    arming: int
    first_index: int
    """Index the first frame's block id gives: unwrapped, relative to arming."""
    last_index: int
    shift: int
    """Trigger index minus that index."""


class TriggerCounter:
    """Turns block ids into indices: unwrapped, relative to the first block after arming."""

    def __init__(self, first_frame_id: int = 1) -> None:
        self._last_id = first_frame_id
        self._last_index = 0

    def index_of(self, frame_id: int) -> int:
        """The index of `frame_id`; ids may skip, and wrap from 65535 to 1."""
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
