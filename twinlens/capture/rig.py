"""Two camera processes as one device: opened, armed (B, then A), triggered together, finished together."""

import multiprocessing
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from twinlens.capture.frame import CameraRole, FrameRecord
from twinlens.capture.genicam import CameraInfo, FeatureValue
from twinlens.capture.pairing import Gap
from twinlens.capture.rig_file import RigSettings
from twinlens.capture.worker import (
    Armed,
    Command,
    Done,
    Failed,
    Finished,
    Fire,
    Job,
    Opened,
    Write,
    run_worker,
)
from twinlens.errors import CameraLostError, CaptureError

T = TypeVar("T")

ARMING_ORDER: tuple[CameraRole, CameraRole] = ("b", "a")
"""The slave first, so that it already listens when the master starts."""
OPEN_TIMEOUT_S = 60.0
FINISH_TIMEOUT_S = 120.0
CLOSE_TIMEOUT_S = 70.0
"""Longer than a recorder may take to write its queue."""


@dataclass(frozen=True, slots=True)
class TriggerOutcome:
    """What both cameras answered to one trigger."""

    trigger_index: int
    records: tuple[FrameRecord, ...]
    gaps: tuple[Gap, ...]


class Rig:
    """Cameras A and B in their own processes; a context manager that always gives both back."""

    def __init__(self, settings: RigSettings, *, producer: Path, session_id: str, folder: Path) -> None:
        self._settings = settings
        self.cameras: dict[CameraRole, CameraInfo] = {}
        self.shape_hw = (0, 0)
        self._workers: dict[CameraRole, _Link] = {}
        serials = {"a": settings.a, "b": settings.b}
        try:
            for role in ARMING_ORDER:
                job = Job(role, serials[role], producer, settings, session_id, folder)
                self._workers[role] = _Link(job)
            self._meet()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def arm(self) -> dict[CameraRole, int]:
        """Start both streams, B first; the number of frames flushed per camera."""
        flushed: dict[CameraRole, int] = {}
        for role in ARMING_ORDER:
            link = self._workers[role]
            link.send("arm")
            flushed[role] = link.expect(Armed, timeout_s=OPEN_TIMEOUT_S).flushed_frames
        return flushed

    def write(self, features: Mapping[str, FeatureValue]) -> None:
        """Set features on both cameras while they stream."""
        command = Write(tuple(features.items()))
        for link in self._workers.values():
            link.send(command)
        for link in self._workers.values():
            link.expect(Done, timeout_s=OPEN_TIMEOUT_S)

    def fire(self, trigger_index: int) -> TriggerOutcome:
        """Trigger both cameras and wait until each delivered its frame to disk or gave up."""
        for role in ARMING_ORDER:
            self._workers[role].send(Fire(trigger_index))
        timeout_s = 2 * self._settings.frame_timeout_s + self._settings.exposure_us * 1e-6 + 10.0
        deadline = time.monotonic() + timeout_s
        records: list[FrameRecord] = []
        gaps: list[Gap] = []
        for link in self._workers.values():
            answered = False
            while not answered:
                message = link.receive(timeout_s=max(0.0, deadline - time.monotonic()))
                match message:
                    case FrameRecord():
                        records.append(message)
                    case Gap():
                        gaps.append(message)
                    case _:
                        raise CaptureError(f"camera {link.role} answered {message!r} to a trigger")
                answered = message.trigger_index >= trigger_index
        return TriggerOutcome(trigger_index, tuple(records), tuple(gaps))

    def finish(self) -> dict[CameraRole, Finished]:
        """Stop both streams and seal what was recorded."""
        finished: dict[CameraRole, Finished] = {}
        errors: list[CaptureError] = []
        for link in self._workers.values():
            with suppress(CaptureError):  # a process that is gone says so below
                link.send("finish")
        for role, link in self._workers.items():
            try:
                finished[role] = link.expect(Finished, timeout_s=FINISH_TIMEOUT_S)
            except CaptureError as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return finished

    def close(self) -> None:
        """End both processes; safe to call at any time."""
        for link in self._workers.values():
            link.close()

    def _meet(self) -> None:
        shapes: dict[CameraRole, tuple[int, int]] = {}
        for role, link in self._workers.items():
            opened = link.expect(Opened, timeout_s=OPEN_TIMEOUT_S)
            self.cameras[role] = opened.info
            shapes[role] = opened.shape_hw
        if shapes["a"] != shapes["b"]:
            seen = ", ".join(f"{role.upper()} {w}x{h}" for role, (h, w) in sorted(shapes.items()))
            raise CaptureError(
                f"the cameras send pictures of different size: {seen}; one size is needed",
                hint="set width, height, offset_x and offset_y in rig.toml to a region both cameras have",
            )
        self.shape_hw = shapes["a"]


class _Link:
    """One worker process and the pipe to it."""

    def __init__(self, job: Job) -> None:
        self.role = job.role
        context = multiprocessing.get_context("spawn")
        self._connection, far_end = context.Pipe()
        self._process: SpawnProcess = context.Process(
            target=run_worker, args=(far_end, job), name=f"camera-{job.role}", daemon=True
        )
        self._process.start()
        far_end.close()

    def send(self, command: Command) -> None:
        try:
            self._connection.send(command)
        except OSError as cause:
            raise self._lost() from cause

    def receive(self, *, timeout_s: float) -> Any:
        try:
            if not self._connection.poll(timeout_s):
                raise CameraLostError(
                    f"the process of camera {self.role} did not answer in {timeout_s:.0f} s",
                    hint="check the camera's cable and power, then start again",
                )
            message = self._connection.recv()
        except (EOFError, OSError) as cause:
            raise self._lost() from cause
        if isinstance(message, Failed):
            raise message.error
        return message

    def expect(self, kind: type[T], *, timeout_s: float) -> T:
        """The next message of this kind; late frame records before it were already written and are passed over."""
        deadline = time.monotonic() + timeout_s
        while True:
            message = self.receive(timeout_s=max(0.0, deadline - time.monotonic()))
            if isinstance(message, kind):
                return message

    def close(self) -> None:
        self._connection.close()  # the worker's recv ends with EOFError
        self._process.join(CLOSE_TIMEOUT_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _lost(self) -> CameraLostError:
        self._process.join(1.0)
        return CameraLostError(
            f"the process of camera {self.role} ended with exit code {self._process.exitcode}",
            hint="a crash inside a vendor's producer ends only this process; frames recorded so far are kept",
        )
