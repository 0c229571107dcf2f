"""A session beyond one homography and one blur: lenses, near ground, changing blur, reference pairs, a knock."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twinlens.calibrate import (
    Calibrations,
    Origin,
    PairIdentity,
    RigCalibration,
    align_pair,
    calibrate_session,
    valid_box,
)
from twinlens.calibrate.kernel import gauge_centroid_xy, kernel_sigma_px
from twinlens.errors import PoorFitError

SHAPE_HW = (512, 640)


@pytest.fixture(scope="module")
def lens_rig(coma_rig: Any) -> Any:
    """A lens of third order bends B; without a field 1.4 px would be left."""
    return replace(coma_rig, distortion_px=12.0)


@pytest.fixture(scope="module")
def by_reference(lens_rig: Any) -> RigCalibration:
    """Of the aberrated rig, with pairs of a flat mirror for its shape."""
    flat = replace(lens_rig, kernel=_gaussian_of(0.5))
    return calibrate_session(lens_rig.pairs(3), reference=flat.pairs(4))


@pytest.fixture(scope="module")
def one_sided_rig(bench: Any) -> Any:
    """B's blur grows from left to right, and leans elsewhere."""
    return bench.rig(kernel=bench.aberrated(0.3), kernel_right=bench.aberrated(0.6, seed=5))


@pytest.fixture(scope="module")
def by_zones(one_sided_rig: Any) -> RigCalibration:
    return calibrate_session(one_sided_rig.pairs(6))


def test_a_lens_that_bends_b_is_followed_to_a_twentieth_of_a_pixel(bench: Any) -> None:
    rig = bench.rig(distortion_px=12.0)
    found = calibrate_session(rig.pairs(3))
    assert found.field_kind == "distortion"
    shape_error_px, mean_shift = rig.mapped_error_px(found.map_b_from_a)
    assert shape_error_px < 0.05
    assert np.abs(mean_shift).max() < 0.05
    # The homography alone leaves more than a px of it.
    assert rig.mapped_error_px(lambda points: bench.apply(found.b_from_a, points))[0] > 1


def test_ground_that_comes_nearer_is_a_disparity_along_the_baseline(bench: Any) -> None:
    rig = bench.rig(parallax_px=4.0)
    found = calibrate_session(rig.pairs(4))
    assert found.field_kind == "disparity"
    assert found.field is not None
    assert found.baseline_deg == pytest.approx(0, abs=5)
    # The baseline lies along x, and a disparity has no other direction; 5 degrees are 0.09.
    assert np.abs(found.field.lattice[:, :, 1]).max() < 0.09 * np.abs(found.field.lattice[:, :, 0]).max()
    shape_error_px, mean_shift = rig.mapped_error_px(found.map_b_from_a)
    # A lattice of some 60 px smears the bend where the ground begins.
    assert shape_error_px < 0.1
    assert np.abs(mean_shift).max() < 0.05


def test_a_plain_rig_gets_no_field(calibration: RigCalibration) -> None:
    assert calibration.field is None
    assert calibration.field_kind == "none"
    assert calibration.kernel_zones == ()
    assert calibration.reference_shift_xy is None


def test_a_blur_that_changes_from_left_to_right_gets_nine_kernels(by_zones: RigCalibration) -> None:
    assert len(by_zones.kernel_zones) == 9
    sigma_px = np.array([kernel_sigma_px(kernel) for kernel in by_zones.kernel_zones]).reshape(3, 3)
    # Zone centres see 5/6, 1/2 and 1/6 of the left kernel: blur grows to the right in every row.
    assert (sigma_px[:, 0] + 0.3 < sigma_px[:, 2]).all()
    assert [(zone.row, zone.column) for zone in by_zones.report().zones[:4]] == [(0, 0), (0, 1), (0, 2), (1, 0)]


def test_in_every_zone_the_mapping_carries_the_centroid_of_the_blur_there(
    one_sided_rig: Any, by_zones: RigCalibration
) -> None:
    left, right = (
        np.array(gauge_centroid_xy(kernel)) for kernel in (one_sided_rig.kernel, one_sided_rig.kernel_right)
    )
    y, x = np.mgrid[40:480:40, 40:610:40].astype(float)
    on_b = np.stack([x.ravel(), y.ravel()], axis=1)
    found = by_zones.map_b_from_a(one_sided_rig.map_a_from_b(on_b)) - on_b
    truth = left + (on_b[:, :1] / 639) * (right - left)
    # A centroid is known to a tenth of a px: its faint tails end in noise.
    assert np.linalg.norm(found - truth, axis=1).mean() < 0.15
    assert np.linalg.norm(right - left) > 0.5


