"""One pair alone: found to a fraction of a pixel, or called coarse."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from twinlens.calibrate import CalibrationSettings, Registration, register
from twinlens.calibrate.kernel import GAUGE, gauge_centroid_xy, kernel_sigma_px

SHAPE_HW = (512, 640)


@pytest.fixture(scope="module")
def coma_pair(coma_rig: Any) -> Registration:
    return register(*coma_rig.pair(5))


@pytest.mark.parametrize("sigma_px", [0.01, 2.0, 4.0])
def test_one_pair_is_registered_to_a_twentieth_of_a_pixel_at_any_blur(bench: Any, sigma_px: float) -> None:
    rig = bench.rig(kernel=bench.gaussian(sigma_px))
    found = register(*rig.pair(5))
    shape_error_px, mean_shift = rig.error_px(found.b_from_a)
    assert found.verdict == "good"
    assert shape_error_px < 0.05
    assert np.abs(mean_shift).max() < 0.05  # a symmetric kernel leaves nothing to the gauge
    assert kernel_sigma_px(found.kernel) == pytest.approx(sigma_px, abs=0.2)


def test_under_coma_and_trefoil_the_shape_is_exact_and_the_shift_is_the_gauges(
    coma_rig: Any, coma_pair: Registration
) -> None:
    shape_error_px, mean_shift = coma_rig.error_px(coma_pair.b_from_a)
    assert shape_error_px < 0.05
    assert mean_shift == pytest.approx(gauge_centroid_xy(coma_rig.kernel), abs=0.25)
    assert gauge_centroid_xy(coma_pair.kernel) == pytest.approx((0, 0), abs=0.1)
    assert coma_pair.gauge == GAUGE
    assert len(coma_pair.kernel) > 20


def test_a_good_pair_says_why_it_may_be_believed(coma_pair: Registration) -> None:
    assert (coma_pair.verdict, coma_pair.reasons, coma_pair.method) == ("good", (), "ORB")
    assert coma_pair.inliers >= CalibrationSettings().min_inliers
    assert coma_pair.departure_px is None
    assert coma_pair.fitness.residual_px < 0.1
    assert coma_pair.fitness.zones == 9
    assert 0.9 < coma_pair.fitness.overlap <= 1
    assert coma_pair.tiles_xy.shape == coma_pair.residual_xy.shape
    assert np.all((coma_pair.tiles_xy > 0) & (coma_pair.tiles_xy < [640, 512]))


def test_the_covariance_of_the_corners_covers_their_error(coma_rig: Any, coma_pair: Registration) -> None:
    corners = np.array([[0.0, 0], [639, 0], [639, 511], [0, 511]])
    shift = coma_rig.error_px(coma_pair.b_from_a)[1]
    error = coma_pair.map_b_from_a(corners) - shift - _mapped(coma_rig.b_from_a, corners)
    sigma_px = np.sqrt(np.diag(coma_pair.corner_covariance)).reshape(4, 2)
    assert np.all(np.abs(error) < 4 * sigma_px)
    assert sigma_px.max() < 0.1
    assert np.linalg.eigvalsh(coma_pair.corner_covariance).min() > -1e-9


def test_a_lens_is_followed_from_one_pair_where_tiles_are_many(bench: Any) -> None:
    rig = bench.rig(distortion_px=12.0)
    # Twenty parameters need eighty tiles: 64 px ones are too few in so small a frame.
    found = register(*rig.pair(5), settings=CalibrationSettings(tile_px=48))
    assert found.field is not None
    assert rig.mapped_error_px(found.map_b_from_a)[0] < 0.1
    assert rig.mapped_error_px(lambda points: _mapped(found.b_from_a, points))[0] > 1


def test_a_strong_lens_is_found_from_one_pair(bench: Any) -> None:
    rig = bench.rig(distortion_px=12.0)
    found = register(*rig.pair(5))
    assert found.verdict == "good"
    assert rig.mapped_error_px(found.map_b_from_a)[0] < 0.05


@pytest.mark.parametrize(("bit_depth", "factor"), [(12, 16), (None, 257)])
def test_deep_frames_register_like_shallow_ones(bench: Any, bit_depth: int | None, factor: int) -> None:
    rig = bench.rig()
    a, b = (frame.astype(np.uint16) * factor for frame in rig.pair(5))
    found = register(a, b, bit_depth=bit_depth)
    assert found.verdict == "good"
    assert rig.error_px(found.b_from_a)[0] < 0.05


def test_large_frames_are_refined_reduced_and_end_in_full_pixels(bench: Any) -> None:
    shape_hw = (1500, 2000)
    moved = bench.homography(shape_hw, rotation_deg=1, scale=1.01, shift_xy=(31.0, -18.0))
    rig = bench.rig(shape_hw=shape_hw, b_from_a=moved, kernel=bench.gaussian(3.0))
    found = register(*rig.pair(0))
    shape_error_px, mean_shift = rig.error_px(found.b_from_a)
    assert shape_error_px < 0.05
    assert np.abs(mean_shift).max() < 0.05
    assert kernel_sigma_px(found.kernel) == pytest.approx(3, abs=0.2)
    assert found.tiles_xy[:, 0].max() > 1800


def test_saturated_lamps_in_one_pair_do_not_bend_it(bench: Any) -> None:
    rig = bench.rig(white=380.0)
    a, b = rig.pair(5)
    assert np.mean(a == 255) > 0.01
    assert rig.error_px(register(a, b).b_from_a)[0] < 0.1


def test_a_camera_turned_by_fifteen_degrees_registers_like_a_straight_one(bench: Any) -> None:
    rig = bench.rig(b_from_a=bench.homography(SHAPE_HW, rotation_deg=15, scale=0.96))
    found = register(*rig.pair(5))
    assert found.verdict == "good"
    assert rig.error_px(found.b_from_a)[0] < 0.05


def test_near_ground_that_no_mapping_holds_is_told_as_coarse(bench: Any) -> None:
    found = register(*bench.rig(parallax_px=24.0).pair(5))
    assert found.verdict == "coarse"
    assert any("of the tiles" in reason for reason in found.reasons)


def test_a_facade_is_never_good_because_a_window_more_looks_the_same(bench: Any) -> None:
    y, x = np.mgrid[:640, :768].astype(float)
    u, v = x % 40 / 40, y % 40 / 40
    windows = np.where((u > 0.25) & (u < 0.75) & (v > 0.2) & (v < 0.7), 0.2, 0.6)
    facade = bench.rig(b_from_a=bench.homography(SHAPE_HW, shift_xy=(18.0, 3.0)))
    a = np.rint(250 * windows[64:-64, 64:-64]).astype(np.uint8)
    places = facade.map_a_from_b(np.stack([x[:512, :640].ravel(), y[:512, :640].ravel()], axis=1)) + 64
    b = np.rint(250 * windows[places[:, 1].astype(int), places[:, 0].astype(int)]).reshape(SHAPE_HW)
    found = register(a, b.astype(np.uint8))
    assert found.verdict == "coarse"
    assert "repeats every 40 px" in found.reasons[-1]


def test_stricter_settings_turn_a_good_pair_coarse(coma_rig: Any, coma_pair: Registration) -> None:
    strict = replace(CalibrationSettings(), max_residual_px=0.01)
    found = register(*coma_rig.pair(5), settings=strict)
    assert coma_pair.verdict == "good"
    assert found.verdict == "coarse"
    assert "at most 0.01 is good" in found.reasons[0]


def _mapped(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    mapped = points @ matrix[:, :2].T + matrix[:, 2]
    return mapped[:, :2] / mapped[:, 2:]
