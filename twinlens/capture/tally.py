"""Hears what both cameras' processes say and keeps the account: who answered which trigger, how each one fares."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from twinlens.capture.frame import CameraRole, FrameRecord
from twinlens.capture.ledger import ROLES, Ledger
from twinlens.capture.match_commands import Commanded, Latches, MatchByCommand, Reasons
from twinlens.capture.match_times import MatchByTime
from twinlens.capture.messages import Begun, Failed, Message, Status
from twinlens.capture.pairing import Loss

MatchedBy = Literal["command", "chain", "time"]
"""What frames are matched by: the commands both cameras got, A's commands that its strobe passes on to B, or each
other's times."""


class Tally:
    """The account of one recording while it runs."""

    def __init__(self, matched_by: MatchedBy, *, tolerance: float, first_trigger: int) -> None:
        """`tolerance`: fraction of a period by which frames matched by time may differ."""
        self.ledger = Ledger()
        self.ledger.begin(first_trigger)
        self.status: dict[CameraRole, Status] = {}
        self.latches: Latches = {}
        self.failed: Failed | None = None
        """The first camera whose process ended."""
        self.frames: dict[str, int] = dict.fromkeys(ROLES, 0)
        self.next_trigger = first_trigger
        self._matched_by = matched_by
        self._tolerance = tolerance
        self._match: MatchByCommand | MatchByTime | None = None
        self._part = (-1, -1)

    def begin(
        self,
        take: int,
        arming: int,
        begun: Mapping[CameraRole, Begun],
        *,
        is_steady: bool,
        is_ours: bool,
    ) -> None:
        """Frames of this take and this start of the recording count from now on.

        `is_steady`: frames follow each other without waiting; `is_ours`: none comes that was not asked for.
        """
        if arming != self._part[1]:  # block ids begin anew
            self.ledger.begin(self.next_trigger, {role: answer.last_index for role, answer in begun.items()})
        latches = {role: answer.latch for role, answer in begun.items()}
        self._part, self.latches = (take, arming), latches
        if self._matched_by != "time":
            self._match = MatchByCommand(self.ledger, latches, steady=is_steady)
        else:
            self._match = MatchByTime(
                self.ledger,
                latches,
                steady=is_steady,
                first_trigger=self.next_trigger,
                from_start=is_ours,
                tolerance=self._tolerance,
            )

    def command(self, commands: list[Commanded]) -> None:
        """Triggers were sent to cameras."""
        for command in commands:
            if isinstance(self._match, MatchByCommand):
                for role in ROLES if self._matched_by == "chain" else (command.camera,):
                    self._match.command(replace(command, camera=role))

    def count_trigger(self) -> int:
        """The number of the trigger that is fired next."""
        self.next_trigger += 1
        return self.next_trigger - 1

    def hear(self, message: Message) -> None:
        """Take in one message."""
        match message:
            case FrameRecord():
                self.frames[message.camera] += 1
                if self._match is not None and (message.take, message.arming) == self._part:
                    self._match.add(message)
            case Loss():
                self.ledger.note(message)
            case Commanded():
                self.command([message])
            case Status():
                self.status[message.camera] = message
            case Failed():
                self.failed = self.failed or message

    def is_settled(self, trigger_index: int) -> bool:
        """Whether both cameras answered this trigger, or a later one."""
        return self._match is None or self._match.is_settled(trigger_index)

    def end(self, reasons: Reasons, *, is_cut: bool) -> None:
        """The take is over. `is_cut`: it broke off, so what is missing at its end is missing for these reasons."""
        if isinstance(self._match, MatchByCommand):
            self._match.finish(reasons)
            for role in ROLES:  # a command that a lost camera's process was too late to send leaves a gap, too
                last = self.next_trigger - 1
                self.ledger.close(last, reasons.get(role, "not delivered"), camera=role)
        elif self._match is not None:
            self._match.finish(reasons, is_cut=is_cut)
            self.next_trigger = self._match.next_trigger
        self._match = None
