"""First mappings: each method against the truth, and the order in which they are tried."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from twinlens.calibrate import CalibrationSettings
from twinlens.calibrate.coarse import MIN_NCC, proven_start
from twinlens.calibrate.fallbacks import phase_fit, sift_fit
from twinlens.calibrate.orb import CoarseFit
from twinlens.calibrate.pyramid import gaussian_refined, small_mask, working_factor
from twinlens.errors import DegenerateGeometryError, TooFewMatchesError

SHAPE_HW = (512, 640)
SETTINGS = CalibrationSettings()


@pytest.fixture(scope="module")
def turned_rig(bench: Any) -> Any:
    """What every method must manage: 8 degrees, 4 % smaller, a blur of 3 px."""
    moved = bench.homography(SHAPE_HW, rotation_deg=8, scale=0.96, shift_xy=(11.0, -7.0))
    return bench.rig(b_from_a=moved, kernel=bench.gaussian(3.0))


@pytest.mark.parametrize(
    ("method", "good_px"),
    [
        (lambda a, b: sift_fit(a, b, sigma_px=3.0, features=3000), 1.0),
        # Bins of a quarter degree and half a per cent: half of either is a px at the frame's border.
        (lambda a, b: phase_fit(a, b, sigma_px=3.0), 3.0),
    ],
    ids=["SIFT", "phase"],
)
def test_a_fallback_alone_lands_within_reach_of_the_refinement(
    turned_rig: Any, method: Any, good_px: float
) -> None:
    a, b = (frame.astype(np.float32) for frame in turned_rig.pair(0))
    shape_error_px, mean_shift = turned_rig.error_px(method(a, b).b_from_a)
    assert shape_error_px + np.linalg.norm(mean_shift) < good_px


@pytest.mark.parametrize(("turned_deg", "scale"), [(-15.0, 1.0), (3.0, 1.04), (0.0, 0.95)])
def test_spectra_alone_tell_turn_and_scale(bench: Any, turned_deg: float, scale: float) -> None:
    moved = bench.homography(SHAPE_HW, rotation_deg=turned_deg, scale=scale, shift_xy=(11.0, -7.0))
    rig = bench.rig(b_from_a=moved, kernel=bench.gaussian(2.0))
    a, b = (frame.astype(np.float32) for frame in rig.pair(0))
    found = phase_fit(a, b, sigma_px=2.0).b_from_a
    assert np.degrees(np.arctan2(found[1, 0], found[0, 0])) == pytest.approx(turned_deg, abs=0.25)
    assert np.hypot(found[0, 0], found[1, 0]) == pytest.approx(scale, abs=0.006)


def test_fallbacks_find_large_frames_in_full_pixels(bench: Any) -> None:
    shape_hw = (1000, 1200)
    rig = bench.rig(shape_hw=shape_hw, b_from_a=bench.homography(shape_hw, shift_xy=(37.0, -21.0)))
    a, b = (frame.astype(np.float32) for frame in rig.pair(0))
    assert np.abs(rig.error_px(sift_fit(a, b, sigma_px=2.0, features=3000).b_from_a)[1]).max() < 1
    assert np.abs(rig.error_px(phase_fit(a, b, sigma_px=2.0).b_from_a)[1]).max() < 3


def test_phase_correlation_claims_no_matches(turned_rig: Any) -> None:
    a, b = (frame.astype(np.float32) for frame in turned_rig.pair(0))
    assert phase_fit(a, b, sigma_px=3.0).inliers == 0
    assert sift_fit(a, b, sigma_px=3.0, features=3000).inliers > 30


def test_sift_on_frames_without_a_feature_finds_nothing_and_does_not_raise() -> None:
    flat = np.full(SHAPE_HW, 90, np.float32)
    found = sift_fit(flat, flat, sigma_px=1.0, features=1000)
    assert (found.inliers, found.features) == (0, 0)
    assert np.array_equal(found.b_from_a, np.eye(3))


def test_features_that_suffice_are_believed_at_once(turned_rig: Any) -> None:
    a, b = turned_rig.pair(0)
    found = proven_start(a, b, sigma_px=3.0, bit_depth=8, settings=SETTINGS)
    assert found.method == "ORB"
    assert found.inliers >= SETTINGS.min_inliers
    assert found.ncc > 0.9
    shape_error_px, mean_shift = turned_rig.error_px(found.b_from_a)
    assert shape_error_px + np.linalg.norm(mean_shift) < 0.2  # it has been refined


def test_where_orb_failed_the_next_method_is_proven_by_the_tiles(turned_rig: Any) -> None:
    a, b = turned_rig.pair(0)
    nothing = CoarseFit(np.eye(3), 500, 0)
    found = proven_start(a, b, sigma_px=3.0, bit_depth=8, settings=SETTINGS, orb=nothing)
    assert found.method == "SIFT"
    assert found.ncc > 0.9
    shape_error_px, mean_shift = turned_rig.error_px(found.b_from_a)
    assert shape_error_px + np.linalg.norm(mean_shift) < 0.2


def test_many_matches_do_not_help_a_mapping_that_the_tiles_contradict(bench: Any, turned_rig: Any) -> None:
    a, b = turned_rig.pair(0)
    wrong = CoarseFit(bench.homography(SHAPE_HW, shift_xy=(60, 40)), 3000, 2000)
    found = proven_start(a, b, sigma_px=3.0, bit_depth=8, settings=SETTINGS, orb=wrong)
    assert found.method != "ORB"
    assert turned_rig.error_px(found.b_from_a)[0] < 0.2


def test_two_scenes_are_refused_with_what_each_method_found(bench: Any) -> None:
    rig = bench.rig()
    a, b = rig.pair(2)[0], rig.pair(3)[1]
    with pytest.raises(TooFewMatchesError, match=r"ORB \d+ matches and 0\.\d\d, SIFT .*, phase 0 matches") as no:
        proven_start(a, b, sigma_px=2.0, bit_depth=8, settings=SETTINGS)
    assert f"correlation of {MIN_NCC:g} are needed" in no.value.message
    assert no.value.hint


def test_a_guess_that_is_some_pixels_off_is_refined_to_a_tenth(bench: Any, turned_rig: Any) -> None:
    knock = bench.homography(SHAPE_HW, shift_xy=(3.0, -2.0), rotation_deg=0.2)
    found, ncc = gaussian_refined(
        [turned_rig.pair(0), turned_rig.pair(1)],
        knock @ turned_rig.b_from_a,
        sigma_px=3.0,
        bit_depth=8,
        tile_px=64,
    )
    shape_error_px, mean_shift = turned_rig.error_px(found)
    assert shape_error_px < 0.1
    assert np.abs(mean_shift).max() < 0.1
    assert (ncc > 0.9).all()


def test_a_pair_of_two_scenes_shows_its_correlation_beside_a_good_one(turned_rig: Any) -> None:
    good = turned_rig.pair(0)
    odd = (turned_rig.pair(1)[0], turned_rig.pair(2)[1])
    _, ncc = gaussian_refined([good, good, odd], turned_rig.b_from_a, sigma_px=3.0, bit_depth=8, tile_px=64)
    assert ncc[0] == ncc[1] > 0.9
    assert not ncc[2] > MIN_NCC  # low, or not a number where no tile has texture that B shares


def test_texture_in_one_corner_alone_determines_no_mapping(bench: Any) -> None:
    a = np.full(SHAPE_HW, 120, np.uint8)
    a[:200, :200] = (250 * bench.leaves((200, 200), 3)).astype(np.uint8)
    with pytest.raises(DegenerateGeometryError, match=r"in [1-3] of 9 zones of the frame; 8 tiles in 4") as no:
        gaussian_refined([(a, a)], np.eye(3), sigma_px=0.0, bit_depth=8, tile_px=32)
    assert no.value.hint


def test_the_working_size_is_near_thirteen_hundred_pixels() -> None:
    sizes = [(512, 640), (1200, 1600), (2048, 2448), (3000, 4096)]
    assert [working_factor(shape_hw) for shape_hw in sizes] == [1, 1, 2, 3]


def test_a_reduced_mask_keeps_away_from_holes_and_borders() -> None:
    mask = np.ones((120, 160), np.bool_)
    mask[61, 81] = False
    small = small_mask(mask, 2, 5)
    assert small.shape == (60, 80)
    assert not small[:5].any()
    assert not small[28:33, 38:43].any()
    assert small[5:28, 5:-5].all()


def test_settings_decide_how_many_matches_are_enough(turned_rig: Any) -> None:
    a, b = turned_rig.pair(0)
    strict = replace(SETTINGS, min_inliers=90_000)
    # The tiles prove it all the same.
    assert proven_start(a, b, sigma_px=3.0, bit_depth=8, settings=strict).method == "ORB"
