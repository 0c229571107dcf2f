"""What travels with a pair: its own mapping's departure, what moved, and residuals zone by zone."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from twinlens.calibrate import (
    AlignedPair,
    CalibrationSettings,
    PairIdentity,
    RigCalibration,
    align_pair,
    valid_box,
)
from twinlens.calibrate.own_fit import check_drift, own_fit
from twinlens.calibrate.tile_lk import TileFits
from twinlens.errors import PoorFitError

SHAPE_HW = (512, 640)
IDENTITY = PairIdentity(scene="leaves-9", session_id="session-1", trigger_index=9)
CAR = (slice(192, 320), slice(256, 448))
"""Where something drove on between the two exposures, in the crop: two by three tiles of 64 px."""


def tiles(shift_xy: np.ndarray, *, sd_px: float = 0.03, count: int = 80) -> TileFits:
    """Tiles all over the frame, of good texture, that ask for these shifts (n, 2)."""
    x, y = np.meshgrid(np.arange(10) * 64 + 31.5, np.arange(8) * 64 + 31.5)
    centre_xy = np.stack([x.ravel(), y.ravel()], axis=1)[:count]
    sums = np.array([4e6, 2e4, 1000, 2e6, 1e4, 1e6])
    return TileFits(
        centre_xy=centre_xy,
        shift_xy=shift_xy[:count],
        covariance=np.tile(sd_px**2 * np.eye(2), (count, 1, 1)),
        ncc=np.ones(count),
        unexplained=np.ones(count),
        contradicting_xy=np.zeros((0, 2)),
        brightness_sums=np.tile(sums, (count, 1)),
    )


@pytest.fixture(scope="module")
def with_car(coma_rig: Any, calibration: RigCalibration) -> AlignedPair:
    """A pair in which a part of the scene moved on by 4 px in B."""
    a, b = (frame.copy() for frame in coma_rig.pair(9))
    box = valid_box(calibration)
    cut = b[box.crop]
    cut[CAR] = cut[CAR[0], CAR[1].start - 4 : CAR[1].stop - 4].copy()
    return align_pair(a, b, calibration, box=box, identity=IDENTITY)


def test_most_of_what_moved_between_the_exposures_is_masked_and_nothing_else(with_car: AlignedPair) -> None:
    # Four of its six tiles; in the others too little looks alike after 4 px for their shift to be known.
    assert with_car.mask[CAR].mean() < 0.4
    elsewhere = np.ones(with_car.mask.shape, np.bool_)
    elsewhere[CAR] = False
    # The blur carries a little of the car over its edge, into tiles that are still all the same.
    assert with_car.mask[elsewhere].all()


def test_the_share_that_moved_is_reported_and_the_pair_stays_good(with_car: AlignedPair) -> None:
    # Up to six tiles saw the car.
    assert 4 <= with_car.passport.moving_share * with_car.passport.tiles <= 6.001
    assert with_car.passport.verdict == "good"
    assert with_car.passport.departure_px < 0.1


def test_a_still_pair_has_nothing_moving(coma_rig: Any, calibration: RigCalibration) -> None:
    pair = align_pair(*coma_rig.pair(9), calibration, box=valid_box(calibration), identity=IDENTITY)
    assert pair.passport.moving_share == 0
    assert pair.mask.all()
    assert pair.passport.ceiling_db is not None
    assert pair.passport.ceiling_db > 30


def test_residuals_are_told_zone_by_zone_so_that_a_bent_corner_shows(
    coma_rig: Any, calibration: RigCalibration
) -> None:
    straight, bent = (
        align_pair(*rig.pair(9), calibration, box=valid_box(calibration), identity=IDENTITY).passport
        for rig in (coma_rig, replace(coma_rig, distortion_px=1.2))
    )
    assert len(straight.zone_residual_px) == len(bent.zone_residual_px) == 9
    assert all(px is not None and px < 0.15 for px in straight.zone_residual_px)
    corners = [bent.zone_residual_px[place] for place in (0, 2, 6, 8)]
    middle = bent.zone_residual_px[4]
    assert middle is not None
    # The middle of a corner zone lies at two thirds of the radius: 1.2 * (2 / 3) ** 3 = 0.36 px.
    assert all(px == pytest.approx(0.36, abs=0.15) for px in corners)
    assert middle < 0.1


def test_the_departure_is_the_root_mean_square_of_the_pairs_own_homography() -> None:
    turned = np.deg2rad(0.1) * (tiles(np.zeros((80, 2))).centre_xy - [319.5, 255.5])[:, ::-1] * [-1, 1]
    found = own_fit(tiles(turned), SHAPE_HW, overlap=1.0, bit_depth=8)
    truth_px = np.deg2rad(0.1) * np.hypot(640, 512) / np.sqrt(12)
    assert found.departure_px == pytest.approx(truth_px, rel=0.05)


def test_the_departure_counts_full_pixels_of_reduced_frames() -> None:
    shifted = np.tile([0.3, -0.4], (80, 1))
    full, reduced = (own_fit(tiles(shifted), SHAPE_HW, overlap=1, bit_depth=8, scale=scale) for scale in (1, 2))
    assert full.departure_px == pytest.approx(0.5, abs=1e-3)
    assert reduced.departure_px == pytest.approx(1.0, abs=1e-3)
    assert reduced.fitness.residual_px == pytest.approx(1.0, abs=1e-6)


def test_a_pair_that_knows_little_is_asked_for_a_shift_alone() -> None:
    rng = np.random.default_rng(4)
    shift_xy = [0.1, 0.0] + 0.4 * rng.standard_normal((80, 2))
    found = own_fit(tiles(shift_xy, sd_px=0.4, count=12), SHAPE_HW, overlap=1.0, bit_depth=8)
    assert found.correction is not None
    assert found.correction.moved[:2, :2] == pytest.approx(np.eye(2), abs=1e-6)


def test_too_few_tiles_have_no_departure_and_are_refused() -> None:
    found = own_fit(tiles(np.zeros((80, 2)), count=7), SHAPE_HW, overlap=1.0, bit_depth=8)
    assert found.correction is None
    assert found.departure_px == float("inf")
    with pytest.raises(PoorFitError, match="leaves it by inf px"):
        check_drift(found, CalibrationSettings(), name="pair 3")


@pytest.mark.parametrize(("moved_px", "refused"), [(0.29, False), (0.31, True)])
def test_the_limit_of_a_departure_is_the_settings(moved_px: float, refused: bool) -> None:  # noqa: FBT001
    found = own_fit(tiles(np.tile([moved_px, 0.0], (80, 1))), SHAPE_HW, overlap=1.0, bit_depth=8)
    if not refused:
        assert check_drift(found, CalibrationSettings(), name="pair 3") is found.correction
        return
    with pytest.raises(PoorFitError, match=r"pair 3 contradicts .* 0.31 px \(at most 0.3\)") as no:
        check_drift(found, CalibrationSettings(), name="pair 3")
    assert no.value.hint
