"""Where stages meet: what one stage made is handed to the next as plain arrays and fields.

No stage imports one that is not its neighbour; the verbs, the demo and notebooks walk the street through here.
"""

import hashlib
import logging
from collections.abc import Callable, Sequence
from functools import reduce
from operator import add
from pathlib import Path

from twinlens.calibrate import (
    Calibrations,
    CalibrationSettings,
    Origin,
    RigCalibration,
    calibrate_session,
    reuse_calibration,
)
from twinlens.capture.corrected import corrected
from twinlens.capture.session import Session, SessionPairs
from twinlens.corrections import RigCorrections
from twinlens.errors import CalibrationError
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
    require_one_rig(sessions)
    labels = mirror_labels(sessions)
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
            require_same_rig(sessions[0], reuse, known)
            states.append(reuse_calibration(known, arrays, origin=origin, progress=on_step))
            continue
        states.append(
            calibrate_session(arrays, reference=reference, settings=settings, origin=origin, progress=on_step)
        )
    return Calibrations(tuple(states), corrections, serials_of(sessions[0]))


def joined_pairs(sessions: Sequence[Session], mirror_state: str | None = None) -> SessionPairs:
    """The pairs of several sessions, one after the other."""
    return reduce(add, (session.pairs(mirror_state) for session in sessions))


def mirror_labels(sessions: Sequence[Session]) -> list[str]:
    """The mirror states that pairs were recorded in, in order of first use."""
    labels = dict.fromkeys(state.label for session in sessions for state in session.mirror_states())
    # A recording stopped right after the mirror moved lists a state without pairs.
    return [label for label in labels if len(joined_pairs(sessions, label))]


def require_one_rig(sessions: Sequence[Session]) -> None:
    """Raise `CalibrationError` where sessions are of several rigs, sizes or depths."""

    def rig(session: Session) -> tuple[str, str, int, int, int]:
        manifest = session.manifest
        return *serials_of(session), *manifest.shape_hw, manifest.bit_depth

    first = sessions[0]
    for other in sessions[1:]:
        if rig(other) != rig(first):
            raise CalibrationError(
                f"{other.id} was recorded as {rig(other)}, {first.id} as {rig(first)} "
                "(serial A, serial B, height, width, bit depth)",
                hint="calibrate sessions of one rig and one picture size together",
            )


def require_same_rig(session: Session, calibrations: Calibrations, calibration: RigCalibration) -> None:
    """Raise `CalibrationError` where a session was recorded by other cameras or in another size or depth."""
    serials = serials_of(session)
    if calibrations.serials is not None and serials != calibrations.serials:
        raise CalibrationError(
            f"{session.id} was recorded by A {serials[0]} and B {serials[1]}, the calibration is of A "
            f"{calibrations.serials[0]} and B {calibrations.serials[1]}",
            hint="use the calibration of this rig; where A and B are swapped, correct the rig's settings",
        )
    recorded = (*session.manifest.shape_hw, session.manifest.bit_depth)
    calibrated = (*calibration.shape_hw, calibration.bit_depth)
    if recorded != calibrated:
        raise CalibrationError(
            f"{session.id} holds frames of {recorded}, the calibration is of {calibrated} (height, width, bits)",
            hint="calibrate this session, or build with the calibration that belongs to it",
        )


def serials_of(session: Session) -> tuple[str, str]:
    """Of A and B."""
    cameras = session.manifest.cameras
    return cameras["a"]["serial"], cameras["b"]["serial"]


def sha256_of(path: Path) -> str:
    """Hex digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
