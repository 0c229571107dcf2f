"""The account of a recording: every trigger of every camera ends as half a pair or as a gap with its reason."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from twinlens.capture.frame import CameraRole, FrameRecord
from twinlens.capture.pairing import Gap, GapReason, Loss, Run, Slip

LATE_IN_A_ROW = 8
"""More consecutive frames that are late by the same time are taken for frames after a missed trigger."""
ROLES: tuple[CameraRole, CameraRole] = ("a", "b")


@dataclass(slots=True)
class _Last:
    """Where one camera's account stands."""

    trigger_index: int
    frame_index: int | None = None
    """None where no frame before is known."""
    shift: int | None = None


class Ledger:
    """Takes each camera's frames in the order of their triggers; makes pairs, gaps, slips and runs.

    Which trigger a frame answers is decided elsewhere and given; why the ones in between are missing is told from
    the frame indices (block ids) that were used up.
    """

    def __init__(self) -> None:
        self.pairs: list[tuple[FrameRecord, FrameRecord]] = []
        self.gaps: list[Gap] = []
        self.slips: list[Slip] = []
        self.runs: list[Run] = []
        self.unasked_frames = 0
        """Frames that answer no trigger of ours; they are recorded and never paired."""
        self._last = {role: _Last(-1) for role in ROLES}
        self._waiting: dict[CameraRole, dict[int, FrameRecord]] = {role: {} for role in ROLES}
        self._losses: dict[CameraRole, dict[int, GapReason]] = defaultdict(dict)

    @property
    def triggers(self) -> int:
        """Triggers accounted for so far, of the camera that is ahead."""
        return max(last.trigger_index for last in self._last.values()) + 1

    def last_trigger(self, camera: CameraRole) -> int:
        """The last trigger this camera answered, or that was closed for it."""
        return self._last[camera].trigger_index

    def expected_trigger(self, record: FrameRecord) -> int | None:
        """The trigger that `record` answers if every trigger since the last frame used up one block id."""
        last = self._last[record.camera]
        if last.frame_index is None:
            return None
        return last.trigger_index + record.trigger_index - last.frame_index

    def begin(self, first_trigger: int, last_index: Mapping[CameraRole, int] | None = None) -> None:
        """Start a chunk: block ids may have restarted, and nothing before `first_trigger` is asked for.

        `last_index`: each camera's last frame that came before, by its block id, where that is known.
        """
        for role in ROLES:
            self._last[role] = _Last(first_trigger - 1, None if last_index is None else last_index[role])
            self._waiting[role].clear()
            self._losses[role].clear()

    def note(self, loss: Loss) -> None:
        """Keep in mind why a frame will be missing."""
        self._losses[loss.camera][loss.frame_index] = loss.reason

    def assign(self, record: FrameRecord, trigger_index: int) -> None:
        """Enter a frame as the answer to a trigger that is later than the camera's last one."""
        role, last = record.camera, self._last[record.camera]
        if trigger_index <= last.trigger_index:
            raise ValueError(f"camera {role}: trigger {trigger_index} after {last.trigger_index}")
        self._explain(role, trigger_index, record.trigger_index)
        shift = trigger_index - record.trigger_index
        if last.shift is not None and shift != last.shift:
            self.slips.append(Slip(role, trigger_index, shift - last.shift))
            if shift < last.shift:
                self._retract(role, shift)
        self._extend_run(record, shift)
        self._last[role] = _Last(trigger_index, record.trigger_index, shift)
        self._pair(replace(record, trigger_index=trigger_index))

    def close(self, last_trigger: int, reason: GapReason, *, camera: CameraRole | None = None) -> None:
        """Everything up to `last_trigger` that is still missing (of one camera, or of both) stays missing."""
        for role in ROLES if camera is None else (camera,):
            last = self._last[role]
            for index in range(last.trigger_index + 1, last_trigger + 1):
                known = None
                if last.frame_index is not None:
                    known = self._losses[role].get(last.frame_index + index - last.trigger_index)
                self.gaps.append(Gap(index, role, known or reason))
            if last_trigger > last.trigger_index:
                frame_index = last.frame_index
                self._last[role] = _Last(last_trigger, frame_index, last.shift)

    def _explain(self, role: CameraRole, trigger_index: int, frame_index: int) -> None:
        """A gap for each trigger between the camera's last frame and this one."""
        last = self._last[role]
        missing = range(last.trigger_index + 1, trigger_index)
        used = range(last.frame_index + 1, frame_index) if last.frame_index is not None else range(0)
        if last.frame_index is None:  # ids relative to arming: those before the first frame were used up too
            used = range(max(0, frame_index - len(missing)), frame_index)
        for position, index in enumerate(missing):
            reason: GapReason = "not triggered"
            if position < len(used):
                reason = self._losses[role].pop(used[position], "lost on the network")
            self.gaps.append(Gap(index, role, reason))

    def _pair(self, record: FrameRecord) -> None:
        other: CameraRole = "b" if record.camera == "a" else "a"
        waiting = self._waiting[other]
        partner = waiting.pop(record.trigger_index, None)
        for index in [i for i in waiting if i < record.trigger_index]:
            del waiting[index]  # their partners would have had to come before this one
        if partner is None:
            self._waiting[record.camera][record.trigger_index] = record
        else:
            self.pairs.append((record, partner) if record.camera == "a" else (partner, record))

    def _extend_run(self, record: FrameRecord, shift: int) -> None:
        at = next((i for i in range(len(self.runs) - 1, -1, -1) if self.runs[i].camera == record.camera), None)
        known = self.runs[at] if at is not None else None
        if (
            at is not None
            and known is not None
            and (known.take, known.arming, known.shift) == (record.take, record.arming, shift)
            and record.trigger_index == known.last_index + 1
        ):
            self.runs[at] = replace(known, last_index=record.trigger_index)
            return
        first = record.trigger_index
        self.runs.append(Run(record.camera, record.take, record.arming, first, first, shift))

    def _retract(self, role: CameraRole, shift: int) -> None:
        """Block ids caught up with the triggers: what looked like missed triggers were late frames.

        Every frame of this camera since its shift rose shows another moment than its partner.
        """
        wrong: list[int] = []
        while self.runs:
            at = next((i for i in range(len(self.runs) - 1, -1, -1) if self.runs[i].camera == role), None)
            if at is None or self.runs[at].shift <= shift:
                break
            if self.runs[at].last_index - self.runs[at].first_index >= LATE_IN_A_ROW:
                break  # so many frames in step were not late: a frame that nobody asked for used up an id
            run = self.runs.pop(at)
            wrong += range(run.first_index + run.shift, run.last_index + run.shift + 1)
        refused = set(wrong)
        self.pairs = [pair for pair in self.pairs if pair[0].trigger_index not in refused]
        known = {(gap.trigger_index, gap.camera) for gap in self.gaps}
        self.gaps += [Gap(index, role, "late") for index in sorted(refused) if (index, role) not in known]
