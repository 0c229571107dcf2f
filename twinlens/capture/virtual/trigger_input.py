"""What a camera makes of a command, a pulse at Line0 or an action command; and what it shows at Line1."""

import time
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from twinlens.capture.virtual import trigger_features as names
from twinlens.capture.virtual.bank import Bank
from twinlens.capture.virtual.camera_log import CameraLog, LogEntry
from twinlens.capture.virtual.gvcp import RefusedError, Status
from twinlens.capture.virtual.lines import Pulse
from twinlens.capture.virtual.registers import RegisterFile

_LINE0, _LINE1 = 0, 1
_FALLING_LATE_NS = 30_000
"""A falling edge passes the opto input this much later than a rising one (MER manuals: 20 to 40 us)."""
_POWER_UP = {(_LINE1, "LineMode"): names.OUTPUT}


@runtime_checkable
class Exposes(Protocol):
    """The stream, as triggers see it."""

    @property
    def is_acquiring(self) -> bool:
        """True from AcquisitionStart to AcquisitionStop."""
        ...

    @property
    def missed_triggers(self) -> int:
        """Triggers since arming that made no frame."""
        ...

    def trigger(self, number: int | None = None, *, at_ns: int | None = None) -> bool:
        """Expose at a host time; the number is the count of triggers since arming unless given."""
        ...


class TriggerInput:
    """The camera's trigger logic; pulses come from other threads than commands do."""

    def __init__(
        self, registers: RegisterFile, stream: Exposes, log: CameraLog, *, emit: Callable[[Pulse], None]
    ) -> None:
        """`emit` gets every pulse of the output Line1."""
        self._registers = registers
        self._stream = stream
        self._log = log
        self._emit = emit
        self.lines = Bank(registers, "LineSelector", names.LINE_MEMBERS, power_up=_POWER_UP)
        registers.checks["LineMode"] = self._check_direction
        registers.checks["TriggerSoftware"] = self._check_may_trigger
        registers.effects["TriggerSoftware"] = lambda _value: self._fire(None, time.monotonic_ns())

    def receive(self, pulse: Pulse) -> None:
        """Take a pulse at the input Line0."""
        registers = self._registers
        registers.put("TwinPulseCount", registers.integer("TwinPulseCount") + 1)
        if self._waits_for(names.LINE0) and (edge_ns := self._edge_ns(pulse)) is not None:
            self._fire_if_armed(pulse.number, edge_ns)

    def act(self, at_ns: int) -> None:
        """Obey an action command that concerns this camera."""
        if self._waits_for(names.ACTION0):
            self._fire_if_armed(None, at_ns)

    def strobe(self, number: int, at_ns: int) -> None:
        """An exposure begins: Line1 shows it if it was told to."""
        if self.lines.value(_LINE1, "LineSource") == names.STROBE:
            width_ns = round(self._registers.real("ExposureTime") * 1e3)
            is_low = bool(self.lines.value(_LINE1, "LineInverter"))
            self._emit(Pulse(number, at_ns, width_ns, is_low=is_low))

    def _waits_for(self, source: int) -> bool:
        registers = self._registers
        return bool(registers.integer("TriggerMode")) and registers.integer("TriggerSource") == source

    def _edge_ns(self, pulse: Pulse) -> int | None:
        """When the pulse takes effect, None if it does not."""
        is_low = pulse.is_low != bool(self.lines.value(_LINE0, "LineInverter"))
        is_falling = self._registers.integer("TriggerActivation") == names.FALLING_EDGE
        name = "TriggerFilterFallingEdge" if is_low else "TriggerFilterRaisingEdge"
        filter_ns = round(self._registers.real(name) * 1e3)
        if pulse.width_ns < filter_ns:
            return None
        after_ns = pulse.width_ns if is_falling != is_low else 0
        return pulse.rise_ns + after_ns + filter_ns + (_FALLING_LATE_NS if is_falling else 0)

    def _fire_if_armed(self, number: int | None, at_ns: int) -> None:
        if self._stream.is_acquiring:
            self._fire(number, at_ns)
        else:
            nobody = -1 if number is None else number
            self._log.add(LogEntry(trigger=nobody, block_id=0, event="not armed", time_ns=at_ns))

    def _fire(self, number: int | None, at_ns: int) -> None:
        delay_ns = round(self._registers.real("TriggerDelay") * 1e3)
        if not self._stream.trigger(number, at_ns=at_ns + delay_ns):
            self._registers.put("TwinMissedTriggerCount", self._stream.missed_triggers)

    def _check_may_trigger(self, _value: float) -> None:
        if not (self._waits_for(names.SOFTWARE) and self._stream.is_acquiring):
            raise RefusedError(Status.ACCESS_DENIED)

    def _check_direction(self, value: float) -> None:
        """Line0 and Line1 pass an optocoupler, which has one direction."""
        line = self._registers.integer("LineSelector")
        if {_LINE0: names.INPUT, _LINE1: names.OUTPUT}.get(line, value) != value:
            raise RefusedError(Status.INVALID_PARAMETER)
