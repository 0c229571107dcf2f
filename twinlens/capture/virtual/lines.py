"""The wires outside the virtual cameras: a pulse generator, and a cable from an output to an input.

What a camera makes of a pulse is decided in `trigger_input`.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

import numpy as np

log = logging.getLogger(__name__)

OPTO_DELAY_US = 20.0
"""MERCURY's opto input: a rising edge comes about 20 us late (MER manuals give 20 to 40 us of distortion)."""
_PULSE_WIDTH_US = 1000.0
_ASLEEP_NS = 1_000_000_000
"""A process that slept longer than this did not generate pulses meanwhile."""
_JOIN_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Pulse:
    """One pulse on a wire."""

    number: int
    """Counted from the start of whoever makes the pulses."""
    rise_ns: int
    """Host's monotonic clock at the first edge."""
    width_ns: int
    is_low: bool = False
    """True for a low pulse on a wire that idles high."""


@runtime_checkable
class HasInput(Protocol):
    """Something with an opto-isolated input Line0."""

    def receive(self, pulse: Pulse) -> None:
        """Take a pulse at Line0; never blocks for long and never raises."""
        ...


@runtime_checkable
class HasOutput(Protocol):
    """Something with an output Line1."""

    def connect(self, sink: Callable[[Pulse], None]) -> None:
        """Hand every pulse of Line1 to `sink` from now on."""
        ...


class PulseGenerator:
    """An external function generator, wired to Line0 of cameras; it runs from construction to `close`.

    Pulse n rises at start + n periods: sleeps that end late do not add up.
    """

    def __init__(self, rate_hz: float, jitter_us: float = 0.0, *, seed: int = 0) -> None:
        """`jitter_us` is the standard deviation of the edges around the steady pace."""
        if not 0 < rate_hz <= 10_000:
            raise ValueError(f"pulses at {rate_hz!r} Hz; above 0 and at most 10000 Hz are possible")
        self._period_ns = 1e9 / rate_hz
        self._jitter_ns = jitter_us * 1e3
        self._rng = np.random.default_rng(seed)
        self._sinks: tuple[HasInput, ...] = ()
        self._is_closing = threading.Event()
        self.pulses = 0
        """Pulses made so far."""
        self._thread = threading.Thread(target=self._live, name="pulses", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def wire(self, *cameras: HasInput) -> None:
        """Connect to Line0 of `cameras`: each pulse reaches all of them under one number and one time."""
        self._sinks = (*self._sinks, *cameras)

    def close(self) -> None:
        """Stop; when this returns, no pulse follows."""
        self._is_closing.set()
        self._thread.join(_JOIN_TIMEOUT_S)

    def _live(self) -> None:
        start_ns = time.monotonic_ns()
        while True:
            due_ns = start_ns + round(self.pulses * self._period_ns)
            wait_ns = due_ns - time.monotonic_ns()
            if self._is_closing.wait(max(0, wait_ns) / 1e9):
                return
            if wait_ns < -_ASLEEP_NS:
                log.warning("pulses pause: this process did not run for %.1f s", -wait_ns / 1e9)
                start_ns -= wait_ns
                due_ns -= wait_ns
            rise_ns = due_ns + round(self._rng.normal(0.0, self._jitter_ns))
            pulse = Pulse(self.pulses, rise_ns, min(round(_PULSE_WIDTH_US * 1e3), round(self._period_ns / 2)))
            for sink in self._sinks:
                sink.receive(pulse)
            self.pulses += 1


class Wire:
    """A cable from Line1 of one camera to Line0 of another, which sees each edge `delay_us` later."""

    def __init__(self, source: HasOutput, sink: HasInput, *, delay_us: float = OPTO_DELAY_US) -> None:
        self._sink = sink
        self._delay_ns = round(delay_us * 1e3)
        source.connect(self._carry)

    def _carry(self, pulse: Pulse) -> None:
        self._sink.receive(replace(pulse, rise_ns=pulse.rise_ns + self._delay_ns))
