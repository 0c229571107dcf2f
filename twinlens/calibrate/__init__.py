"""Floor 4: how camera A's picture maps onto camera B's."""

from twinlens.calibrate.align import AlignedPair, PairIdentity, Passport, align_pair, aligned_a, valid_box
from twinlens.calibrate.calibrate import Origin, calibrate_session
from twinlens.calibrate.model import (
    CalibrationReport,
    Calibrations,
    CalibrationSettings,
    RigCalibration,
    StateReport,
)
from twinlens.calibrate.photometric import Photometric
from twinlens.calibrate.resample import Box

__all__ = [
    "AlignedPair",
    "Box",
    "CalibrationReport",
    "CalibrationSettings",
    "Calibrations",
    "Origin",
    "PairIdentity",
    "Passport",
    "Photometric",
    "RigCalibration",
    "StateReport",
    "align_pair",
    "aligned_a",
    "calibrate_session",
    "valid_box",
]
