"""The clock of a free-running camera: exposures at a steady period, whatever the stream is busy with."""

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

_IDLE_S = 0.1
"""How soon a change from triggered to free-running is noticed."""
_BUSY_S = 0.005
_JOIN_TIMEOUT_S = 10.0


class Metronome:
    """Beats between `start` and `stop`, from a thread of its own."""

    def __init__(self, period_ns: Callable[[], int | None], beat: Callable[[int], bool]) -> None:
        """`period_ns` is asked before every beat, None = not now; `beat` gets the host time it is for.

        It answers False while there is no room for another exposure: then beats wait, and their grid moves.
        """
        self._period_ns = period_ns
        self._beat = beat
        self._changed = threading.Condition()
        self._is_on = self._is_closing = False
        self._next_ns = 0
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._live, name="metronome", daemon=True)
        self._thread.start()

    def start(self) -> None:
        """Beat at once and from then on."""
        with self._changed:
            self._is_on = True
            self._next_ns = time.monotonic_ns()
            self._changed.notify_all()

    def stop(self) -> None:
        """Pause; one last beat may be under way."""
        with self._changed:
            self._is_on = False

    def close(self) -> None:
        """End the thread; not from within a beat."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._thread.join(_JOIN_TIMEOUT_S)

    def _live(self) -> None:
        try:
            self._keep_time()
        except Exception as error:  # the top of a thread: kept for whoever closes the camera
            log.exception("metronome ended")
            self.failure = error

    def _keep_time(self) -> None:
        while (due_ns := self._await_beat()) is not None:
            has_room = self._beat(due_ns)
            with self._changed:
                if self._next_ns != due_ns:
                    continue  # started anew meanwhile
                if has_room:
                    self._advance(due_ns)
                else:
                    self._changed.wait(_BUSY_S)
                    self._next_ns = max(self._next_ns, time.monotonic_ns())

    def _await_beat(self) -> int | None:
        with self._changed:
            while not self._is_closing:
                if not self._is_on:
                    self._changed.wait()
                elif self._period_ns() is None:
                    self._changed.wait(_IDLE_S)
                    self._next_ns = time.monotonic_ns()
                elif (wait_ns := self._next_ns - time.monotonic_ns()) > 0:
                    self._changed.wait(wait_ns / 1e9)
                else:
                    return self._next_ns
            return None

    def _advance(self, due_ns: int) -> None:
        period_ns = self._period_ns()
        if period_ns is not None:
            # A beat that came late does not move the grid, unless by more than a period.
            self._next_ns = max(due_ns + period_ns, time.monotonic_ns() - period_ns)
