"""The process that holds one camera: it configures, arms, triggers, fetches and records.

One process per camera, because harvesters keeps the GIL while it waits and a vendor library may crash. Commands
come down a pipe and frame records go up; images never cross it.
"""

import logging
import signal
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from twinlens.capture.configure import SensorSetting, configure
from twinlens.capture.frame import Frame, FrameRecord
from twinlens.capture.genicam import Camera, Producer, ReceivedFrame
from twinlens.capture.latch import read_latch
from twinlens.capture.match_commands import Commanded
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
    Opened,
    Write,
)
from twinlens.capture.pairing import Loss, TriggerCounter
from twinlens.capture.recorder import Recorder
from twinlens.capture.vitals import Vitals
from twinlens.errors import CaptureError, TwinlensError

log = logging.getLogger(__name__)

BUFFERS = 16
"""0.8 s at 20 fps, should this process be held up."""
NAP_S = 0.003
"""Between two looks for a frame; a command from the parent ends it at once."""
IDLE_S = 0.25
ARMING_DRAIN_S = 0.05
LOOK_S = 0.0005
"""The shortest look harvesters allows; it waits 1 ms."""
FIRST_IDS = 1000
"""A stream whose first block id is smaller is believed to have begun at 1, as the standard says."""


def run_worker(connection: Connection, job: Job) -> None:
    """Serve one camera until told to finish or until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle: it tells us to finish
    try:
        with Producer(job.producer) as producer:
            camera = producer.open(job.serial)
            try:
                _serve(connection, job, camera)
            finally:
                camera.close()
    except TwinlensError as error:
        _send_quietly(connection, Failed(job.role, error))


def _serve(connection: Connection, job: Job, camera: Camera) -> None:
    """Serve, and tell the parent of a failure before the camera is closed, which may take seconds."""
    try:
        _Worker(connection, job, camera).serve()
    except TwinlensError as error:
        log.debug("camera %s ends", job.role, exc_info=True)
        _send_quietly(connection, Failed(job.role, error))
    except (EOFError, BrokenPipeError):
        log.info("camera %s: the parent process is gone", job.role)
    except Exception as error:
        log.exception("camera %s failed", job.role)
        wrapped = CaptureError(
            f"camera {job.role} failed: {type(error).__name__}: {error}", hint="run again with -v to see where"
        )
        _send_quietly(connection, Failed(job.role, wrapped))


class _Worker:
    def __init__(self, connection: Connection, job: Job, camera: Camera) -> None:
        self._connection = connection
        self._job = job
        self._camera = camera
        self._send_lock = threading.Lock()
        self._setting: SensorSetting | None = None
        self._recorder: Recorder | None = None
        self._counter: TriggerCounter | None = None
        self._last_index = -1
        self._underruns = 0
        self._begin: Begin | None = None
        self._take: Begin | None = None
        self._began_ns = 0
        """The camera's clock when the take began; 0 when it cannot be read."""
        self._is_armed = False
        self._is_ending = False
        """The take is over, and its last frames may still wait to be written."""
        self._vitals = Vitals(job.role, camera)

    def serve(self) -> None:
        self._setting = configure(self._camera, self._job.settings)
        self._send(Opened(self._camera.info, self._setting))
        try:
            while True:
                if self._connection.poll(NAP_S if self._is_armed else IDLE_S):
                    command = self._connection.recv()
                    if command == "finish":
                        break
                    self._obey(command)
                if self._is_armed:
                    self._receive()
                if self._is_ending and (self._recorder is None or self._recorder.is_done):
                    self._is_ending = False
                    self._send(Done())
                if (status := self._vitals.check(self._recorder)) is not None:
                    self._send(status)
            self._send(self._finish())
        finally:
            if self._recorder is not None:
                self._recorder.close()

    def _obey(self, command: Command) -> None:
        match command:
            case "arm":
                self._send(self._arm())
            case Begin():
                self._send(self._start_take(command))
            case "end":
                self._take = None
                self._is_ending = True
            case Write(features):
                for name, value in features:
                    self._camera.write(name, value)
                self._send(Done())
            case Fire(trigger_index):
                before_ns = time.monotonic_ns()
                self._camera.execute("TriggerSoftware")
                self._send(Commanded(self._job.role, trigger_index, before_ns, time.monotonic_ns()))

    def _arm(self) -> Armed:
        self._camera.start(buffers=BUFFERS)
        self._is_armed = True
        flushed, until = 0, time.monotonic() + 10 * ARMING_DRAIN_S
        while time.monotonic() < until and (received := self._camera.fetch(timeout_s=ARMING_DRAIN_S)) is not None:
            self._index_of(received.frame_id)
            flushed += 1
        return Armed(flushed)

    def _start_take(self, begin: Begin) -> Begun:
        self._receive()  # what was exposed before belongs to no take
        latch = read_latch(self._camera)
        self._began_ns = latch.camera_time_ns if latch is not None else 0
        if self._recorder is None or self._begin is None or begin.arming != self._begin.arming:
            self._open_recorder(begin, latch)
        self._begin = self._take = begin
        return Begun(latch, self._last_index)

    def _open_recorder(self, begin: Begin, latch: Any) -> None:
        """A new start of the recording begins a new segment, whose attributes hold the clock's new reading."""
        if self._recorder is not None:
            self._recorder.close()
        folder, setting = self._job.folder / self._job.role, self._setting
        info = self._camera.info
        self._recorder = Recorder(
            folder,
            self._job.role,
            attributes={
                "session_id": self._job.session_id,
                "serial": info.serial,
                "vendor": info.vendor,
                "model": info.model,
                "user_name": info.user_name,
                "pixel_format": setting.pixel_format if setting else "",
                "bit_depth": setting.bit_depth if setting else 8,
                "arming": begin.arming,
                "latch_camera_ns": latch.camera_time_ns if latch else 0,
                "latch_host_ns": latch.host_time_ns if latch else 0,
                "latch_uncertainty_ns": latch.uncertainty_ns if latch else -1,
            },
            on_written=self._tell_written,
            first_segment=len(list(folder.glob("seg_*"))),
        )

    def _receive(self) -> None:
        """Every frame that is there."""
        for _ in range(BUFFERS):
            received = self._camera.fetch(timeout_s=LOOK_S)
            incomplete = self._camera.take_incomplete()
            if received is not None:
                self._tell_losses(incomplete, received.frame_id)
                self._record(received, self._index_of(received.frame_id))
            elif incomplete:
                self._tell_losses(incomplete, None)
            else:
                return

    def _index_of(self, frame_id: int) -> int:
        if self._counter is None:
            self._counter = TriggerCounter(1 if 1 <= frame_id < FIRST_IDS else frame_id)
        index = self._counter.index_of(frame_id)
        self._last_index = max(self._last_index, index)
        return index

    def _tell_losses(self, incomplete: list[int | None], next_id: int | None) -> None:
        """Say which indices are known to be lost, and how, before the frame that follows them."""
        if self._take is None:
            return
        for frame_id in incomplete:
            index = self._last_index + 1 if frame_id is None else self._index_of(frame_id)
            self._last_index = max(self._last_index, index)
            self._send(Loss(self._job.role, index, "incomplete"))
        if next_id is None or self._counter is None:
            return
        before = self._last_index
        skipped = range(before + 1, self._index_of(next_id))
        if skipped:  # without a free buffer the producer lets a whole frame pass
            underruns = self._camera.stream_statistics().get("StreamUnderrunCount", 0)
            full = skipped[: underruns - self._underruns]
            for index in full:
                self._send(Loss(self._job.role, index, "queue full"))
            self._underruns += len(full)  # the count may run ahead of the frames fetched so far

    def _record(self, received: ReceivedFrame, index: int) -> None:
        begin = self._take
        is_older = 0 < received.camera_time_ns < self._began_ns  # the mirror may have moved since
        if begin is None or is_older or self._recorder is None or self._setting is None:
            self._vitals.idle_frames += 1
            return
        record = FrameRecord(
            camera=self._job.role,
            trigger_index=index,
            frame_id=received.frame_id,
            camera_time_ns=received.camera_time_ns,
            host_time_ns=received.host_time_ns,
            exposure_us=begin.exposure_us,
            gain_db=begin.gain_db,
            complete=True,
            lost_packets=0,
            xxh3=0,
            arming=begin.arming,
            take=begin.take,
        )
        self._vitals.last_frame = Frame(received.pixels, record, self._setting.bit_depth)
        answer = self._recorder.put(self._vitals.last_frame)
        if answer != "queued":
            self._send(Loss(self._job.role, index, answer))

    def _finish(self) -> Finished:
        self._take = None
        if self._is_armed:
            self._camera.stop()
        if self._recorder is not None:
            self._recorder.close()
            self._recorder = None
        return Finished(self._camera.incomplete_frames, self._camera.stream_statistics())

    def _tell_written(self, record: FrameRecord) -> None:
        with suppress(OSError):  # the parent may be gone; the frames still belong on the disk
            self._send(record)

    def _send(self, message: Any) -> None:
        with self._send_lock:
            self._connection.send(message)


def _send_quietly(connection: Connection, message: Failed) -> None:
    try:
        connection.send(message)
    except (OSError, ValueError):
        log.warning("the parent process is gone; lost: %s", message.error)
