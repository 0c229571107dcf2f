"""`rig.toml`: which serial number is A and which is B, and how both are set."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

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
    """PFNC name of the pixel format; this release records Mono8."""
    width: int = 0
    """Region of interest; 0 means the full sensor."""
    height: int = 0
    """Region of interest; 0 means the full sensor."""
    offset_x: int = 0
    """Left edge of the region of interest on the sensor, px."""
    offset_y: int = 0
    """Top edge of the region of interest on the sensor, px."""
    trigger: str = "software"
    """Where triggers come from: "hardware" (pulses on Line0 of both), "chain" (A's strobe into B's Line0),
    "software", "action" (GigE Vision action commands), or "free" (not synchronised)."""
    rate_hz: float = 0.0
    """Pace of the triggers that this host or camera A makes; 0 means one after the other, as pairs arrive."""
    action_device_key: int = 0x7E11
    """Must match on both cameras; any number that no other program on the network uses."""
    action_group_key: int = 1
    action_group_mask: int = 0xFFFFFFFF
    action_address: str = ""
    """Broadcast address that reaches both cameras at once; empty sends one datagram to each."""
    frame_timeout_s: float = 5.0
    """How long a frame may take after its trigger and exposure."""

    def check(self) -> None:
        """Refuse what no MER-530 or this release can do."""
        self.require("exposure_us", minimum=5, maximum=1e6)
        self.require("gain_db", minimum=0, maximum=48)
        self.require("frame_timeout_s", minimum=0.1, maximum=600)
        for name in ("width", "height", "offset_x", "offset_y"):
            self.require(name, minimum=0, maximum=65535)
        if self.pixel_format != "Mono8":
            raise SettingsError(
                f"pixel_format is {self.pixel_format!r}, this release records 'Mono8'",
                hint='set pixel_format = "Mono8"',
            )
        if self.trigger not in TRIGGERS:
            raise SettingsError(
                f"trigger is {self.trigger!r}; it must be one of {', '.join(TRIGGERS)}",
                hint='set trigger = "hardware" for pulses on Line0 of both cameras',
            )
        self.require("rate_hz", minimum=0, maximum=1000)
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
    return repr(value)


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
