"""Floor 4: how camera A's picture maps onto camera B's."""

from twinlens.calibrate.align import AlignedPair, PairIdentity, align_pair, aligned_a
from twinlens.calibrate.calibrate import calibrate_session
from twinlens.calibrate.calibrations import Calibrations
from twinlens.calibrate.common_box import Grid, valid_box
from twinlens.calibrate.corrections import Conditions, Corrections, MeasuredCamera, measure_correction
from twinlens.calibrate.geometry import Box
from twinlens.calibrate.model import RigCalibration
from twinlens.calibrate.passport import Passport
from twinlens.calibrate.photometric import Photometric
from twinlens.calibrate.registration import Registration, register
from twinlens.calibrate.reports import CalibrationReport, DriftReport, EmvaReport, StateReport, ZoneReport
from twinlens.calibrate.reuse import reuse_calibration
from twinlens.calibrate.settings import CalibrationSettings
from twinlens.calibrate.taken import Origin

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
    "Grid",
    "MeasuredCamera",
    "Origin",
    "PairIdentity",
    "Passport",
    "Photometric",
    "Registration",
    "RigCalibration",
    "StateReport",
    "ZoneReport",
    "align_pair",
    "aligned_a",
    "calibrate_session",
    "measure_correction",
    "register",
    "reuse_calibration",
    "valid_box",
]
