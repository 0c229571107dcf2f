"""Where B looks, and how faithfully its view is sampled."""

import numpy as np
import pytest

from twinlens.capture.virtual.geometry import common_field, homography, look_through, map_points

SHAPE = (240, 320)
CENTRE = np.array([[159.5, 119.5]])


def off_centre(dx: float, dy: float) -> np.ndarray:
    return CENTRE + np.array([dx, dy])


def test_the_centre_moves_by_the_shift_only() -> None:
    b_from_a = homography(SHAPE, rotation_deg=5, scale=1.1, shift_xy=(3.0, -2.0), perspective_xy=(0.01, 0.02))
    np.testing.assert_allclose(map_points(b_from_a, CENTRE), off_centre(3.0, -2.0), atol=1e-9)


def test_a_positive_rotation_is_clockwise_on_the_screen_and_scale_enlarges() -> None:
    b_from_a = homography(SHAPE, rotation_deg=90, scale=2.0, shift_xy=(0, 0), perspective_xy=(0, 0))
    # To the right of the centre goes below it.
    np.testing.assert_allclose(map_points(b_from_a, off_centre(10, 0)), off_centre(0, 20), atol=1e-9)


def test_perspective_enlarges_towards_the_right_edge_by_what_it_says() -> None:
    b_from_a = homography(SHAPE, rotation_deg=0, scale=1.0, shift_xy=(0, 0), perspective_xy=(0.01, 0))
    height = map_points(b_from_a, off_centre(159.5, 0.5)) - map_points(b_from_a, off_centre(159.5, -0.5))
    assert height[0, 1] == pytest.approx(1.01, abs=2e-4)


def test_the_view_of_b_is_exact_where_the_scene_is_resolved() -> None:
    b_from_a = homography(SHAPE, rotation_deg=1, scale=1.02, shift_xy=(9.3, -4.7), perspective_xy=(0.002, -0.001))
    field = common_field(SHAPE, b_from_a, reach_a=5, reach_b=20)

    def scene(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return 0.5 + 0.2 * np.sin(0.7 * x + 0.2 * y) + 0.2 * np.cos(0.15 * x - 0.6 * y)

    rows, columns = np.mgrid[: field.shape_hw[0], : field.shape_hw[1]].astype(float)
    canvas = scene(columns - field.left, rows - field.top).astype(np.float32)
    view = look_through(canvas, b_from_a, field=field, shape_hw=SHAPE, reach=20)
    y_b, x_b = np.mgrid[-20 : SHAPE[0] + 20, -20 : SHAPE[1] + 20]
    points_b = np.stack([x_b.ravel(), y_b.ravel()], axis=1).astype(float)
    points_a = map_points(np.linalg.inv(b_from_a), points_b)
    expected = scene(points_a[:, 0], points_a[:, 1]).reshape(view.shape)
    # The cubic B-spline's own error at 9 px per period; a shift by 0.005 px would add 7e-4. No border is worse.
    np.testing.assert_allclose(view, expected, atol=1e-3)


def test_the_common_field_grows_with_the_reach_and_never_cuts_a() -> None:
    b_from_a = homography(SHAPE, rotation_deg=0, scale=1.25, shift_xy=(0, 0), perspective_xy=(0, 0))
    near, far = (common_field(SHAPE, b_from_a, reach_a=reach, reach_b=0) for reach in (3, 30))
    assert near.left >= 3
    assert near.top >= 3
    assert far.left - near.left == 27
    assert far.shape_hw[0] - near.shape_hw[0] == 54
