"""From sessions to a dataset, and to the next version of one: parts are made, gated, divided and sealed.

The limits of the gates are applied while assembling, so that other limits cost no second registration.
"""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from twinlens.build_plan import BuildPlan, plan, prepare
from twinlens.calibrate import Calibrations
from twinlens.capture.corrected import warn_of_other_gain
from twinlens.capture.session import MANIFEST, Session
from twinlens.dataset.append import appended
from twinlens.dataset.build import DatasetSettings, Recipe, assemble
from twinlens.dataset.derive import entries_of
from twinlens.dataset.entry import Entry
from twinlens.dataset.limits import gated
from twinlens.dataset.paired import PairedDataset
from twinlens.dataset.parts import read_part, read_part_rows
from twinlens.dataset.schema import MirrorStateRecord, Provenance, Reject, Source
from twinlens.dataset.schemes import divide
from twinlens.dataset.summary import DatasetReport, RejectCount, SplitCount
from twinlens.engines import Engine, in_this_process
from twinlens.errors import DatasetError, SplitLeakError, TwinlensError
from twinlens.handover import sha256_of
from twinlens.storage import hold_folder, parts_beside


def build_from_sessions(
    sessions: Sequence[Session],
    calibration_file: Path,
    out: Path,
    *,
    settings: DatasetSettings,
    engine: Engine = in_this_process,
    overwrite: bool = False,
    on_pair: Callable[[int], None] = lambda _: None,
) -> DatasetReport:
    """Align every pair of the sessions and write them as one dataset, corrected as the calibration was.

    A pair that contradicts the calibration, or misses a limit, is left out and listed in the file.

    Raises:
        TwinlensError: a session, the calibration or the split cannot work; nothing is left under `out` then.
    """
    todo = plan(sessions, calibration_file, out, settings=settings)
    if out.exists() and not overwrite:
        return _finished_before(todo)
    # Before the slow part: a split that cannot work should say so at once. Counts need to know who is kept.
    if settings.splits.counts is None:
        divide(todo.members, settings.splits)
    else:
        _require_enough(todo, settings.splits.counts)
    recipe = _recipe(sessions, calibration_file, settings, todo)
    with _parts(todo, engine=engine, on_pair=on_pair) as parts:
        found = chain.from_iterable(map(read_part, parts))
        return assemble(gated(found, settings.limits), out, recipe, overwrite=overwrite)


def append_sessions(
    dataset: PairedDataset,
    sessions: Sequence[Session],
    calibration_file: Path,
    out: Path,
    *,
    settings: DatasetSettings,
    engine: Engine = in_this_process,
    on_pair: Callable[[int], None] = lambda _: None,
) -> DatasetReport:
    """Write a new version of `dataset` to `out` that holds the pairs of `sessions` too.

    What was in a split stays there; new pairs of a known group join it, new groups are divided by the same rule.

    Raises:
        TwinlensError: as `build_from_sessions`.
    """
    todo = plan(sessions, calibration_file, out, settings=settings, parent=dataset)
    if out.exists():
        return _finished_before(todo)
    recipe = appended(dataset, _recipe(sessions, calibration_file, settings, todo), out)
    with _parts(todo, engine=engine, on_pair=on_pair) as parts:
        new = gated(chain.from_iterable(map(read_part, parts)), settings.limits)
        return assemble(chain(entries_of(dataset), dataset.rejects, new), out, recipe)


@dataclass(frozen=True, slots=True)
class DryRunReport:
    """What a build would hold."""

    pairs: int
    rejects: tuple[RejectCount, ...]
    """Most frequent first."""
    splits: tuple[SplitCount, ...]
    """Before pictures are looked at for scenes under two names; empty where they cannot be split as asked."""
    split_problem: str = ""
    """Why they cannot."""


