"""What may go wrong with one virtual camera, chosen in advance; the defaults are a camera without faults.

The stream's faults are applied in `packet_faults` and `streamer`, the device's in `outage` and `firmware`.
What then really happened stands in the camera's log.
"""

from dataclasses import dataclass, fields

from twinlens.capture.virtual.gvsp import LAST_BLOCK_ID
from twinlens.errors import SettingsError
from twinlens.settings import Settings

_FRACTIONS = (
    *("drop", "drop_leader", "drop_trailer", "reorder", "duplicate", "delay"),
    *("corrupt", "resends_drop", "miss"),
)
_TRIGGER_LISTS = ("missed_triggers", "late_triggers", "lost_frames")
_DAY_S = 86_400.0
_LIMITS: dict[str, tuple[float, float]] = {
    "drop_burst": (1, 100_000),
    "delay_ms": (0, 10_000),
    "stall_at_frame": (-1, 2**31),
    "stall_ms": (0, 60_000),
    "extra_frames": (0, 100),
    "late_ms": (0, 10_000),
    "first_block_id": (1, LAST_BLOCK_ID),
    "clock_offset_s": (0, 100 * 365 * _DAY_S),
    "clock_drift_ppm": (-100_000, 100_000),
    "clock_jitter_us": (0, 1e6),
    "unplug_after_frames": (-1, 2**31),
    "replug_after_s": (0, _DAY_S),
    "steal_control_after_s": (0, _DAY_S),
    "mute_heartbeat_after_s": (0, _DAY_S),
    "seed": (0, 2**63 - 1),
}


@dataclass(frozen=True, kw_only=True)
class Faults(Settings):
    """Everything that goes wrong with one camera; equal settings and seed give equal choices."""

    drop: float = 0.0
    """Fraction of payload packets that never leave the camera."""
    drop_burst: int = 1
    """Consecutive packets lost per event; `drop` stays the fraction of packets."""
    drop_leader: float = 0.0
    """Fraction of leaders that never leave the camera."""
    drop_trailer: float = 0.0
    """Fraction of trailers that never leave the camera."""
    reorder: float = 0.0
    """Fraction of payload packets that arrive behind their successor."""
    duplicate: float = 0.0
    """Fraction of payload packets that arrive twice."""
    delay: float = 0.0
    """Fraction of payload packets that are held back for `delay_ms`."""
    delay_ms: float = 0.0
    """How long a delayed packet is held back."""
    corrupt: float = 0.0
    """Fraction of frames with one packet of a wrong length or a senseless header among theirs."""
    resends_drop: float = 0.0
    """Fraction of resent packets that are lost too."""
    stall_at_frame: int = -1
    """Frame, counted since arming from 0, in whose middle the stream pauses; -1 = none."""
    stall_ms: float = 0.0
    """How long that pause is."""

    missed_triggers: tuple[int, ...] = ()
    """Numbers of triggers that make no frame and use no block id."""
    miss: float = 0.0
    """Fraction of triggers that make no frame and use no block id."""
    extra_frames: int = 0
    """Frames nobody triggered, sent right after arming."""
    late_triggers: tuple[int, ...] = ()
    """Numbers of triggers that are exposed `late_ms` late."""
    late_ms: float = 0.0
    """How late those triggers are exposed."""
    lost_frames: tuple[int, ...] = ()
    """Numbers of triggers whose frame uses a block id but of which no packet is sent."""
    first_block_id: int = 1
    """Block id of the first frame after every stream start; 65400 meets the wrap to 1 soon."""

    clock_offset_s: float = 0.0
    """What the camera's clock shows at power-up."""
    clock_drift_ppm: float = 0.0
    """How much faster than the host's the camera's clock runs."""
    clock_jitter_us: float = 0.0
    """Standard deviation of the error of one timestamp."""
    ignores_test_packets: bool = False
    """A host's request for a test packet is acknowledged, and nothing is sent."""
    offers_resend: bool = True
    """Whether the capability bit of packet resend is set and requests are obeyed."""
    unplug_after_frames: int = -1
    """Complete frames since power-up after which the camera vanishes in the middle of the next; -1 = never."""
    replug_after_s: float = 0.0
    """Time from vanishing to power-up with default settings; 0 = never. It is unplugged only once."""
    steal_control_after_s: float = 0.0
    """Time since control was first taken after which another host owns the camera; 0 = never."""
    mute_heartbeat_after_s: float = 0.0
    """Time since control was first taken after which no command is answered while frames still come,
    until that owner has been silent for its heartbeat timeout; 0 = never."""

    seed: int = 0
    """Seed of all chances above."""

    def check(self) -> None:
        """Raise `SettingsError` where a value cannot work."""
        for name in _FRACTIONS:
            self.require(name, minimum=0.0, maximum=1.0)
        for name, (minimum, maximum) in _LIMITS.items():
            self.require(name, minimum=minimum, maximum=maximum)
        for name in _TRIGGER_LISTS:
            numbers = getattr(self, name)
            if any(number < 0 for number in numbers):
                raise SettingsError(
                    f"Faults.{name} is {numbers!r}; triggers are counted from 0",
                    hint=f"give {name} numbers of 0 and more",
                )

    @property
    def is_none(self) -> bool:
        """True for a camera without faults."""
        return all(getattr(self, f.name) == f.default for f in fields(self) if f.name != "seed")
