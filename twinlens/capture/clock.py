"""Camera clocks: each has its own origin and its own pace, so they are compared, never trusted.

A latch reads a camera's clock against the host's; the frames of both cameras then tell how one clock runs
against the other.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median

import numpy as np
from numpy.typing import NDArray

from twinlens.capture.frame import FrameRecord

MIN_PAIRS = 3
"""With fewer, the median that is removed is most of what there is."""
DRIFT_CLAIM_PPM = 2.0
"""A drift is claimed only when its standard error is below this: 60 frames of jittery triggers made -44 and
-82 ppm out of two clocks that were the same."""
DRIFT_CLAIM_S = 30.0

Times = NDArray[np.float64]

_WINDOW = 32
_SLOPE_WINDOW_NS = 5_000_000_000
_SLOPE_MAX = 1e-3
"""Oscillators differ by 50 to 100 ppm (pypylon #853); more than 1000 ppm is a misfit."""


@dataclass(frozen=True, slots=True)
class ClockLatch:
    """One reading of a camera's clock against the host's monotonic clock."""

    camera_time_ns: int
    host_time_ns: int
    uncertainty_ns: int
    """Half the time the reading took."""

    def host_time_of(self, camera_time_ns: int) -> int:
        """The host's clock when the camera's showed `camera_time_ns`, with the clocks' drift neglected."""
        return self.host_time_ns + camera_time_ns - self.camera_time_ns


@dataclass(frozen=True, slots=True)
class Skew:
    """How far apart A and B answered the same triggers."""

    how_measured: str
    median_us: float
    p95_us: float
    max_us: float
    constant_us: float | None = None
    """B's median time after A's by both clocks' latches; None without latches."""
    constant_uncertainty_us: float | None = None


class RelativeClock:
    """One clock against another: a robust line through the last moments that both saw."""

    def __init__(self, offset_ns: int | None = None) -> None:
        """`offset_ns`: this clock minus the reference at the start, when it is known."""
        self._offset_ns = offset_ns
        self._moments: deque[tuple[int, int]] = deque(maxlen=_WINDOW)
        self._line: tuple[int, float, float] | None = None

    @property
    def is_known(self) -> bool:
        """Whether there is anything to tell the time by."""
        return self._offset_ns is not None or bool(self._moments)

    def learn(self, reference_ns: int, time_ns: int) -> None:
        """Take in a moment that both clocks saw."""
        self._moments.append((reference_ns, time_ns))
        self._line = None

    def time_at(self, reference_ns: int) -> int:
        """What this clock shows when the reference shows `reference_ns`."""
        if not self._moments:
            return reference_ns + (self._offset_ns or 0)
        origin, offset, slope = self._line or self._fit()
        return reference_ns + round(offset + slope * (reference_ns - origin))

    @property
    def scatter_ns(self) -> float:
        """Median distance of the moments from the line."""
        if not self._moments:
            return 0.0
        return median(abs(time_ns - self.time_at(reference_ns)) for reference_ns, time_ns in self._moments)

    def _fit(self) -> tuple[int, float, float]:
        """(origin, offset, slope): Theil-Sen through the window, a plain median where it is short."""
        reference, times = np.array(self._moments, dtype=np.int64).T
        origin = int(reference[0])
        at, apart = (reference - origin).astype(float), (times - reference).astype(float)
        slope = 0.0
        if len(at) >= 8 and at[-1] >= _SLOPE_WINDOW_NS:
            steps = at[None, :] - at[:, None]
            far = steps > 0.3 * at[-1]
            slope = float(np.median((apart[None, :] - apart[:, None])[far] / steps[far]))
            slope = slope if abs(slope) <= _SLOPE_MAX else 0.0
        self._line = (origin, float(np.median(apart - slope * at)), slope)
        return self._line


def clock_offsets_ns(pairs: Sequence[tuple[FrameRecord, FrameRecord]]) -> list[int]:
    """B's clock minus A's for each pair: median per start of the recording, with its drift where that is claimed.

    0 where a camera gave no time.
    """
    offsets: list[int] = []
    for _, group in groupby(pairs, key=lambda pair: (pair[0].arming, pair[1].arming)):
        same = list(group)
        if not _have_times(same):
            offsets += [0] * len(same)
            continue
        drift = (measure_drift_ppm(same) or 0.0) * 1e-6
        first_ns = same[0][0].camera_time_ns
        gone = [round(drift * (a.camera_time_ns - first_ns)) for a, _ in same]
        base = int(median(b.camera_time_ns - a.camera_time_ns - g for (a, b), g in zip(same, gone, strict=True)))
        offsets += [base + g for g in gone]
    return offsets


def measure_drift_ppm(pairs: Sequence[tuple[FrameRecord, FrameRecord]]) -> float | None:
    """How much faster B's clock runs than A's; None unless the data is enough to claim it.

    A least-squares line over all pairs of one start of the recording; its standard error must be below
    `DRIFT_CLAIM_PPM` and the pairs must span `DRIFT_CLAIM_S`.
    """
    if len(pairs) < MIN_PAIRS or not _have_times(pairs) or pairs[0][0].arming != pairs[-1][0].arming:
        return None
    at, apart = _times_s(pairs)
    spread = at - at.mean()
    if at[-1] - at[0] < DRIFT_CLAIM_S:
        return None
    slope = float(spread @ apart / (spread @ spread))
    residual = apart - apart.mean() - slope * spread
    error = float(np.sqrt(residual @ residual / (len(at) - 2) / (spread @ spread)))
    return slope * 1e6 if error * 1e6 < DRIFT_CLAIM_PPM else None


def measure_distance(
    pairs: Sequence[tuple[FrameRecord, FrameRecord]], latches: tuple[ClockLatch, ClockLatch] | None
) -> Skew | None:
    """How far apart the frames of free-running cameras lie; None without latches or with few pairs."""
    if latches is None or len(pairs) < MIN_PAIRS or not _have_times(pairs):
        return None
    latch_a, latch_b = latches
    apart_us = [
        abs(latch_b.host_time_of(b.camera_time_ns) - latch_a.host_time_of(a.camera_time_ns)) / 1e3
        for a, b in pairs
    ]
    how = "camera timestamps, both clocks read against this computer's before the take"
    return Skew(how, median(apart_us), float(np.quantile(apart_us, 0.95)), max(apart_us))


def measure_skew(
    pairs: Sequence[tuple[FrameRecord, FrameRecord]], latches: tuple[ClockLatch, ClockLatch] | None = None
) -> Skew | None:
    """The spread of B's time minus A's around the clocks' relation; None without camera times or with few pairs.

    `latches`: readings of A's and B's clock near the beginning of the pairs.
    """
    if len(pairs) < MIN_PAIRS or not _have_times(pairs):
        return None
    last = pairs[-1][0].arming
    pairs = [pair for pair in pairs if pair[0].arming == last]
    if len(pairs) < MIN_PAIRS:
        return None
    drift_ppm = measure_drift_ppm(pairs)
    at, apart = _times_s(pairs)
    apart_us = (apart - (drift_ppm or 0.0) * 1e-6 * at) * 1e6
    around_us = np.abs(apart_us - np.median(apart_us))
    removed = "their median (the clocks' offset)" if drift_ppm is None else "the clocks' offset and drift"
    how = f"camera timestamps, B minus A, after removing {removed}"
    p95 = float(np.sort(around_us)[min(len(around_us) - 1, int(0.95 * len(around_us)))])
    skew = Skew(how, float(np.median(around_us)), p95, float(around_us.max()))
    if latches is None:
        return skew
    constant_us, uncertainty_us = _constant(pairs[:20], *latches)
    return Skew(how, skew.median_us, skew.p95_us, skew.max_us, constant_us, uncertainty_us)


def _constant(
    pairs: Sequence[tuple[FrameRecord, FrameRecord]], latch_a: ClockLatch, latch_b: ClockLatch
) -> tuple[float, float]:
    apart_ns = [latch_b.host_time_of(b.camera_time_ns) - latch_a.host_time_of(a.camera_time_ns) for a, b in pairs]
    return median(apart_ns) / 1e3, (latch_a.uncertainty_ns + latch_b.uncertainty_ns) / 1e3


def _times_s(pairs: Sequence[tuple[FrameRecord, FrameRecord]]) -> tuple[Times, Times]:
    """A's time, and B's minus A's, in s from the first pair."""
    first_a, first_b = pairs[0]
    at = np.array([a.camera_time_ns - first_a.camera_time_ns for a, _ in pairs]) * 1e-9
    apart_ns = [
        (b.camera_time_ns - first_b.camera_time_ns) - (a.camera_time_ns - first_a.camera_time_ns) for a, b in pairs
    ]
    return at, np.array(apart_ns) * 1e-9


def _have_times(pairs: Sequence[tuple[FrameRecord, FrameRecord]]) -> bool:
    return bool(pairs) and all(a.camera_time_ns and b.camera_time_ns for a, b in pairs)
