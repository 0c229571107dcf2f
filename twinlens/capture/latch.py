"""Questions to a camera that no cache can answer: what its clock shows, and whether it is still there."""

import time

from twinlens.capture.clock import ClockLatch
from twinlens.capture.genicam import Camera

LATCH_TRIES = 5
_LATCHES = (("GevTimestampControlLatch", "GevTimestampValue"), ("TimestampLatch", "TimestampLatchValue"))
"""GigE Vision 1.x registers as SFNC 1.5 names them; SFNC 2.x and Daheng's gxipy."""


def read_latch(camera: Camera) -> ClockLatch | None:
    """A reading of the camera's clock, the quickest of a few; None when the camera has no latch."""
    names = _latch_names(camera)
    ticks_per_s = _ticks_per_s(camera)
    if names is None or not ticks_per_s:
        return None
    best: ClockLatch | None = None
    for _ in range(LATCH_TRIES):
        before_ns = time.monotonic_ns()
        camera.execute(names[0])
        after_ns = time.monotonic_ns()
        camera_time_ns = int(camera.read(names[1])) * 1_000_000_000 // ticks_per_s
        found = ClockLatch(camera_time_ns, (before_ns + after_ns) // 2, (after_ns - before_ns) // 2)
        if best is None or found.uncertainty_ns < best.uncertainty_ns:
            best = found
    return best


def require_alive(camera: Camera) -> None:
    """Ask the camera something that costs a packet.

    Raises:
        CameraLostError: it does not answer, or another program controls it now.
    """
    names = _latch_names(camera)
    if names is not None:
        camera.execute(names[0])


def _latch_names(camera: Camera) -> tuple[str, str] | None:
    return next((names for names in _LATCHES if all(camera.has(name) for name in names)), None)


def _ticks_per_s(camera: Camera) -> int:
    name = "GevTimestampTickFrequency"
    return int(camera.read(name)) if camera.has(name) else 1_000_000_000
