"""The bootstrap registers every GigE Vision 1.2 camera has, at the addresses the standard gives them."""

import zlib
from dataclasses import dataclass
from ipaddress import IPv4Address

from twinlens.capture.virtual.registers import Register
from twinlens.errors import SettingsError

DISCOVERY_BYTES = 0xF8
"""A discovery acknowledge carries the memory from 0 up to here."""
TICK_HZ = 1_000_000_000
EXCLUSIVE, CONTROL = 0x1, 0x2
"""Privilege bits of CCP."""
FIRE_TEST, DO_NOT_FRAGMENT, SIZE_MASK = 0x8000_0000, 0x4000_0000, 0xFFFF
"""Bits of SCPS0."""
PACKET_SIZE_MIN, PACKET_SIZE_MAX, PACKET_SIZE_STEP = 576, 9000, 4
PACKET_SIZE_DEFAULT = 1500
TIMESTAMP_RESET, TIMESTAMP_LATCH = 0x1, 0x2
HEARTBEAT_MIN_MS = 500
_NAME_BYTES = 16
"""Room for the serial number and for the user name, with a closing zero byte."""
_GEV_VERSION = 0x0001_0002
_BIG_ENDIAN_UTF8 = 0x8000_0001
_PERSISTENT_IP = 0x1
# User name, serial number, link speed, CCP owner readable, WRITEMEM, several registers per command.
_CAPABILITIES = 0x8000_0000 | 0x4000_0000 | 0x1000_0000 | 0x0800_0000 | 0x2 | 0x1
_CAN_RESEND, _CAN_SAY_PENDING, _CAN_ACT, _CAN_ACT_LATER, _CAN_PTP = 1 << 2, 1 << 5, 1 << 6, 1 << 17, 1 << 19
_PENDING_ENABLE = 0x2
PTP_DISABLED, PTP_SLAVE = 0, 4
"""Values of PtpStatus."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a camera says it is."""

    address: str
    serial: str
    user_name: str
    first_address: str = ""
    """The address at first power-up, where a host has given the camera another one since."""
    vendor: str = "twinlens"
    model: str = "MER-530-20GM-virtual"
    version: str = "virtual 1.0"
    remark: str = "simulated in software, no hardware"

    def __post_init__(self) -> None:
        for what, text in (("serial number", self.serial), ("user name", self.user_name)):
            size = len(text.encode())
            if size >= _NAME_BYTES:
                raise SettingsError(
                    f"the {what} {text!r} takes {size} bytes, a camera has room for {_NAME_BYTES - 1}",
                    hint=f"give a shorter {what}",
                )
        if not self.serial:
            raise SettingsError("a camera's serial number is empty", hint="give it one, e.g. VA0001")

    @property
    def mac(self) -> bytes:
        """A locally administered address of its own: hosts list cameras with equal MACs once."""
        digest = zlib.crc32(f"{self.serial}@{self.first_address or self.address}".encode())
        return b"\x02T" + digest.to_bytes(4, "big")


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """The optional parts of GigE Vision that one camera has."""

    resend: bool = True
    action: bool = True
    ptp: bool = False
    """Also brings scheduled action commands."""
    slow_command_ms: int = 0
    """Longest time a command may take; above 0 such commands are acknowledged as pending first."""

    @property
    def bits(self) -> int:
        """The GVCP capability register."""
        can = (
            (self.resend, _CAN_RESEND),
            (self.slow_command_ms > 0, _CAN_SAY_PENDING),
            (self.action, _CAN_ACT),
            (self.ptp, _CAN_PTP),
            (self.ptp and self.action, _CAN_ACT_LATER),
        )
        return _CAPABILITIES | sum(bit for is_able, bit in can if is_able)


def bootstrap_registers(
    identity: Identity, *, netmask: str, url: str, abilities: Abilities | None = None
) -> tuple[Register, ...]:
    """All bootstrap registers of one camera; `url` says where its XML lies."""
    able = abilities or Abilities()
    return (
        *_identity(identity, netmask, url),
        *_capabilities(able),
        *_control(able),
        *(_action() if able.action else ()),
        *_stream(),
    )


