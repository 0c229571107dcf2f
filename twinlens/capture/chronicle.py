"""What a recording has brought so far: its takes, its account, its report, and the folder it is sealed into."""

import shutil
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from twinlens.capture.clock import measure_distance, measure_drift_ppm, measure_skew
from twinlens.capture.frame import CameraRole
from twinlens.capture.manifest import Manifest, RecordedTake, read_manifest
from twinlens.capture.messages import Finished, Opened
from twinlens.capture.report import CaptureReport, Take
from twinlens.capture.rig_file import RigSettings
from twinlens.capture.session_folder import SessionFolder
from twinlens.capture.tally import MatchedBy, Tally
from twinlens.errors import SessionError

TOLERANCE = 0.25
FREE_TOLERANCE = 0.5
"""Free-running cameras are paired by the nearest frame, whatever its distance."""
_MATCHED_BY: Mapping[str, MatchedBy] = {"software": "command", "action": "command", "chain": "chain"}
_LIVE_PAIRS = 200
"""The live view measures the skew of the last pairs only."""
_RATE_S = 2.0
_RESUMABLE = ("pixel_format", "width", "height", "offset_x", "offset_y", "trigger")
"""Settings that must be the same in all parts of a session."""


class Chronicle:
    """The record of one session while it grows."""

    def __init__(self, settings: RigSettings, *, out: Path, resume: Path | None, producer: Path) -> None:
        """Begin a new session below `out`, or reopen a sealed one.

        Raises:
            SessionError: what shall go on is no sealed session, or was recorded differently.
        """
        self._settings = settings
        self._producer = producer
        self._started_s = time.monotonic()
        before = None
        if resume is None:
            self.folder = SessionFolder.create(out)
        else:
            _require_same_settings(resume, settings)
            self.folder, before = SessionFolder.reopen(resume)
        self._before = before
        self.tally = Tally(
            _MATCHED_BY.get(settings.trigger, "time"),
            tolerance=FREE_TOLERANCE if settings.trigger == "free" else TOLERANCE,
            first_trigger=before.triggers if before else 0,
        )
        self.takes: list[RecordedTake] = list(before.takes) if before else []
        self.arming = before.armings if before else 0
        self._wanted = [0] * len(self.takes)
        self.flushed: dict[CameraRole, int] = {}
        self.finished: dict[CameraRole, Finished] = {}
        self.opened: dict[CameraRole, Opened] = {}
        self.ended = "it never began"
        self._pair_times_s: deque[float] = deque(maxlen=256)

    @property
    def pairs(self) -> int:
        """Complete pairs so far, those of takes that were taken again included."""
        return len(self.tally.ledger.pairs)

    @property
    def kept_pairs(self) -> int:
        """Complete pairs of takes that were not taken again."""
        rejected = {number for number, take in enumerate(self.takes) if take.rejected}
        if not rejected:
            return self.pairs
        return sum(a.take not in rejected for a, _ in self.tally.ledger.pairs)

    @property
    def pairs_wanted(self) -> int:
        """Pairs asked for in those takes; 0 where only times were asked for."""
        return sum(wanted for take, wanted in zip(self.takes, self._wanted, strict=True) if not take.rejected)

    def begin(self, take: Take) -> RecordedTake:
        """Note that a take begins; also on the disk, should this process be killed."""
        exposure_us = self._settings.exposure_us if take.exposure_us is None else take.exposure_us
        gain_db = self._settings.gain_db if take.gain_db is None else take.gain_db
        for index in range(max(0, len(self.takes) - take.replaces_previous), len(self.takes)):
            self.takes[index] = replace(self.takes[index], rejected=True)
        begun = RecordedTake(
            take.scene, take.mirror_state, self.tally.next_trigger, take.kind, exposure_us, gain_db
        )
        self.takes.append(begun)
        self._wanted.append(take.pairs)
        self.manifest("it was being recorded").write(self.folder.part)
        return begun

    def note_pairs(self, count: int) -> None:
        """`count` pairs have just been completed."""
        self._pair_times_s += [time.monotonic()] * count

    def report(self) -> CaptureReport:
        """How it went so far."""
        ledger, status = self.tally.ledger, self.tally.status
        pairs = ledger.pairs if self.finished else ledger.pairs[-_LIVE_PAIRS:]
        measure = measure_distance if self._settings.trigger == "free" else measure_skew
        latch_a, latch_b = self.tally.latches.get("a"), self.tally.latches.get("b")
        return CaptureReport(
            session_id=self.folder.id,
            folder=str(self.folder.final),
            scene=self.takes[-1].scene if self.takes else "",
            pairs_wanted=self.pairs_wanted,
            pairs=self.kept_pairs,
            scenes=len({take.scene for take in self.takes if not take.rejected}),
            triggers=self._triggers(),
            frames=dict(self.tally.frames),
            frames_lost=len(ledger.gaps),
            ledger=tuple(ledger.gaps),
            skew=measure(pairs, (latch_a, latch_b) if latch_a and latch_b else None),
            flushed_frames=dict(sorted(self.flushed.items())),
            stream={role: finished.stream for role, finished in sorted(self.finished.items())},
            producer=self._producer.name,
            seconds=time.monotonic() - self._started_s,
            synchronised=self._settings.trigger != "free",
            slips=tuple(ledger.slips),
            unasked_frames=ledger.unasked_frames,
            armings=self.arming + 1,
            drift_ppm=measure_drift_ppm(pairs) if self.finished else None,
            rate_hz=sum(time.monotonic() - at_s < _RATE_S for at_s in self._pair_times_s) / _RATE_S,
            queued={role: each.queued for role, each in status.items()},
            queue_high_water={role: each.queue_high_water for role, each in status.items()},
            pair_bytes=self._pair_bytes(),
            disk_left_bytes=shutil.disk_usage(self.folder.final.parent).free,
            saturated={role: each.saturated for role, each in status.items()},
            focus={role: each.focus for role, each in status.items()},
            ended=self.ended,
        )

    def manifest(self, ended: str) -> Manifest:
        """Everything `session.json` shall say."""
        before, ledger = self._before, self.tally.ledger
        cameras: Mapping[str, dict[str, str]] = {role: asdict(o.info) for role, o in self.opened.items()}
        setting = self.opened["a"].setting
        return Manifest(
            id=self.folder.id,
            complete=not ended and self.kept_pairs >= self.pairs_wanted,
            cameras=dict(cameras),
            settings=self._settings.as_dict(),
            producer=self._producer.name,
            shape_hw=setting.shape_hw,
            bit_depth=setting.bit_depth,
            takes=tuple(self.takes),
            triggers=self._triggers(),
            ledger=(*(before.ledger if before else ()), *ledger.gaps),
            stream={role: finished.stream for role, finished in sorted(self.finished.items())},
            runs=(*(before.runs if before else ()), *ledger.runs),
            slips=(*(before.slips if before else ()), *ledger.slips),
            armings=self.arming + 1,
            synchronised=self._settings.trigger != "free",
            ended=ended,
        )

    def seal(self) -> None:
        """Give the folder its final name, or remove it if it holds no frame.

        Segments that a killed process left open are mended first; a frame that was counted and is in no sealed
        segment becomes a gap.
        """
        if self._before is None and not self.folder.has_frames():
            self.folder.remove()
            return
        self.folder.mend()
        is_untouched = self._before is not None and len(self.takes) == len(self._before.takes)
        manifest = self._before if is_untouched and self._before is not None else self.manifest(self.ended)
        sealed = self.folder.seal(manifest)
        known = len(self._before.ledger) if self._before else 0
        self.tally.ledger.gaps[:] = sealed.ledger[known:]
        refused = {gap.trigger_index for gap in self.tally.ledger.gaps}
        self.tally.ledger.pairs[:] = [p for p in self.tally.ledger.pairs if p[0].trigger_index not in refused]

    def _pair_bytes(self) -> int:
        if "a" not in self.opened:
            return 0
        setting = self.opened["a"].setting
        return 2 * setting.shape_hw[0] * setting.shape_hw[1] * (1 if setting.bit_depth == 8 else 2)

    def _triggers(self) -> int:
        """Triggers accounted for: those fired, or those that frames show."""
        return max(self.tally.ledger.triggers, self.tally.next_trigger)


def _require_same_settings(resume: Path, settings: RigSettings) -> None:
    recorded, wanted = read_manifest(resume).settings, settings.as_dict()
    other = [name for name in (*_RESUMABLE, "a", "b") if recorded.get(name) != wanted[name]]
    if other:
        seen = ", ".join(f"{name} was {recorded.get(name)!r} and is {wanted[name]!r}" for name in other)
        raise SessionError(f"session {resume} was recorded differently: {seen}", hint="record a new session")
