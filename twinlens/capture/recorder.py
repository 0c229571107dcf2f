"""Takes one camera's frames off the acquisition thread: a bounded queue, and the thread that writes segments."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from twinlens.capture.frame import CameraRole, Frame, FrameRecord
from twinlens.capture.rows import DETECTOR, FRAME_ROW, SEGMENT_SCHEMA, SEGMENT_VERSION, read_rows
from twinlens.capture.segment import PART, Segment
from twinlens.errors import HostLimitError
from twinlens.storage import hold_folder

__all__ = ["DETECTOR", "FRAME_ROW", "SEGMENT_SCHEMA", "SEGMENT_VERSION", "PutAnswer", "Recorder", "read_rows"]

log = logging.getLogger(__name__)

PutAnswer = Literal["queued", "queue full", "writer stalled"]

QUEUE_FRAMES = 80
"""4 s at 20 fps: disks were seen to stall for almost 1 s."""
SEGMENT_FRAMES = 1024
"""51 s at 20 fps: what a segment that goes bad can cost."""
SEGMENT_BYTES = 2 * 10**9
DURABLE_S = 0.8
"""With the sync that follows, no frame is at risk for more than a second."""
STALLED_S = 1.0
HOPELESS_S = 10.0
"""A disk that takes longer than this for one frame ends the recording."""


class Recorder:
    """Writes the frames of one camera; their segments are `folder`/seg_NNNNNN.h5."""

    def __init__(
        self,
        folder: Path,
        camera: CameraRole,
        *,
        attributes: Mapping[str, Any],
        on_written: Callable[[FrameRecord], None],
        first_segment: int = 0,
    ) -> None:
        """Start the writer thread.

        `on_written` is called on it for each frame in the file, which no power cut can take a second later.

        Raises:
            HostLimitError: another recorder, or a repair, holds the folder.
        """
        self._folder = folder
        self._camera = camera
        self._attributes = dict(attributes)
        self._on_written = on_written
        self._queue: queue.Queue[Frame | None] = queue.Queue(QUEUE_FRAMES)
        self._segment: Segment | None = None
        self._durable_due_s = 0.0
        self._busy_since_s: float | None = None
        self._error: Exception | None = None
        self.segments = first_segment
        """Number of the next segment."""
        self.queue_high_water = 0
        self.frames_written = 0
        self.bytes_written = 0
        self.slowest_write_s = 0.0
        self._frames_put = self._frames_told = 0
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._hold = hold_folder(folder)
        except BlockingIOError as cause:
            raise HostLimitError(
                f"{folder} is being written by another process", hint="wait until it has ended, or stop it"
            ) from cause
        self._thread = threading.Thread(target=self._run, name=f"recorder-{camera}", daemon=True)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        """Whether every frame so far is in the file and told.

        Raises:
            HostLimitError: writing failed.
        """
        self._check()
        return self._frames_told == self._frames_put

    @property
    def queued(self) -> int:
        """Frames that wait to be written."""
        return self._queue.qsize()

    def put(self, frame: Frame) -> PutAnswer:
        """Queue a frame; unless "queued" is answered it is not recorded, and the caller counts a loss.

        "writer stalled" says that one write has lasted for more than a second, "queue full" that writing is slow.

        Raises:
            HostLimitError: writing failed, for instance on a full disk, or the disk stopped taking frames.
        """
        self._check()
        try:
            self._queue.put_nowait(frame)
        except queue.Full:
            return self._why_full()
        self._frames_put += 1
        self.queue_high_water = max(self.queue_high_water, self._queue.qsize())
        return "queued"

    def close(self, *, timeout_s: float = 60.0) -> None:
        """Write what is queued, seal the last segment and stop.

        Raises:
            HostLimitError: writing failed, or took too long; what could be written is sealed or can be repaired.
        """
        deadline_s = time.monotonic() + timeout_s
        if self._thread.is_alive():
            with suppress(queue.Full):
                self._queue.put(None, timeout=timeout_s)
            self._thread.join(max(0.0, deadline_s - time.monotonic()))
        if self._thread.is_alive():
            raise HostLimitError(
                f"camera {self._camera}: {self._queue.qsize()} frames could not be written in {timeout_s:g} s",
                hint="record to a faster disk",
            )
        self._check()

    def _why_full(self) -> PutAnswer:
        busy_since_s = self._busy_since_s
        busy_s = 0.0 if busy_since_s is None else time.monotonic() - busy_since_s
        if busy_s > HOPELESS_S:
            raise HostLimitError(
                f"camera {self._camera}: the disk of {self._folder} has not taken a frame for {busy_s:.0f} s",
                hint="record to a faster disk, and look for disk errors in the system log",
            )
        return "writer stalled" if busy_s > STALLED_S else "queue full"

    def _check(self) -> None:
        if self._error is not None:
            raise HostLimitError(
                f"camera {self._camera}: writing to {self._folder} failed: {self._error}",
                hint="check free space and permissions of the output folder",
            ) from self._error

    def _run(self) -> None:
        try:
            with self._hold:
                self._empty_queue()
        except Exception as error:  # noqa: BLE001 - the top of a thread: forwarded by put and close
            self._error = error
            with suppress(queue.Empty):  # so that nobody waits for room in a queue that is not read any more
                while True:
                    self._queue.get_nowait()

    def _empty_queue(self) -> None:
        try:
            while (frame := self._next()) is not None:
                self._write(frame)
        except Exception:
            with suppress(Exception):  # the frames before this one may still be sealed
                self._seal()
            raise
        self._seal()

    def _next(self) -> Frame | None:
        """The next frame, None at the end; what was written becomes safe in time, also when none comes."""
        while True:
            wait_s = None
            if self._segment is not None and not self._segment.is_durable:
                wait_s = self._durable_due_s - time.monotonic()
                if wait_s <= 0:
                    self._make_durable(self._segment)
                    continue
                if self._queue.empty():  # while there is time, so that a killed process loses next to nothing
                    self._segment.flush()
            with suppress(queue.Empty):
                return self._queue.get(timeout=wait_s)

    def _write(self, frame: Frame) -> None:
        with self._busy():
            segment = self._segment_for(frame)
            record = segment.append(frame)
        self.frames_written += 1
        self.bytes_written += frame.pixels.nbytes
        self._on_written(record)
        self._frames_told += 1
        if segment.frames == SEGMENT_FRAMES or segment.frames * frame.pixels.nbytes >= SEGMENT_BYTES:
            self._seal()

    def _segment_for(self, frame: Frame) -> Segment:
        if self._segment is not None and not self._segment.fits(frame):
            self._seal()
        if self._segment is None:
            while (path := self._folder / f"seg_{self.segments:06d}.h5").exists() or _part(path).exists():
                self.segments += 1  # nothing that is there is ever written over
            attributes = {**self._attributes, "segment_index": self.segments, "role": self._camera}
            self._segment = Segment(path, frame.pixels.shape, frame.pixels.dtype, attributes)
            self.segments += 1
        return self._segment

    def _make_durable(self, segment: Segment) -> None:
        with self._busy():
            segment.make_durable()
        self._durable_due_s = time.monotonic() + DURABLE_S

    def _seal(self) -> None:
        segment, self._segment = self._segment, None
        if segment is not None:
            with self._busy():
                segment.seal()

    @contextmanager
    def _busy(self) -> Iterator[None]:
        """Let the acquisition thread see how long the disk takes."""
        started_s = time.monotonic()
        self._busy_since_s = started_s
        try:
            yield
        finally:
            self._busy_since_s = None
            self.slowest_write_s = max(self.slowest_write_s, time.monotonic() - started_s)


def _part(path: Path) -> Path:
    return path.with_name(path.name + PART)
