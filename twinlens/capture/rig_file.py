"""`rig.toml`: which serial number is A and which is B, and how both are set."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from twinlens.capture.pixel_formats import pixel_format
from twinlens.errors import SettingsError
from twinlens.settings import Settings
from twinlens.storage import sealed

TRIGGERS = ("software", "hardware", "chain", "action", "free")


@dataclass(frozen=True, kw_only=True)
class RigSettings(Settings):
    """Everything about the rig that a person decides. Both cameras get the same values."""

    a: str = ""
    """Serial number of camera A, which sees the scene sharp. Never guessed."""
    b: str = ""
    """Serial number of camera B, behind the deformable mirror."""
    producer: str = ""
    """GenTL producer (.cti) to use; empty means GENICAM_GENTL64_PATH if set, else the bundled one."""
    exposure_us: float = 10_000.0
    """Exposure time; the MER-530 accepts 5 us to 1 s (data sheet)."""
    gain_db: float = 0.0
    """Analogue gain."""
    pixel_format: str = "Mono8"
    """PFNC name of the pixel format: Mono8, Mono10, Mono10p or Mono10Packed."""
    black_level: float = -1.0
    """Black level in the camera's own unit; -1 keeps the value of its default user set."""
    width: int = 0
    """Region of interest; 0 means the full sensor."""
    height: int = 0
    """Region of interest; 0 means the full sensor."""
    offset_x: int = 0
    """Left edge of the region of interest on the sensor, px."""
    offset_y: int = 0
    """Top edge of the region of interest on the sensor, px."""
    trigger: str = "software"
    """Where triggers come from: "software" (a command to each camera), "hardware" (one external pulse on Line0 of
    both), "chain" (a command to A, whose strobe output Line1 is wired to Line0 of B), "action" (one broadcast
    command to both) or "free" (no trigger at all: the cameras are not synchronised)."""
    rate_hz: float = 0.0
    """Pace of the triggers, or of the free-running cameras; 0 means as fast as pairs arrive. With "hardware" it
    says how fast the external pulses come, so that the link can be checked before capture."""
    action_device_key: int = 1
    """Key that an action command must carry to be obeyed; any 32-bit number but 0."""
    action_group_key: int = 1
    """Group of cameras that an action command addresses; any 32-bit number but 0."""
    action_group_mask: int = 1
    """Bits of which an action command must share one with the camera."""
    action_address: str = ""
    """Broadcast address that reaches both cameras at once; empty sends one datagram to each."""
    action_lead_ms: float = 0.0
    """How long after it is sent an action command is obeyed, by both cameras at one time of their PTP clocks;
    0 means at once. It needs cameras that offer ScheduledAction and PTP."""
    link_mbit: int = 1000
    """Speed of each camera's own network port, Mbit/s; the MER-530 has 1000 (data sheet)."""
    shared_link: bool = False
    """True where both cameras reach this computer through one cable, e.g. behind a switch. Two cameras on one
    network port of this computer are found out without it."""
    frame_timeout_s: float = 5.0
    """How long a frame may take after its trigger and exposure."""

    def check(self) -> None:
        """Refuse what no MER-530 can do; what the camera at hand can do is asked when it is open."""
        self.require("exposure_us", minimum=5, maximum=1e6)
        self.require("gain_db", minimum=0, maximum=48)
        self.require("frame_timeout_s", minimum=0.1, maximum=600)
        for name in ("width", "height", "offset_x", "offset_y"):
            self.require(name, minimum=0, maximum=65535)
        pixel_format(self.pixel_format)
        if self.trigger not in TRIGGERS:
            raise SettingsError(
                f"trigger is {self.trigger!r}, one of {', '.join(TRIGGERS)} is needed",
                hint='set trigger = "software", or "hardware" where one pulse reaches Line0 of both cameras',
            )
        self.require("rate_hz", minimum=0, maximum=10_000)
        self.require("black_level", minimum=-1, maximum=65535)
        self.require("action_lead_ms", minimum=0, maximum=10_000)
        self.require("link_mbit", minimum=10, maximum=400_000)
        for name in ("action_device_key", "action_group_key", "action_group_mask"):
            self.require(name, minimum=1, maximum=0xFFFF_FFFF)
        if self.a and self.a == self.b:
            raise SettingsError(f"A and B are both {self.a!r}", hint="give two different serial numbers")

    def require_assigned(self) -> None:
        """Raise `SettingsError` unless it is known which camera is A and which is B."""
        if not (self.a and self.b):
            raise SettingsError(
                "which camera is A (sharp) and which is B (behind the mirror) is not known",
                hint="write it down once with 'twinlens cameras --assign SERIAL_A SERIAL_B'",
            )


def read_rig_file(path: Path) -> RigSettings:
    """Settings from a `rig.toml`.

    Raises:
        SettingsError: the file is missing, is not TOML, or holds an unknown or impossible value.
    """
    try:
        values = tomllib.loads(path.read_text())
    except FileNotFoundError as cause:
        raise SettingsError(
            f"{path} does not exist", hint="write it with 'twinlens cameras --assign SERIAL_A SERIAL_B'"
        ) from cause
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as cause:
        raise SettingsError(f"{path} is not a TOML file: {cause}", hint="mend it or assign anew") from cause
    defaults = RigSettings()
    known = {field.name: type(getattr(defaults, field.name)) for field in fields(RigSettings)}
    return RigSettings.from_dict({name: _typed(name, value, known) for name, value in values.items()})


def write_rig_file(path: Path, settings: RigSettings) -> None:
    """Write a `rig.toml` that a person can read and edit."""
    lines = ["# The rig: serial numbers of both cameras and the settings they share.", ""]
    lines += [f"{name} = {_toml(value)}" for name, value in settings.as_dict().items()]
    with sealed(path) as part:
        part.write_text("\n".join(lines) + "\n")


def _toml(value: str | float) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _typed(name: str, value: Any, known: dict[str, type]) -> Any:
    kind = known.get(name)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is not None and type(value) is not kind:
        raise SettingsError(
            f"{name} is {value!r}, a {kind.__name__} is needed", hint=f"correct {name} in rig.toml"
        )
    return value


def override(settings: RigSettings, values: Mapping[str, Any]) -> RigSettings:
    """The settings with every value that is not None in place."""
    return replace(settings, **{name: value for name, value in values.items() if value is not None})
