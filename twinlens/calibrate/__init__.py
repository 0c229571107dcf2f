"""Floor 4: how camera A's picture maps onto camera B's."""

from twinlens.calibrate.align import AlignedPair, PairIdentity, Passport, align_pair, aligned_a, valid_box
from twinlens.calibrate.calibrate import Origin, calibrate_session
from twinlens.calibrate.corrections import Conditions, Corrections, MeasuredCamera, measure_correction
from twinlens.calibrate.model import Calibrations, CalibrationSettings, RigCalibration
from twinlens.calibrate.photometric import Photometric
from twinlens.calibrate.reports import CalibrationReport, DriftReport, EmvaReport, StateReport, ZoneReport
from twinlens.calibrate.resample import Box

__all__ = [
    "AlignedPair",
    "Box",
    "CalibrationReport",
    "CalibrationSettings",
    "Calibrations",
    "Conditions",
    "Corrections",
    "DriftReport",
    "EmvaReport",
    "MeasuredCamera",
    "Origin",
    "PairIdentity",
    "Passport",
    "Photometric",
    "RigCalibration",
    "StateReport",
    "ZoneReport",
    "align_pair",
    "aligned_a",
    "calibrate_session",
    "measure_correction",
    "valid_box",
]
