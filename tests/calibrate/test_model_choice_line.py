"""A ground plane's line, whichever way the baseline points."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from twinlens.calibrate.model_choice import choose_model
from twinlens.calibrate.pooling import Model, Tiles, pooled_correction

SHAPE_HW = (688, 880)


def tiles_of(shift_xy: NDArray[np.float64], centre_xy: NDArray[np.float64]) -> Tiles:
    """Five pairs' tiles after the best homography, with 0.05 px of noise."""
    noisy = np.tile(shift_xy, (5, 1)) + np.random.default_rng(3).normal(0, 0.05, (5 * len(shift_xy), 2))
    count = len(noisy)
    tiles = Tiles(
        centre_xy=np.tile(centre_xy, (5, 1)),
        shift_xy=noisy,
        information=np.tile(np.eye(2) / 0.05**2, (count, 1, 1)),
        pair=np.repeat(np.arange(5), len(shift_xy)),
    )
    return replace(tiles, shift_xy=pooled_correction(tiles, Model("none", SHAPE_HW)).residual_xy)


def centres() -> NDArray[np.float64]:
    x, y = np.meshgrid(np.arange(32, 860, 64.0), np.arange(32, 660, 64.0))
    return np.stack([x.ravel(), y.ravel()], axis=1)


@pytest.mark.parametrize("baseline_deg", [0, 25, 45, 90, 150])
def test_a_ground_plane_is_a_disparity_whichever_way_the_baseline_points(baseline_deg: float) -> None:
    along = np.array([np.cos(np.deg2rad(baseline_deg)), np.sin(np.deg2rad(baseline_deg))])
    ramp_px = 3 * np.clip((centres()[:, 1] / SHAPE_HW[0] - 0.6) / 0.4, 0, None)
    model = choose_model(tiles_of(ramp_px[:, None] * along, centres()), SHAPE_HW)
    assert model.kind == "disparity"
    assert abs(np.dot(model.direction_xy, along)) > 0.999


def test_a_lens_is_a_distortion_and_a_mere_homography_is_neither() -> None:
    unit = (centres() - [439.5, 343.5]) / 558
    radial = 2 * unit * (unit**2).sum(axis=1, keepdims=True)
    assert choose_model(tiles_of(radial, centres()), SHAPE_HW).kind == "distortion"
    assert choose_model(tiles_of(0 * radial, centres()), SHAPE_HW).kind == "none"
