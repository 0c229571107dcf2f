"""Two camera processes as one device: opened, armed (B, then A), heard together, finished together."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import connection
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from twinlens.capture.camera_process import CameraProcess
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
from twinlens.errors import CaptureError, TwinlensError

T = TypeVar("T")

ARMING_ORDER: tuple[CameraRole, CameraRole] = ("b", "a")
"""The slave first, so that it already listens when the master starts."""
OPEN_TIMEOUT_S = 60.0
FINISH_TIMEOUT_S = 120.0


class Rig:
    """Cameras A and B in their own processes; a context manager that always gives both back."""

    def __init__(self, settings: RigSettings, *, producer: Path, session_id: str, folder: Path) -> None:
        self.cameras: dict[CameraRole, Opened] = {}
        self._links: dict[CameraRole, CameraProcess] = {}
        serials = {"a": settings.a, "b": settings.b}
        self._jobs = {
            role: Job(role, serials[role], producer, settings, session_id, folder) for role in ARMING_ORDER
        }
        try:
            for role in ARMING_ORDER:
                self._links[role] = CameraProcess(self._jobs[role])
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
        return found + [link.give_up() for link in by_pipe.values() if link.is_silent()]

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
        link = CameraProcess(self._jobs[role])
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
