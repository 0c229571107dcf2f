"""Writes a session as `twinlens capture` leaves it, straight from the twin's pictures: no cameras, no wire."""

from collections.abc import Sequence
from pathlib import Path

from twinlens.capture.frame import CameraRole, Frame, FrameRecord
from twinlens.capture.ledger import ROLES
from twinlens.capture.manifest import Manifest, RecordedTake
from twinlens.capture.recorder import Recorder
from twinlens.capture.session import Session
from twinlens.capture.virtual.sensor import REFERENCE_EXPOSURE_US
from twinlens.capture.virtual.source import Shot
from twinlens.capture.virtual.twin import RigTwin

PERIOD_NS = 50_000_000


def write_session(folder: Path, twin: RigTwin, pairs_per_scene: Sequence[int], *, first_scene: int = 0) -> Session:
    """A session of so many pairs of each of the twin's scenes from `first_scene` on, all in its first state."""
    folder.mkdir(parents=True)
    shots: list[Shot] = []
    takes = []
    for step, count in enumerate(pairs_per_scene):
        scene = first_scene + step
        takes.append(RecordedTake(twin.scene_names[scene], twin.mirror_states[0], len(shots)))
        shots += [
            Shot(
                trigger_index=len(shots) + k,
                scene_index=scene,
                mirror_state_index=0,
                exposure_us=REFERENCE_EXPOSURE_US,
                gain_db=0.0,
            )
            for k in range(count)
        ]
    roles: tuple[CameraRole, ...] = ROLES
    for camera in roles:
        recorder = Recorder(folder / camera, camera, attributes={}, on_written=lambda _: None)
        for shot in shots:
            while recorder.put(Frame(twin.frame(camera, shot), _record(camera, shot))) != "queued":
                pass
        recorder.close()
    Manifest(
        id=f"session_{folder.name}",
        complete=True,
        cameras={"a": {"serial": "A"}, "b": {"serial": "B"}},
        settings={},
        producer="twin",
        shape_hw=twin.shape_hw,
        bit_depth=8,
        takes=tuple(takes),
        triggers=len(shots),
        ledger=(),
        stream={},
    ).write(folder)
    return Session(folder)


def _record(camera: CameraRole, shot: Shot) -> FrameRecord:
    return FrameRecord(
        camera=camera,
        trigger_index=shot.trigger_index,
        frame_id=shot.trigger_index + 1,
        camera_time_ns=(shot.trigger_index + 1) * PERIOD_NS,
        host_time_ns=(shot.trigger_index + 1) * PERIOD_NS,
        exposure_us=shot.exposure_us,
        gain_db=shot.gain_db,
        complete=True,
        lost_packets=0,
        xxh3=0,
    )
