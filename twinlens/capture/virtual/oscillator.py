"""A camera's clock: an oscillator of its own that starts at power-up, or follows a master."""

import time

import numpy as np

from twinlens.capture.virtual.faults import Faults


class Oscillator:
    """Nanosecond ticks since power-up or the last reset, as wrong as `faults` says."""

    def __init__(self, faults: Faults) -> None:
        self._rate = 1 + faults.clock_drift_ppm * 1e-6
        self._jitter_ns = faults.clock_jitter_us * 1e3
        self._rng = np.random.default_rng([faults.seed, 0xC10C])
        self._zero_ns = time.monotonic_ns()
        self._offset_ns = round(faults.clock_offset_s * 1e9)
        self.follows_master = False
        """True under PTP, whose master is here the computer's UTC clock."""

    def ticks(self, at_ns: int | None = None) -> int:
        """What the clock shows, or showed when the host's monotonic clock was `at_ns`."""
        now_ns = time.monotonic_ns() if at_ns is None else at_ns
        if self.follows_master:
            return now_ns + _utc_minus_monotonic_ns()
        passed_ns = now_ns - self._zero_ns
        # Integers first: a float would lose single ticks after a few months.
        return max(0, self._offset_ns + passed_ns + round(passed_ns * (self._rate - 1)))

    def stamp(self, at_ns: int | None = None) -> int:
        """The timestamp of something that happened then, with the jitter of one reading."""
        return max(0, self.ticks(at_ns) + round(self._rng.normal(0.0, self._jitter_ns)))

    def host_ns(self, ticks: int) -> int:
        """When the host's monotonic clock is, while this one shows `ticks`."""
        if self.follows_master:
            return ticks - _utc_minus_monotonic_ns()
        return self._zero_ns + round((ticks - self._offset_ns) / self._rate)

    def reset(self) -> None:
        """Start again at zero."""
        self._zero_ns = time.monotonic_ns()
        self._offset_ns = 0


def _utc_minus_monotonic_ns() -> int:
    return time.time_ns() - time.monotonic_ns()
