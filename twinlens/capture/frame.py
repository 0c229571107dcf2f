"""What a camera delivers: frames with their records, and pairs of them."""

from dataclasses import dataclass
from typing import Literal

from twinlens.pixels import Mono

CameraRole = Literal["a", "b"]


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """Everything known about one frame except its pixels."""

    camera: CameraRole
    """Which camera: "a" sees the scene sharp, "b" behind the mirror."""
    trigger_index: int
    """0 for the first trigger after arming; the key that makes pairs."""
    frame_id: int
    """Block id as the camera sent it."""
    camera_time_ns: int
    """Camera clock at exposure."""
    host_time_ns: int
    """Host monotonic clock at delivery."""
    exposure_us: float
    gain_db: float
    complete: bool
    lost_packets: int
    xxh3: int
    """xxh3-64 of the pixel bytes."""
    arming: int = 0
    """Which start of the recording it belongs to: 0 the first, one more after each reconnection of a camera."""
    take: int = 0
    """Which take of the session it was recorded for."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One image with its record."""

    pixels: Mono
    record: FrameRecord
    bit_depth: int = 8
    """Bits of a pixel that carry information: 8, or 10 in a uint16."""


@dataclass(frozen=True, slots=True)
class MirrorState:
    """What the deformable mirror was told to do: a label, and its drive values when known."""

    label: str
    values: tuple[float, ...] = ()
    """Drive values in `unit`: actuator volts of a real mirror, Noll Zernike coefficients of the twin."""
    unit: str = ""
    """"V" or "waves"; empty when there are no values."""


@dataclass(frozen=True, slots=True)
class FramePair:
    """A's and B's frame of one trigger."""

    a: Frame
    b: Frame
    scene: str
    mirror_state: MirrorState
    clock_offset_ns: int = 0
    """B's clock minus A's over the session."""

    @property
    def skew_ns(self) -> int:
        """B's exposure time minus A's, with the offset of their clocks removed."""
        return self.b.record.camera_time_ns - self.a.record.camera_time_ns - self.clock_offset_ns

    @property
    def trigger_index(self) -> int:
        """The trigger both frames answer."""
        return self.a.record.trigger_index
