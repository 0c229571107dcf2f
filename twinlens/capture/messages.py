"""What travels between the parent and a camera's process: commands down, records up, no images."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from twinlens.capture.clock import ClockLatch
from twinlens.capture.configure import SensorSetting
from twinlens.capture.frame import CameraRole, FrameRecord
from twinlens.capture.genicam import CameraInfo, FeatureValue
from twinlens.capture.match_commands import Commanded
from twinlens.capture.pairing import Loss
from twinlens.capture.rig_file import RigSettings
from twinlens.errors import TwinlensError


@dataclass(frozen=True, slots=True)
class Job:
    """What a camera's process is started with."""

    role: CameraRole
    serial: str
    producer: Path
    settings: RigSettings
    session_id: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Write:
    """Command: set these features while streaming."""

    features: tuple[tuple[str, FeatureValue], ...]


@dataclass(frozen=True, slots=True)
class Fire:
    """Command: execute the software trigger."""

    trigger_index: int


@dataclass(frozen=True, slots=True)
class Begin:
    """Command: record frames from now on, as part of this take and this start of the recording."""

    take: int
    arming: int
    exposure_us: float
    gain_db: float


Command = Write | Fire | Begin | Literal["arm", "end", "finish"]
"""To a camera's process; "end" ends a take."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The camera is open and set as asked."""

    info: CameraInfo
    setting: SensorSetting


@dataclass(frozen=True, slots=True)
class Armed:
    """The camera streams and waits for triggers."""

    flushed_frames: int


@dataclass(frozen=True, slots=True)
class Done:
    """The features asked for are set, or the take has ended."""


@dataclass(frozen=True, slots=True)
class Begun:
    """Frames are recorded from now on."""

    latch: ClockLatch | None
    """None when the camera's clock cannot be read."""
    last_index: int
    """Of the last frame before, by its block id; -1 when none came since arming."""


@dataclass(frozen=True, slots=True)
class Status:
    """How a camera's process is doing, twice a second."""

    camera: CameraRole
    queued: int
    """Frames that wait to be written."""
    queue_high_water: int
    saturated: float
    """Fraction of the last frame's pixels."""
    focus: float
    idle_frames: int
    """Frames that came outside a take; not recorded."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The stream is stopped and every frame is on disk."""

    incomplete_frames: int
    stream: dict[str, int]


@dataclass(frozen=True, slots=True)
class Failed:
    """The camera's process ends with this error."""

    camera: CameraRole
    error: TwinlensError


Message = FrameRecord | Loss | Commanded | Status | Failed
"""From a camera's process while it records; the other answers are asked for one by one."""
