"""Sets a camera up as the rig's settings ask, and reads back what it took."""

from dataclasses import dataclass

from twinlens.capture.genicam import Camera, FeatureValue
from twinlens.capture.rig_file import RigSettings
from twinlens.errors import SettingsError


@dataclass(frozen=True, slots=True)
class SensorSetting:
    """What a camera reads back."""

    shape_hw: tuple[int, int]
    pixel_format: str
    bit_depth: int


def configure(camera: Camera, settings: RigSettings) -> SensorSetting:
    """Set a camera up for recording; what it reads back.

    Raises:
        SettingsError: the camera lacks a needed feature, refuses a value, or reads back another one.
    """
    for name in ("ExposureAuto", "GainAuto"):
        if camera.has(name):
            camera.write(name, "Off")
    exposure = camera.limits("ExposureTime")
    if not exposure.minimum <= settings.exposure_us <= exposure.maximum:
        raise SettingsError(
            f"exposure_us is {settings.exposure_us:g}; camera {camera.info.serial} accepts "
            f"{exposure.minimum:g} to {exposure.maximum:g}",
            hint="change exposure_us in rig.toml",
        )
    camera.write("OffsetX", 0)
    camera.write("OffsetY", 0)
    width = settings.width or int(camera.limits("Width").maximum)
    height = settings.height or int(camera.limits("Height").maximum)
    wanted: dict[str, FeatureValue] = {
        "Width": width,
        "Height": height,
        "OffsetX": settings.offset_x,
        "OffsetY": settings.offset_y,
        "PixelFormat": settings.pixel_format,
        "AcquisitionMode": "Continuous",
        "ExposureTime": settings.exposure_us,
        "Gain": settings.gain_db,
        "TriggerSelector": "FrameStart",
        "TriggerMode": "On",
        "TriggerSource": "Software",
    }
    for name, value in wanted.items():
        camera.write(name, value)
    for name, value in wanted.items():
        _check_read_back(camera, name, value)
    return SensorSetting((height, width), settings.pixel_format, 8)


def _check_read_back(camera: Camera, name: str, wanted: FeatureValue) -> None:
    found = camera.read(name)
    if isinstance(found, int | float) and isinstance(wanted, int | float):
        # A camera quantises exposure and gain to its clock and converter: 0.1 % is not another setting.
        same = abs(found - wanted) <= 1e-3 * max(1.0, abs(wanted))
    else:
        same = found == wanted
    if not same:
        raise SettingsError(
            f"camera {camera.info.serial}: {name} was set to {wanted!r} and reads back {found!r}",
            hint=f"choose a value of {name} that the camera offers",
        )