def test_nine_kernels_fit_an_unseen_pair_better_than_their_mean(
    one_sided_rig: Any, by_zones: RigCalibration
) -> None:
    identity = PairIdentity(scene="leaves", session_id="s", trigger_index=8)
    box = valid_box(by_zones)
    # With the mean kernel the pair lies so far off that it would be refused.
    lenient = replace(by_zones, settings=replace(by_zones.settings, max_drift_px=1.0))
    nine, one = (
        align_pair(*one_sided_rig.pair(8), found, box=box, identity=identity).passport
        for found in (lenient, replace(lenient, kernel_zones=()))
    )
    assert nine.verdict == "good"
    assert nine.residual_px < 0.7 * one.residual_px


def test_a_pair_taken_after_a_knock_is_named_left_out_and_changes_nothing(
    bench: Any, caplog: pytest.LogCaptureFixture
) -> None:
    rig = bench.rig()
    knocked = replace(rig, b_from_a=bench.homography(SHAPE_HW, shift_xy=(0.6, 0.8)) @ rig.b_from_a)
    names = ("street", "park", "bridge", "roof")
    found = calibrate_session([*rig.pairs(3), knocked.pair(3)], origin=Origin(names=names))
    assert found.pairs_used == 3
    assert [(pair.name, pair.flagged) for pair in found.drift] == [
        ("street", False),
        ("park", False),
        ("bridge", False),
        ("roof", True),
    ]
    assert found.drift[3].departure_px == pytest.approx(1, abs=0.1)
    assert max(pair.departure_px for pair in found.drift[:3]) < 0.1
    assert "roof is left out: its own mapping leaves the others' by" in caplog.text
    assert rig.error_px(found.b_from_a)[0] < 0.05
    assert np.abs(rig.error_px(found.b_from_a)[1]).max() < 0.05


def test_a_rig_that_moved_in_mid_session_is_refused_with_the_number_of_pairs(bench: Any) -> None:
    rig = bench.rig()
    knocked = replace(rig, b_from_a=bench.homography(SHAPE_HW, shift_xy=(1.2, 1.6)) @ rig.b_from_a)
    with pytest.raises(
        PoorFitError, match=r"[2-4] of 4 pairs leave their common mapping by more than 0.3 px"
    ) as no:
        calibrate_session([*rig.pairs(2), knocked.pair(2), knocked.pair(3)])
    assert "the rig moved" in no.value.hint


def test_reference_pairs_tell_how_far_the_gauge_moved_the_mapping(
    coma_rig: Any, by_reference: RigCalibration
) -> None:
    assert by_reference.reference_shift_xy == pytest.approx(gauge_centroid_xy(coma_rig.kernel), abs=0.05)


def test_reference_pairs_fix_the_shape_better_than_aberrated_pairs_do(
    lens_rig: Any, by_reference: RigCalibration
) -> None:
    alone = calibrate_session(lens_rig.pairs(3))
    with_reference_px = lens_rig.mapped_error_px(by_reference.map_b_from_a)[0]
    assert with_reference_px < 0.02
    assert with_reference_px <= lens_rig.mapped_error_px(alone.map_b_from_a)[0]


def test_a_field_that_reference_pairs_fixed_keeps_its_kind(by_reference: RigCalibration) -> None:
    assert by_reference.field is not None
    assert by_reference.field_kind == "distortion"
    assert by_reference.report().field == "distortion"
    assert by_reference.report().field_rms_px == by_reference.field.rms_px


def test_field_and_zones_survive_their_file_bit_for_bit(
    tmp_path: Path, by_reference: RigCalibration, by_zones: RigCalibration
) -> None:
    states = (replace(by_reference, mirror_state="bent"), replace(by_zones, mirror_state="zones"))
    Calibrations(states).write(tmp_path / "calibration.json")
    found = Calibrations.read(tmp_path / "calibration.json")
    bent, zones = found.of("bent"), found.of("zones")
    assert bent.field is not None
    assert by_reference.field is not None
    assert np.array_equal(bent.field.lattice, by_reference.field.lattice)
    assert (bent.field.shape_hw, bent.field_kind) == (SHAPE_HW, by_reference.field_kind)
    assert bent.reference_shift_xy == by_reference.reference_shift_xy
    points = np.random.default_rng(1).uniform(0, 500, (50, 2))
    assert np.array_equal(bent.map_b_from_a(points), by_reference.map_b_from_a(points))
    assert len(zones.kernel_zones) == 9
    assert all(np.array_equal(a, b) for a, b in zip(zones.kernel_zones, by_zones.kernel_zones, strict=True))
    assert zones.drift == by_zones.drift


def _gaussian_of(sigma_px: float) -> np.ndarray:
    line = np.exp(-0.5 * (np.arange(-4, 5) / sigma_px) ** 2)
    return np.outer(line, line) / line.sum() ** 2
