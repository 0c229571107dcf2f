"""The features that say what starts a frame: trigger, lines and action command.

Names are MERCURY's, misspellings included.
"""

from twinlens.capture.virtual.feature import Feature

SOFTWARE, LINE0, LINE2, LINE3, ACTION0 = range(5)
"""Values of TriggerSource."""
FALLING_EDGE = 1
LINE_COUNT = 4
INPUT, OUTPUT = 0, 1
"""Values of LineMode."""
STROBE, USER_OUTPUT0 = 1, 2
"""Values of LineSource, as gxipy numbers them."""
LINE_MEMBERS = ("LineMode", "LineInverter", "LineSource")
"""Features that each line has for itself."""
_OFF_ON = (("Off", 0), ("On", 1))
_DELAY_MAX_US = 3_000_000
_FILTER_MAX_US = 5000


def trigger_features(*, offers_action: bool) -> tuple[Feature, ...]:
    """Trigger, lines and, if the camera knows them, action commands."""
    return (*_trigger(offers_action=offers_action), *_lines(), *(_action() if offers_action else ()))


def _trigger(*, offers_action: bool) -> tuple[Feature, ...]:
    group = "TriggerControl"
    sources = (("Software", SOFTWARE), ("Line0", LINE0), ("Line2", LINE2), ("Line3", LINE3), ("Action0", ACTION0))
    edges = (("RisingEdge", 0), ("FallingEdge", FALLING_EDGE))
    filters = ("TriggerFilterRaisingEdge", "TriggerFilterFallingEdge")
    return (
        Feature(
            name="TriggerSelector",
            category=group,
            kind="enumeration",
            entries=(("FrameStart", 0),),
            is_locked=True,
        ),
        Feature(name="TriggerMode", category=group, kind="enumeration", entries=_OFF_ON),
        Feature(
            name="TriggerSource",
            category=group,
            kind="enumeration",
            entries=sources if offers_action else sources[:ACTION0],
            about="Line0 is the opto-isolated input. Nothing is wired to Line2 and Line3.",
        ),
        Feature(name="TriggerActivation", category=group, kind="enumeration", entries=edges),
        Feature(name="TriggerSoftware", category=group, kind="command", access="WO"),
        Feature(name="TriggerDelay", category=group, kind="float", maximum=_DELAY_MAX_US, unit="us"),
        *(
            Feature(
                name=name,
                category=group,
                kind="float",
                maximum=_FILTER_MAX_US,
                unit="us",
                about="Shorter pulses are ignored, longer ones delayed by as much.",
            )
            for name in filters
        ),
    )


def _lines() -> tuple[Feature, ...]:
    group = "DigitalIOControl"
    lines = tuple((f"Line{number}", number) for number in range(LINE_COUNT))
    sources = (("Strobe", STROBE), *((f"UserOutput{n}", USER_OUTPUT0 + n) for n in range(3)))
    return (
        Feature(name="LineSelector", category=group, kind="enumeration", entries=lines, selects=LINE_MEMBERS),
        Feature(
            name="LineMode",
            category=group,
            kind="enumeration",
            entries=(("Input", INPUT), ("Output", OUTPUT)),
            about="Line0 is always an input, Line1 always an output.",
        ),
        Feature(name="LineInverter", category=group, kind="boolean"),
        Feature(
            name="LineSource",
            category=group,
            kind="enumeration",
            value=USER_OUTPUT0,
            entries=sources,
            about="What an output shows. Strobe is high during the exposure; a user output never changes.",
        ),
        Feature(
            name="TwinPulseCount",
            category=group,
            access="RO",
            about="Pulses that came at Line0 since power-up, whether or not the camera waited for them.",
        ),
    )


def _action() -> tuple[Feature, ...]:
    group = "ActionControl"
    return (
        Feature(name="ActionDeviceKey", category=group, register="ActionDeviceKey"),
        Feature(name="ActionSelector", category=group, maximum=0, selects=("ActionGroupKey", "ActionGroupMask")),
        Feature(name="ActionGroupKey", category=group, register="ActionGroupKey"),
        Feature(name="ActionGroupMask", category=group, register="ActionGroupMask"),
    )
