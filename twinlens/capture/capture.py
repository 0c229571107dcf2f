"""Recording a session: takes of scenes, one trigger after the other, until N pairs are complete."""

import shutil
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from twinlens.capture.clock import Skew, measure_skew
from twinlens.capture.frame import CameraRole, FrameRecord, MirrorState
from twinlens.capture.genicam import FeatureValue
from twinlens.capture.pairing import Gap, pair_records
from twinlens.capture.producers import find_producer
from twinlens.capture.rig import Rig
from twinlens.capture.rig_file import RigSettings
from twinlens.capture.session import Manifest, RecordedTake, sealed_records
from twinlens.capture.worker import Finished
from twinlens.errors import CaptureError, FrameTimeoutError, SettingsError
from twinlens.storage import sync_folder

MAX_LOST_IN_A_ROW = 3
"""After so many triggers without a pair, something is broken rather than noisy."""


@dataclass(frozen=True, slots=True)
class Take:
    """What to record: `pairs` pairs of one scene under one mirror state."""

    scene: str
    pairs: int
    mirror_state: MirrorState = field(default_factory=lambda: MirrorState("unknown"))
    features: Mapping[str, FeatureValue] = field(default_factory=dict)
    """Features set on both cameras first, such as the virtual rig's scene selector."""


@dataclass(frozen=True, slots=True)
class CaptureReport:
    """How a session went, so far or in the end. Numbers only."""

    session_id: str
    folder: str
    scene: str
    """Being recorded, or recorded last."""
    pairs_wanted: int
    pairs: int
    scenes: int
    triggers: int
    frames: dict[str, int]
    """Complete frames per camera."""
    frames_lost: int
    """Frames that a trigger asked for and that are not on disk."""
    ledger: tuple[Gap, ...]
    skew: Skew | None
    """None without camera times or with fewer than three pairs."""
    flushed_frames: dict[CameraRole, int]
    stream: dict[str, dict[str, int]]
    """Per camera: the producer's counters; empty until the end."""
    producer: str
    seconds: float

    @property
    def complete(self) -> bool:
        """Whether every pair asked for is there."""
        return self.pairs >= self.pairs_wanted


def capture(settings: RigSettings, takes: Sequence[Take], *, out: Path) -> Generator[CaptureReport, None, None]:
    """Record a session into a new folder below `out`; yields a report after each trigger, the last at the end.

    The folder has its final name only once it is sealed. Whatever ends the recording early (a lost camera,
    Ctrl-C as GeneratorExit or KeyboardInterrupt), the complete pairs so far are sealed first.

    Raises:
        SettingsError: A and B are not assigned, or a setting cannot work.
        CameraNotFoundError: a camera does not answer.
        FrameTimeoutError: several triggers in a row brought no pair.
        CaptureError: anything else that ends a recording.
    """
    settings.require_assigned()
    if not takes or any(take.pairs < 1 for take in takes):
        raise SettingsError("no pairs were asked for", hint="ask for at least one pair of one scene")
    recording = _Recording(settings, takes, out=out)
    try:
        yield from recording.run()
    finally:
        recording.seal()
    yield recording.report()


