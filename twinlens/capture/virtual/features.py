"""The features a virtual camera offers: one table, from which both its registers and its XML are made.

Names follow SFNC 2.x and, where Daheng's MERCURY differs, MERCURY; names starting with "Twin" exist only here.
"""

from twinlens.capture.virtual.feature import Feature
from twinlens.capture.virtual.source import SHUTTERS
from twinlens.capture.virtual.transport_features import transport_features
from twinlens.capture.virtual.trigger_features import trigger_features

PIXEL_FORMATS = {
    "Mono8": 0x0108_0001,
    "Mono10": 0x0110_0003,
    "Mono10p": 0x010A_0046,
    "Mono10Packed": 0x010C_0004,
}
"""PFNC codes; bits 16 to 23 are the bits a pixel takes."""
EXPOSURE_MIN_US, EXPOSURE_MAX_US = 5.0, 1_000_000.0
RATE_MAX_HZ = 20.0
GAIN_MAX_DB = 24.0
BLACK_LEVEL_MAX_DN = 64.0
WIDTH_STEP, HEIGHT_STEP = 4, 2
WIDTH_MIN, HEIGHT_MIN = 16, 2
_OFF_ON = (("Off", 0), ("On", 1))


def payload_bytes(pixel_format: int, pixels: int) -> int:
    """What so many pixels take, bytes; packed ones follow each other without padding."""
    bits = pixel_format >> 16 & 0xFF
    return -(-pixels * bits // 8)


def feature_table(
    shape_hw: tuple[int, int],
    *,
    scene_count: int,
    mirror_state_count: int,
    offers_action: bool = True,
    offers_ptp: bool = False,
) -> tuple[Feature, ...]:
    """All features of a camera with this sensor in front of this many scenes and mirror states."""
    return (
        *_device(),
        *_image_format(shape_hw),
        *_acquisition(),
        *trigger_features(offers_action=offers_action),
        *_analog(),
        *transport_features(offers_ptp=offers_ptp),
        *_user_set(),
        *_twin(scene_count, mirror_state_count),
    )


def _device() -> tuple[Feature, ...]:
    group = "DeviceControl"
    texts = ("DeviceVendorName", "DeviceModelName", "DeviceVersion", "DeviceManufacturerInfo")
    return (
        *(Feature(name=n, category=group, kind="text", access="RO", register=n) for n in texts),
        Feature(
            name="DeviceSerialNumber", category=group, kind="text", access="RO", register="DeviceSerialNumber"
        ),
        Feature(name="DeviceID", category=group, kind="text", access="RO", register="DeviceSerialNumber"),
        Feature(name="DeviceUserID", category=group, kind="text", register="DeviceUserID"),
        Feature(name="DeviceTemperatureSelector", category=group, kind="enumeration", entries=(("Mainboard", 0),)),
        Feature(name="DeviceTemperature", category=group, kind="float", access="RO", maximum=120, unit="C"),
    )


def _image_format(shape_hw: tuple[int, int]) -> tuple[Feature, ...]:
    group = "ImageFormatControl"
    height, width = shape_hw
    fixed = (("SensorWidth", width), ("SensorHeight", height), ("WidthMax", width), ("HeightMax", height))
    return (
        *(Feature(name=n, category=group, access="RO", value=v, unit="px") for n, v in fixed),
        Feature(
            name="Width",
            category=group,
            value=width,
            minimum=WIDTH_MIN,
            maximum=width,
            increment=WIDTH_STEP,
            remainder_of=("WidthMax", "OffsetX"),
            is_locked=True,
            unit="px",
        ),
        Feature(
            name="Height",
            category=group,
            value=height,
            minimum=HEIGHT_MIN,
            maximum=height,
            increment=HEIGHT_STEP,
            remainder_of=("HeightMax", "OffsetY"),
            is_locked=True,
            unit="px",
        ),
        Feature(
            name="OffsetX",
            category=group,
            maximum=width,
            increment=WIDTH_STEP,
            remainder_of=("WidthMax", "Width"),
            is_locked=True,
            unit="px",
        ),
        Feature(
            name="OffsetY",
            category=group,
            maximum=height,
            increment=HEIGHT_STEP,
            remainder_of=("HeightMax", "Height"),
            is_locked=True,
            unit="px",
        ),
        Feature(
            name="PixelFormat",
            category=group,
            kind="enumeration",
            value=PIXEL_FORMATS["Mono8"],
            entries=tuple(PIXEL_FORMATS.items()),
            is_locked=True,
        ),
    )


def _acquisition() -> tuple[Feature, ...]:
    group = "AcquisitionControl"
    return (
        Feature(
            name="AcquisitionMode",
            category=group,
            kind="enumeration",
            entries=(("Continuous", 0), ("SingleFrame", 1)),
            is_locked=True,
        ),
        Feature(name="AcquisitionStart", category=group, kind="command", access="WO"),
        Feature(name="AcquisitionStop", category=group, kind="command", access="WO"),
        Feature(name="AcquisitionFrameRateMode", category=group, kind="enumeration", value=1, entries=_OFF_ON),
        Feature(
            name="AcquisitionFrameRateEnable",
            category=group,
            kind="boolean",
            register="AcquisitionFrameRateMode",
            about="SFNC's name for AcquisitionFrameRateMode.",
        ),
        Feature(
            name="AcquisitionFrameRate",
            category=group,
            kind="float",
            value=10.0,
            minimum=0.1,
            maximum=RATE_MAX_HZ,
            unit="Hz",
        ),
        Feature(
            name="CurrentAcquisitionFrameRate",
            category=group,
            kind="float",
            access="RO",
            maximum=RATE_MAX_HZ,
            unit="Hz",
        ),
        Feature(name="ExposureMode", category=group, kind="enumeration", entries=(("Timed", 0),), is_locked=True),
        Feature(
            name="ExposureTime",
            category=group,
            kind="float",
            value=10_000.0,
            minimum=EXPOSURE_MIN_US,
            maximum=EXPOSURE_MAX_US,
            unit="us",
        ),
        Feature(name="ExposureAuto", category=group, kind="enumeration", entries=(("Off", 0),)),
    )


def _analog() -> tuple[Feature, ...]:
    group = "AnalogControl"
    return (
        Feature(name="GainSelector", category=group, kind="enumeration", entries=(("AnalogAll", 0),)),
        Feature(name="Gain", category=group, kind="float", maximum=GAIN_MAX_DB, unit="dB"),
        Feature(name="GainAuto", category=group, kind="enumeration", entries=(("Off", 0),)),
        Feature(name="BlackLevelSelector", category=group, kind="enumeration", entries=(("AnalogAll", 0),)),
        Feature(
            name="BlackLevel",
            category=group,
            kind="float",
            maximum=BLACK_LEVEL_MAX_DN,
            about="Kept and shown; the simulated sensor's offset does not follow it.",
        ),
    )


def _user_set() -> tuple[Feature, ...]:
    group = "UserSetControl"
    return (
        Feature(name="UserSetSelector", category=group, kind="enumeration", entries=(("Default", 0),)),
        Feature(name="UserSetLoad", category=group, kind="command", access="WO", is_locked=True),
    )


def _twin(scene_count: int, mirror_state_count: int) -> tuple[Feature, ...]:
    group = "TwinControl"
    return (
        Feature(
            name="TwinSceneSelector",
            category=group,
            maximum=scene_count - 1,
            about="Which scene the camera looks at; may change while streaming.",
        ),
        Feature(
            name="TwinMirrorStateSelector",
            category=group,
            maximum=mirror_state_count - 1,
            about="Which shape the mirror has; may change while streaming.",
        ),
        Feature(
            name="TwinShutterSelector",
            category=group,
            kind="enumeration",
            entries=tuple((name, value) for value, name in enumerate(SHUTTERS)),
            about="What is in front of the lens, for dark and flat series; may change while streaming.",
        ),
        Feature(
            name="TwinMissedTriggerCount",
            category=group,
            access="RO",
            about="Triggers since AcquisitionStart that came too fast and made no frame.",
        ),
    )
