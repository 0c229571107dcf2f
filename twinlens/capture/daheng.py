"""The Daheng MERCURY MER-530-20GM-P as its manuals describe it, and what a camera at hand really offers.

No row of the profile was verified on a camera: none was at hand. The virtual cameras follow the same rows, which
verifies nothing. So nothing here is relied upon: `probe` asks the camera, and a name is taken from what it has.
"""

from dataclasses import dataclass

from twinlens.capture.genicam import Camera
from twinlens.capture.pixel_formats import PIXEL_FORMATS
from twinlens.errors import SettingsError

MANUAL_IO = "https://manualshive.com/en/manual/daheng-imaging/mercury-gige-series/3237093?page=133"
MANUAL_TRIGGER = "https://manualshive.com/en/manual/daheng-imaging/mercury-gige-series/3237093?page=139"
MANUAL_TRANSFER = "https://www.manualslib.com/manual/3273902/Daheng-Imaging-Mercury-Gige-Series.html?page=177"
GXIPY = "feature names of gxipy, Daheng's Python binding (public copies)"
ACTION_SAMPLE = "Daheng's C++ sample for action commands (public copy)"
DATA_SHEET = "data sheet of the MER-530-20GM-P, as quoted by the paper on the rig"

INPUT_LINE, OUTPUT_LINE = "Line0", "Line1"
"""Opto-isolated input and output (manual, IO)."""
_TRIGGER_SOURCES = ("Software", "Line0", "Line2", "Line3", "Action0", "Action1")


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """One thing said about the camera, and who says it."""

    feature: str
    """Node name as MERCURY spells it."""
    says: str
    """Values, limits with units, or the quirk."""
    source: str
    sfnc: str = ""
    """The SFNC name of the same thing where it differs."""
    verified: bool = False
    """True once it was seen on a MER-530 itself."""


PROFILE = (
    ProfileRow("Width, Height", "2592 x 2048 px", DATA_SHEET),
    ProfileRow("ExposureTime", "5 to 1 000 000 us", DATA_SHEET),
    ProfileRow("AcquisitionFrameRate", "up to 20 Hz at full size", DATA_SHEET),
    ProfileRow("DeviceLinkSpeed", "one port of 1000 Mbit/s", DATA_SHEET),
    ProfileRow("PixelFormat", "Mono8, Mono10; packed formats are taken where the camera lists them", GXIPY),
    ProfileRow("AcquisitionFrameRateMode", "Off, On", GXIPY, sfnc="AcquisitionFrameRateEnable"),
    ProfileRow("CurrentAcquisitionFrameRate", "the rate reached, Hz", GXIPY, sfnc="ResultingFrameRate"),
    ProfileRow("Gain", "dB; GainAuto Off, Once, Continuous", GXIPY),
    ProfileRow("FrameBufferOverwriteActive", "an old frame in the camera may be overwritten", GXIPY),
    ProfileRow("TriggerSource", "Software, Line0, Line2, Line3", MANUAL_TRIGGER),
    ProfileRow("TriggerSelector", "FrameStart; some cameras also FrameBurstStart", MANUAL_TRIGGER),
    ProfileRow(
        "TriggerMode", "a switch takes effect after the running frame: set it before start", MANUAL_TRIGGER
    ),
    ProfileRow("TriggerDelay", "0 to 3 000 000 us", MANUAL_TRIGGER),
    ProfileRow(
        "TriggerFilterRaisingEdge", "0 to 5000 us; spelt so by the maker", MANUAL_TRIGGER, sfnc="LineDebounceTime"
    ),
    ProfileRow("Line0", "opto-isolated input; its rising edge is faster than its falling one", MANUAL_IO),
    ProfileRow("Line0", "a pulse comes 20 to 40 us wider or narrower: trigger on the rising edge", MANUAL_IO),
    ProfileRow("Line1", "opto-isolated output", MANUAL_IO),
    ProfileRow("Line2, Line3", "not isolated, faster; direction by LineMode", MANUAL_IO),
    ProfileRow("LineSource", "Strobe, UserOutput0..2", MANUAL_IO, sfnc="ExposureActive"),
    ProfileRow("LineSource", "UserOutput0 after power-up, so a chain is silent until it is Strobe", MANUAL_IO),
    ProfileRow("GevSCPD", "ticks of 8 ns (2000 ticks: 16 us)", MANUAL_TRANSFER),
    ProfileRow(
        "TransferControlMode", "UserControlled keeps a frame in the camera until asked for", MANUAL_TRANSFER
    ),
    ProfileRow("TimestampLatch", "then TimestampLatchValue", GXIPY, sfnc="GevTimestampControlLatch"),
    ProfileRow("ChunkSelector", "FrameID, Timestamp, CounterValue", GXIPY),
    ProfileRow("GevSupportedOption", "asked after GevSupportedOptionSelector = Action, Ptp, ...", ACTION_SAMPLE),
    ProfileRow(
        "TriggerSource", "Action0 on cameras that obey action commands; not said of MERCURY", ACTION_SAMPLE
    ),
    ProfileRow("PtpEnable", "on newer series; not said of MERCURY", ACTION_SAMPLE),
)
"""What the manuals say. `verified` is False in every row: see the head of this file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What one open camera offers, and how it spells it; an empty name means it does not have it."""

    user_set: bool
    """The default user set can be loaded."""
    pixel_formats: tuple[str, ...]
    """Those of `pixel_formats.PIXEL_FORMATS` it lists."""
    trigger_sources: tuple[str, ...]
    """Of Software, Line0, Line2, Line3 and Action0 (Action1)."""
    action_source: str
    """TriggerSource of an action command, where the keys can be set too."""
    scheduled_action: bool
    """An action can carry the time at which to expose; it needs `ptp`."""
    ptp: str
    """Switch of IEEE 1588: "PtpEnable" or "GevIEEE1588"."""
    strobe_source: str
    """LineSource that follows the exposure: "Strobe" or "ExposureActive"."""
    rate_switch: str
    """"AcquisitionFrameRateMode" (Off, On) or "AcquisitionFrameRateEnable" (boolean)."""
    latch: str
    """Command that latches the camera's clock."""
    latch_value: str
    """Where the latched time is read, ticks."""
    tick_hz: int
    """Ticks per second of that clock; 0 where the camera does not tell."""
    chunk: bool
    """Frames can carry further data."""
    transfer_control: bool
    """Frames can be kept in the camera until asked for."""