class _Recording:
    def __init__(self, settings: RigSettings, takes: Sequence[Take], *, out: Path) -> None:
        now = datetime.now(UTC)
        self._started = now
        self._id = f"session_{now:%Y-%m-%dT%H-%M-%SZ}_{uuid.uuid4().hex[:8]}"
        self._settings = settings
        self._takes = takes
        self._producer = find_producer(settings.producer or None)
        self.folder = out / self._id
        self._part = out / f"{self._id}.part"
        self._part.mkdir(parents=True)
        self._recorded: list[RecordedTake] = []
        self._records: list[FrameRecord] = []
        self._gaps: list[Gap] = []
        self._flushed: dict[CameraRole, int] = {}
        self._finished: dict[CameraRole, Finished] = {}
        self._triggers = 0
        self._rig: Rig | None = None

    def run(self) -> Iterator[CaptureReport]:
        with Rig(self._settings, producer=self._producer, session_id=self._id, folder=self._part) as self._rig:
            try:
                self._flushed = self._rig.arm()
                for take in self._takes:
                    yield from self._take(self._rig, take)
            except BaseException:
                with suppress(CaptureError):  # what ended the recording is the news, not what it broke
                    self._finished = self._rig.finish()
                raise
            self._finished = self._rig.finish()

    def _take(self, rig: Rig, take: Take) -> Iterator[CaptureReport]:
        if take.features:
            rig.write(take.features)
        self._recorded.append(RecordedTake(take.scene, take.mirror_state, self._triggers))
        wanted, lost_in_a_row = len(self._pairs()) + take.pairs, 0
        while (before := len(self._pairs())) < wanted:
            self._triggers += 1
            outcome = rig.fire(self._triggers - 1)
            self._records += outcome.records
            self._gaps += outcome.gaps
            yield self.report()
            lost_in_a_row = lost_in_a_row + 1 if len(self._pairs()) == before else 0
            if lost_in_a_row == MAX_LOST_IN_A_ROW:
                reasons = ", ".join(f"{gap.camera.upper()} {gap.reason}" for gap in self._gaps[-4:])
                raise FrameTimeoutError(
                    f"{MAX_LOST_IN_A_ROW} triggers in a row brought no pair ({reasons}); "
                    f"{before} of {self._wanted()} pairs are complete",
                    hint="check the cameras' network: packet size, receive buffer, one port per camera",
                )

    def report(self) -> CaptureReport:
        pairs = self._pairs()
        return CaptureReport(
            session_id=self._id,
            folder=str(self.folder),
            scene=self._recorded[-1].scene if self._recorded else "",
            pairs_wanted=self._wanted(),
            pairs=len(pairs),
            scenes=len({take.scene for take in self._recorded}),
            triggers=self._triggers,
            frames={role: sum(r.camera == role for r in self._records) for role in ("a", "b")},
            frames_lost=2 * self._triggers - len(self._records),
            ledger=tuple(self._gaps),
            skew=measure_skew(pairs),
            flushed_frames=self._flushed,
            stream={role: finished.stream for role, finished in self._finished.items()},
            producer=self._producer.name,
            seconds=(datetime.now(UTC) - self._started).total_seconds(),
        )

    def seal(self) -> None:
        """Give the folder its final name, or remove it if it holds no frame.

        Only frames in sealed segments count. A process that was killed leaves its last segment open; without
        a sealed pair the folder then keeps its `.part` name, and the frames wait there for a repair.
        """
        sealed = sealed_records(self._part)
        there = {(record.camera, record.trigger_index) for record in sealed}
        for record in self._records:
            if (record.camera, record.trigger_index) not in there:
                self._gaps.append(Gap(record.trigger_index, record.camera, "not written"))
        self._records = sealed
        if self._rig is None or not self._pairs():
            if not any(self._part.glob("*/*.part")):
                shutil.rmtree(self._part, ignore_errors=True)
            return
        Manifest(
            id=self._id,
            complete=len(self._pairs()) >= self._wanted(),
            cameras={role: asdict(info) for role, info in self._rig.cameras.items()},
            settings=self._settings.as_dict(),
            producer=self._producer.name,
            shape_hw=self._rig.shape_hw,
            bit_depth=8,
            takes=tuple(self._recorded),
            triggers=self._triggers,
            ledger=tuple(self._gaps),
            stream={role: finished.stream for role, finished in self._finished.items()},
        ).write(self._part)
        self._part.replace(self.folder)
        sync_folder(self.folder.parent)

    def _wanted(self) -> int:
        return sum(take.pairs for take in self._takes)

    def _pairs(self) -> list[tuple[FrameRecord, FrameRecord]]:
        return pair_records(
            (r for r in self._records if r.camera == "a"), (r for r in self._records if r.camera == "b")
        )


def require_complete(report: CaptureReport) -> None:
    """Raise unless the session holds every pair that was asked for."""
    if not report.complete:
        raise CaptureError(
            f"{report.pairs} of {report.pairs_wanted} pairs are complete",
            hint=f"the session was kept in {report.folder}; record the missing pairs again",
        )
