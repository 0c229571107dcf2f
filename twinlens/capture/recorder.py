"""Writes one camera's frames into segments, off the acquisition thread."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from twinlens.capture.frame import CameraRole, Frame, FrameRecord
from twinlens.capture.segment import DETECTOR, Segment, read_rows
from twinlens.errors import HostLimitError

__all__ = ["DETECTOR", "Recorder", "read_rows"]

log = logging.getLogger(__name__)

QUEUE_FRAMES = 80
"""4 s at 20 fps: disks were seen to stall for almost 1 s."""
SEGMENT_FRAMES = 400
"""About 2 GB of 8-bit frames, 20 s at 20 fps."""
FLUSH_S = 0.8
"""No frame older than a second may be lost; the flush itself takes some time."""
STALLED_S = 1.0
PutAnswer = Literal["queued", "queue full", "writer stalled"]


class Recorder:
    """A bounded queue and the thread that empties it into segments."""

    def __init__(
        self,
        folder: Path,
        camera: CameraRole,
        *,
        attributes: Mapping[str, Any],
        on_written: Callable[[FrameRecord], None],
        first_segment: int = 0,
    ) -> None:
        self.queue_high_water = 0
        self.frames_written = 0
        self.slowest_write_s = 0.0
        self._folder = folder
        self._camera = camera
        self._attributes = dict(attributes)
        self._on_written = on_written
        self._queue: queue.Queue[Frame | None] = queue.Queue(QUEUE_FRAMES)
        self._segment: Segment | None = None
        self._next_segment = first_segment
        self._flush_due_s = 0.0
        self._busy_since_s: float | None = None
        self._error: Exception | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._thread = threading.Thread(target=self._run, name=f"recorder-{camera}", daemon=True)
        self._thread.start()

    @property
    def queued(self) -> int:
        """Frames that wait to be written."""
        return self._queue.qsize()

    def put(self, frame: Frame) -> PutAnswer:
        """Queue a frame, or say why there is no room for it; the caller counts it as lost.

        "writer stalled": one write takes longer than a second; "queue full": the disk is too slow altogether.

        Raises:
            HostLimitError: writing failed, for instance on a full disk.
        """
        self._check()
        try:
            self._queue.put_nowait(frame)
        except queue.Full:
            since_s = self._busy_since_s
            return "writer stalled" if since_s and time.monotonic() - since_s > STALLED_S else "queue full"
        self.queue_high_water = max(self.queue_high_water, self._queue.qsize())
        return "queued"

    def close(self, *, timeout_s: float = 60.0) -> None:
        """Write what is queued, seal the last segment and stop.

        Raises:
            HostLimitError: it could not be done (in time).
        """
        if self._thread.is_alive():
            with suppress(queue.Full):
                self._queue.put(None, timeout=timeout_s)
            self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise HostLimitError(
                f"camera {self._camera}: {self._queue.qsize()} frames could not be written in {timeout_s:g} s",
                hint="record to a faster disk",
            )
        self._check()

    def _check(self) -> None:
        if self._error is not None:
            raise HostLimitError(
                f"camera {self._camera}: writing to {self._folder} failed: {self._error}",
                hint="check free space and permissions of the output folder",
            ) from self._error

    def _run(self) -> None:
        try:
            while True:
                try:
                    frame = self._queue.get(timeout=FLUSH_S / 4)
                except queue.Empty:
                    self._flush_when_due()
                    continue
                if frame is None:
                    break
                self._write(frame)
                self._flush_when_due()
            self._seal()
        except Exception as error:  # noqa: BLE001 - the top of a thread: forwarded by put and close
            with suppress(Exception):  # the frames before this one may still be sealed
                self._seal()
            self._error = error
            with suppress(queue.Empty):  # so that nobody waits for room in a queue that is not read any more
                while True:
                    self._queue.get_nowait()

    def _write(self, frame: Frame) -> None:
        self._busy_since_s = started_s = time.monotonic()
        if self._segment is None:
            path = self._folder / f"seg_{self._next_segment:06d}.h5"
            attributes = {**self._attributes, "segment_index": self._next_segment, "role": self._camera}
            self._segment = Segment(path, frame, attributes)
            self._next_segment += 1
            self._flush_due_s = started_s + FLUSH_S
        record = self._segment.append(frame)
        self.frames_written += 1
        if self._segment.frames == SEGMENT_FRAMES:
            self._seal()
        self.slowest_write_s = max(self.slowest_write_s, time.monotonic() - started_s)
        self._busy_since_s = None
        self._on_written(record)

    def _flush_when_due(self) -> None:
        if self._segment is not None and time.monotonic() >= self._flush_due_s:
            self._busy_since_s = time.monotonic()
            self._segment.flush()
            self._flush_due_s = time.monotonic() + FLUSH_S
            self._busy_since_s = None

    def _seal(self) -> None:
        segment, self._segment = self._segment, None
        if segment is not None:
            segment.seal()
