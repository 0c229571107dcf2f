"""One camera's process as its parent sees it: a pipe, and what to do when it falls silent or ends."""

import multiprocessing
import time
from collections import deque
from multiprocessing.context import SpawnProcess
from typing import Any, TypeVar

from twinlens.capture.messages import Command, Failed, Job
from twinlens.capture.worker import run_worker
from twinlens.errors import CameraLostError, TwinlensError

T = TypeVar("T")

CLOSE_TIMEOUT_S = 70.0
"""Longer than a recorder may take to write its queue."""
SILENT_S = 10.0
"""A camera's process says how it fares twice a second."""
FAILED_CLOSE_TIMEOUT_S = 2.0
"""A process that said it failed has sealed its frames; a vendor's library may hang on a camera that is gone."""


class CameraProcess:
    """One camera's process and the pipe to it."""

    def __init__(self, job: Job) -> None:
        self.role = job.role
        self.backlog: deque[Any] = deque()
        """Heard while waiting for something else."""
        self.is_open = True
        self.heard_s = time.monotonic()
        context = multiprocessing.get_context("spawn")
        self.pipe, far_end = context.Pipe()
        self._process: SpawnProcess = context.Process(
            target=run_worker, args=(far_end, job), name=f"camera-{job.role}", daemon=True
        )
        self._process.start()
        far_end.close()

    def send(self, command: Command) -> None:
        """Send a command down the pipe.

        Raises:
            TwinlensError: the process ended, with its own reason where it told one.
        """
        try:
            self.pipe.send(command)
        except OSError as cause:
            self.backlog += self.read_all()
            raise self._why_lost() from cause

    def read_all(self) -> list[Any]:
        """Every message that is there; a `Failed` once the process is gone."""
        found: list[Any] = []
        self.heard_s = time.monotonic()
        try:
            while self.is_open and self.pipe.poll(0):
                found.append(self.pipe.recv())
                self.is_open = not isinstance(found[-1], Failed)
        except (EOFError, OSError):
            self.is_open = False
            if not any(isinstance(message, Failed) for message in found):
                found.append(Failed(self.role, self._lost()))
        return found

    def is_silent(self) -> bool:
        """Whether a process that should speak twice a second hangs."""
        return self.is_open and time.monotonic() - self.heard_s > SILENT_S

    def give_up(self) -> Failed:
        """Count a process that hangs as ended; it is killed when the link is closed."""
        self.is_open = False
        return Failed(
            self.role,
            CameraLostError(
                f"the process of camera {self.role} has said nothing for {SILENT_S:g} s",
                hint="a vendor's library may hang on a camera that is gone; start again",
            ),
        )

    def expect(self, kind: type[T], *, timeout_s: float) -> T:
        """The next message of this kind; others are kept for later.

        Raises:
            TwinlensError: the process failed, with its own error.
            CameraLostError: it ended, or did not answer in time.
        """
        deadline = time.monotonic() + timeout_s
        while self.is_open and self.pipe.poll(max(0.0, deadline - time.monotonic())):
            messages = self.read_all()
            for position, message in enumerate(messages):
                if isinstance(message, Failed):
                    raise message.error
                if isinstance(message, kind):
                    self.backlog += messages[position + 1 :]
                    return message
                self.backlog.append(message)
        if not self.is_open:
            raise self._why_lost()
        raise CameraLostError(
            f"the process of camera {self.role} did not answer in {timeout_s:.0f} s",
            hint="check the camera's cable and power, then start again",
        )

    def close(self) -> None:
        """End the process, by force where it does not end by itself."""
        timeout_s = CLOSE_TIMEOUT_S if self.is_open else FAILED_CLOSE_TIMEOUT_S
        self.is_open = False
        self.pipe.close()  # the worker's recv ends with EOFError
        self._process.join(timeout_s)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _why_lost(self) -> TwinlensError:
        said = (message.error for message in self.backlog if isinstance(message, Failed))
        return next(said, None) or self._lost()

    def _lost(self) -> CameraLostError:
        self._process.join(1.0)
        return CameraLostError(
            f"the process of camera {self.role} ended with exit code {self._process.exitcode}",
            hint="a crash inside a vendor's producer ends only this process; frames recorded so far are kept",
        )
