"""A build as tasks: `plan` cuts the alignment of sessions into them, `run` does one.

Tasks are values and `run` is a pure function of one, so it does not matter where it runs. Parts lie in a hidden
folder beside the dataset until that is sealed: the same command goes on where a killed one stopped.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from twinlens import __version__
from twinlens.calibrate import Box, Calibrations, Grid, PairIdentity, align_pair, valid_box
from twinlens.capture.corrected import corrected
from twinlens.capture.session import MANIFEST, Session, SessionPairs
from twinlens.dataset.build import DatasetSettings
from twinlens.dataset.entry import Entry
from twinlens.dataset.groups import Member
from twinlens.dataset.identity import pair_id
from twinlens.dataset.measure import entry_of
from twinlens.dataset.paired import PairedDataset
from twinlens.dataset.parts import PartReport, write_part
from twinlens.dataset.schema import Reject
from twinlens.engines import Engine
from twinlens.errors import CalibrationError, DatasetError
from twinlens.handover import require_one_rig, require_same_rig, serials_of, sha256_of

TASK_BYTES = 2**26
"""Pixels of one part: small enough that a kill costs seconds, large enough that opening files costs nothing."""
MOST_PAIRS = 32
PART_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildTask:
    """Some pairs of one session to be aligned into one part; plain values."""

    session: Path
    pairs: tuple[int, ...]
    """Positions in the session's pairs."""
    calibration: Path
    box: Box
    grid: Grid
    part: Path
    """The file to write; its name is a digest of everything that decides what goes into it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildPlan:
    """Everything that is to be done, and what it was planned from."""

    tasks: tuple[BuildTask, ...]
    out: Path
    """The dataset to write."""
    digest: str
    """Of tasks, settings and parent."""
    members: tuple[Member, ...]
    """The pairs there are to align."""

    @property
    def work(self) -> Path:
        """Hidden folder beside the dataset, where parts lie until that is sealed."""
        return _work_beside(self.out)


def plan(
    sessions: Sequence[Session],
    calibration_file: Path,
    out: Path,
    *,
    settings: DatasetSettings,
    parent: PairedDataset | None = None,
) -> BuildPlan:
    """Cut the alignment of every pair of the sessions that the settings ask for into tasks.

    `parent` is the dataset that they are to be appended to: its pairs are of the same rig and size.

    The plan depends on what the sessions hold, not on the order in which they are given.

    Raises:
        TwinlensError: a session or the calibration cannot work, or no session shows an asked scene.
    """
    require_one_rig(sessions)
    _require_different(sessions)
    _require_scenes(sessions, settings.scenes)
    wanted = {session.id: _wanted(session, settings.scenes) for session in sessions}
    calibrations = Calibrations.read(calibration_file)
    labels = dict.fromkeys(pair.mirror_state for pairs in wanted.values() for pair in pairs.values())
    used = [calibrations.of(label) for label in labels]
    for calibration in used:
        require_same_rig(sessions[0], calibrations, calibration)
    box = valid_box(*used, grid=settings.grid)
    if parent is not None:
        _require_new(parent, wanted)
        _require_parents_rig(parent, sessions[0])
        box = _like_parent(box, parent)
    frame_bytes = box.shape_hw[0] * box.shape_hw[1] * (1 if sessions[0].manifest.bit_depth <= 8 else 2)
    per_task = min(MOST_PAIRS, max(1, TASK_BYTES // (3 * frame_bytes)))
    work, calibrated_by = _work_beside(out).absolute(), sha256_of(calibration_file)
    tasks: list[BuildTask] = []
    for session in sorted(sessions, key=lambda one: one.id):
        told = [PART_VERSION, __version__, calibrated_by, _told_of(session), asdict(box), settings.grid]
        positions = list(wanted[session.id])
        for start in range(0, len(positions), per_task):
            pairs = tuple(positions[start : start + per_task])
            tasks.append(
                BuildTask(
                    session=session.folder.absolute(),
                    pairs=pairs,
                    calibration=calibration_file.absolute(),
                    box=box,
                    grid=settings.grid,
                    part=work / f"{_digest([*told, pairs])}.h5",
                )
            )
    return BuildPlan(
        tasks=tuple(tasks),
        out=out,
        digest=_digest(
            [[task.part.name for task in tasks], settings.as_dict(), parent.content_hash if parent else ""]
        ),
        members=tuple(member for pairs in wanted.values() for member in pairs.values()),
    )


def run(task: BuildTask) -> PartReport:
    """Align the pairs of a task into its part.

    Raises:
        TwinlensError: the session or the calibration is gone or damaged.
        OSError: the part cannot be written.
    """
    return write_part(_aligned(task), task.part)


def prepare(todo: BuildPlan, *, engine: Engine, on_pair: Callable[[int], None]) -> list[Path]:
    """Every part of a plan, in its order: those that are there already, and the others made now."""
    wanted = {task.part.name for task in todo.tasks}
    for path in todo.work.glob("*.h5"):
        if path.name not in wanted:
            path.unlink()
    missing = [task for task in todo.tasks if not task.part.exists()]
    done = len(todo.members) - sum(len(task.pairs) for task in missing)
    on_pair(done)
    for report in engine(run, missing):
        done += report.pairs + report.rejects
        on_pair(done)
    return [task.part for task in todo.tasks]


def _work_beside(out: Path) -> Path:
    return out.with_name(f".{out.name}.building")


def _aligned(task: BuildTask) -> Iterator[Entry | Reject]:
    session_id, pairs = _pairs_of(task.session, _stamp(task.session / MANIFEST))
    calibrations = _calibrations(task.calibration, _stamp(task.calibration))
    for position in task.pairs:
        pair = pairs[position]
        identity = PairIdentity(
            scene=pair.scene,
            session_id=session_id,
            trigger_index=pair.trigger_index,
            skew_ns=pair.skew_ns,
            exposure_us=pair.b.record.exposure_us,
            gain_db=pair.b.record.gain_db,
            host_time_ns=pair.a.record.host_time_ns,
        )
        a, b = corrected(pair, calibrations.maps)
        calibration = calibrations.of(pair.mirror_state.label)
        try:
            yield entry_of(align_pair(a, b, calibration, box=task.box, identity=identity, grid=task.grid))
        except CalibrationError as error:
            yield Reject(
                session_id=session_id,
                trigger_index=pair.trigger_index,
                scene=pair.scene,
                mirror_state=pair.mirror_state.label,
                reason="registration",
                text=error.message,
            )


@lru_cache(maxsize=2)
def _pairs_of(folder: Path, stamp: int) -> tuple[str, SessionPairs]:  # noqa: ARG001 - another stamp is another session
    """Id and pairs of a session, which the tasks of a process share."""
    session = Session(folder)
    return session.id, session.pairs()


@lru_cache(maxsize=1)
def _calibrations(path: Path, stamp: int) -> Calibrations:  # noqa: ARG001 - another stamp is another calibration
    return Calibrations.read(path)


def _stamp(path: Path) -> int:
    return path.stat().st_mtime_ns


def _told_of(session: Session) -> list[object]:
    """What a session holds, in short: another value where its account or a segment of its frames has changed."""
    segments = sorted(path for role in ("a", "b") for path in (session.folder / role).glob("*.h5"))
    states = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in segments]
    return [sha256_of(session.folder / MANIFEST), states]


def _digest(told: object) -> str:
    text = json.dumps(told, sort_keys=True, default=dict)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _wanted(session: Session, scenes: Sequence[str]) -> dict[int, Member]:
    """The pairs of a session that are asked for, by their position in it."""
    return {
        position: Member(pair_id(session.id, trigger), scene, session.id, trigger, label)
        for position, (scene, trigger, label) in enumerate(session.pairs().labels)
        if not scenes or scene in scenes
    }


def _require_different(sessions: Sequence[Session]) -> None:
    twice = [name for name, count in Counter(session.id for session in sessions).items() if count > 1]
    if twice:
        raise DatasetError(
            f"session {twice[0]} is given {sum(session.id == twice[0] for session in sessions)} times",
            hint="name every session once; a copied session is the same one",
        )


def _require_new(parent: PairedDataset, wanted: Mapping[str, Mapping[int, Member]]) -> None:
    known = set(parent.contents.pair_ids)
    old = [member for pairs in wanted.values() for member in pairs.values() if member.pair_id in known]
    if old:
        first = old[0]
        raise DatasetError(
            f"{len(old)} pairs are in {parent.path} already, such as trigger {first.trigger_index} of "
            f"{first.session_id}",
            hint="append sessions that it does not hold yet",
        )


def _require_parents_rig(parent: PairedDataset, session: Session) -> None:
    if parent.bit_depth != session.manifest.bit_depth:
        raise DatasetError(
            f"{session.id} holds {session.manifest.bit_depth} bit, {parent.path} {parent.bit_depth} bit",
            hint="build it as a dataset of its own",
        )
    if parent.channels != 1:
        raise DatasetError(
            f"{session.id} is monochrome, {parent.path} in colour", hint="build it as a dataset of its own"
        )
    cameras = json.loads(parent.provenance().calibration_json).get("cameras")
    if cameras is not None and (cameras["a"], cameras["b"]) != serials_of(session):
        raise DatasetError(
            f"{session.id} was recorded by {' and '.join(serials_of(session))}, {parent.path} by "
            f"{cameras['a']} and {cameras['b']}",
            hint="build sessions of another rig as a dataset of their own",
        )


def _like_parent(box: Box, parent: PairedDataset) -> Box:
    """The middle of `box` in the parent's size: another calibration leaves another part of the frame valid."""
    height, width = parent.shape_hw
    if height > box.shape_hw[0] or width > box.shape_hw[1]:
        raise DatasetError(
            f"{width}x{height} px are needed to append to {parent.path}, and both cameras see "
            f"{box.shape_hw[1]}x{box.shape_hw[0]} px together",
            hint=f"first: twinlens derive {parent.path} --crop 0 0 {min(width, box.shape_hw[1])} "
            f"{min(height, box.shape_hw[0])}",
        )
    top, left = box.top + (box.shape_hw[0] - height) // 2, box.left + (box.shape_hw[1] - width) // 2
    return Box(left, top, left + width, top + height)


def _require_scenes(sessions: Sequence[Session], scenes: Sequence[str]) -> None:
    seen = {scene for session in sessions for scene in session.pairs().scenes}
    missing = sorted(set(scenes) - seen)
    if missing:
        raise DatasetError(
            f"no session shows {', '.join(missing)}; their scenes are {', '.join(sorted(seen))}",
            hint="correct the names, or add the sessions that show them",
        )
