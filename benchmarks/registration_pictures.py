"""A pair before and after registration, small enough for a page, with what was decided about it and why."""

import numpy as np
from numpy.typing import NDArray

from twinlens.calibrate import Registration
from twinlens.calibrate.equalise import smaller
from twinlens.calibrate.geometry import whole
from twinlens.calibrate.mapping import Mapping
from twinlens.calibrate.resample import resample, warp_mask
from twinlens.errors import CalibrationError
from twinlens.report.street import PairVerdict, RegistrationPictures

Frame = NDArray[np.uint8]

LONGEST_PX = 1300
"""Longer frames are reduced by whole numbers: a page and its files stay at some MB a pair."""


def pictured(name: str, a: Frame, b: Frame, found: Registration | CalibrationError) -> RegistrationPictures:
    """The pair (h, w) with its verdict; a refused one only as it was before. What A does not see is black."""
    factor = -(-max(b.shape) // LONGEST_PX)
    small_a, small_b = (smaller(frame.astype(np.float32), factor) for frame in (a, b))
    laid = None
    if isinstance(found, Registration):
        shape_hw = (small_b.shape[0], small_b.shape[1])
        mapping = Mapping(found.b_from_a, found.field).reduced(factor)
        on_b = resample(small_a, mapping.b_from_a, whole(shape_hw), field=mapping.field)
        seen = warp_mask(np.ones(small_a.shape, np.bool_), mapping.b_from_a, shape_hw, field=mapping.field)
        laid = _grey(on_b * seen)
    return RegistrationPictures(
        mirror_state="",
        b=_grey(small_b),
        a_unregistered=_grey(small_a),
        a_registered=laid,
        verdict=_verdict(name, found),
    )


def _verdict(name: str, found: Registration | CalibrationError) -> PairVerdict:
    if isinstance(found, CalibrationError):
        return PairVerdict(name, "refused", str(found), None, None)
    reason = "; ".join(found.reasons) or "within every limit"
    return PairVerdict(name, found.verdict, reason, found.fitness.residual_px, found.fitness.overlap)


def _grey(levels: NDArray[np.floating]) -> Frame:
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)
