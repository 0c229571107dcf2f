"""Resampling against pictures that are known everywhere."""

from typing import Any

import cv2
import numpy as np
import pytest

from twinlens.calibrate.geometry import Box, corners_xy, enlarged, map_points, reduced, whole
from twinlens.calibrate.mapping import Field, Mapping, fitted_field
from twinlens.calibrate.resample import resample, warp_mask, warp_smooth

SHAPE_HW = (160, 200)


def waves(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A picture known at every point; its shortest wave is 5 px long."""
    return 120 + 40 * np.sin(2 * np.pi * (0.2 * x + 0.03 * y)) + 40 * np.cos(2 * np.pi * (0.11 * y - 0.05 * x))


@pytest.mark.parametrize("move", [{"shift_xy": (0.37, -1.21)}, {"rotation_deg": 2.0}, {"perspective": 1e-4}])
def test_resampling_follows_an_analytic_picture_better_than_opencvs_cubic(bench: Any, move: dict) -> None:
    b_from_a = bench.homography(SHAPE_HW, **move)
    y, x = np.mgrid[: SHAPE_HW[0], : SHAPE_HW[1]].astype(np.float64)
    picture = waves(x, y).astype(np.float32)
    inner = (slice(20, -20), slice(20, -20))
    points = map_points(np.linalg.inv(b_from_a), np.stack([x.ravel(), y.ravel()], 1))
    truth = waves(points[:, 0], points[:, 1]).reshape(SHAPE_HW)[inner]
    found = resample(picture, b_from_a, whole(SHAPE_HW))[inner]
    cubic = cv2.warpPerspective(picture, b_from_a, SHAPE_HW[::-1], flags=cv2.INTER_CUBIC)[inner]
    assert np.abs(found - truth).max() < 0.8
    assert bench.psnr_db(found, truth) > bench.psnr_db(cubic, truth) + 8


def test_a_box_is_a_cut_of_the_whole(bench: Any) -> None:
    picture = (250 * bench.leaves(SHAPE_HW, 1)).astype(np.uint8)
    b_from_a = bench.homography(SHAPE_HW, rotation_deg=3)
    box = Box(left=31, top=17, right=150, bottom=99)
    assert np.array_equal(resample(picture, b_from_a, box), resample(picture, b_from_a, whole(SHAPE_HW))[box.crop])
    assert box.shape_hw == (82, 119)


def test_the_identity_changes_nothing(bench: Any) -> None:
    picture = (250 * bench.leaves(SHAPE_HW, 2)).astype(np.uint8)
    assert np.array_equal(np.rint(resample(picture, np.eye(3), whole(SHAPE_HW))), picture)


def test_a_step_of_a_hundredth_pixel_is_not_rounded_away() -> None:
    ramp = np.tile(np.arange(200, dtype=np.float32), (160, 1))
    moved = resample(ramp, np.array([[1.0, 0, 0.01], [0, 1, 0], [0, 0, 1]]), whole(SHAPE_HW))
    assert (ramp - moved)[:, 20:-20] == pytest.approx(0.01, abs=1e-4)


def test_smooth_pictures_and_masks_follow_the_same_mapping(bench: Any) -> None:
    b_from_a = bench.homography(SHAPE_HW, shift_xy=(30.0, 0.0))
    smooth = cv2.GaussianBlur(bench.leaves(SHAPE_HW, 3).astype(np.float32), (0, 0), 4)
    exact = resample(smooth, b_from_a, whole(SHAPE_HW))
    seen = warp_mask(np.ones(SHAPE_HW, np.bool_), b_from_a, SHAPE_HW)
    assert not seen[:, :29].any()
    assert seen[:, 31:].all()
    assert np.abs(warp_smooth(smooth, b_from_a, SHAPE_HW) - exact)[seen].max() < 2e-3


def test_reducing_keeps_pixel_centres_where_they_are(bench: Any) -> None:
    b_from_a = bench.homography((400, 500), rotation_deg=2, shift_xy=(8.0, -4.0), perspective=1e-5)
    assert enlarged(reduced(b_from_a, 4), 4) == pytest.approx(b_from_a, abs=1e-12)
    # The mean of pixels 0 to 3 has its centre at 1.5: reduced pixel 0 must land where 1.5 lands.
    landed = map_points(b_from_a, np.array([[1.5, 1.5]]))
    assert map_points(reduced(b_from_a, 4), np.array([[0.0, 0.0]])) * 4 + 1.5 == pytest.approx(landed, abs=1e-9)


def test_corners_go_round_from_the_top_left() -> None:
    assert corners_xy((3, 5)).tolist() == [[0, 0], [4, 0], [4, 2], [0, 2]]


@pytest.fixture
def bent(bench: Any) -> Mapping:
    """Turned by 2 degrees and bent by some px, as a lens does."""

    def outwards(points_xy: np.ndarray) -> np.ndarray:
        unit = (points_xy - [99.5, 79.5]) / 128
        return 4 * unit * (unit**2).sum(axis=1, keepdims=True)

    return Mapping(bench.homography(SHAPE_HW, rotation_deg=2), fitted_field(outwards, SHAPE_HW))


def test_resampling_through_a_field_follows_an_analytic_picture(bent: Mapping) -> None:
    y, x = np.mgrid[: SHAPE_HW[0], : SHAPE_HW[1]].astype(np.float64)
    picture = waves(x, y).astype(np.float32)
    points = bent.map_a_from_b(np.stack([x.ravel(), y.ravel()], axis=1))
    truth = waves(points[:, 0], points[:, 1]).reshape(SHAPE_HW)
    box = Box(20, 20, 180, 140)
    found = resample(picture, bent.b_from_a, box, field=bent.field)
    assert np.abs(found - truth[box.crop]).max() < 0.8
    # Without the field the same picture is wrong by most of its contrast.
    assert np.abs(resample(picture, bent.b_from_a, box) - truth[box.crop]).max() > 40


def test_smooth_pictures_and_masks_follow_a_field_like_sharp_ones(bench: Any, bent: Mapping) -> None:
    smooth = cv2.GaussianBlur(bench.leaves(SHAPE_HW, 3).astype(np.float32), (0, 0), 4)
    exact = resample(smooth, bent.b_from_a, whole(SHAPE_HW), field=bent.field)
    seen = warp_mask(np.ones(SHAPE_HW, np.bool_), bent.b_from_a, SHAPE_HW, field=bent.field)
    y, x = np.mgrid[: SHAPE_HW[0], : SHAPE_HW[1]].astype(np.float64)
    on_a = bent.map_a_from_b(np.stack([x.ravel(), y.ravel()], axis=1))
    beyond_px = np.maximum(-on_a, on_a - [199, 159]).max(axis=1).reshape(SHAPE_HW)
    assert seen[beyond_px < -0.6].all()  # a mask's pixel counts to half a px beyond its centre
    assert not seen[beyond_px > 0.6].any()
    assert (~seen).sum() > 50
    warped = warp_smooth(smooth, bent.b_from_a, SHAPE_HW, field=bent.field)
    # Bilinear between pixels of a picture blurred by 4 px: some thousandths of full scale.
    assert np.abs(warped - exact)[seen].max() < 4e-3


def test_a_field_of_nothing_changes_nothing(bench: Any) -> None:
    b_from_a = bench.homography(SHAPE_HW, rotation_deg=3)
    picture = bench.leaves(SHAPE_HW, 4).astype(np.float32)
    nothing = Field(np.zeros((4, 4, 2)), SHAPE_HW)
    box = Box(left=31, top=17, right=150, bottom=99)
    assert np.array_equal(resample(picture, b_from_a, box, field=nothing), resample(picture, b_from_a, box))
