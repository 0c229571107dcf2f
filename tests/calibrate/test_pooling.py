"""Parameters of a mapping from synthetic tiles, some of which are wrong."""

import numpy as np
import pytest

from twinlens.calibrate.geometry import map_points
from twinlens.calibrate.mapping import samples_xy
from twinlens.calibrate.pooling import (
    Model,
    Tiles,
    displacement_jacobian,
    held_out_loss,
    pooled_correction,
)

SHAPE_HW = (512, 640)
SD_PX = 0.05


def tiles_of(
    truth: np.ndarray, centre_xy: np.ndarray, *, sd_px: float = SD_PX, wrong: float = 0.0, seed: int = 1
) -> Tiles:
    """Tiles at these places that ask for `truth` (n, 2) px, with noise; a share of them saw a car."""
    rng = np.random.default_rng(seed)
    shift_xy = truth + sd_px * rng.standard_normal(truth.shape)
    cars = rng.random(len(truth)) < wrong
    shift_xy[cars] += rng.uniform(1, 3, (cars.sum(), 2))
    information = np.tile(np.eye(2) / sd_px**2, (len(truth), 1, 1))
    return Tiles(centre_xy, shift_xy, information, np.arange(len(truth)) % 4)


def places(count: int = 320, *, seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).uniform([20, 20], [620, 492], (count, 2))


def outwards(points_xy: np.ndarray) -> np.ndarray:
    """A lens of third order, 2 px in the corners."""
    unit = (points_xy - [319.5, 255.5]) / np.hypot(319.5, 255.5)
    return 2 * unit * (unit**2).sum(axis=1, keepdims=True)


def ground(points_xy: np.ndarray) -> np.ndarray:
    """Near ground in the lower half, along a baseline of 30 degrees."""
    along = 3 * np.maximum(0, points_xy[:, 1] / 511 - 0.5)
    return along[:, None] * np.array([np.cos(np.pi / 6), np.sin(np.pi / 6)])


@pytest.mark.parametrize("wrong", [0.0, 0.15])
def test_a_small_homography_is_found_whatever_some_tiles_saw(wrong: float) -> None:
    small = np.array([[1.001, -0.0005, 0.3], [0.0008, 0.999, -0.4], [1e-6, -5e-7, 1]])
    centre_xy = places()
    tiles = tiles_of(map_points(small, centre_xy) - centre_xy, centre_xy, wrong=wrong)
    found = pooled_correction(tiles, Model("none", SHAPE_HW))
    points = samples_xy(SHAPE_HW)
    apart = np.linalg.norm(map_points(found.moved, points) - map_points(small, points), axis=1)
    # 320 tiles of 0.05 px leave 0.05 * sqrt(8 / 640) = 0.006 px root mean square; cars pull a little.
    assert apart.mean() < (0.015 if wrong else 0.01)
    assert found.bent is None
    assert found.residual_px.shape == (320,)


@pytest.mark.parametrize("wrong", [0.0, 0.15])
def test_a_lens_is_found_as_homography_and_field_together(wrong: float) -> None:
    centre_xy = places()
    found = pooled_correction(tiles_of(outwards(centre_xy), centre_xy, wrong=wrong), Model("distortion", SHAPE_HW))
    points = samples_xy(SHAPE_HW)
    assert found.bent is not None
    total = map_points(found.moved, points) - points + found.bent.at(points)
    error_px = np.linalg.norm(total - outwards(points), axis=1)
    assert error_px.mean() < 0.025  # 0.05 * sqrt(20 / 640) = 0.009 px, more in the corners and beside cars


def test_a_disparity_is_found_along_its_baseline_and_nowhere_else() -> None:
    centre_xy, axis = places(640), (float(np.cos(np.pi / 6)), float(np.sin(np.pi / 6)))
    model = Model("disparity", SHAPE_HW, direction_xy=axis, lattice=9)
    found = pooled_correction(tiles_of(ground(centre_xy), centre_xy, wrong=0.1), model)
    points = samples_xy(SHAPE_HW)
    assert found.bent is not None
    total = map_points(found.moved, points) - points + found.bent.at(points)
    # 89 parameters from 640 tiles: 0.02 px of noise, and the bend is smeared.
    assert np.linalg.norm(total - ground(points), axis=1).mean() < 0.06
    across = found.bent.at(points) @ np.array([-axis[1], axis[0]])
    assert np.abs(across).max() < 1e-9


def test_where_the_shape_is_known_only_a_shift_is_found() -> None:
    centre_xy = places()
    turned = np.array([[1, -0.002, 1.0], [0.002, 1, -0.5], [0, 0, 1]])
    tiles = tiles_of(map_points(turned, centre_xy) - centre_xy, centre_xy)
    moved = pooled_correction(tiles, Model("none", SHAPE_HW, shift_only=True)).moved
    assert moved - np.diag([1, 1, 1]) == pytest.approx(
        np.array([[0, 0, moved[0, 2]], [0, 0, moved[1, 2]], [0, 0, 0]]), abs=1e-6
    )
    points = samples_xy(SHAPE_HW)
    assert moved[:2, 2] == pytest.approx((map_points(turned, points) - points).mean(axis=0), abs=0.05)


def test_the_covariance_says_how_the_parameters_scatter() -> None:
    centre_xy = places(160)
    points = samples_xy(SHAPE_HW)
    jacobian = displacement_jacobian(points, SHAPE_HW)
    scatter, told = [], []
    for seed in range(60):
        found = pooled_correction(tiles_of(np.zeros((160, 2)), centre_xy, seed=seed), Model("none", SHAPE_HW))
        scatter.append(map_points(found.moved, points) - points)
        told.append(np.einsum("nij,jk,nik->n", jacobian, found.covariance, jacobian).mean())
    seen = np.mean(np.sum(np.square(scatter), axis=2))
    # Sixty draws of eight parameters know a variance to some 7 %; Cauchy's weights count tiles a little less.
    assert np.mean(told) == pytest.approx(seen, rel=0.3)


def test_twice_the_noise_is_seen_from_the_residuals_though_the_tiles_claim_less() -> None:
    centre_xy = places()
    honest = tiles_of(np.zeros((320, 2)), centre_xy, sd_px=0.1)
    claims = Tiles(honest.centre_xy, honest.shift_xy, 4 * honest.information, honest.pair)
    first, second = (pooled_correction(tiles, Model("none", SHAPE_HW)).covariance for tiles in (honest, claims))
    assert second == pytest.approx(first, rel=1e-3, abs=1e-9)


def test_parameters_that_the_model_names_are_the_derivative_of_the_displacement() -> None:
    points = places(20)
    for kind, count in (("none", 8), ("distortion", 20), ("disparity", 8 + 81)):
        model = Model(kind, SHAPE_HW)
        assert model.design(points).shape == (20, 2, count)
        assert model.ridge().shape == (count, count)


def test_tiles_that_were_held_out_are_predicted_by_the_right_model_alone() -> None:
    centre_xy = places()
    tiles = tiles_of(outwards(centre_xy), centre_xy, wrong=0.05)
    folds = np.arange(320) % 4
    straight, bent = (held_out_loss(tiles, Model(kind, SHAPE_HW), folds) for kind in ("none", "distortion"))
    # Whitened, what remains is the noise: two degrees of freedom, the worst tenth left out.
    assert bent == pytest.approx(1.4, abs=0.3)
    assert straight > 5 * bent
