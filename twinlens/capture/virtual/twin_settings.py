"""The rig that a twin simulates, in numbers."""

from dataclasses import dataclass
from typing import Any

from twinlens.errors import SettingsError
from twinlens.settings import Settings


@dataclass(frozen=True, kw_only=True)
class TwinSettings(Settings):
    """The rig that is simulated; the defaults are the demo's."""

    seed: int = 2024
    """Everything random follows from it: mirror states, drawn scenes, noise."""
    shape_hw: tuple[int, int] = (2048, 2592)
    """Height and width of both sensors in px."""
    streets: int = 16
    """Scenes that are drawn, where no photographs are given: those beyond the first 15 carry no photograph."""
    rms_waves: tuple[float, ...] = (0.5,)
    """One mirror state for each: total aberration in waves RMS, 0 to 1.5; 0 is a flat mirror."""
    coma_trefoil_share: float = 0.58
    """Share of every mirror state's variance in coma and trefoil, 0 to 1."""
    rotation_deg: float = 1.0
    """B's picture is turned clockwise by this against A's."""
    scale: float = 1.02
    """B's picture is larger than A's by this factor."""
    shift_xy: tuple[float, float] = (14.3, -9.6)
    """Where A's centre lies on B, in px from B's centre."""
    perspective_xy: tuple[float, float] = (0.002, -0.0015)
    """Relative change of B's magnification from the centre to the right and lower edge."""
    gain_b: float = 0.9
    """Light on B relative to A."""
    offset_a_dn: float = 2.0
    """Dark level of A in grey levels."""
    offset_b_dn: float = 6.0
    """Dark level of B in grey levels."""
    vignette_a: float = 0.02
    """Loss of light in A's corners, 0 to 1."""
    vignette_b: float = 0.10
    """Loss of light in B's corners, 0 to 1."""
    full_well_e: float = 10_000.0
    """Electrons at full scale and 0 dB."""
    read_noise_e: float = 8.0
    """Electrons RMS per pixel and exposure, without light."""
    dsnu_dn: float = 0.0
    """Standard deviation of the pixels' dark levels in grey levels; each camera draws its own pattern."""
    prnu_percent: float = 0.0
    """Standard deviation of the pixels' response to light in percent."""
    hot_pixels: int = 0
    """Pixels of each camera that are bright in the dark."""
    dead_pixels: int = 0
    """Pixels of each camera that hardly answer to light."""
    memory_mib: int = 768
    """Rendered scenes that are kept; one scene of one camera at full size takes 10.1 MiB."""

    def check(self) -> None:
        """Raise `SettingsError` where a value cannot be simulated."""
        self.require("seed", minimum=0, maximum=2**32 - 1)
        self.require("streets", minimum=1, maximum=10_000)
        self.require("rotation_deg", minimum=-20, maximum=20)
        self.require("scale", minimum=0.8, maximum=1.25)
        for name in ("coma_trefoil_share", "vignette_a", "vignette_b"):
            self.require(name, minimum=0, maximum=1)
        self.require("gain_b", minimum=0.05, maximum=1.5)
        self.require("full_well_e", minimum=100, maximum=1e7)
        self.require("read_noise_e", minimum=0, maximum=1000)
        self.require("memory_mib", minimum=16, maximum=1 << 20)
        for name in ("offset_a_dn", "offset_b_dn"):
            self.require(name, minimum=0, maximum=64)
        self.require("dsnu_dn", minimum=0, maximum=16)
        self.require("prnu_percent", minimum=0, maximum=20)
        for name in ("hot_pixels", "dead_pixels"):
            self.require(name, minimum=0, maximum=self.shape_hw[0] * self.shape_hw[1] // 20)
        if min(self.shape_hw) < 32:
            raise SettingsError(
                f"twin of {self.shape_hw} px; at least 32 x 32 are needed", hint="enlarge shape_hw"
            )
        if not self.rms_waves:
            raise SettingsError("the twin has no mirror state", hint="give rms_waves at least one value")


UNEVEN: dict[str, Any] = {"dsnu_dn": 0.5, "prnu_percent": 1.0, "hot_pixels": 200, "dead_pixels": 50}
"""A fixed pattern as CMOS sensors of five megapixels have: plausible, not measured."""