def try_build(
    sessions: Sequence[Session],
    calibration_file: Path,
    out: Path,
    *,
    settings: DatasetSettings,
    engine: Engine = in_this_process,
    on_pair: Callable[[int], None] = lambda _: None,
) -> DryRunReport:
    """Count what a build would hold. What was aligned is kept for it: only `build` itself writes `out`.

    Raises:
        TwinlensError: as `build_from_sessions`.
    """
    todo = plan(sessions, calibration_file, out, settings=settings)
    with _parts(todo, engine=engine, on_pair=on_pair, keep=True) as parts:
        found = list(gated(chain.from_iterable(map(read_part_rows, parts)), settings.limits))
    members = [entry.member for entry in found if isinstance(entry, Entry)]
    reasons = Counter(reject.reason for reject in found if isinstance(reject, Reject))
    rejects = tuple(RejectCount(reason, count) for reason, count in reasons.most_common())
    if not members:
        return DryRunReport(0, rejects, ())
    try:
        rows_of = divide(members, settings.splits).rows
    except SplitLeakError as error:
        return DryRunReport(len(members), rejects, (), f"{error.message}; {error.hint}")
    splits = tuple(
        SplitCount(part, len({members[row].scene for row in rows}), len(rows)) for part, rows in rows_of.items()
    )
    return DryRunReport(len(members), rejects, splits)


@contextmanager
def _parts(
    todo: BuildPlan, *, engine: Engine, on_pair: Callable[[int], None], keep: bool = False
) -> Iterator[list[Path]]:
    """Every part of a plan; removed afterwards, unless something went wrong or they are to be kept.

    Raises:
        DatasetError: another process builds the same file, or parts cannot be written.
    """
    try:
        todo.work.mkdir(parents=True, exist_ok=True)
        with hold_folder(todo.work):
            for abandoned in parts_beside(todo.out):
                abandoned.unlink()  # by killed builds of the same file, while they put parts together
            yield prepare(todo, engine=engine, on_pair=on_pair)
            if not keep:
                shutil.rmtree(todo.work)
    except BlockingIOError as cause:
        raise DatasetError(
            f"{todo.work} belongs to another build that is running",
            hint="wait for it to end, or give another name with -o",
        ) from cause
    except OSError as cause:
        raise DatasetError(
            f"pairs could not be stored beside the dataset: {cause}",
            hint=f"check that the folder is writable and its disk has room; what was done is kept in {todo.work}",
        ) from cause
    except TwinlensError as error:
        if any(todo.work.glob("*.h5")):
            error.hint = f"{error.hint}. What was aligned is kept in {todo.work} for the next try"
        raise


def _require_enough(todo: BuildPlan, counts: tuple[int, int, int]) -> None:
    if sum(counts) > len(todo.members):
        raise SplitLeakError(
            f"{sum(counts)} pairs are asked for, and the sessions hold {len(todo.members)}",
            hint="ask for smaller --counts, or record more pairs",
        )


def _finished_before(todo: BuildPlan) -> DatasetReport:
    """The report of the same build, where it has been done; any other file is in the way.

    Raises:
        DatasetError: the file to write is another dataset.
    """
    dataset = PairedDataset(todo.out)
    if json.loads(dataset.provenance().config_json).get("plan") != todo.digest:
        raise DatasetError(
            f"{todo.out} exists, and was built from something else",
            hint="choose another name, or pass --overwrite",
        )
    if todo.work.exists():
        with suppress(BlockingIOError), hold_folder(todo.work):  # held: somebody builds it anew
            shutil.rmtree(todo.work)
    return dataset.summary()


def _recipe(
    sessions: Sequence[Session], calibration_file: Path, settings: DatasetSettings, todo: BuildPlan
) -> Recipe:
    maps = Calibrations.read(calibration_file).maps
    if maps is not None:
        warn_of_other_gain(sessions, maps.b)
    config: Mapping[str, object] = {
        "dataset": settings.as_dict(),
        "capture": {session.id: session.manifest.settings for session in sessions},
        "plan": todo.digest,
    }
    states = {state.label: state for session in sessions for state in session.mirror_states()}
    provenance = Provenance(
        config_json=json.dumps(config, default=dict),
        calibration_json=calibration_file.read_text(),
        sources=tuple(
            Source(session.id, session.folder.name, sha256_of(session.folder / MANIFEST)) for session in sessions
        ),
        mirror_states=tuple(MirrorStateRecord(s.label, s.values, s.unit) for s in states.values()),
    )
    return Recipe(settings=settings, provenance=provenance, corrections=maps)
