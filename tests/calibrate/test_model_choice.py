"""Which model the tiles ask for: none, a lens, or near ground; and none for noise."""

import numpy as np
import pytest

from twinlens.calibrate.model_choice import choose_model
from twinlens.calibrate.pooling import FieldKind, Tiles

SHAPE_HW = (512, 640)


def tiles_of(kind: FieldKind, *, pairs: int, sd_px: float = 0.05, seed: int = 1, size_px: float = 2.0) -> Tiles:
    """What 80 tiles of every pair ask for, one in ten of them wrong."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(10) * 64 + 31.5, np.arange(8) * 64 + 31.5)
    centre_xy = np.tile(np.stack([x.ravel(), y.ravel()], axis=1), (pairs, 1))
    truth = {
        "none": lambda unit: 0 * unit,
        "distortion": lambda unit: size_px * unit * (unit**2).sum(axis=1, keepdims=True),
        "disparity": lambda unit: size_px * np.maximum(0, unit[:, 1:] - 0.1) * np.array([1.6, 0.6]),
    }[kind]((centre_xy - [319.5, 255.5]) / 320)
    shift_xy = truth + sd_px * rng.standard_normal(truth.shape)
    wrong = rng.random(len(truth)) < 0.1
    shift_xy[wrong] += rng.uniform(-3, 3, (wrong.sum(), 2))
    information = np.tile(np.eye(2) / sd_px**2, (len(truth), 1, 1))
    return Tiles(centre_xy, shift_xy, information, np.repeat(np.arange(pairs), 80))


@pytest.mark.parametrize("pairs", [1, 4])
@pytest.mark.parametrize("kind", ["none", "distortion", "disparity"])
def test_the_model_is_what_the_tiles_were_made_with(kind: FieldKind, pairs: int) -> None:
    found = choose_model(tiles_of(kind, pairs=pairs), SHAPE_HW)
    if kind == "disparity" and pairs == 1:
        # One pair has too few tiles for a lattice; a cubic is the nearest that there is.
        assert found.kind in ("none", "distortion")
        return
    assert found.kind == kind


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("sd_px", [0.02, 0.3])
def test_noise_gets_no_field(seed: int, sd_px: float) -> None:
    for pairs in (1, 4):
        assert choose_model(tiles_of("none", pairs=pairs, sd_px=sd_px, seed=seed), SHAPE_HW).kind == "none"


def test_a_field_smaller_than_three_hundredths_of_a_pixel_is_not_worth_its_parameters() -> None:
    faint = tiles_of("distortion", pairs=4, sd_px=0.005, size_px=0.03)
    assert choose_model(faint, SHAPE_HW).kind == "none"
    assert choose_model(tiles_of("distortion", pairs=4, sd_px=0.005, size_px=0.5), SHAPE_HW).kind == "distortion"


def test_the_baseline_of_near_ground_is_found() -> None:
    found = choose_model(tiles_of("disparity", pairs=4), SHAPE_HW)
    assert found.kind == "disparity"
    truth = np.array([1.6, 0.6]) / np.hypot(1.6, 0.6)
    assert np.degrees(np.arccos(abs(truth @ np.array(found.direction_xy)))) < 5
    assert np.hypot(*found.direction_xy) == pytest.approx(1)


def test_fewer_tiles_than_three_a_parameter_get_no_field() -> None:
    few = tiles_of("distortion", pairs=1)
    kept = np.arange(59)
    fewer = Tiles(few.centre_xy[kept], few.shift_xy[kept], few.information[kept], few.pair[kept])
    assert choose_model(few, SHAPE_HW).kind == "distortion"
    assert choose_model(fewer, SHAPE_HW).kind == "none"
