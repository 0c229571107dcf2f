"""What a camera's process says of frames that never came."""

import multiprocessing
from pathlib import Path

import pytest

from twinlens.capture.genicam import Camera
from twinlens.capture.messages import Begin, Job
from twinlens.capture.rig_file import RigSettings
from twinlens.capture.worker import _Worker


class ShortOfBuffers(Camera):
    """A camera whose producer had no free buffer for some frames."""

    def __init__(self):
        self.underruns = 0

    def stream_statistics(self):
        return {"StreamUnderrunCount": self.underruns}


@pytest.fixture
def told(tmp_path):
    """A worker within a take, the camera it holds, and the losses it has told so far."""
    near, far = multiprocessing.Pipe()
    camera = ShortOfBuffers()
    worker = _Worker(far, Job("a", "S1", Path("none.cti"), RigSettings(), "id", tmp_path), camera)
    worker._take = Begin(0, 0, 1000.0, 0.0)

    def losses():
        found = []
        while near.poll():
            found.append(near.recv())
        return [(loss.frame_index, loss.reason) for loss in found]

    yield worker, camera, losses
    near.close()
    far.close()


def test_an_underrun_counted_before_its_gap_is_reached_is_told_when_it_is(told):
    worker, camera, losses = told
    worker._tell_losses([], 1)
    worker._index_of(1)
    camera.underruns = 3  # ids 2, 5 and 6; the producer is ahead of the frames fetched
    for frame_id in (3, 4, 7):
        worker._tell_losses([], frame_id)
        worker._index_of(frame_id)
    assert losses() == [(1, "queue full"), (4, "queue full"), (5, "queue full")]
