"""What one pair is refused for: the class, the number that was measured, and what to do."""

from typing import Any

import numpy as np
import pytest

from twinlens.calibrate import register
from twinlens.errors import CalibrationError, DegenerateGeometryError, PoorFitError, TooFewMatchesError

SHAPE_HW = (512, 640)


def refusal_of(kind: type[CalibrationError], says: str, a: np.ndarray, b: np.ndarray, **prior: Any) -> None:
    """The pair is refused by this class, with these words and a hint."""
    with pytest.raises(kind, match=says) as refusal:
        register(a, b, **prior)
    assert refusal.type is kind
    assert refusal.value.hint


def test_two_scenes_are_refused_with_what_every_method_found(bench: Any) -> None:
    rig = bench.rig()
    says = r"ORB \d+ matches and 0\.\d+, SIFT \d+ matches and 0\.\d+, phase 0 matches and 0\.\d+; 40 matches or"
    refusal_of(TooFewMatchesError, says, rig.pair(0)[0], rig.pair(1)[1])


def test_noise_without_texture_is_refused() -> None:
    rng = np.random.default_rng(0)
    a, b = (np.rint(120 + 2 * rng.standard_normal(SHAPE_HW)).astype(np.uint8) for _ in range(2))
    refusal_of(TooFewMatchesError, "0 matches and 0.00; 40 matches or a correlation of 0.6 are needed", a, b)


def test_a_saturated_camera_is_named_with_its_share(bench: Any) -> None:
    a, b = bench.rig().pair(0)
    b[:300] = 255
    refusal_of(DegenerateGeometryError, "59% of camera B's frame is saturated, at most 50% can be", a, b)
    a[:400] = 255
    refusal_of(DegenerateGeometryError, "78% of camera A's frame is saturated", a, b)


def test_cameras_that_share_less_than_half_are_refused_with_the_share(bench: Any) -> None:
    scene = 250 * bench.leaves((640, 1400), 3)
    a, b = (np.rint(scene[60:572, left : left + 640]).astype(np.uint8) for left in (100, 440))
    refusal_of(DegenerateGeometryError, "A sees 47% of what B sees; 50% are needed", a, b)


@pytest.mark.parametrize("turned_deg", [22, -24])
def test_a_camera_turned_too_far_is_refused_with_the_angle(bench: Any, turned_deg: int) -> None:
    rig = bench.rig(b_from_a=bench.homography(SHAPE_HW, rotation_deg=turned_deg))
    says = rf"turned by {turned_deg}\.\d degrees against A; at most 20 are registered"
    refusal_of(DegenerateGeometryError, says, *rig.pair(0))


@pytest.mark.parametrize(("sigma_px", "says"), [(2.0, r"by 2\.0 px"), (4.0, r"by 3\.9 px|by 4\.0 px")])
def test_swapped_cameras_are_told_which_is_blurrier_and_by_how_much(
    bench: Any, sigma_px: float, says: str
) -> None:
    sharp, blurred = bench.rig(kernel=bench.gaussian(sigma_px)).pair(0)
    refusal_of(PoorFitError, f"camera A's picture is blurrier than camera B's ({says})", blurred, sharp)


def test_two_scenes_are_no_swapped_cameras_however_blurred_a_is(bench: Any) -> None:
    rig = bench.rig(kernel=bench.gaussian(4.0))
    refusal_of(TooFewMatchesError, "no mapping makes A look like B", rig.pair(0)[1], rig.pair(1)[0])


@pytest.mark.parametrize("shape_hw", [(1, 640), (512, 1), (127, 640)])
def test_a_frame_too_small_for_tiles_is_refused_with_its_size(shape_hw: tuple[int, int]) -> None:
    line = np.zeros(shape_hw, np.uint8)
    says = f"A's frame is {shape_hw[1]}x{shape_hw[0]}; 128 px a side are needed"
    refusal_of(DegenerateGeometryError, says, line, line)


def test_cameras_that_are_set_differently_are_refused_with_both_settings(bench: Any) -> None:
    a, b = bench.rig().pair(0)
    refusal_of(DegenerateGeometryError, "A is 640x512 uint8, B is 640x500 uint8", a, b[:500])
    refusal_of(DegenerateGeometryError, "A is 640x512 uint8, B is 640x512 uint16", a, b.astype(np.uint16))


@pytest.mark.parametrize(
    "frame",
    [
        np.full((256, 256), np.nan),
        np.zeros((256, 256), np.float32),
        np.zeros((256, 256), np.int16),
        np.zeros((256, 256, 3), np.uint8),
        np.zeros(256, np.uint8),
    ],
    ids=["nan", "float", "signed", "colour", "one-dimensional"],
)
def test_what_is_not_a_mono_integer_image_is_a_callers_mistake(frame: Any) -> None:
    with pytest.raises(ValueError, match="uint8 or uint16 is needed"):
        register(frame, frame)