def probe(camera: Camera) -> Capabilities:
    """Ask an open camera what it offers; only selectors are written."""
    has = _Probe(camera)
    has.select("LineSelector", OUTPUT_LINE)  # each line lists its own sources
    action = has.entry("TriggerSource", "Action0", "Action1")
    if not has.all("ActionDeviceKey", "ActionGroupKey", "ActionGroupMask"):
        action = ""
    return Capabilities(
        user_set=has.all("UserSetLoad") and bool(has.entry("UserSetSelector", "Default")),
        pixel_formats=has.entries("PixelFormat", tuple(PIXEL_FORMATS)),
        trigger_sources=has.entries("TriggerSource", _TRIGGER_SOURCES),
        action_source=action,
        scheduled_action=bool(action) and has.option("ScheduledAction"),
        ptp=has.first("PtpEnable", "GevIEEE1588"),
        strobe_source=has.entry("LineSource", "Strobe", "ExposureActive"),
        rate_switch=has.first("AcquisitionFrameRateMode", "AcquisitionFrameRateEnable"),
        latch=has.first("TimestampLatch", "GevTimestampControlLatch"),
        latch_value=has.first("TimestampLatchValue", "GevTimestampValue"),
        tick_hz=has.integer("GevTimestampTickFrequency", "TimestampTickFrequency"),
        chunk=has.all("ChunkModeActive"),
        transfer_control=has.all("TransferControlMode", "TransferStart"),
    )


def is_usable(camera: Camera, name: str) -> bool:
    """Whether a feature can be read: a camera's XML also names features that this model lacks."""
    if not camera.has(name):
        return False
    try:
        camera.read(name)
    except SettingsError:
        return False
    return True


class _Probe:
    """Questions to one camera."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera

    def select(self, selector: str, value: str) -> None:
        if self.entry(selector, value):
            self._camera.write(selector, value)

    def all(self, *names: str) -> bool:
        return all(self._camera.has(name) for name in names)

    def first(self, *names: str) -> str:
        return next((name for name in names if self._camera.has(name)), "")

    def entries(self, name: str, wanted: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(entry for entry in wanted if self.entry(name, entry))

    def entry(self, name: str, *wanted: str) -> str:
        """The first of the wanted values that enumeration `name` has."""
        return next((entry for entry in wanted if is_usable(self._camera, f"EnumEntry_{name}_{entry}")), "")

    def integer(self, *names: str) -> int:
        for name in names:
            if is_usable(self._camera, name):
                return int(self._camera.read(name))
        return 0

    def option(self, option: str) -> bool:
        """What GevSupportedOption says, as in Daheng's sample."""
        if not (self.all("GevSupportedOption") and self.entry("GevSupportedOptionSelector", option)):
            return False
        try:
            self._camera.write("GevSupportedOptionSelector", option)
            return bool(self._camera.read("GevSupportedOption"))
        except SettingsError:
            return False
