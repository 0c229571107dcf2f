"""The process that holds one camera: it configures, arms, triggers, fetches and records.

One process per camera, because harvesters keeps the GIL while it waits and a vendor library may crash. Commands
come down a pipe and frame records go up; images never cross it.
"""

import logging
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from twinlens.capture.configure import configure
from twinlens.capture.frame import CameraRole, Frame, FrameRecord
from twinlens.capture.genicam import Camera, CameraInfo, FeatureValue, Producer, ReceivedFrame
from twinlens.capture.pairing import Gap, TriggerCounter
from twinlens.capture.recorder import Recorder
from twinlens.capture.rig_file import RigSettings
from twinlens.errors import CaptureError, TwinlensError

log = logging.getLogger(__name__)

BUFFERS = 8
POLL_S = 0.02
ARMING_DRAIN_S = 0.05
LATE_S = 0.001
"""One look for a frame that came after its trigger was given up."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker is started with."""

    role: CameraRole
    serial: str
    producer: Path
    settings: RigSettings
    session_id: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Opened:
    """The camera is open and set as asked."""

    info: CameraInfo
    shape_hw: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Armed:
    """The camera streams and waits for triggers."""

    flushed_frames: int


@dataclass(frozen=True, slots=True)
class Done:
    """The features asked for are set."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The stream is stopped and every frame is on disk."""

    incomplete_frames: int
    stream: dict[str, int]


@dataclass(frozen=True, slots=True)
class Failed:
    """The worker ends with this error."""

    error: TwinlensError


@dataclass(frozen=True, slots=True)
class Write:
    """Command: set these features while streaming."""

    features: tuple[tuple[str, FeatureValue], ...]


@dataclass(frozen=True, slots=True)
class Fire:
    """Command: execute the software trigger, deliver its frame."""

    trigger_index: int


Command = Write | Fire | str
"""A str is "arm" or "finish"."""


def run_worker(connection: Connection, job: Job) -> None:
    """Serve one camera until told to finish or until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle: it tells us to finish
    try:
        with Producer(job.producer) as producer:
            camera = producer.open(job.serial)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # harvesters installs a handler of its own
            try:
                _Worker(connection, job, camera).serve()
            finally:
                camera.close()
    except TwinlensError as error:
        log.debug("camera %s ends", job.role, exc_info=True)
        _send_quietly(connection, Failed(error))
    except EOFError:
        log.info("camera %s: the parent process is gone", job.role)
    except Exception as error:
        log.exception("camera %s failed", job.role)
        wrapped = CaptureError(
            f"camera {job.role} failed: {type(error).__name__}: {error}", hint="run again with -v to see where"
        )
        _send_quietly(connection, Failed(wrapped))


class _Worker:
    def __init__(self, connection: Connection, job: Job, camera: Camera) -> None:
        self._connection = connection
        self._job = job
        self._camera = camera
        self._send_lock = threading.Lock()
        self._recorder: Recorder | None = None
        self._counter: TriggerCounter | None = None

    def serve(self) -> None:
        setting = configure(self._camera, self._job.settings)
        self._send(Opened(self._camera.info, setting.shape_hw))
        try:
            while (command := self._connection.recv()) != "finish":
                self._obey(command)
            self._send(self._finish())
        finally:
            if self._recorder is not None:
                self._recorder.close()

    def _obey(self, command: Command) -> None:
        match command:
            case "arm":
                self._send(self._arm())
            case Write(features):
                for name, value in features:
                    self._camera.write(name, value)
                self._send(Done())
            case Fire(trigger_index):
                self._fire(trigger_index)

    def _arm(self) -> Armed:
        self._recorder = Recorder(
            self._job.folder / self._job.role,
            self._job.role,
            attributes={
                "session_id": self._job.session_id,
                "serial": self._camera.info.serial,
                "pixel_format": self._job.settings.pixel_format,
                "bit_depth": 8,
            },
            on_written=self._tell_written,
        )
        self._camera.start(buffers=BUFFERS)
        flushed = 0
        while self._camera.fetch(timeout_s=ARMING_DRAIN_S) is not None:
            flushed += 1
        return Armed(flushed)

    def _fire(self, trigger_index: int) -> None:
        while (late := self._camera.fetch(timeout_s=LATE_S)) is not None:
            log.warning("camera %s: block %d came late and is not used", self._job.role, late.frame_id)
        incomplete_before = self._camera.incomplete_frames
        self._camera.execute("TriggerSoftware")
        settings = self._job.settings
        tries = int((settings.frame_timeout_s + settings.exposure_us * 1e-6) / POLL_S)
        for _ in range(tries):
            received = self._camera.fetch(timeout_s=POLL_S)
            if received is not None and self._record(received, trigger_index):
                return
            if self._camera.incomplete_frames > incomplete_before:
                self._send(Gap(trigger_index, self._job.role, "incomplete"))
                return
        self._send(Gap(trigger_index, self._job.role, "not delivered"))

    def _record(self, received: ReceivedFrame, fired: int) -> bool:
        """Record the frame of the trigger just fired; False for any other, which could make a wrong pair."""
        if self._counter is None:
            self._counter = TriggerCounter(first_frame_id(received.frame_id, fired=fired))
        trigger_index = self._counter.index_of(received.frame_id)
        if trigger_index != fired:
            log.warning("camera %s: block %d answers trigger %d, not %d; it is not used",
                        self._job.role, received.frame_id, trigger_index, fired)  # fmt: skip
            return False
        record = FrameRecord(
            camera=self._job.role,
            trigger_index=trigger_index,
            frame_id=received.frame_id,
            camera_time_ns=received.camera_time_ns,
            host_time_ns=received.host_time_ns,
            exposure_us=self._job.settings.exposure_us,
            gain_db=self._job.settings.gain_db,
            complete=True,
            lost_packets=0,
            xxh3=0,
        )
        if self._recorder is not None and not self._recorder.put(Frame(received.pixels, record)):
            self._send(Gap(trigger_index, self._job.role, "queue full"))
        return True

    def _finish(self) -> Finished:
        if self._recorder is not None:
            self._camera.stop()
            self._recorder.close()
            self._recorder = None
        return Finished(self._camera.incomplete_frames, self._camera.stream_statistics())

    def _tell_written(self, record: FrameRecord) -> None:
        with suppress(OSError):  # the parent may be gone; the frames still belong on the disk
            self._send(record)

    def _send(self, message: Any) -> None:
        with self._send_lock:
            self._connection.send(message)


def first_frame_id(frame_id: int, *, fired: int) -> int:
    """The block id of trigger 0, told by the first frame that arrives after `fired` triggers.

    The standard says 1 (GigE Vision: block ids restart at 1 at stream open); a camera that starts elsewhere is
    believed to answer the trigger fired last.
    """
    return 1 if 1 <= frame_id <= fired + 1 else frame_id - fired


def _send_quietly(connection: Connection, message: Failed) -> None:
    try:
        connection.send(message)
    except (OSError, ValueError):
        log.warning("the parent process is gone; lost: %s", message.error)
