"""One pair on B's grid: what must not change, what must fit, what is refused."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from twinlens.calibrate import AlignedPair, Box, PairIdentity, RigCalibration, align_pair, aligned_a, valid_box
from twinlens.calibrate.geometry import map_points
from twinlens.errors import DegenerateGeometryError, PoorFitError

IDENTITY = PairIdentity(
    scene="leaves-9", session_id="session-1", trigger_index=9, skew_ns=-40, exposure_us=5000.0, gain_db=2.0
)


@pytest.fixture(scope="module")
def aligned(coma_rig: Any, calibration: RigCalibration) -> AlignedPair:
    return align_pair(*coma_rig.pair(9), calibration, box=valid_box(calibration), identity=IDENTITY)


def test_the_input_is_bs_own_pixels(coma_rig: Any, calibration: RigCalibration, aligned: AlignedPair) -> None:
    box = valid_box(calibration)
    b = coma_rig.pair(9)[1]
    assert np.array_equal(aligned.input, b[box.top : box.bottom, box.left : box.right])
    assert not np.shares_memory(aligned.input, b)


def test_the_target_is_what_b_would_see_without_its_blur(
    bench: Any, coma_rig: Any, calibration: RigCalibration, aligned: AlignedPair
) -> None:
    box = valid_box(calibration)
    # The gauge moves the target by the removed centroid, so the truth is looked at through the found mapping.
    seen = replace(coma_rig, b_from_a=calibration.b_from_a)
    truth = seen.b_brightness(seen.a_through_b(9))[box.top : box.bottom, box.left : box.right]
    # Noise of 1.2 grey levels alone allows 46 dB.
    assert bench.psnr_db(aligned.target, truth) > 44
    assert bench.psnr_db(aligned.target, truth) > bench.psnr_db(aligned.input, truth) + 15


def test_target_input_and_mask_share_shape_and_type(aligned: AlignedPair) -> None:
    assert aligned.input.shape == aligned.target.shape == aligned.mask.shape
    assert aligned.input.dtype == aligned.target.dtype == np.uint8
    assert aligned.mask.all()
    assert aligned.bit_depth == 8


def test_labels_of_the_pair_travel(aligned: AlignedPair) -> None:
    seen = (aligned.scene, aligned.session_id, aligned.trigger_index, aligned.skew_ns)
    assert seen == ("leaves-9", "session-1", 9, -40)
    assert (aligned.exposure_us, aligned.gain_db, aligned.mirror_state) == (5000.0, 2.0, "coma")


def test_b_from_a_leads_to_the_pixels_of_the_crop(calibration: RigCalibration, aligned: AlignedPair) -> None:
    box, point = valid_box(calibration), np.array([[200.0, 150.0]])
    whole = map_points(calibration.b_from_a, point)
    assert map_points(aligned.b_from_a, point) == pytest.approx(whole - [box.left, box.top], abs=1e-9)


def test_the_passport_of_a_good_pair_is_clean(aligned: AlignedPair) -> None:
    passport = aligned.passport
    assert passport.residual_px < 0.1 < passport.residual_p95_px + 0.1
    assert passport.ncc > 0.99
    assert passport.gain == pytest.approx(1, abs=0.01)
    assert passport.offset == pytest.approx(0, abs=1)
    assert 0.9 < passport.overlap <= 1
    assert passport.saturated_fraction < 0.01


@pytest.mark.parametrize("moved_px", [0.15, 0.25])
def test_the_residual_measures_how_far_a_pair_moved(
    coma_rig: Any, calibration: RigCalibration, moved_px: float
) -> None:
    shifted = calibration.b_from_a.copy()
    shifted = np.array([[1, 0, moved_px], [0, 1, 0], [0, 0, 1]]) @ shifted
    pair = align_pair(
        *coma_rig.pair(9), replace(calibration, b_from_a=shifted), box=valid_box(calibration), identity=IDENTITY
    )
    assert pair.passport.residual_px == pytest.approx(moved_px, abs=0.1)


@pytest.mark.parametrize(("moved_px", "turned_deg"), [(0.5, 0.0), (1.0, 0.0), (0.0, 0.15)])
def test_a_pair_is_refused_by_a_calibration_that_was_knocked(
    bench: Any, coma_rig: Any, calibration: RigCalibration, moved_px: float, turned_deg: float
) -> None:
    knock = bench.homography((512, 640), shift_xy=(0.6 * moved_px, 0.8 * moved_px), rotation_deg=turned_deg)
    knocked = replace(calibration, b_from_a=knock @ calibration.b_from_a)
    with pytest.raises(PoorFitError, match=r"its own mapping leaves it by \d\.\d\d px \(at most 0.3\)"):
        align_pair(*coma_rig.pair(9), knocked, box=valid_box(calibration), identity=IDENTITY)


def test_a_brighter_pair_shows_its_own_gain_and_its_target_has_it(
    coma_rig: Any, calibration: RigCalibration
) -> None:
    a, b = coma_rig.pair(9)
    dimmed = np.rint(b * 0.8).astype(np.uint8)
    pair = align_pair(a, dimmed, calibration, box=valid_box(calibration), identity=IDENTITY)
    assert pair.passport.gain == pytest.approx(0.8, abs=0.01)
    assert pair.target.mean() == pytest.approx(pair.input.mean(), abs=0.5)
    assert "gain 0.8" in pair.passport.reasons[0]


def test_saturated_pixels_of_either_camera_are_masked(coma_rig: Any, calibration: RigCalibration) -> None:
    a, b = (frame.copy() for frame in coma_rig.pair(9))
    b[100:110, 200:220] = 255
    a[300:320, 400:420] = 255
    box = valid_box(calibration)
    pair = align_pair(a, b, calibration, box=box, identity=IDENTITY)
    assert not pair.mask[100 - box.top : 110 - box.top, 200 - box.left : 220 - box.left].any()
    x, y = np.rint(map_points(pair.b_from_a, np.array([[410.0, 310.0]])))[0].astype(int)
    assert not pair.mask[y - 8 : y + 8, x - 8 : x + 8].any()
    assert 0.001 < pair.passport.saturated_fraction < 0.01
    assert pair.mask.mean() == pytest.approx(1 - pair.passport.saturated_fraction)


def test_sixteen_bit_frames_stay_sixteen_bit(coma_rig: Any, calibration: RigCalibration) -> None:
    a, b = (frame.astype(np.uint16) * 16 for frame in coma_rig.pair(9))
    deep = replace(
        calibration,
        bit_depth=12,
        photometric=replace(calibration.photometric, offset=16 * calibration.photometric.offset),
    )
    pair = align_pair(a, b, deep, box=valid_box(deep), identity=IDENTITY)
    assert pair.target.dtype == pair.input.dtype == np.uint16
    assert pair.target.max() <= 4095
    assert len(np.unique(pair.target)) > 300


def test_the_common_area_is_a_multiple_of_sixteen_that_a_sees_everywhere(calibration: RigCalibration) -> None:
    box = valid_box(calibration)
    height, width = box.shape_hw
    assert height % 16 == 0
    assert width % 16 == 0
    corners_b = np.array(
        [[x, y] for x in (box.left, box.right - 1) for y in (box.top, box.bottom - 1)], dtype=np.float64
    )
    on_a = map_points(np.linalg.inv(calibration.b_from_a), corners_b)
    assert (on_a >= 8 - 1e-6).all()
    assert (on_a <= np.array([640, 512]) - 9 + 1e-6).all()
    assert box.top >= 4
    assert height * width > 0.85 * 512 * 640


def test_no_larger_rectangle_fits_the_common_area(bench: Any, calibration: RigCalibration) -> None:
    turned = replace(calibration, b_from_a=bench.homography((512, 640), rotation_deg=15))
    box = valid_box(turned)
    area = box.shape_hw[0] * box.shape_hw[1]
    y, x = np.mgrid[4:508:8, 4:636:8]
    points = np.stack([x.ravel(), y.ravel()], 1).astype(float)
    on_a = map_points(np.linalg.inv(turned.b_from_a), points)
    inside = ((on_a >= 8) & (on_a <= [631, 503])).all(1).reshape(x.shape)
    rng = np.random.default_rng(1)
    for _ in range(20000):
        top, bottom = sorted(rng.integers(0, len(inside), 2))
        left, right = sorted(rng.integers(0, inside.shape[1], 2))
        if inside[top, left] and inside[top, right] and inside[bottom, left] and inside[bottom, right]:
            # The sides of the box are cut to multiples of 16, those of the trial to the grid of 8.
            assert (8 * (bottom - top) - 16) * (8 * (right - left) - 16) <= area


def test_mirror_states_share_one_area_inside_each_of_theirs(bench: Any, calibration: RigCalibration) -> None:
    left = replace(calibration, b_from_a=bench.homography((512, 640), shift_xy=(-40, 0)))
    down = replace(calibration, b_from_a=bench.homography((512, 640), shift_xy=(0, 30)))
    both = valid_box(left, down)
    assert both.right <= 640 - 40
    assert both.top >= 30


def test_cameras_that_hardly_overlap_have_no_common_area(bench: Any, calibration: RigCalibration) -> None:
    apart = replace(calibration, b_from_a=bench.homography((512, 640), shift_xy=(560, 0)))
    with pytest.raises(DegenerateGeometryError, match="128 px a side"):
        valid_box(apart)
    with pytest.raises(ValueError, match="one frame size"):
        valid_box(calibration, replace(calibration, shape_hw=(512, 641)))


def test_a_pair_of_two_scenes_contradicts_the_calibration(coma_rig: Any, calibration: RigCalibration) -> None:
    a, b = coma_rig.pair(0)[0], coma_rig.pair(1)[1]
    with pytest.raises(PoorFitError, match=r"pair 9 of 'leaves-9' contradicts") as refusal:
        align_pair(a, b, calibration, box=valid_box(calibration), identity=IDENTITY)
    assert refusal.value.hint


def test_a_pair_without_texture_cannot_be_judged(calibration: RigCalibration) -> None:
    fog = np.full((512, 640), 90, np.uint8)
    with pytest.raises(DegenerateGeometryError, match="0 textured tiles"):
        align_pair(fog, fog, calibration, box=valid_box(calibration), identity=IDENTITY)


def test_a_pair_of_parallel_lines_claims_no_registration(calibration: RigCalibration) -> None:
    x = np.arange(640)
    lines = np.broadcast_to((110 + 60 * np.sin(x / 5) + 20 * np.sin(x / 17)).astype(np.uint8), (512, 640)).copy()
    still = replace(calibration, b_from_a=np.eye(3))
    with pytest.raises(DegenerateGeometryError, match="two directions"):
        align_pair(lines, lines, still, box=Box(64, 64, 576, 448), identity=IDENTITY)


def test_target_pixels_that_would_clip_are_masked(coma_rig: Any, calibration: RigCalibration) -> None:
    a, b = coma_rig.pair(9)
    bright = np.clip(1.6 * b.astype(np.float64), 0, 255).astype(np.uint8)
    pair = align_pair(a, bright, calibration, box=valid_box(calibration), identity=IDENTITY)
    assert (pair.target == 255).any()
    assert not pair.mask[pair.target == 255].all()


def test_frames_of_another_size_and_boxes_outside_are_a_callers_mistake(
    coma_rig: Any, calibration: RigCalibration
) -> None:
    a, b = coma_rig.pair(9)
    with pytest.raises(ValueError, match="the calibration is of"):
        align_pair(a[:500], b[:500], calibration, box=Box(0, 0, 64, 64), identity=IDENTITY)
    with pytest.raises(ValueError, match="does not lie inside"):
        align_pair(a, b, calibration, box=Box(0, 0, 641, 64), identity=IDENTITY)


def test_the_picture_of_a_on_bs_grid_covers_the_whole_frame(coma_rig: Any, calibration: RigCalibration) -> None:
    assert aligned_a(coma_rig.pair(9)[0], calibration).shape == (512, 640)
