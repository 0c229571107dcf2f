"""What a feature is: one line of the camera's feature table, and the register made from it."""

from dataclasses import dataclass
from typing import Literal

from twinlens.capture.virtual.registers import Register

FeatureKind = Literal["integer", "float", "enumeration", "boolean", "command", "text"]
Access = Literal["RO", "RW", "WO"]

_FIRST_ADDRESS = 0x0002_0000
_NOT_IN_USER_SET = ("TLParamsLocked", "UserSetSelector", "PtpEnable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One node of the camera's XML and, unless `register` names a bootstrap register, one register."""

    name: str
    category: str
    kind: FeatureKind = "integer"
    access: Access = "RW"
    value: float = 0
    minimum: float = 0
    maximum: float = 0xFFFF_FFFF
    increment: int = 1
    entries: tuple[tuple[str, int], ...] = ()
    unit: str = ""
    remainder_of: tuple[str, str] | None = None
    """(whole, part): the maximum is whole - part."""
    is_locked: bool = False
    """True where a running stream forbids writing."""
    register: str = ""
    """The register behind it where that is not its own."""
    bits: tuple[int, int] | None = None
    """(lowest, highest) bit in a shared register, counted from the least significant."""
    length: int = 4
    command: int = 1
    selects: tuple[str, ...] = ()
    """The features whose value belongs to this selector's present value."""
    about: str = ""

    @property
    def register_name(self) -> str:
        """The register that holds its value."""
        return self.register or self.name


def feature_registers(features: tuple[Feature, ...]) -> tuple[Register, ...]:
    """A register for each feature that does not share one."""
    own = [feature for feature in features if not feature.register]
    return tuple(_register(feature, _FIRST_ADDRESS + 16 * index) for index, feature in enumerate(own))


def _register(feature: Feature, address: int) -> Register:
    is_float = feature.kind == "float"
    return Register(
        name=feature.name,
        address=address,
        kind="float" if is_float else "integer",
        length=8 if is_float else feature.length,
        value=feature.value,
        writable=feature.access != "RO",
        minimum=feature.minimum,
        maximum=1 if feature.kind == "boolean" else feature.maximum,
        increment=feature.increment,
        allowed=(feature.command,) if feature.kind == "command" else tuple(v for _, v in feature.entries),
        locked_while_streaming=feature.is_locked,
        is_command=feature.kind == "command",
        is_user_setting=feature.access == "RW" and feature.name not in _NOT_IN_USER_SET,
    )
