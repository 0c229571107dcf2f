"""Verdicts from figures: a table of what is good, coarse or refused, and figures from tiles that are known."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from twinlens.calibrate.gates import Fitness, check_view, fitness, judge, rotation_deg, witnesses
from twinlens.calibrate.settings import CalibrationSettings
from twinlens.calibrate.tile_lk import TileFits
from twinlens.errors import CalibrationError, DegenerateGeometryError, PoorFitError

SHAPE_HW = (512, 640)
LIMITS = CalibrationSettings()
GOOD = Fitness(
    residual_px=0.05,
    residual_p95_px=0.2,
    wrong_share=0.02,
    tile_ncc=0.99,
    varied=70,
    tiles=60,
    zones=9,
    overlap=0.95,
)
WRONG_REASON = (
    "30% of the tiles lie more than 1 px off or show something else, at most 20% is good: parallax, or much of "
    "the scene moved"
)
FEW = {"tiles": 7, "residual_px": float("inf"), "wrong_share": 1.0}


def tiles(shift_xy: np.ndarray, sd_px: float | np.ndarray, *, correlation: float = 0.99) -> TileFits:
    """Tiles all over the frame with these shifts, known this well; template and B correlate as told."""
    count = len(shift_xy)
    x, y = np.meshgrid(np.linspace(32, 608, 10), np.linspace(32, 480, 8))
    sums = np.array([1000 * 20.0**2, 0, 1000, correlation * 1000 * 20 * 10, 0, 1000 * 10.0**2])
    return TileFits(
        centre_xy=np.stack([x.ravel(), y.ravel()], axis=1)[:count],
        shift_xy=shift_xy.astype(np.float64),
        covariance=np.ones((count, 1, 1)) * np.eye(2) * np.reshape(np.square(sd_px), (-1, 1, 1)),
        ncc=np.full(count, correlation),
        unexplained=np.ones(count),
        contradicting_xy=np.zeros((0, 2)),
        brightness_sums=np.tile(sums, (count, 1)),
    )


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        ({}, ()),
        ({"residual_px": 0.30, "wrong_share": 0.2, "tile_ncc": 0.9}, ()),  # the limits themselves are good
        ({"residual_px": 0.31}, ("residual 0.31 px, at most 0.3 is good",)),
        ({"tile_ncc": 0.894}, ("tile correlation 0.894, at least 0.9 is good",)),
        ({"wrong_share": 0.3}, (WRONG_REASON,)),
    ],
)
def test_a_fit_is_good_up_to_the_limits_and_coarse_with_its_reason_beyond(
    change: dict[str, Any], reasons: tuple[str, ...]
) -> None:
    assert judge(replace(GOOD, **change), LIMITS, name="pair 3") == ("coarse" if reasons else "good", reasons)


def test_every_reason_is_told_at_once() -> None:
    verdict, reasons = judge(replace(GOOD, residual_px=2.0, wrong_share=0.7, tile_ncc=0.7), LIMITS, name="pair 3")
    assert verdict == "coarse"
    assert len(reasons) == 3


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ({"tile_ncc": 0.59}, PoorFitError, r"tile correlation 0.59 \(at least 0.6\)"),
        ({"residual_px": 4.01}, PoorFitError, r"lie 4.01 px off \(median; at most 4\)"),
        ({"varied": 7}, DegenerateGeometryError, "7 textured tiles; 8 are needed"),
        (FEW, DegenerateGeometryError, "7 tiles with texture in two directions; 8 are needed"),
        # Without a witness no residual is known; what the pictures look like still counts.
        ({**FEW, "tile_ncc": 0.3}, PoorFitError, "tile correlation 0.30"),
    ],
)
def test_what_is_neither_good_nor_coarse_is_refused_by_name_with_the_number(
    change: dict[str, Any], kind: type[CalibrationError], says: str
) -> None:
    with pytest.raises(kind, match=says) as refusal:
        judge(replace(GOOD, **change), LIMITS, name="pair 3")
    assert refusal.value.message.startswith("pair 3 ")
    assert refusal.value.hint


def test_limits_are_the_settings() -> None:
    loose = CalibrationSettings(max_residual_px=1.0, coarse_residual_px=6.0, min_tile_ncc=0.5)
    assert judge(replace(GOOD, residual_px=0.9, tile_ncc=0.8), loose, name="pair")[0] == "good"
    assert judge(replace(GOOD, residual_px=5.0), loose, name="pair")[0] == "coarse"


def test_the_figures_of_tiles_are_their_median_percentile_and_share_beyond_a_pixel() -> None:
    shift_xy = np.zeros((80, 2))
    shift_xy[:, 0] = 0.1
    shift_xy[:8] = [1.2, 1.6]
    found = fitness([tiles(shift_xy, 0.05)], SHAPE_HW, residual_xy=shift_xy, overlap=0.8, bit_depth=8)
    assert found.residual_px == pytest.approx(0.1)
    assert found.residual_p95_px == pytest.approx(2.0)
    assert found.wrong_share == pytest.approx(0.1)
    assert found.tile_ncc == pytest.approx(0.99)
    assert (found.varied, found.tiles, found.zones, found.overlap) == (80, 80, 9, 0.8)


def test_tiles_that_do_not_know_their_shift_are_no_witnesses() -> None:
    shift_xy = np.full((80, 2), 0.1)
    shift_xy[40:] = 30.0
    sd_px = np.where(np.arange(80) < 40, 0.05, 0.3)
    fit = tiles(shift_xy, sd_px)
    assert witnesses(fit).sum() == 40
    found = fitness([fit], SHAPE_HW, residual_xy=shift_xy, overlap=1.0, bit_depth=8)
    assert (found.tiles, found.varied) == (40, 80)
    assert found.residual_p95_px < 0.2
    assert found.zones == 6  # the upper half: two rows of zones


def test_a_tile_that_knows_one_direction_alone_is_no_witness() -> None:
    fit = tiles(np.zeros((80, 2)), 0.05)
    fit.covariance[:20] = np.diag([0.01**2, 0.5**2])
    assert witnesses(fit).tolist() == [False] * 20 + [True] * 60


def test_no_tile_at_all_is_an_infinite_residual_and_no_correlation() -> None:
    nothing = fitness(
        [tiles(np.zeros((0, 2)), np.zeros(0))], SHAPE_HW, residual_xy=np.zeros((0, 2)), overlap=1.0, bit_depth=8
    )
    assert (nothing.residual_px, nothing.wrong_share, nothing.tile_ncc) == (float("inf"), 1.0, 0.0)
    assert (nothing.tiles, nothing.varied, nothing.zones) == (0, 0, 0)
    with pytest.raises(DegenerateGeometryError, match="0 textured tiles"):
        judge(nothing, LIMITS, name="fog")


def test_a_template_that_hardly_varies_does_not_count_for_the_correlation() -> None:
    fit = tiles(np.zeros((80, 2)), 0.05, correlation=0.2)
    # A standard deviation of 20 grey levels is texture in 8 bit and nothing in 12 bit, whose hundredth is 41.
    assert fitness([fit], SHAPE_HW, residual_xy=fit.shift_xy, overlap=1.0, bit_depth=8).varied == 80
    assert fitness([fit], SHAPE_HW, residual_xy=fit.shift_xy, overlap=1.0, bit_depth=12).varied == 0


@pytest.mark.parametrize("turned_deg", [-19.5, 7.0, 20.5, -35.0])
def test_the_rotation_of_a_view_is_told_in_degrees_clockwise(bench: Any, turned_deg: float) -> None:
    b_from_a = bench.homography(SHAPE_HW, rotation_deg=turned_deg, scale=0.95, shift_xy=(12, 5))
    assert rotation_deg(b_from_a, SHAPE_HW) == pytest.approx(turned_deg, abs=1e-6)
    if abs(turned_deg) < 20:
        check_view(b_from_a, SHAPE_HW, overlap=0.5, settings=LIMITS, name="the rig")
        return
    with pytest.raises(DegenerateGeometryError, match=f"the rig: B is turned by {turned_deg:.1f} degrees") as no:
        check_view(b_from_a, SHAPE_HW, overlap=0.5, settings=LIMITS, name="the rig")
    assert no.value.hint


def test_less_than_half_a_view_is_refused_with_the_share() -> None:
    with pytest.raises(DegenerateGeometryError, match="A sees 49% of what B sees; 50% are needed"):
        check_view(np.eye(3), SHAPE_HW, overlap=0.49, settings=LIMITS, name="the rig")


def test_tiles_that_should_know_and_show_something_else_count_as_wrong() -> None:
    shift_xy = np.zeros((80, 2))
    fit = replace(tiles(shift_xy, 0.05), contradicting_xy=np.full((20, 2), 100.0))
    found = fitness([fit], SHAPE_HW, residual_xy=shift_xy, overlap=0.8, bit_depth=8)
    assert found.wrong_share == pytest.approx(0.2)


def test_residuals_along_one_line_are_named_as_parallax() -> None:
    rng = np.random.default_rng(0)
    shift_xy = np.outer(rng.normal(0, 0.8, 80), [np.cos(0.3), np.sin(0.3)])
    found = fitness([tiles(shift_xy, 0.05)], SHAPE_HW, residual_xy=shift_xy, overlap=0.8, bit_depth=8)
    verdict, reasons = judge(found, LIMITS, name="pair")
    assert verdict == "coarse"
    assert "along 17 degrees" in reasons[-1]
