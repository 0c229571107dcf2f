"""Looks after one camera while it streams: is it still there, how full is the queue, how sharp the picture."""

import time

from twinlens.capture.focus import focus_score, saturated_fraction
from twinlens.capture.frame import CameraRole, Frame
from twinlens.capture.genicam import Camera
from twinlens.capture.latch import require_alive
from twinlens.capture.messages import Status
from twinlens.capture.recorder import Recorder

STATUS_S = 0.5
ALIVE_S = 1.0
"""An unplugged camera sends no frames and no error; only a question shows that it is gone."""


class Vitals:
    """What the live view shows of one camera."""

    def __init__(self, role: CameraRole, camera: Camera) -> None:
        self.idle_frames = 0
        self.last_frame: Frame | None = None
        self._role = role
        self._camera = camera
        self._next_status_s = self._next_question_s = time.monotonic()

    def check(self, recorder: Recorder | None) -> Status | None:
        """A status when one is due; asks the camera whether it is there when that is due.

        Raises:
            CameraLostError: it does not answer.
        """
        now_s = time.monotonic()
        if now_s >= self._next_question_s:
            self._next_question_s = now_s + ALIVE_S
            require_alive(self._camera)
        if now_s < self._next_status_s:
            return None
        self._next_status_s = now_s + STATUS_S
        frame = self.last_frame
        return Status(
            camera=self._role,
            queued=recorder.queued if recorder is not None else 0,
            queue_high_water=recorder.queue_high_water if recorder is not None else 0,
            saturated=saturated_fraction(frame.pixels, bit_depth=frame.bit_depth) if frame is not None else 0.0,
            focus=focus_score(frame.pixels) if frame is not None else 0.0,
            idle_frames=self.idle_frames,
        )
