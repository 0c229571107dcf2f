"""B's frames meet A's by camera time: triggers that come over a wire, or free-running cameras.

A pair that breaks the count of block ids waits for the next frames as witnesses, as in `match_commands`.
"""

from collections import deque
from statistics import quantiles

from twinlens.capture.clock import RelativeClock
from twinlens.capture.frame import CameraRole, FrameRecord
from twinlens.capture.ledger import ROLES, Ledger
from twinlens.capture.match_commands import CLOSE_NS, SPACING_MAX_NS, TOLERANCE, Doubt, Latches, Reasons
from twinlens.capture.pairing import Loss

FIRST_SPACING_NS = 20_000_000
"""Assumed until frames are there: less than any period of a 20 fps camera."""
_SPACINGS = 16


class MatchByTime:
    """B's frames meet A's by camera time: triggers that come over a wire, or free-running cameras."""

    def __init__(
        self,
        ledger: Ledger,
        latches: Latches,
        *,
        steady: bool,
        first_trigger: int,
        from_start: bool = False,
        tolerance: float = TOLERANCE,
    ) -> None:
        """Begin at `first_trigger`.

        `steady`: frames follow each other on their own, so that a witness will come. `from_start`: nothing was
        triggered before, so that frames without partner count before the first pair, too.
        """
        self._ledger = ledger
        self._steady = steady
        self._tolerance = tolerance
        self._frames: dict[CameraRole, deque[FrameRecord]] = {role: deque() for role in ROLES}
        self._latest_ns: dict[CameraRole, int] = {}
        self._spacings_ns: deque[int] = deque(maxlen=_SPACINGS)
        self._b_minus_a: int | None = None
        self.next_trigger = first_trigger
        self._has_pair = False
        self._lonely: FrameRecord | None = None
        self._has_begun = from_start
        if from_start:
            ledger.begin(first_trigger)
        latch_a, latch_b = latches.get("a"), latches.get("b")
        offset_ns, self._uncertainty_ns = None, 0
        if latch_a is not None and latch_b is not None:
            offset_ns = latch_a.host_time_of(0) - latch_b.host_time_of(0)
            self._uncertainty_ns = latch_a.uncertainty_ns + latch_b.uncertainty_ns
        self._clock = RelativeClock(offset_ns)

    def add(self, record: FrameRecord) -> None:
        """A frame was recorded."""
        time_ns = self._time_ns(record)
        if record.camera in self._latest_ns and time_ns > self._latest_ns[record.camera]:
            self._spacings_ns.append(time_ns - self._latest_ns[record.camera])
        self._latest_ns[record.camera] = time_ns
        self._frames[record.camera].append(record)
        self._advance(is_over=False)

    def finish(self, reasons: Reasons, *, is_cut: bool) -> None:
        """No frame will come any more. `is_cut`: the recording broke off, so frames without partner are losses."""
        self._advance(is_over=True)
        for role in ROLES:
            while self._frames[role] and is_cut and self._has_begun:
                self._single(role)
            self._frames[role].clear()
        if is_cut:
            for role in ROLES:
                self._ledger.close(self.next_trigger - 1, reasons.get(role, "not delivered"), camera=role)

    def is_settled(self, trigger_index: int) -> bool:
        """Whether both cameras' accounts reach this trigger."""
        return all(self._ledger.last_trigger(role) >= trigger_index for role in ROLES)

    def _advance(self, *, is_over: bool) -> None:
        a, b = self._frames["a"], self._frames["b"]
        while a and b:
            apart_ns = self._apart_ns(a[0], b[0])
            if abs(apart_ns) > self._tolerance_ns():
                self._single("a" if apart_ns > 0 else "b")
                continue
            doubt = self._doubt()
            if doubt == "wait" and not is_over:
                return
            if doubt in ("fits", "slips"):
                self._accept()
            elif doubt == "late":
                self._drop_late()
            else:
                self._single("a")
                self._single("b")

    def _doubt(self) -> Doubt:
        """Whether the two first frames, which fit in time, are one trigger's."""
        a, b = self._frames["a"], self._frames["b"]
        difference = b[0].trigger_index - a[0].trigger_index
        if difference == self._b_minus_a or (self._b_minus_a is None and not self._steady):
            return "fits"
        if self._tolerance >= 0.5:  # free-running: the nearest frame, however far
            return "fits"
        if len(a) < 2 or len(b) < 2:
            return "wait"
        if self._fit(a[0], b[1]) or self._fit(a[1], b[0]):
            return "late"  # two frames of one camera at the time of one frame of the other
        if self._fit(a[1], b[1]) and b[1].trigger_index - a[1].trigger_index == self._b_minus_a:
            return "late"
        # A frame late by almost a whole period, before a missed trigger, looks like the answer to the next one.
        closely_ns = max(CLOSE_NS, 6 * self._clock.scatter_ns) + self._doubtful_ns()
        return "slips" if abs(self._apart_ns(a[0], b[0])) <= closely_ns else "late"

    def _drop_late(self) -> None:
        """Leave out the frame that is not where its block id says; the other waits for its partner."""
        a, b = self._frames["a"], self._frames["b"]
        twice_b, twice_a = self._fit(a[0], b[1]), self._fit(a[1], b[0])
        late = [] if twice_b and not twice_a else [a.popleft()]
        late += [] if twice_a and not twice_b else [b.popleft()]
        for record in late:
            self._leave_out(record)

    def _leave_out(self, record: FrameRecord) -> None:
        """A frame that is no trigger's; should a trigger lack one, this came too late for it."""
        self._ledger.unasked_frames += 1
        self._ledger.note(Loss(record.camera, record.trigger_index, "late"))

    def _is_late(self, record: FrameRecord) -> bool:
        """Whether a frame without partner answers the trigger of the other camera's last one, some time later."""
        lonely, expected = self._lonely, self._ledger.expected_trigger(record)
        if lonely is None or lonely.camera == record.camera or expected is None or expected >= self.next_trigger:
            return False
        a, b = (lonely, record) if lonely.camera == "a" else (record, lonely)
        return abs(self._apart_ns(a, b)) < (1 - self._tolerance) * self._tolerance_ns() / self._tolerance

    def _fit(self, a: FrameRecord, b: FrameRecord) -> bool:
        return abs(self._apart_ns(a, b)) <= self._tolerance_ns()

    def _apart_ns(self, a: FrameRecord, b: FrameRecord) -> int:
        """B's time after A's, in B's clock."""
        if self._clock.is_known and a.camera_time_ns and b.camera_time_ns:
            return self._time_ns(b) - self._clock.time_at(self._time_ns(a))
        return b.host_time_ns - a.host_time_ns

    def _time_ns(self, record: FrameRecord) -> int:
        return record.camera_time_ns or record.host_time_ns

    def _tolerance_ns(self) -> float:
        """A lower quartile knows the period in spite of missed triggers and of single late frames."""
        spacing_ns: float = FIRST_SPACING_NS
        if len(self._spacings_ns) > 1:
            spacing_ns = quantiles(self._spacings_ns, n=4, method="inclusive")[0]
        return self._tolerance * min(spacing_ns, SPACING_MAX_NS) + self._doubtful_ns()

    def _doubtful_ns(self) -> int:
        """How far the latches may be wrong, until a pair knows better."""
        return 0 if self._has_pair else self._uncertainty_ns

    def _trigger_of(self, *records: FrameRecord) -> int:
        """The next trigger, or a later one where block ids say that triggers in between were answered and lost."""
        if not self._has_begun:
            return self.next_trigger
        expected = [self._ledger.expected_trigger(record) for record in records]
        return max([self.next_trigger, *(trigger for trigger in expected if trigger is not None)])

    def _accept(self) -> None:
        a, b = self._frames["a"].popleft(), self._frames["b"].popleft()
        if not self._has_begun:
            self._ledger.begin(self.next_trigger)
        trigger = self._trigger_of(a, b)
        self._has_pair = self._has_begun = True
        self._b_minus_a = b.trigger_index - a.trigger_index
        self._clock.learn(self._time_ns(a), self._time_ns(b))
        for record in (a, b):
            self._ledger.assign(record, trigger)
        self.next_trigger = trigger + 1

    def _single(self, role: CameraRole) -> None:
        """A frame without partner; before the first pair it belongs to the arming, not to the recording."""
        record = self._frames[role].popleft()
        if not self._has_begun or self._is_late(record):
            self._leave_out(record)
            return
        self._lonely = record
        trigger = self._trigger_of(record)
        self._ledger.assign(record, trigger)
        self.next_trigger = trigger + 1
