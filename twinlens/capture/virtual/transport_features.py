"""The features of the link, the clock and the chunks: what does not change the picture."""

from twinlens.capture.virtual import bootstrap
from twinlens.capture.virtual.bank import Bank
from twinlens.capture.virtual.feature import Feature
from twinlens.capture.virtual.registers import RegisterFile

OPTIONS = {
    "UserDefinedName": 31,
    "SerialNumber": 30,
    "LinkSpeed": 28,
    "CCPApplicationSocket": 27,
    "Ptp": 19,
    "ScheduledAction": 17,
    "Action": 6,
    "PendingAck": 5,
    "PacketResend": 2,
    "WriteMem": 1,
    "CommandsConcatenation": 0,
}
"""Values of GevSupportedOptionSelector: the bit of the GVCP capability register that GevSupportedOption shows."""
CHUNKS = ("FrameID", "Timestamp", "CounterValue", "ExposureTime")
"""Entries of ChunkSelector; their values are their places here. MERCURY has the first three."""


def transport_features(*, offers_ptp: bool) -> tuple[Feature, ...]:
    """All of them; `offers_ptp` adds the clock's master."""
    return (*_stream(), *_link(), *_options(), *_timestamp(), *_chunks(), *(_ptp() if offers_ptp else ()))


def chosen_chunks(registers: RegisterFile, enabled: Bank) -> tuple[str, ...]:
    """The chunks that follow every image."""
    if not registers.integer("ChunkModeActive"):
        return ()
    return tuple(name for place, name in enumerate(CHUNKS) if enabled.value(place, "ChunkEnable"))


def _stream() -> tuple[Feature, ...]:
    group = "TransportLayerControl"
    return (
        Feature(name="PayloadSize", category=group, access="RO", unit="B"),
        Feature(name="TLParamsLocked", category=group, maximum=1),
        Feature(
            name="GevSCPSPacketSize",
            category=group,
            register="GevSCPS",
            bits=(0, 15),
            minimum=bootstrap.PACKET_SIZE_MIN,
            maximum=bootstrap.PACKET_SIZE_MAX,
            increment=bootstrap.PACKET_SIZE_STEP,
            is_locked=True,
            unit="B",
            about="Size of a stream packet with its IP, UDP and GVSP headers.",
        ),
        Feature(name="GevSCPSFireTestPacket", category=group, kind="command", register="GevSCPS", bits=(31, 31)),
        Feature(name="GevSCPSDoNotFragment", category=group, kind="boolean", register="GevSCPS", bits=(30, 30)),
        Feature(
            name="GevSCPD",
            category=group,
            register="GevSCPD",
            maximum=1_000_000,
            about="Pause between two stream packets, timestamp ticks.",
        ),
        Feature(name="GevSCDA", category=group, register="GevSCDA"),
        Feature(name="GevSCPHostPort", category=group, register="GevSCPHostPort", maximum=0xFFFF),
    )


def _link() -> tuple[Feature, ...]:
    group = "TransportLayerControl"
    shown = ("GevCurrentIPAddress", "GevCurrentSubnetMask", "GevCurrentDefaultGateway")
    owner = ("GevPrimaryApplicationIPAddress", "GevPrimaryApplicationSocket")
    return (
        *(Feature(name=name, category=group, access="RO", register=name) for name in (*shown, *owner)),
        Feature(name="GevLinkSpeed", category=group, access="RO", register="GevLinkSpeed", unit="Mbps"),
        Feature(
            name="GevHeartbeatTimeout",
            category=group,
            register="GevHeartbeatTimeout",
            minimum=bootstrap.HEARTBEAT_MIN_MS,
            unit="ms",
        ),
    )


def _options() -> tuple[Feature, ...]:
    group = "TransportLayerControl"
    return (
        Feature(
            name="GevSupportedOptionSelector",
            category=group,
            kind="enumeration",
            value=OPTIONS["Action"],
            entries=tuple(OPTIONS.items()),
            selects=("GevSupportedOption",),
        ),
        Feature(name="GevSupportedOption", category=group, kind="boolean", access="RO"),
    )


def _timestamp() -> tuple[Feature, ...]:
    group = "TransportLayerControl"
    latch, reset = bootstrap.TIMESTAMP_LATCH, bootstrap.TIMESTAMP_RESET
    commands = (
        *(("GevTimestampControlLatch", latch), ("GevTimestampControlReset", reset)),
        *(("TimestampLatch", latch), ("TimestampReset", reset)),
    )
    return (
        Feature(
            name="GevTimestampTickFrequency",
            category=group,
            access="RO",
            register="GevTimestampTickFrequency",
            length=8,
            unit="Hz",
        ),
        *(
            Feature(
                name=name,
                category=group if name.startswith("Gev") else "DeviceControl",
                kind="command",
                access="WO",
                register="GevTimestampControl",
                command=value,
            )
            for name, value in commands
        ),
        Feature(name="GevTimestampValue", category=group, access="RO", register="GevTimestampValue", length=8),
        Feature(
            name="TimestampLatchValue",
            category="DeviceControl",
            access="RO",
            register="GevTimestampValue",
            length=8,
            about="The camera's clock at the last latch, ticks.",
        ),
    )


def _chunks() -> tuple[Feature, ...]:
    group = "ChunkDataControl"
    return (
        Feature(name="ChunkModeActive", category=group, kind="boolean", is_locked=True),
        Feature(
            name="ChunkSelector",
            category=group,
            kind="enumeration",
            entries=tuple((name, number) for number, name in enumerate(CHUNKS)),
            selects=("ChunkEnable",),
        ),
        Feature(name="ChunkEnable", category=group, kind="boolean", is_locked=True),
    )


def _ptp() -> tuple[Feature, ...]:
    group = "PtpControl"
    return (
        Feature(
            name="PtpEnable",
            category=group,
            kind="boolean",
            about="Follow a master clock, here this computer's UTC.",
        ),
        Feature(
            name="PtpStatus",
            category=group,
            kind="enumeration",
            access="RO",
            value=bootstrap.PTP_DISABLED,
            entries=(("Disabled", bootstrap.PTP_DISABLED), ("Slave", bootstrap.PTP_SLAVE)),
        ),
    )