def _identity(identity: Identity, netmask: str, url: str) -> tuple[Register, ...]:
    mac = identity.mac
    return (
        Register(name="GevVersion", address=0x0000, value=_GEV_VERSION),
        Register(name="GevDeviceMode", address=0x0004, value=_BIG_ENDIAN_UTF8),
        Register(name="GevMACHigh", address=0x0008, value=int.from_bytes(mac[:2], "big")),
        Register(name="GevMACLow", address=0x000C, value=int.from_bytes(mac[2:], "big")),
        Register(name="GevSupportedIPConfiguration", address=0x0010, value=_PERSISTENT_IP),
        Register(name="GevCurrentIPConfiguration", address=0x0014, value=_PERSISTENT_IP),
        Register(name="GevCurrentIPAddress", address=0x0024, value=int(IPv4Address(identity.address))),
        Register(name="GevCurrentSubnetMask", address=0x0034, value=int(IPv4Address(netmask))),
        Register(name="GevCurrentDefaultGateway", address=0x0044),
        _text("DeviceVendorName", 0x0048, 32, identity.vendor),
        _text("DeviceModelName", 0x0068, 32, identity.model),
        _text("DeviceVersion", 0x0088, 32, identity.version),
        _text("DeviceManufacturerInfo", 0x00A8, 48, identity.remark),
        _text("DeviceSerialNumber", 0x00D8, 16, identity.serial),
        Register(
            name="DeviceUserID", address=0x00E8, kind="text", length=16, value=identity.user_name, writable=True
        ),
        _text("GevFirstURL", 0x0200, 512, url),
        _text("GevSecondURL", 0x0400, 512, url),
        Register(name="GevNumberOfInterfaces", address=0x0600, value=1),
        Register(name="GevPersistentIPAddress", address=0x064C, value=int(IPv4Address(identity.address))),
        Register(name="GevPersistentSubnetMask", address=0x065C, value=int(IPv4Address(netmask))),
        Register(name="GevPersistentDefaultGateway", address=0x066C),
        Register(name="GevLinkSpeed", address=0x0670, value=1000),
    )


def _capabilities(able: Abilities) -> tuple[Register, ...]:
    return (
        Register(name="GevMessageChannelCount", address=0x0900),
        Register(name="GevStreamChannelCount", address=0x0904, value=1),
        Register(name="GevActionSignalCount", address=0x0908, value=int(able.action)),
        Register(name="GevStreamChannelCapability", address=0x092C),
        Register(name="GevMessageChannelCapability", address=0x0930),
        Register(name="GevGVCPCapability", address=0x0934, value=able.bits),
    )


def _control(able: Abilities) -> tuple[Register, ...]:
    return (
        Register(
            name="GevHeartbeatTimeout",
            address=0x0938,
            value=3000,
            writable=True,
            minimum=HEARTBEAT_MIN_MS,
        ),
        Register(name="GevTimestampTickFrequency", address=0x093C, length=8, value=TICK_HZ),
        Register(name="GevTimestampControl", address=0x0944, writable=True, maximum=3, is_command=True),
        Register(name="GevTimestampValue", address=0x0948, length=8),
        Register(name="GevDiscoveryAckDelay", address=0x0950),
        Register(name="GevGVCPConfiguration", address=0x0954, writable=True, allowed=(0, _PENDING_ENABLE)),
        Register(name="GevGVCPPendingTimeout", address=0x0958, value=able.slow_command_ms),
        Register(name="GevControlSwitchoverKey", address=0x095C),
        Register(name="GevCCP", address=0x0A00, writable=True, maximum=0xFFFF_0007),
        Register(name="GevPrimaryApplicationSocket", address=0x0A04),
        Register(name="GevPrimaryApplicationIPAddress", address=0x0A14),
        # There is no message channel, but hosts clear its registers without asking first.
        Register(name="GevMCPHostPort", address=0x0B00, writable=True),
        Register(name="GevMCDA", address=0x0B10, writable=True),
        Register(name="GevMCTT", address=0x0B14, writable=True),
        Register(name="GevMCRC", address=0x0B18, writable=True),
    )


def _action() -> tuple[Register, ...]:
    return (
        Register(name="ActionDeviceKey", address=0x090C, writable=True),
        Register(name="ActionGroupKey", address=0x9800, writable=True),
        Register(name="ActionGroupMask", address=0x9804, writable=True),
    )


def _stream() -> tuple[Register, ...]:
    return (
        Register(name="GevSCPHostPort", address=0x0D00, writable=True, maximum=0xFFFF),
        Register(name="GevSCPS", address=0x0D04, value=PACKET_SIZE_DEFAULT, writable=True),
        Register(name="GevSCPD", address=0x0D08, writable=True, maximum=1_000_000),
        Register(name="GevSCDA", address=0x0D18, writable=True),
        Register(name="GevSCSP", address=0x0D1C),
        Register(name="GevSCC", address=0x0D20),
        Register(name="GevSCCFG", address=0x0D24, writable=True),
    )


def _text(name: str, address: int, length: int, value: str) -> Register:
    return Register(name=name, address=address, kind="text", length=length, value=value)
