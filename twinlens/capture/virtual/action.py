"""Action commands: one datagram that many cameras may obey at once."""

import struct
from dataclasses import dataclass

from twinlens.capture.virtual.gvcp import RefusedError, Request, Status
from twinlens.capture.virtual.registers import RegisterFile

_HAS_TIME = 0x80
"""Flag of a scheduled action command (GigE Vision 2.0)."""


@dataclass(frozen=True, slots=True)
class ActionCommand:
    """Whom an action command concerns, and when."""

    device_key: int
    group_key: int
    group_mask: int
    at_ticks: int | None
    """The camera's clock at which to act; None = at once."""


def read_action(request: Request) -> ActionCommand:
    """The command in a request.

    Raises:
        RefusedError: its length is not that of an action command.
    """
    if request.flags & _HAS_TIME:
        if len(request.payload) != 20:
            raise RefusedError(Status.INVALID_HEADER)
        return ActionCommand(*struct.unpack(">IIIQ", request.payload))
    if len(request.payload) != 12:
        raise RefusedError(Status.INVALID_HEADER)
    device_key, group_key, group_mask = struct.unpack(">III", request.payload)
    return ActionCommand(device_key, group_key, group_mask, at_ticks=None)


def concerns(command: ActionCommand, registers: RegisterFile) -> bool:
    """True if the keys are the camera's and its group mask shares a bit with the command's."""
    return (
        command.device_key == registers.integer("ActionDeviceKey")
        and command.group_key == registers.integer("ActionGroupKey")
        and command.group_mask & registers.integer("ActionGroupMask") != 0
    )
