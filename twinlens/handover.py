"""Where stages meet: what one stage made is handed to the next as plain arrays and fields.

No stage imports one that is not its neighbour; the verbs, the demo and notebooks walk the street through here.
"""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from operator import add
from pathlib import Path

from twinlens.calibrate import (
    AlignedPair,
    Box,
    Calibrations,
    CalibrationSettings,
    Grid,
    Origin,
    PairIdentity,
    RigCalibration,
    align_pair,
    calibrate_session,
    reuse_calibration,
    valid_box,
)
from twinlens.capture.corrected import corrected, warn_of_other_gain
from twinlens.capture.session import MANIFEST, Session, SessionPairs
from twinlens.corrections import RigCorrections
from twinlens.dataset.build import DatasetSettings, build_dataset
from twinlens.dataset.schema import MirrorStateRecord, Provenance, Source
from twinlens.dataset.splits import split_scenes
from twinlens.dataset.summary import DatasetReport
from twinlens.errors import CalibrationError, DatasetError
from twinlens.pixels import Mono
from twinlens.session_corrections import corrections_of

log = logging.getLogger(__name__)


class ArrayPairs(Sequence[tuple[Mono, Mono]]):
    """A session's pairs as bare (a, b) arrays, read from disk and corrected when indexed."""

    def __init__(self, pairs: SessionPairs, maps: RigCorrections | None = None) -> None:
        self._pairs = pairs
        self._maps = maps

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> tuple[Mono, Mono]:  # type: ignore[override]
        return corrected(self._pairs[index], self._maps)


