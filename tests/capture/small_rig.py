"""Small sessions as recordings leave them, of textures both cameras see alike, and the calibration they need."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from twinlens.calibrate import Calibrations, CalibrationSettings, Photometric, RigCalibration
from twinlens.capture.frame import CameraRole, Frame, FrameRecord, MirrorState
from twinlens.capture.recorder import Recorder
from twinlens.capture.session import Manifest, RecordedTake, Session

SHAPE_HW = (192, 224)
SCENES = ("house", "tower", "bridge")
FLAT = MirrorState("flat")


def texture(seed: int, shape_hw: tuple[int, int], *, bit_depth: int = 8) -> np.ndarray:
    rng = np.random.default_rng(seed)
    levels = rng.integers(20, 220, (shape_hw[0] // 4, shape_hw[1] // 4)) << (bit_depth - 8)
    return np.kron(levels, np.ones((4, 4))).astype(np.uint8 if bit_depth <= 8 else np.uint16)


def write_session(
    folder: Path,
    *,
    scenes: Sequence[str] = SCENES,
    pairs_per_scene: int = 1,
    shape_hw: tuple[int, int] = SHAPE_HW,
    bit_depth: int = 8,
    serial_a: str = "A",
    wrong_pair: int = -1,
    unused_state: bool = False,
    b_moved_px: int = 0,
    reference_scene: str = "",
) -> Session:
    """A session named after its folder; every trigger has a picture of its own."""
    count = len(scenes) * pairs_per_scene
    roles: tuple[CameraRole, CameraRole] = ("a", "b")
    for camera in roles:
        recorder = Recorder(folder / camera, camera, attributes={}, on_written=lambda _: None)
        for i in range(count):
            seed = 9999 if camera == "a" and i == wrong_pair else _seed(scenes[i // pairs_per_scene], i)
            pixels = texture(seed, shape_hw, bit_depth=bit_depth)
            moved = np.roll(pixels, b_moved_px if camera == "b" else 0, axis=1)
            recorder.put(Frame(moved, _record(camera, i), bit_depth))
        recorder.close()
    takes = [
        RecordedTake(scene, FLAT, i * pairs_per_scene, kind="reference" if scene == reference_scene else "scene")
        for i, scene in enumerate(scenes)
    ]
    if unused_state:
        takes.append(RecordedTake("nothing", MirrorState("bent"), count))
    Manifest(
        id=f"session_{folder.name}",
        complete=True,
        cameras={"a": {"serial": serial_a}, "b": {"serial": "B"}},
        settings={},
        producer="x.cti",
        shape_hw=shape_hw,
        bit_depth=bit_depth,
        takes=tuple(takes),
        triggers=count,
        ledger=(),
        stream={},
    ).write(folder)
    return Session(folder)


def identity_state(
    *, mirror_state: str = "flat", bit_depth: int = 8, shape_hw: tuple[int, int] = SHAPE_HW
) -> RigCalibration:
    """The calibration of two cameras that see exactly the same, in one mirror state."""
    kernel = np.zeros((3, 3))
    kernel[1, 1] = 1.0
    return RigCalibration(
        mirror_state=mirror_state,
        b_from_a=np.eye(3),
        kernel=kernel,
        gauge="none",
        photometric=Photometric(gain=1.0, vignette=0.0, offset=0.0),
        corner_covariance=np.eye(8),
        pairs_used=1,
        session_ids=("s",),
        shape_hw=shape_hw,
        bit_depth=bit_depth,
        sigma_px=0.0,
        residual_px=0.0,
        residual_p95_px=0.0,
        tile_ncc=1.0,
        seconds=0.0,
        settings=CalibrationSettings(tile_px=32),
    )


def identity_calibration(
    path: Path, *, mirror_state: str = "flat", bit_depth: int = 8, serials: tuple[str, str] | None = None
) -> Path:
    """Writes it to `path`."""
    state = identity_state(mirror_state=mirror_state, bit_depth=bit_depth)
    Calibrations((state,), serials=serials).write(path)
    return path


def _seed(scene: str, trigger: int) -> int:
    return trigger + 1000 * sum(scene.encode())


def _record(camera: CameraRole, trigger: int) -> FrameRecord:
    return FrameRecord(
        camera=camera,
        trigger_index=trigger,
        frame_id=trigger + 1,
        camera_time_ns=1 + trigger,
        host_time_ns=1 + trigger,
        exposure_us=10.0,
        gain_db=0.0,
        complete=True,
        lost_packets=0,
        xxh3=0,
    )
