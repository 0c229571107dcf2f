"""Camera clocks: each has its own origin, so a constant offset says nothing about synchronisation.

Drift is not estimated here: over the seconds of a software-triggered session it drowns in the trigger's jitter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from twinlens.capture.frame import FrameRecord

MIN_PAIRS = 3
"""With fewer, the median that is removed is most of what there is."""
HOW_MEASURED = "camera timestamps, B minus A, after removing their median (the clocks' offset)"


@dataclass(frozen=True, slots=True)
class Skew:
    """How far apart A and B answered the same triggers."""

    how_measured: str
    median_us: float
    p95_us: float
    max_us: float


def clock_offset_ns(pairs: Sequence[tuple[FrameRecord, FrameRecord]]) -> int:
    """B's clock minus A's: the median over the pairs; 0 where a camera gave no time."""
    if not _have_times(pairs):
        return 0
    return int(median(b.camera_time_ns - a.camera_time_ns for a, b in pairs))


def measure_skew(pairs: Sequence[tuple[FrameRecord, FrameRecord]]) -> Skew | None:
    """The spread of B's time minus A's around their offset; None without camera times or with too few pairs."""
    if len(pairs) < MIN_PAIRS or not _have_times(pairs):
        return None
    offset_ns = clock_offset_ns(pairs)
    apart_us = sorted(abs(b.camera_time_ns - a.camera_time_ns - offset_ns) / 1000 for a, b in pairs)
    p95 = apart_us[min(len(apart_us) - 1, int(0.95 * len(apart_us)))]
    return Skew(HOW_MEASURED, float(median(apart_us)), p95, apart_us[-1])


def _have_times(pairs: Sequence[tuple[FrameRecord, FrameRecord]]) -> bool:
    return bool(pairs) and all(a.camera_time_ns and b.camera_time_ns for a, b in pairs)
