"""A homography with a field on top, against displacements that are known everywhere."""

from typing import Any

import numpy as np
import pytest

from twinlens.calibrate.geometry import Box, map_points, shift
from twinlens.calibrate.mapping import Field, Mapping, added, fitted_field, samples_xy, spline_basis

SHAPE_HW = (512, 640)


def cubic(points_xy: np.ndarray) -> np.ndarray:
    """A bicubic displacement of up to 4 px, different in x and y."""
    x, y = (points_xy / [640, 512]).T
    return np.stack([3 * x**3 - 2 * x * y + 0.5, 2 * y**3 - x**2 * y**3 + x], axis=1)


@pytest.fixture
def bent(bench: Any) -> Mapping:
    """Turned, scaled, in perspective, and bent by 2.5 px root mean square."""
    moved = bench.homography(SHAPE_HW, rotation_deg=3, scale=1.05, shift_xy=(9.0, -4.0), perspective=2e-5)
    return Mapping(moved, fitted_field(lambda points: 2 * cubic(points), SHAPE_HW))


def test_four_by_four_control_values_hold_a_bicubic_exactly() -> None:
    field = fitted_field(cubic, SHAPE_HW)
    assert field.lattice.shape == (4, 4, 2)
    points = np.random.default_rng(1).uniform(0, [639, 511], (200, 2))
    assert field.at(points) == pytest.approx(cubic(points), abs=1e-9)


def test_a_finer_lattice_holds_the_same_cubic_and_the_basis_sums_to_one() -> None:
    points = np.random.default_rng(2).uniform(0, [639, 511], (200, 2))
    assert fitted_field(cubic, SHAPE_HW, lattice_hw=(7, 9)).at(points) == pytest.approx(cubic(points), abs=1e-8)
    weights = spline_basis(np.arange(-5, 520), 512, count=7)
    assert weights.sum(axis=1) == pytest.approx(1, abs=1e-12)
    assert (weights >= 0).all()


def test_beyond_the_frame_a_field_stays_as_it_is_on_the_border() -> None:
    field = fitted_field(cubic, SHAPE_HW)
    outside, border = np.array([[-50.0, 700.0], [900.0, 100.0]]), np.array([[0.0, 511.0], [639.0, 100.0]])
    assert field.at(outside) == pytest.approx(field.at(border), abs=1e-12)


def test_a_box_of_a_field_is_the_field_at_its_pixels() -> None:
    field, box = fitted_field(cubic, SHAPE_HW), Box(100, 50, 130, 70)
    y, x = np.mgrid[50:70, 100:130].astype(np.float64)
    truth = field.at(np.stack([x.ravel(), y.ravel()], axis=1)).T.reshape(2, 20, 30)
    assert field.over(box) == pytest.approx(truth, abs=1e-5)  # float32 of a few px


def test_the_root_mean_square_of_a_shift_is_its_length() -> None:
    assert Field(np.full((4, 4, 2), [3.0, -4.0]), SHAPE_HW).rms_px == pytest.approx(5, abs=1e-12)


def test_there_and_back_again_ends_where_it_began(bent: Mapping) -> None:
    points = samples_xy(SHAPE_HW)
    assert bent.field is not None
    assert bent.field.rms_px > 2
    # The fixed point takes off two digits a step: six steps leave less than a millionth of a few px.
    assert bent.map_a_from_b(bent.map_b_from_a(points)) == pytest.approx(points, abs=1e-6)
    assert bent.map_b_from_a(bent.map_a_from_b(points)) == pytest.approx(points, abs=1e-6)


def test_a_point_of_b_is_the_homographys_answer_and_the_field_at_the_point_itself(bent: Mapping) -> None:
    on_a = np.random.default_rng(3).uniform(50, 450, (40, 2))
    on_b = bent.map_b_from_a(on_a)
    assert on_b - map_points(bent.b_from_a, on_a) == pytest.approx(2 * cubic(on_b), abs=1e-6)


def test_a_mapping_of_reduced_frames_sends_their_pixel_centres_where_the_full_one_does(bent: Mapping) -> None:
    small = bent.reduced(4)
    assert small.field is not None
    assert small.field.shape_hw == (128, 160)
    points = np.random.default_rng(4).uniform([30, 30], [600, 470], (100, 2))
    # A reduced pixel's centre lies 1.5 px off the first of the four that it replaces.
    landed = 4 * small.map_b_from_a((points - 1.5) / 4) + 1.5
    assert landed == pytest.approx(bent.map_b_from_a(points), abs=1e-6)


def test_enlarging_undoes_reducing(bent: Mapping) -> None:
    back = bent.reduced(2).enlarged(2, SHAPE_HW)
    points = np.random.default_rng(5).uniform([30, 30], [600, 470], (100, 2))
    # A reduced field ends at the centre of its last pixel, half a px before the frame's border.
    assert back.map_b_from_a(points) == pytest.approx(bent.map_b_from_a(points), abs=0.01)
    assert back.field is not None
    assert back.field.shape_hw == SHAPE_HW


def test_the_inverse_of_a_mapping_leads_from_b_to_a_with_the_field_on_as_grid(bent: Mapping) -> None:
    back = bent.inverted(SHAPE_HW)
    on_a = np.random.default_rng(6).uniform(0, [639, 511], (500, 2))
    on_b = bent.map_b_from_a(on_a)
    shared = np.all((on_b >= 0) & (on_b <= [639, 511]), axis=1)
    assert back.field is not None
    assert 300 < shared.sum() < 500
    # Up to the very border: what lies beyond it, where the field stops short, must not bend the inside (0.2 px).
    assert np.abs(back.map_b_from_a(on_b) - on_a)[shared].max() < 0.01
    assert np.abs(back.map_a_from_b(on_a) - on_b)[shared].max() < 0.01


def test_a_homography_alone_inverts_exactly(bench: Any) -> None:
    straight = Mapping(bench.homography(SHAPE_HW, rotation_deg=5, perspective=1e-5))
    points = samples_xy(SHAPE_HW)
    assert straight.inverted(SHAPE_HW).field is None
    assert straight.inverted(SHAPE_HW).map_b_from_a(straight.map_b_from_a(points)) == pytest.approx(points)
    assert straight.reduced(3).field is None


def test_fields_of_two_lattices_add_up_on_the_finer_one() -> None:
    rng = np.random.default_rng(7)
    coarse, fine = (Field(rng.standard_normal((side, side, 2)), SHAPE_HW) for side in (4, 9))
    both = added(coarse, fine)
    assert both is not None
    assert both.lattice.shape == (9, 9, 2)
    points = rng.uniform(0, [639, 511], (200, 2))
    # A cubic is a spline on every lattice, so nothing is lost.
    assert both.at(points) == pytest.approx(coarse.at(points) + fine.at(points), abs=1e-9)
    assert added(None, fine) is fine
    assert added(coarse, None) is coarse
    assert added(None, None) is None


def test_a_correction_moves_the_homography_and_bends_the_field(bent: Mapping) -> None:
    more = fitted_field(cubic, SHAPE_HW)
    found = bent.corrected(shift(0.5, -0.25), more)
    on_b = np.random.default_rng(8).uniform(50, 450, (40, 2))
    assert found.field is not None
    assert found.field.at(on_b) == pytest.approx(3 * cubic(on_b), abs=1e-8)
    points = np.array([[100.0, 200.0]])
    moved = map_points(found.b_from_a, points) - map_points(bent.b_from_a, points)
    assert moved == pytest.approx(np.array([[0.5, -0.25]]), abs=1e-9)
