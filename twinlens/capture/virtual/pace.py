"""How fast a camera's packets may leave: a steady average, and no more than twice that while catching up."""

import threading
import time

_PEAK = 2.0
"""Fastest pace against the average. Twice 1 GbE leaves a 208 kB socket buffer 0.8 ms to be read."""
_DEBT_NS = 50_000_000
"""Lateness that is made up for: one frame at 20 fps. What a busy machine lost beyond that stays lost."""


class Pace:
    """One link's pace, shared by all threads that send over it.

    Threads wake late by a tenth of a millisecond and, on a busy machine, by several; a pace that forgets such
    delays sends 20 fps at 16.
    """

    def __init__(self, bytes_per_s: float) -> None:
        """`bytes_per_s` counts everything on the wire; a 1 GbE link carries 125e6."""
        self._ns_per_byte = 1e9 / bytes_per_s
        self._lock = threading.Lock()
        self._due_ns = 0

    def rest(self, until_ns: int) -> None:
        """Nothing was there to send until this time on the monotonic clock: only what came later is made up."""
        with self._lock:
            self._due_ns = max(self._due_ns, until_ns)

    def charge(self, wire_bytes: int, *, delay_ns: int = 0) -> int:
        """Account for a burst that has left, and for `delay_ns` on top; how long to wait before the next, ns."""
        cost_ns = int(wire_bytes * self._ns_per_byte) + delay_ns
        now_ns = time.monotonic_ns()
        with self._lock:
            self._due_ns = max(self._due_ns, now_ns - _DEBT_NS) + cost_ns
            return max(self._due_ns - now_ns, int(cost_ns / _PEAK))
