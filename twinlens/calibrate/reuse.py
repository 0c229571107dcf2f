"""Using a calibration again: does it still fit what the rig records now?"""

import logging
from collections.abc import Callable
from dataclasses import replace

from twinlens.calibrate.against import fit_against
from twinlens.calibrate.gates import judge
from twinlens.calibrate.model import RigCalibration
from twinlens.calibrate.own_fit import check_drift
from twinlens.calibrate.photometric import fit_gain_offset
from twinlens.calibrate.reports import DriftReport
from twinlens.calibrate.taken import Origin, Pairs, take
from twinlens.errors import CalibrationError, DegenerateGeometryError, PoorFitError

log = logging.getLogger(__name__)


def reuse_calibration(
    known: RigCalibration,
    pairs: Pairs,
    *,
    origin: Origin | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> RigCalibration:
    """The same calibration for more sessions, with the drift of their pairs.

    Args:
        known: of the same rig and mirror state.
        pairs: at most `known.settings.max_pairs` are looked at.
        origin: whose `session_ids` are added, and the pairs' names.
        progress: gets one sentence for every pair.

    Raises:
        PoorFitError: half of the pairs or more contradict it: the rig has moved since.
        DegenerateGeometryError: no pair has enough texture to tell.
        ValueError: the frames are not of the calibrated size or type.
    """
    origin = origin or Origin()
    taken = take(pairs, known.settings.max_pairs, replace(origin, bit_depth=known.bit_depth))
    told = []
    for (a, b), name in zip(taken.pairs, taken.names, strict=True):
        own = fit_against(a, b, known, bit_depth=known.bit_depth, name=name)
        if own.correction is None or not own.fitness.tiles:
            progress(f"{name}: too little texture to tell")
            continue
        try:
            judge(own.fitness, known.settings, name=name)
            check_drift(own, known.settings, name=name)
            flagged = False
        except CalibrationError as error:
            log.warning("%s", error.message)
            flagged = True
        gain = fit_gain_offset(own.fits)[0]
        told.append(DriftReport(name, own.departure_px, own.fitness.residual_px, gain, flagged))
        progress(f"{name}: {own.departure_px:.3f} px from the calibration")
    flagged_count = sum(pair.flagged for pair in told)
    if not told:
        raise DegenerateGeometryError(
            f"none of {len(taken.pairs)} pairs has enough texture to tell whether the calibration fits",
            hint="record a scene with texture, or calibrate anew",
        )
    if 2 * flagged_count >= len(told):
        raise PoorFitError(
            f"{flagged_count} of {len(told)} pairs contradict the calibration of {known.mirror_state!r}",
            hint="the rig has moved since: calibrate without --reuse",
        )
    return replace(known, session_ids=(*known.session_ids, *origin.session_ids), drift=tuple(told))
