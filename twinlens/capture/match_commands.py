"""Each camera's frames meet the commands it was sent: software and action triggers.

A frame that breaks the count of block ids waits for the next one as a witness: a missed trigger leaves the camera
behind for good, a late frame does not.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from twinlens.capture.clock import ClockLatch, RelativeClock
from twinlens.capture.frame import CameraRole, FrameRecord
from twinlens.capture.ledger import ROLES, Ledger
from twinlens.capture.pairing import GapReason, Loss

TOLERANCE = 0.25
"""Of the time between two triggers. Half would leave no room for error; opto-couplers need 1/1000."""
SPACING_MAX_NS = 400_000_000
"""Triggers by hand come seconds apart; their frames must still agree to 0.1 s."""
CLOSE_NS = 500_000
"""What a clock's latch may be off, and a camera may take to begin an exposure."""
_SPACINGS = 16
_LATCH_WEIGHT = 3
"""As many frames does a clock's latch count for, so that a late first frame cannot spoil the clock."""

Latches = Mapping[CameraRole, ClockLatch | None]
Reasons = Mapping[CameraRole, GapReason]
Doubt = Literal["fits", "slips", "wait", "late"]


@dataclass(frozen=True, slots=True)
class Commanded:
    """A trigger that this host gave to a camera, and when on the host's monotonic clock."""

    camera: CameraRole
    trigger_index: int
    before_ns: int
    after_ns: int

    def distance_ns(self, host_time_ns: int) -> int:
        """How far a moment lies outside the time in which the camera got the command."""
        return max(self.before_ns - host_time_ns, host_time_ns - self.after_ns, 0)


class MatchByCommand:
    """Each camera's frames meet the commands it was sent: software and action triggers."""

    def __init__(self, ledger: Ledger, latches: Latches, *, steady: bool) -> None:
        """`steady`: commands follow each other without waiting for frames, so that a witness will come."""
        self._ledger = ledger
        self._steady = steady
        self._frames: dict[CameraRole, deque[FrameRecord]] = {role: deque() for role in ROLES}
        self._commands: dict[CameraRole, deque[Commanded]] = {role: deque() for role in ROLES}
        self._clocks = {role: RelativeClock() for role in ROLES}
        for role, latch in latches.items():
            if latch is not None:
                for _ in range(_LATCH_WEIGHT):
                    self._clocks[role].learn(latch.camera_time_ns, latch.host_time_ns)
        self._spacings_ns: deque[int] = deque([SPACING_MAX_NS], maxlen=_SPACINGS)

    def command(self, command: Commanded) -> None:
        """A trigger was sent."""
        sent = self._commands[command.camera]
        if sent:
            self._spacings_ns.append(max(1, command.before_ns - sent[-1].before_ns))
        sent.append(command)

    def add(self, record: FrameRecord) -> None:
        """A frame was recorded."""
        self._frames[record.camera].append(record)
        self._advance(record.camera, is_over=False)

    def finish(self, reasons: Reasons) -> None:
        """No frame will come any more: decide about those that wait; commands without frame get these reasons."""
        for role in ROLES:
            self._advance(role, is_over=True)
            for command in self._commands[role]:
                self._ledger.close(command.trigger_index, reasons.get(role, "not delivered"), camera=role)
            self._commands[role].clear()

    def is_settled(self, trigger_index: int) -> bool:
        """Whether a frame came for this trigger from both cameras, or can come no more."""
        return all(self._has_answer(role, trigger_index) for role in ROLES)

    def _has_answer(self, role: CameraRole, trigger_index: int) -> bool:
        if self._ledger.last_trigger(role) >= trigger_index:
            return True
        slots = (self._slot(record) for record in self._frames[role])
        return any(slot is not None and slot >= trigger_index for slot in slots)

    def _advance(self, role: CameraRole, *, is_over: bool) -> None:
        frames = self._frames[role]
        while frames:
            slot = self._slot(frames[0])
            if slot is None:
                self._leave_out(frames.popleft())
                continue
            doubt = self._doubt(role, slot)
            if doubt == "wait" and not is_over:
                return
            record = frames.popleft()
            if doubt in ("fits", "slips"):
                self._accept(record, slot)
            else:
                self._leave_out(record)

    def _leave_out(self, record: FrameRecord) -> None:
        """A frame that answers no command at its time; should a trigger lack one, this came too late for it."""
        self._ledger.unasked_frames += 1
        self._ledger.note(Loss(record.camera, record.trigger_index, "late"))

    def _doubt(self, role: CameraRole, slot: int) -> Doubt:
        """Whether the first waiting frame answers the trigger its time suggests."""
        frames = self._frames[role]
        expected = self._ledger.expected_trigger(frames[0])
        if expected == slot or (expected is None and not self._steady):
            return "fits"
        if slot <= self._ledger.last_trigger(role):
            return "late"
        if len(frames) < 2:
            return "wait"
        witness = self._slot(frames[1])
        step = frames[1].trigger_index - frames[0].trigger_index
        if witness is not None and expected is not None and witness - step == expected:
            return "late"
        if expected is None and witness is not None and witness - step < slot:
            return "late"
        return "slips" if self._fits_closely(frames[0], slot) else "late"

    def _fits_closely(self, record: FrameRecord, slot: int) -> bool:
        """A frame that breaks the count must have been exposed during its command, not only near it.

        One that is late by almost a whole period, before a missed trigger, looks like the answer to the next.
        """
        host_time_ns = self._host_time_ns(record)
        if host_time_ns is None:
            return True
        command = next(c for c in self._commands[record.camera] if c.trigger_index == slot)
        return command.distance_ns(host_time_ns) <= CLOSE_NS

    def _slot(self, record: FrameRecord) -> int | None:
        """The command that fits the frame's time best, if any fits."""
        host_time_ns = self._host_time_ns(record)
        commands = self._commands[record.camera]
        if host_time_ns is None:
            return self._slot_by_arrival(record)
        best = min(commands, key=lambda command: command.distance_ns(host_time_ns), default=None)
        if best is None or best.distance_ns(host_time_ns) > TOLERANCE * min(self._spacings_ns):
            return None
        return best.trigger_index

    def _slot_by_arrival(self, record: FrameRecord) -> int | None:
        """Without a camera clock: the count of block ids, if its command was sent before the frame arrived."""
        expected = self._ledger.expected_trigger(record)
        sent = [c.trigger_index for c in self._commands[record.camera] if c.before_ns <= record.host_time_ns]
        if not sent:
            return None
        if expected is None:
            return sent[-1] if len(sent) == 1 or not self._steady else sent[0]
        return expected if expected in sent else None

    def _host_time_ns(self, record: FrameRecord) -> int | None:
        clock = self._clocks[record.camera]
        return clock.time_at(record.camera_time_ns) if record.camera_time_ns and clock.is_known else None

    def _accept(self, record: FrameRecord, slot: int) -> None:
        role, commands = record.camera, self._commands[record.camera]
        command = next(command for command in commands if command.trigger_index == slot)
        if record.camera_time_ns:
            seen_ns = self._host_time_ns(record)
            at_ns = (command.before_ns + command.after_ns) // 2
            if seen_ns is not None:  # an answer that took long says nothing about the clock
                at_ns = min(max(seen_ns, command.before_ns), command.after_ns)
            self._clocks[role].learn(record.camera_time_ns, at_ns)
        while commands and commands[0].trigger_index < slot:
            commands.popleft()  # this one stays: a late frame is told by the frame that comes too
        self._ledger.assign(record, slot)
