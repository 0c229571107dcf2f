"""Sets an open camera up for a recording, reads back what it took, and compares A with B.

The order is that of an unknown camera: default user set, automatics off, region and format, exposure and gain,
then the trigger. A value that does not fit is refused with the range, never clipped. Packet size and inter-packet
delay are the producer's and the network's business and are left as they are.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address

from twinlens.capture.daheng import INPUT_LINE, OUTPUT_LINE, Capabilities, is_usable, probe
from twinlens.capture.genicam import Camera, FeatureValue
from twinlens.capture.pixel_formats import bit_depth, bytes_per_frame
from twinlens.capture.ptp import follow_ptp
from twinlens.capture.rig_file import RigSettings
from twinlens.errors import SettingsError

Features = tuple[tuple[str, FeatureValue], ...]
"""Names and values, in the order in which they are written."""

AUTOMATICS: Features = (
    ("ExposureAuto", "Off"),
    ("GainAuto", "Off"),
    ("BlackLevelAuto", "Off"),
    ("GammaEnable", False),
    ("LUTEnable", False),
    ("SharpnessMode", "Off"),
    ("ExposureMode", "Timed"),
    ("ChunkModeActive", False),
)
"""What would change pictures or payloads behind our back (SFNC and gxipy names); written where a camera has it."""
_COMPARED = (
    *("Width", "Height", "OffsetX", "OffsetY", "PixelFormat", "ExposureTime", "Gain", "BlackLevel", "Gamma"),
    *(
        "BinningHorizontal",
        "BinningVertical",
        "DecimationHorizontal",
        "DecimationVertical",
        "ReverseX",
        "ReverseY",
    ),
    *(name for name, _ in AUTOMATICS),
)
_SETTING_OF = {
    "Width": "width",
    "Height": "height",
    "OffsetX": "offset_x",
    "OffsetY": "offset_y",
    "ExposureTime": "exposure_us",
    "Gain": "gain_db",
    "BlackLevel": "black_level",
    "AcquisitionFrameRate": "rate_hz",
}
"""Numbers with a range, and their names in rig.toml."""
_WRITE_ONLY = ("ActionDeviceKey",)
"""As the SFNC has it: a key that anyone could read would lock nothing."""


@dataclass(frozen=True, slots=True)
class SensorSetting:
    """What a camera reads back after it was set up."""

    shape_hw: tuple[int, int]
    """Of the pictures it will send."""
    pixel_format: str
    bit_depth: int
    values: Features = ()
    """Features that A and B must agree on."""
    trigger: Features = ()
    """Features that say what starts a frame; in a chain A and B differ here."""
    address: str = ""
    """IPv4 address of the camera; empty where it does not tell."""
    packet_size: int = 0
    """Stream packet with its headers, bytes; 0 where it does not tell."""


def configure(camera: Camera, settings: RigSettings) -> SensorSetting:
    """Set a camera up as the rig asks; what it reads back.

    Raises:
        SettingsError: the camera lacks a needed feature, refuses a value, or reads back another one.
    """
    able = probe(camera)
    if able.user_set:
        camera.write("UserSetSelector", "Default")
        camera.execute("UserSetLoad")
    for name, value in AUTOMATICS:
        if is_usable(camera, name) and camera.read(name) != value:
            camera.write(name, value)
    _set_picture(camera, settings, able)
    trigger = _trigger_features(camera, settings, able)
    _write_and_check(camera, trigger)
    if settings.trigger == "action" and settings.action_lead_ms:
        follow_ptp(camera, able)
    address = _integer(camera, "GevCurrentIPAddress")
    setting = SensorSetting(
        shape_hw=(_integer(camera, "Height"), _integer(camera, "Width")),
        pixel_format=settings.pixel_format,
        bit_depth=bit_depth(settings.pixel_format),
        values=_read(camera, _COMPARED),
        trigger=_read(camera, tuple(name for name, _ in trigger if name not in _WRITE_ONLY)),
        address=str(IPv4Address(address)) if address else "",
        packet_size=_integer(camera, "GevSCPSPacketSize"),
    )
    _require_payload(camera, setting)
    return setting


def compare_settings(a: SensorSetting, b: SensorSetting) -> None:
    """Require that A's and B's pictures are made alike.

    Raises:
        SettingsError: they differ; the message names each difference.
    """
    of_a, of_b = dict(a.values), dict(b.values)
    differences = [
        f"{name}: A {of_a.get(name, 'has none')}, B {of_b.get(name, 'has none')}"
        for name in dict.fromkeys((*of_a, *of_b))
        if not (name in of_a and name in of_b and _is_same(of_a[name], of_b[name]))
    ]
    if differences:
        raise SettingsError(
            f"the cameras are not set alike: {'; '.join(differences)}",
            hint="set width, height, offset_x, offset_y, exposure_us, gain_db and black_level in rig.toml to "
            "values that both cameras take",
        )


def _set_picture(camera: Camera, settings: RigSettings, able: Capabilities) -> None:
    if settings.pixel_format not in able.pixel_formats:
        raise SettingsError(
            f"camera {camera.info.serial} does not offer {settings.pixel_format}; of the formats recorded here it "
            f"offers: {', '.join(able.pixel_formats) or 'none'}",
            hint="change pixel_format in rig.toml",
        )
    # A region can only grow once its corner is back at the origin.
    for name in ("OffsetX", "OffsetY"):
        camera.write(name, 0)
    wanted: Features = (
        ("Width", settings.width or int(camera.limits("Width").maximum)),
        ("Height", settings.height or int(camera.limits("Height").maximum)),
        ("OffsetX", settings.offset_x),
        ("OffsetY", settings.offset_y),
        ("PixelFormat", settings.pixel_format),
        ("AcquisitionMode", "Continuous"),
        ("ExposureTime", settings.exposure_us),
        ("Gain", settings.gain_db),
    )
    black: Features = (("BlackLevel", settings.black_level),) if settings.black_level != -1 else ()
    _write_and_check(camera, (*wanted, *black))


def _trigger_features(camera: Camera, settings: RigSettings, able: Capabilities) -> Features:
    """What to write so that the right thing starts a frame."""
    selector: Features = (("TriggerSelector", "FrameStart"),) if camera.has("TriggerSelector") else ()
    if settings.trigger == "free":
        return (*selector, ("TriggerMode", "Off"), *_rate_limit(able, settings.rate_hz))
    is_master = camera.info.serial == settings.a
    sources = {
        "software": "Software",
        "hardware": INPUT_LINE,
        "chain": "Software" if is_master else INPUT_LINE,
        "action": able.action_source,
    }
    source = sources[settings.trigger]
    if source not in able.trigger_sources:
        raise SettingsError(
            f'camera {camera.info.serial} ({camera.info.model}) cannot be triggered by "{settings.trigger}"; its '
            f"trigger sources: {', '.join(able.trigger_sources) or 'none'}",
            hint='set trigger = "software" in rig.toml, or "hardware" or "chain" where Line0 is wired',
        )
    output = _strobe(camera, able) if settings.trigger == "chain" and is_master else ()
    keys = _action_keys(camera, settings) if settings.trigger == "action" else ()
    # Opto input: the rising edge is the faster one (MERCURY manual, IO).
    edge: Features = (("TriggerActivation", "RisingEdge"),) if source == INPUT_LINE else ()
    # A limit of the free-running rate, were it left on, would swallow triggers that come faster.
    unlimited = _rate_limit(able, 0.0)
    return (*output, *keys, *unlimited, *selector, ("TriggerMode", "On"), ("TriggerSource", source), *edge)


def _rate_limit(able: Capabilities, rate_hz: float) -> Features:
    """The limit of the free-running rate: at `rate_hz`, or none at 0."""
    value: Features = (("AcquisitionFrameRate", rate_hz),) if rate_hz else ()
    match able.rate_switch:
        case "AcquisitionFrameRateMode":
            return (able.rate_switch, "On" if rate_hz else "Off"), *value
        case "AcquisitionFrameRateEnable":
            return (able.rate_switch, bool(rate_hz)), *value
    return value


def _strobe(camera: Camera, able: Capabilities) -> Features:
    """The output line follows the exposure, which it does not after power-up."""
    if not able.strobe_source:
        raise SettingsError(
            f"camera {camera.info.serial} ({camera.info.model}) cannot show its exposure on {OUTPUT_LINE}: its "
            "LineSource offers neither Strobe nor ExposureActive",
            hint='trigger both cameras from outside with trigger = "hardware"',
        )
    straight: Features = (("LineInverter", False),) if camera.has("LineInverter") else ()
    return ("LineSelector", OUTPUT_LINE), *straight, ("LineSource", able.strobe_source)


def _action_keys(camera: Camera, settings: RigSettings) -> Features:
    selector: Features = (("ActionSelector", 0),) if camera.has("ActionSelector") else ()
    return (
        ("ActionDeviceKey", settings.action_device_key),
        *selector,
        ("ActionGroupKey", settings.action_group_key),
        ("ActionGroupMask", settings.action_group_mask),
    )


def _write_and_check(camera: Camera, wanted: Features) -> None:
    for name, value in wanted:
        if name in _SETTING_OF and isinstance(value, int | float):
            _require_in_range(camera, name, value)
        camera.write(name, value)
    for name, value in wanted:
        if name not in _WRITE_ONLY and not _is_same(found := camera.read(name), value):
            raise SettingsError(
                f"camera {camera.info.serial}: {name} was set to {value!r} and reads back {found!r}",
                hint=f"choose a value of {name} that the camera offers",
            )


def _require_in_range(camera: Camera, name: str, value: float) -> None:
    limits = camera.limits(name)
    if not limits.minimum <= value <= limits.maximum:
        raise SettingsError(
            f"{_SETTING_OF[name]} is {value:g}; camera {camera.info.serial} accepts {name} from "
            f"{limits.minimum:g} to {limits.maximum:g}",
            hint=f"change {_SETTING_OF[name]} in rig.toml",
        )


def _is_same(found: FeatureValue, wanted: FeatureValue) -> bool:
    if isinstance(found, int | float) and isinstance(wanted, int | float):
        # A camera quantises exposure and gain to its clock and converter: 0.1 % is not another setting.
        return abs(found - wanted) <= 1e-3 * max(1.0, abs(wanted))
    return found == wanted


def _require_payload(camera: Camera, setting: SensorSetting) -> None:
    """The camera counts the bytes of a frame as we do, else no frame could be read."""
    needed = bytes_per_frame(setting.pixel_format, setting.shape_hw)
    found = _integer(camera, "PayloadSize")
    if 0 < found < needed:
        raise SettingsError(
            f"camera {camera.info.serial} announces frames of {found} bytes; {setting.shape_hw[1]}x"
            f"{setting.shape_hw[0]} {setting.pixel_format} takes {needed}",
            hint="choose another pixel_format or region in rig.toml",
        )


def _read(camera: Camera, names: tuple[str, ...]) -> Features:
    return tuple((name, camera.read(name)) for name in names if is_usable(camera, name))


def _integer(camera: Camera, name: str) -> int:
    return int(camera.read(name)) if is_usable(camera, name) else 0
