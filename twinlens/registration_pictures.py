"""Pictures of a calibration for report pages: one pair of each mirror state, before and after registration."""

from collections.abc import Sequence
from typing import cast

import numpy as np

from twinlens.calibrate import Calibrations, RigCalibration, aligned_a
from twinlens.capture.corrected import corrected
from twinlens.capture.session import Session, SessionPairs
from twinlens.corrections import RigCorrections
from twinlens.pixels import Mono, MonoFloat
from twinlens.report.street import RegistrationPictures


def registration_pictures(
    sessions: Sequence[Session], calibrations: Calibrations
) -> tuple[RegistrationPictures, ...]:
    """The first pair of every mirror state that the sessions hold."""
    found = []
    for calibration in calibrations.states:
        pairs = (session.pairs(calibration.mirror_state) for session in sessions)
        first = next((some for some in pairs if len(some)), None)
        if first is not None:
            found.append(_pictures(first, calibration, calibrations.maps))
    return tuple(found)


def _pictures(
    pairs: SessionPairs, calibration: RigCalibration, maps: RigCorrections | None
) -> RegistrationPictures:
    a, b = corrected(pairs[0], maps)
    zones = calibration.kernel_zones
    return RegistrationPictures(
        mirror_state=calibration.mirror_state,
        b=b,
        a_unregistered=a,
        a_registered=_rounded(aligned_a(a, calibration), a),
        kernel=calibration.kernel,
        kernel_zones=tuple(zones[row : row + 3] for row in range(0, len(zones), 3)),
    )


def _rounded(exact: MonoFloat, like: Mono) -> Mono:
    white = np.iinfo(like.dtype).max
    return cast("Mono", np.clip(np.rint(exact), 0, white).astype(like.dtype))
