"""One pair against its session's calibration: confirmed as it is, or refused with the pixels."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from twinlens.calibrate import Registration, RigCalibration, register
from twinlens.calibrate.geometry import map_points
from twinlens.calibrate.mapping import fitted_field, samples_xy
from twinlens.errors import DegenerateGeometryError, PoorFitError

SHAPE_HW = (512, 640)


@pytest.fixture(scope="module")
def confirmed(coma_rig: Any, calibration: RigCalibration) -> Registration:
    return register(*coma_rig.pair(7), prior=calibration)


def test_an_unseen_pair_of_the_session_confirms_its_calibration(
    confirmed: Registration, calibration: RigCalibration
) -> None:
    assert (confirmed.verdict, confirmed.reasons, confirmed.method) == ("good", (), "calibration")
    assert confirmed.departure_px is not None
    # A pair alone knows its mapping to some hundredths of a px.
    assert confirmed.departure_px < 0.06
    assert confirmed.kernel is calibration.kernel
    assert confirmed.gauge == calibration.gauge


def test_the_departure_is_how_far_the_pairs_own_mapping_leaves_the_sessions(
    confirmed: Registration, calibration: RigCalibration
) -> None:
    points = samples_xy(SHAPE_HW)
    apart = map_points(confirmed.b_from_a, points) - map_points(calibration.b_from_a, points)
    assert confirmed.departure_px == pytest.approx(np.sqrt((apart**2).sum(axis=1).mean()), rel=0.05)


@pytest.mark.parametrize(("moved_px", "turned_deg"), [(0.5, 0.0), (1.0, 0.0), (0.0, 0.15)])
def test_a_knocked_calibration_is_refused_with_the_departure(
    bench: Any, coma_rig: Any, calibration: RigCalibration, moved_px: float, turned_deg: float
) -> None:
    knock = bench.homography(SHAPE_HW, shift_xy=(0.6 * moved_px, 0.8 * moved_px), rotation_deg=turned_deg)
    knocked = replace(calibration, b_from_a=knock @ calibration.b_from_a)
    # 0.15 degrees move a frame of 640 x 512 by 0.62 px, root mean square.
    departure_px = moved_px or np.deg2rad(turned_deg) * np.hypot(640, 512) / np.sqrt(12)
    with pytest.raises(PoorFitError, match="its own mapping leaves it by") as refusal:
        register(*coma_rig.pair(7), prior=knocked)
    told_px = float(refusal.value.message.split("leaves it by ")[1].split(" px")[0])
    assert told_px == pytest.approx(departure_px, abs=0.08)
    assert "the rig has moved" in refusal.value.hint


def test_a_knock_within_the_limit_is_measured_and_followed(
    bench: Any, coma_rig: Any, calibration: RigCalibration, confirmed: Registration
) -> None:
    knock = bench.homography(SHAPE_HW, shift_xy=(0.12, 0.16))
    found = register(*coma_rig.pair(7), prior=replace(calibration, b_from_a=knock @ calibration.b_from_a))
    assert found.departure_px == pytest.approx(0.2, abs=0.06)
    points = samples_xy(SHAPE_HW)
    apart = map_points(found.b_from_a, points) - map_points(confirmed.b_from_a, points)
    assert np.abs(apart).max() < 0.05  # the pair's own mapping is the same, whichever it was held against


def test_two_scenes_contradict_every_calibration(coma_rig: Any, calibration: RigCalibration) -> None:
    with pytest.raises(PoorFitError, match=r"tile correlation -?0\.[0-5]\d \(at least 0.6\)") as refusal:
        register(coma_rig.pair(0)[0], coma_rig.pair(1)[1], prior=calibration)
    assert refusal.value.hint


def test_fog_tells_nothing_about_a_calibration(calibration: RigCalibration) -> None:
    fog = np.full(SHAPE_HW, 90, np.uint8)
    with pytest.raises(DegenerateGeometryError, match="0 textured tiles; 8 are needed") as refusal:
        register(fog, fog, prior=calibration)
    assert refusal.value.hint


def test_a_pair_of_another_size_or_depth_is_a_callers_mistake(coma_rig: Any, calibration: RigCalibration) -> None:
    a, b = coma_rig.pair(7)
    with pytest.raises(ValueError, match=r"the pair is \(500, 640\) of 8 bit, its calibration is of \(512, 640\)"):
        register(a[:500], b[:500], prior=calibration)
    with pytest.raises(ValueError, match=r"of 12 bit, its calibration is of .* 8 bit"):
        register(a.astype(np.uint16), b.astype(np.uint16), prior=calibration, bit_depth=12)


def test_a_calibrations_field_is_used_and_kept(coma_rig: Any, calibration: RigCalibration) -> None:
    bent = replace(coma_rig, distortion_px=12.0)
    field = fitted_field(bent.field_at, SHAPE_HW)
    found = register(*bent.pair(7), prior=replace(calibration, field=field, field_kind="distortion"))
    assert found.verdict == "good"
    assert found.field is field
    assert bent.mapped_error_px(found.map_b_from_a)[0] < 0.05
    straight = register(*bent.pair(7), prior=calibration)
    assert straight.verdict == "coarse"
    assert straight.fitness.residual_px > 1
