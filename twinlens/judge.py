"""What the street found against what the virtual rig knows. Only the demo and tests read this; no stage does."""

import numpy as np
from numpy.typing import NDArray

from twinlens.calibrate import RigCalibration
from twinlens.capture.virtual.twin import RigTwin
from twinlens.pixels import Homography, PointsXY
from twinlens.report.street import RegistrationTruth
from twinlens.restore.baselines import shift_kernel

GRID = 33


def judge_registration(twin: RigTwin, found: RigCalibration, *, mirror_state_index: int = 0) -> RegistrationTruth:
    """How far the found mapping is from the twin's, over 33x33 points of A that B sees.

    The mapping's gauge puts the blur's centroid at zero, so the mapping differs from the true one by about the
    PSF's centroid. The true kernel is moved by the same amount: a target convolved with it gives its input, and a
    Wiener filter that did not know of the shift would be scored against a displaced target.
    """
    on_b, error = _grid_errors(twin.true_b_from_a, found, twin.shape_hw)
    shift = error.mean(axis=0)
    shape = error - shift
    return RegistrationTruth(
        shape_error_px=float(np.linalg.norm(shape, axis=1).mean()),
        mean_shift_px=float(np.linalg.norm(shift)),
        error_xy=tuple(
            (float(x), float(y), float(dx), float(dy)) for (x, y), (dx, dy) in zip(on_b, shape, strict=True)
        ),
        true_b_from_a=twin.true_b_from_a,
        true_kernel_b=shift_kernel(twin.psf("b", mirror_state_index), (-float(shift[0]), -float(shift[1]))),
    )


def _grid_errors(
    true_b_from_a: Homography, found_mapping: RigCalibration, shape_hw: tuple[int, int]
) -> tuple[PointsXY, PointsXY]:
    height, width = shape_hw
    x, y = np.meshgrid(np.linspace(0, width - 1, GRID), np.linspace(0, height - 1, GRID))
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    true, found = _mapped(true_b_from_a, points), found_mapping.map_b_from_a(points)
    seen = ((true >= 0) & (true <= [width - 1, height - 1])).all(axis=1)
    return true[seen], (found - true)[seen]


def _mapped(b_from_a: Homography, points: PointsXY) -> PointsXY:
    homogeneous: NDArray[np.float64] = np.column_stack([points, np.ones(len(points))]) @ b_from_a.T
    on_b: PointsXY = homogeneous[:, :2] / homogeneous[:, 2:]
    return on_b
