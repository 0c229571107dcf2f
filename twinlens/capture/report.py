"""What to record, and how it went: the values that capture takes and gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from twinlens.capture.clock import Skew
from twinlens.capture.frame import CameraRole, MirrorState
from twinlens.capture.genicam import FeatureValue
from twinlens.capture.manifest import SeriesKind
from twinlens.capture.pairing import Gap, Slip
from twinlens.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Take:
    """What to record of one scene under one mirror state: a number of pairs, or as many as a time brings."""

    scene: str
    pairs: int = 0
    mirror_state: MirrorState = field(default_factory=lambda: MirrorState("unknown"))
    features: Mapping[str, FeatureValue] = field(default_factory=dict)
    """Features set on both cameras first, such as the virtual rig's scene selector."""
    duration_s: float = 0.0
    kind: SeriesKind = "scene"
    exposure_us: float | None = None
    """Instead of the rig's, for this take."""
    gain_db: float | None = None
    """Instead of the rig's, for this take."""
    replaces_previous: int = 0
    """So many takes before this one were no good."""

    def require_sense(self) -> None:
        """Raise `SettingsError` unless either pairs or a time is asked for."""
        if (self.pairs > 0) == (self.duration_s > 0):
            asked = "no pairs were asked for" if self.pairs <= 0 else "both pairs and a duration were asked for"
            raise SettingsError(asked, hint="ask for at least one pair of one scene, or for a duration")


@dataclass(frozen=True, slots=True)
class CaptureReport:
    """How a session went, so far or in the end. Numbers only."""

    session_id: str
    folder: str
    scene: str
    """Being recorded, or recorded last."""
    pairs_wanted: int
    """0 where only times were asked for."""
    pairs: int
    scenes: int
    triggers: int
    frames: dict[str, int]
    """Complete frames per camera."""
    frames_lost: int
    """Frames that a trigger asked for and that are not on disk."""
    ledger: tuple[Gap, ...]
    skew: Skew | None
    """None without camera times or with fewer than three pairs."""
    flushed_frames: dict[CameraRole, int]
    stream: dict[str, dict[str, int]]
    """Per camera: the producer's counters; empty until the end."""
    producer: str
    seconds: float
    synchronised: bool = True
    """False where nothing makes the cameras expose together."""
    slips: tuple[Slip, ...] = ()
    unasked_frames: int = 0
    """Recorded frames that answer no trigger; they are in no pair."""
    armings: int = 1
    """Starts of the recording: one more for each reconnection."""
    drift_ppm: float | None = None
    """How much faster B's clock runs; None unless there is data enough to claim it."""
    rate_hz: float = 0.0
    """Pairs per second, lately."""
    queued: dict[str, int] = field(default_factory=dict)
    queue_high_water: dict[str, int] = field(default_factory=dict)
    disk_left_bytes: int = 0
    pair_bytes: int = 0
    """What one pair takes on the disk; 0 before the cameras are open."""
    saturated: dict[str, float] = field(default_factory=dict)
    """Fraction of the last frame's pixels, per camera."""
    focus: dict[str, float] = field(default_factory=dict)
    ended: str = ""
    """Why the recording ended before it was complete."""

    @property
    def complete(self) -> bool:
        """Whether every pair asked for is there."""
        return self.pairs >= self.pairs_wanted and not self.ended