def calibrate_sessions(
    sessions: Sequence[Session],
    *,
    settings: CalibrationSettings | None = None,
    reuse: Calibrations | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> Calibrations:
    """One calibration per mirror state, pooled over all sessions and spread over their scenes.

    Where a session holds a dark series, and perhaps a flat one, all frames are corrected by it first, and the
    corrections become part of the calibration. Where it holds a reference series, recorded with a flat mirror,
    both cameras are sharp there, and it fixes the mapping's shape for every mirror state.

    Args:
        sessions: of one rig.
        settings: of the registration.
        reuse: a calibration that is kept as it is, if the sessions' pairs do not contradict it.
        on_step: gets one sentence after every step.

    Raises:
        CalibrationError: the sessions do not fit together, or their pictures determine no good mapping.
    """
    settings = settings or CalibrationSettings()
    _require_one_rig(sessions)
    labels = _labels(sessions)
    if not labels:
        raise CalibrationError("the sessions hold no complete pair", hint="record at least one pair")
    corrections = corrections_of(sessions, on_step=on_step) if reuse is None else reuse.corrections
    maps = corrections.maps if corrections is not None else None
    sharp = reduce(add, (session.pairs(kind="reference") for session in sessions)).spread(settings.max_pairs)
    reference = ArrayPairs(sharp, maps)
    states = []
    for label in labels:
        pairs = joined_pairs(sessions, label).spread(settings.max_pairs)
        origin = Origin(
            mirror_state=label,
            session_ids=tuple(session.id for session in sessions if len(session.pairs(label))),
            bit_depth=sessions[0].manifest.bit_depth,
            names=pairs.names,
        )
        arrays = ArrayPairs(pairs, maps)
        if reuse is not None:
            known = reuse.of(label)
            _require_same_frames(sessions[0], known)
            states.append(reuse_calibration(known, arrays, origin=origin, progress=on_step))
            continue
        states.append(
            calibrate_session(arrays, reference=reference, settings=settings, origin=origin, progress=on_step)
        )
    return Calibrations(tuple(states), corrections)


def build_from_sessions(
    sessions: Sequence[Session],
    calibration_file: Path,
    out: Path,
    *,
    settings: DatasetSettings,
    overwrite: bool = False,
    on_pair: Callable[[int], None] = lambda _: None,
    on_reject: Callable[[str], None] = log.warning,
) -> DatasetReport:
    """Align every pair of the sessions and write them as one dataset, corrected as the calibration was.

    A pair that contradicts the calibration, or fits it only coarsely, is left out and told to `on_reject`.

    Raises:
        TwinlensError: a session, the calibration or the split cannot work; nothing is left under `out` then.
    """
    if out.exists() and not overwrite:
        raise DatasetError(f"{out} exists already", hint="choose another name, or pass --overwrite")
    calibrations = Calibrations.read(calibration_file)
    _require_one_rig(sessions)
    used = [calibrations.of(label) for label in _labels(sessions)]
    for calibration in used:
        _require_same_frames(sessions[0], calibration)
    pairs = [(session, session.pairs()) for session in sessions]
    scene_counts = Counter(scene for _, each in pairs for scene in each.scenes)
    # Before the slow part: a split that cannot work should say so at once.
    split_scenes(scene_counts, ratios=settings.ratios, seed=settings.seed, assignment=settings.assignment)
    box = valid_box(*used, grid=settings.grid)
    if calibrations.maps is not None:
        warn_of_other_gain(sessions, calibrations.maps.b)
    return build_dataset(
        _counted(_aligned(pairs, calibrations, box, grid=settings.grid, on_reject=on_reject), on_pair),
        out,
        settings=settings,
        provenance=_provenance(sessions, calibration_file, settings),
        corrections=calibrations.maps,
        overwrite=overwrite,
    )


def joined_pairs(sessions: Sequence[Session], mirror_state: str | None = None) -> SessionPairs:
    """The pairs of several sessions, one after the other."""
    return reduce(add, (session.pairs(mirror_state) for session in sessions))


def _aligned(
    pairs: Sequence[tuple[Session, SessionPairs]],
    calibrations: Calibrations,
    box: Box,
    *,
    grid: Grid,
    on_reject: Callable[[str], None],
) -> Iterator[AlignedPair]:
    maps = calibrations.maps
    for session, frame_pairs in pairs:
        for pair in frame_pairs:
            identity = PairIdentity(
                scene=pair.scene,
                session_id=session.id,
                trigger_index=pair.trigger_index,
                skew_ns=pair.skew_ns,
                exposure_us=pair.b.record.exposure_us,
                gain_db=pair.b.record.gain_db,
            )
            calibration = calibrations.of(pair.mirror_state.label)
            a, b = corrected(pair, maps)
            left_out = f"left out trigger {pair.trigger_index} ({pair.scene})"
            try:
                aligned = align_pair(a, b, calibration, box=box, identity=identity, grid=grid)
            except CalibrationError as error:
                on_reject(f"{left_out}: {error.message}")
                continue
            if aligned.passport.verdict == "good":
                yield aligned
            else:
                on_reject(f"{left_out}: {'; '.join(aligned.passport.reasons)}")


def _counted(pairs: Iterator[AlignedPair], on_pair: Callable[[int], None]) -> Iterator[AlignedPair]:
    for count, pair in enumerate(pairs, start=1):
        yield pair
        on_pair(count)


def _labels(sessions: Sequence[Session]) -> list[str]:
    labels = dict.fromkeys(state.label for session in sessions for state in session.mirror_states())
    # A recording stopped right after the mirror moved lists a state without pairs.
    return [label for label in labels if len(joined_pairs(sessions, label))]


def _require_one_rig(sessions: Sequence[Session]) -> None:
    def rig(session: Session) -> tuple[str, str, int, int, int]:
        manifest = session.manifest
        serials = (manifest.cameras["a"]["serial"], manifest.cameras["b"]["serial"])
        return *serials, *manifest.shape_hw, manifest.bit_depth

    first = sessions[0]
    for other in sessions[1:]:
        if rig(other) != rig(first):
            raise CalibrationError(
                f"{other.id} was recorded as {rig(other)}, {first.id} as {rig(first)} "
                "(serial A, serial B, height, width, bit depth)",
                hint="calibrate sessions of one rig and one picture size together",
            )


def _require_same_frames(session: Session, calibration: RigCalibration) -> None:
    recorded = (*session.manifest.shape_hw, session.manifest.bit_depth)
    calibrated = (*calibration.shape_hw, calibration.bit_depth)
    if recorded != calibrated:
        raise CalibrationError(
            f"{session.id} holds frames of {recorded}, the calibration is of {calibrated} (height, width, bits)",
            hint="calibrate this session, or build with the calibration that belongs to it",
        )


def _provenance(sessions: Sequence[Session], calibration_file: Path, settings: DatasetSettings) -> Provenance:
    config: Mapping[str, object] = {
        "dataset": settings.as_dict(),
        "capture": {session.id: session.manifest.settings for session in sessions},
    }
    states = {state.label: state for session in sessions for state in session.mirror_states()}
    return Provenance(
        config_json=json.dumps(config, default=dict),
        calibration_json=calibration_file.read_text(),
        sources=tuple(
            Source(session.id, session.folder.name, _sha256(session.folder / MANIFEST)) for session in sessions
        ),
        mirror_states=tuple(MirrorStateRecord(s.label, s.values, s.unit) for s in states.values()),
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
