"""How a virtual camera behaves on the network when nothing goes wrong."""

from dataclasses import dataclass

from twinlens.settings import Settings


@dataclass(frozen=True, kw_only=True)
class VirtualCameraSettings(Settings):
    """How a virtual camera behaves on the network."""

    bytes_per_s: float = 125e6
    """Pace of the stream: what a 1 GbE link carries."""
    use_segmentation: bool = True
    """Hand the kernel many packets at once (UDP_SEGMENT). Receivers that read raw packets need False."""
    trigger_queue: int = 4
    """Triggers that may wait while a frame is being sent."""
    user_name: str = ""
    """DeviceUserID after power-up."""
    offers_action: bool = True
    """Whether the camera knows action commands."""
    offers_ptp: bool = False
    """Whether the camera can follow a master clock, and with it obey scheduled action commands."""
    slow_command_ms: int = 0
    """How long AcquisitionStart and UserSetLoad take; above 0 they are acknowledged as pending first."""

    def check(self) -> None:
        """Raise `SettingsError` where a value cannot work."""
        self.require("bytes_per_s", minimum=1e5, maximum=1e11)
        self.require("trigger_queue", minimum=1, maximum=1000)
        self.require("slow_command_ms", minimum=0, maximum=5000)
