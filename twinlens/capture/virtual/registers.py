"""A camera's memory as a host sees it: named registers, plain bytes around them, and refusals.

What a write sets in motion is not here: `effects` are handed in by the camera.
"""

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from twinlens.capture.virtual.gvcp import RefusedError, Status

Kind = Literal["integer", "float", "text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """One named value in memory: a 4 or 8 byte unsigned integer, an 8 byte float, or text of `length` bytes."""

    name: str
    address: int
    kind: Kind = "integer"
    length: int = 4
    value: float | str = 0
    """What it holds after power-up and after UserSetLoad."""
    writable: bool = False
    minimum: float = 0
    maximum: float = 0xFFFF_FFFF
    increment: int = 1
    allowed: tuple[int, ...] = ()
    """The values of an enumeration; empty where `minimum` to `maximum` rules."""
    locked_while_streaming: bool = False
    is_user_setting: bool = False
    """True where UserSetLoad restores `value`."""
    is_command: bool = False
    """True where the value reads 0 again as soon as the write took effect."""

    @property
    def end(self) -> int:
        """First address behind it."""
        return self.address + self.length


class RegisterFile:
    """All registers of one camera, with the read-only XML file in high memory."""

    def __init__(self, registers: Iterable[Register], *, file_address: int, file: bytes) -> None:
        self._by_name = {register.name: register for register in registers}
        self._by_address = {register.address: register for register in self._by_name.values()}
        self._memory = bytearray(max(register.end for register in self._by_name.values()))
        self._file_address = file_address
        self._file = file
        self.is_locked: Callable[[], bool] = lambda: False
        self.checks: dict[str, Callable[[float], None]] = {}
        self.effects: dict[str, Callable[[float], None]] = {}
        for register in self._by_name.values():
            self.put(register.name, register.value)

    def integer(self, name: str) -> int:
        """The integer in register `name`."""
        register = self._by_name[name]
        return int.from_bytes(self._memory[register.address : register.end], "big")

    def address(self, name: str) -> int:
        """Where register `name` lies."""
        return self._by_name[name].address

    def real(self, name: str) -> float:
        """The float in register `name`."""
        return float(struct.unpack_from(">d", self._memory, self._by_name[name].address)[0])

    def put(self, name: str, value: float | str) -> None:
        """Store without checks and without effects: the camera speaking to itself."""
        register = self._by_name[name]
        self._memory[register.address : register.end] = _encode(register, value)

    def restore_defaults(self) -> None:
        """What UserSetLoad does: every user setting gets its power-up value."""
        for register in self._by_name.values():
            if register.is_user_setting:
                self.put(register.name, register.value)

    def read(self, address: int, count: int) -> bytes:
        """Bytes as a host reads them; raises `RefusedError` outside the memory."""
        if address + count <= len(self._memory):
            return bytes(self._memory[address : address + count])
        start = address - self._file_address
        # Hosts read whole blocks, so the last one may reach past the end of the file: pad it.
        if 0 <= start < len(self._file) and count <= len(self._file) - start + 512:
            return self._file[start : start + count].ljust(count, b"\0")
        raise RefusedError(Status.INVALID_ADDRESS)

    def write(self, address: int, data: bytes) -> None:
        """Write as a host does, register by register, with checks and effects.

        Raises:
            RefusedError: no register there, read-only, locked, out of range; `done` counts bytes before it.
        """
        done = 0
        while done < len(data):
            try:
                done += self._write_one(address + done, data[done:])
            except RefusedError as refusal:
                raise RefusedError(refusal.status, done=done) from refusal

    def _write_one(self, address: int, data: bytes) -> int:
        register = self._by_address.get(address)
        if register is None or not register.writable:
            known = address < len(self._memory) or 0 <= address - self._file_address < len(self._file)
            raise RefusedError(Status.WRITE_PROTECT if known else Status.INVALID_ADDRESS)
        if register.kind == "text":
            text = data[: register.length]
            self._memory[address : register.end] = text.ljust(register.length, b"\0")
            return len(text)
        if len(data) < register.length:
            raise RefusedError(Status.INVALID_PARAMETER)
        value = _decode(register, data[: register.length])
        self._check(register, value)
        self.put(register.name, value)
        self.effects.get(register.name, _nothing)(value)
        if register.is_command:
            self.put(register.name, 0)
        return register.length

    def _check(self, register: Register, value: float) -> None:
        if register.locked_while_streaming and self.is_locked():
            raise RefusedError(Status.WRITE_PROTECT)
        if not _is_in_range(register, value):
            raise RefusedError(Status.INVALID_PARAMETER)
        self.checks.get(register.name, _nothing)(value)


def _encode(register: Register, value: float | str) -> bytes:
    if register.kind == "text":
        return str(value).encode()[: register.length - 1].ljust(register.length, b"\0")
    if register.kind == "float":
        return struct.pack(">d", value)
    return int(value).to_bytes(register.length, "big")


def _decode(register: Register, data: bytes) -> float:
    if register.kind == "float":
        return float(struct.unpack(">d", data)[0])
    return int.from_bytes(data, "big")


def _is_in_range(register: Register, value: float) -> bool:
    if register.allowed:
        return value in register.allowed
    if not register.minimum <= value <= register.maximum:  # also true for not-a-number
        return False
    return register.kind == "float" or (value - register.minimum) % register.increment == 0


def _nothing(_value: float) -> None:
    """Most registers have no further check and no effect."""
