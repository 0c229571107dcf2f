"""Two camera processes as one device: opened, armed (B, then A), heard together, finished together."""

import multiprocessing
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from twinlens.capture.frame import CameraRole
from twinlens.capture.genicam import FeatureValue
from twinlens.capture.messages import (
    Armed,
    Begin,
    Begun,
    Command,
    Done,
    Failed,
    Finished,
    Fire,
    Job,
    Message,
    Opened,
    Write,
)
from twinlens.capture.rig_file import RigSettings
from twinlens.capture.worker import run_worker
from twinlens.errors import CameraLostError, CaptureError, TwinlensError

T = TypeVar("T")

ARMING_ORDER: tuple[CameraRole, CameraRole] = ("b", "a")
"""The slave first, so that it already listens when the master starts."""
OPEN_TIMEOUT_S = 60.0
FINISH_TIMEOUT_S = 120.0
CLOSE_TIMEOUT_S = 70.0
"""Longer than a recorder may take to write its queue."""
FAILED_CLOSE_TIMEOUT_S = 2.0
"""A process that said it failed has sealed its frames; a vendor's library may hang on a camera that is gone."""


class Rig:
    """Cameras A and B in their own processes; a context manager that always gives both back."""

    def __init__(self, settings: RigSettings, *, producer: Path, session_id: str, folder: Path) -> None:
        self.cameras: dict[CameraRole, Opened] = {}
        self._links: dict[CameraRole, _Link] = {}
        serials = {"a": settings.a, "b": settings.b}
        self._jobs = {
            role: Job(role, serials[role], producer, settings, session_id, folder) for role in ARMING_ORDER
        }
        try:
            for role in ARMING_ORDER:
                self._links[role] = _Link(self._jobs[role])
            for role, link in self._links.items():
                self.cameras[role] = link.expect(Opened, timeout_s=OPEN_TIMEOUT_S)
            self._require_same_shape()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def shape_hw(self) -> tuple[int, int]:
        """Height and width of both cameras' pictures, px."""
        return self.cameras["a"].setting.shape_hw

    def arm(self) -> dict[CameraRole, int]:
        """Start both streams, B first; the number of frames flushed per camera."""
        flushed: dict[CameraRole, int] = {}
        for role in ARMING_ORDER:
            self._links[role].send("arm")
            flushed[role] = self._links[role].expect(Armed, timeout_s=OPEN_TIMEOUT_S).flushed_frames
        return flushed

    def write(self, features: Mapping[str, FeatureValue]) -> None:
        """Set features on both cameras while they stream."""
        self._ask_both(Write(tuple(features.items())), Done)

    def begin(self, begin: Begin) -> dict[CameraRole, Begun]:
        """Record from now on, B first; each camera's clock as read just before."""
        return self._ask_both(begin, Begun)

    def end(self) -> list[Failed]:
        """Stop recording and wait until it is written, keep streaming; the cameras that failed to."""
        failed: list[Failed] = []
        links = [link for link in self._links.values() if link.is_open]
        for link in links:
            with suppress(TwinlensError):  # a process that is gone says so below
                link.send("end")
        for link in links:
            try:
                link.expect(Done, timeout_s=FINISH_TIMEOUT_S)
            except CaptureError as error:
                failed.append(Failed(link.role, error))
        return failed

    def lost(self) -> list[CameraRole]:
        """The cameras whose processes ended."""
        return [role for role, link in self._links.items() if not link.is_open]

    def fire(self, trigger_index: int, roles: Sequence[CameraRole] = ARMING_ORDER) -> None:
        """Send the software trigger; each process answers with a `Commanded` when its camera has obeyed."""
        for role in roles:
            with suppress(TwinlensError):  # heard as `Failed`
                self._links[role].send(Fire(trigger_index))

    def hear(self, *, timeout_s: float) -> list[Message]:
        """What both processes said meanwhile; waits at most `timeout_s` for the first word.

        A process that ended says `Failed`.
        """
        found: list[Message] = []
        for link in self._links.values():
            found += link.backlog
            link.backlog.clear()
        by_pipe = {link.pipe: link for link in self._links.values() if link.is_open}
        ready = connection.wait(list(by_pipe), 0.0 if found else timeout_s)
        for pipe in ready:
            found += by_pipe[pipe].read_all()  # type: ignore[index]
        return found

    def finish(self) -> tuple[dict[CameraRole, Finished], list[Message]]:
        """Stop the streams and seal what was recorded; also every message that came before the end.

        A camera that fails to do so says `Failed` among them; the other one is finished all the same.
        """
        finished: dict[CameraRole, Finished] = {}
        failed: list[Message] = []
        links = [link for link in self._links.values() if link.is_open]
        for link in links:
            with suppress(TwinlensError):  # a process that is gone says so below
                link.send("finish")
        for link in links:
            try:
                finished[link.role] = link.expect(Finished, timeout_s=FINISH_TIMEOUT_S)
            except CaptureError as error:
                failed.append(Failed(link.role, error))
        last_words = [message for link in self._links.values() for message in link.backlog]
        for link in self._links.values():
            link.backlog.clear()
        return finished, [*last_words, *failed]

    def give_up(self, role: CameraRole) -> None:
        """End one camera's process."""
        self._links.pop(role).close()

    def reopen(self, role: CameraRole) -> None:
        """Start a new process for a camera and arm it.

        Raises:
            CaptureError: the camera cannot be opened (yet).
        """
        link = _Link(self._jobs[role])
        try:
            opened = link.expect(Opened, timeout_s=OPEN_TIMEOUT_S)
            link.send("arm")
            link.expect(Armed, timeout_s=OPEN_TIMEOUT_S)
        except BaseException:
            link.close()
            raise
        self.cameras[role], self._links[role] = opened, link

    def close(self) -> None:
        """End both processes; safe to call at any time."""
        for link in self._links.values():
            link.close()
        self._links.clear()

    def _ask_both(self, command: Command, kind: type[T]) -> dict[CameraRole, T]:
        """Both answers; where one camera fails, the other's is heard all the same, so that none is left over."""
        answers: dict[CameraRole, T] = {}
        failed: TwinlensError | None = None
        for role in ARMING_ORDER:
            with suppress(TwinlensError):  # a process that is gone says so below
                self._links[role].send(command)
        for role in ARMING_ORDER:
            try:
                answers[role] = self._links[role].expect(kind, timeout_s=OPEN_TIMEOUT_S)
            except TwinlensError as error:
                failed = failed or error
        if failed is not None:
            raise failed
        return answers

    def _require_same_shape(self) -> None:
        shapes = {role: opened.setting.shape_hw for role, opened in self.cameras.items()}
        if shapes["a"] != shapes["b"]:
            seen = ", ".join(f"{role.upper()} {w}x{h}" for role, (h, w) in sorted(shapes.items()))
            raise CaptureError(
                f"the cameras send pictures of different size: {seen}; one size is needed",
                hint="set width, height, offset_x and offset_y in rig.toml to a region both cameras have",
            )


class _Link:
    """One camera's process and the pipe to it."""

    def __init__(self, job: Job) -> None:
        self.role = job.role
        self.backlog: deque[Any] = deque()
        """Heard while waiting for something else."""
        self.is_open = True
        context = multiprocessing.get_context("spawn")
        self.pipe, far_end = context.Pipe()
        self._process: SpawnProcess = context.Process(
            target=run_worker, args=(far_end, job), name=f"camera-{job.role}", daemon=True
        )
        self._process.start()
        far_end.close()

    def send(self, command: Command) -> None:
        try:
            self.pipe.send(command)
        except OSError as cause:
            self.backlog += self.read_all()
            raise self._why_lost() from cause

    def read_all(self) -> list[Any]:
        """Every message that is there; a `Failed` once the process is gone."""
        found: list[Any] = []
        try:
            while self.is_open and self.pipe.poll(0):
                found.append(self.pipe.recv())
                self.is_open = not isinstance(found[-1], Failed)
        except (EOFError, OSError):
            self.is_open = False
            if not any(isinstance(message, Failed) for message in found):
                found.append(Failed(self.role, self._lost()))
        return found

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
