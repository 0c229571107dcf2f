"""A session's calibration against the known truth of a tiny rig."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from twinlens.calibrate import CalibrationSettings, Origin, RigCalibration, calibrate_session
from twinlens.calibrate.kernel import GAUGE, gauge_centroid_xy
from twinlens.errors import DegenerateGeometryError, PoorFitError, SettingsError, TooFewMatchesError

MOVES: list[dict[str, Any]] = [
    {"shift_xy": (7.25, -3.5)},
    {"rotation_deg": 12.0},
    {"rotation_deg": -3.0, "scale": 0.96, "shift_xy": (20.0, -12.0)},
    {"scale": 1.02, "perspective": 4e-5},
]


@pytest.mark.parametrize("move", MOVES, ids=["shift", "rotation", "scale", "perspective"])
def test_a_known_homography_under_a_gaussian_blur_is_found_to_a_twentieth_of_a_pixel(
    bench: Any, move: dict
) -> None:
    rig = bench.rig(b_from_a=bench.homography((512, 640), **move), kernel=bench.gaussian(2.0))
    found = calibrate_session(rig.pairs(2))
    shape_error_px, mean_shift = rig.error_px(found.b_from_a)
    assert shape_error_px < 0.05
    # A symmetric kernel has its centroid in the middle, so nothing is left to the gauge.
    assert np.abs(mean_shift).max() < 0.05


@pytest.mark.parametrize("sigma_px", [0.01, 1.0, 4.0])
def test_every_blur_from_none_to_four_pixels_is_registered_and_measured(bench: Any, sigma_px: float) -> None:
    rig = bench.rig(kernel=bench.gaussian(sigma_px))
    found = calibrate_session(rig.pairs(4))
    assert rig.error_px(found.b_from_a)[0] < 0.05
    assert found.sigma_px == pytest.approx(sigma_px, abs=0.2)


def test_coma_and_trefoil_of_half_a_wave_leave_a_shape_error_below_a_twentieth_pixel(
    coma_rig: Any, calibration: RigCalibration
) -> None:
    assert coma_rig.error_px(calibration.b_from_a)[0] < 0.05


def test_the_gauge_puts_the_kernels_centroid_at_zero_and_the_shift_into_the_mapping(
    coma_rig: Any, calibration: RigCalibration
) -> None:
    assert gauge_centroid_xy(calibration.kernel) == pytest.approx((0, 0), abs=0.1)
    assert calibration.kernel.sum() == pytest.approx(1, abs=1e-4)
    shift_xy = coma_rig.error_px(calibration.b_from_a)[1]
    assert shift_xy == pytest.approx(gauge_centroid_xy(coma_rig.kernel), abs=0.25)
    assert calibration.gauge == GAUGE


def test_the_kernel_looks_like_the_true_one(coma_rig: Any, calibration: RigCalibration) -> None:
    half = len(calibration.kernel) // 2
    middle = len(coma_rig.kernel) // 2
    true = np.zeros_like(calibration.kernel)
    true[:] = coma_rig.kernel[middle - half : middle + half + 1, middle - half : middle + half + 1]
    shift = -coma_rig.error_px(calibration.b_from_a)[1]
    size = len(true)
    f = np.fft.fftfreq(size)
    phase = np.exp(-2j * np.pi * (f[None, :] * shift[0] + f[:, None] * shift[1]))
    moved = np.fft.ifft2(np.fft.fft2(true) * phase).real
    # Detail finer than A's own sharpness is known to nobody.
    seen, found = (ndimage.gaussian_filter(kernel, 0.8) for kernel in (moved, calibration.kernel))
    assert np.corrcoef(seen.ravel(), found.ravel())[0, 1] > 0.97


def test_gain_vignette_and_offset_are_recovered_to_half_a_grey_level(
    coma_rig: Any, calibration: RigCalibration
) -> None:
    found = calibration.photometric
    grey = np.array([20.0, 110.0, 220.0])
    for r2 in (0.0, 0.5, 1.0):
        truth = (coma_rig.gain + coma_rig.vignette * r2) * grey + coma_rig.offset
        assert (found.gain + found.vignette * r2) * grey + found.offset == pytest.approx(truth, abs=0.8)
    assert found.vignette == pytest.approx(coma_rig.vignette, abs=0.01)


def test_the_covariance_predicts_the_error_of_the_corners(coma_rig: Any, calibration: RigCalibration) -> None:
    assert calibration.corner_covariance.shape == (8, 8)
    assert coma_rig.error_px(calibration.b_from_a)[0] < 4 * calibration.corner_sigma_px
    assert calibration.corner_sigma_px < 0.05


def test_labels_sizes_and_settings_travel_with_the_result(calibration: RigCalibration) -> None:
    assert (calibration.mirror_state, calibration.session_ids) == ("coma", ("session-1", "session-2"))
    assert (calibration.shape_hw, calibration.bit_depth, calibration.pairs_used) == ((512, 640), 8, 4)
    assert calibration.settings == CalibrationSettings()
    assert calibration.residual_px < calibration.residual_p95_px < 1
    assert calibration.tile_ncc > 0.99


def test_twelve_bit_frames_register_as_well_as_eight_bit_frames(bench: Any) -> None:
    rig = bench.rig()
    pairs = [(a.astype(np.uint16) * 16, b.astype(np.uint16) * 16) for a, b in rig.pairs(2)]
    found = calibrate_session(pairs, origin=Origin(bit_depth=12))
    assert rig.error_px(found.b_from_a)[0] < 0.05
    assert found.bit_depth == 12
    assert found.photometric.offset == pytest.approx(16 * rig.offset, abs=16)


def test_saturated_lamps_do_not_bend_the_mapping(bench: Any) -> None:
    rig = bench.rig(white=380.0)
    pairs = rig.pairs(2)
    assert np.mean(pairs[0][0] == 255) > 0.01
    assert rig.error_px(calibrate_session(pairs).b_from_a)[0] < 0.1


def test_one_pair_of_two_scenes_is_left_out(bench: Any, caplog: pytest.LogCaptureFixture) -> None:
    rig = bench.rig()
    pairs = [*rig.pairs(3), (rig.pair(3)[0], rig.pair(4)[1])]
    found = calibrate_session(pairs)
    assert found.pairs_used == 3
    assert rig.error_px(found.b_from_a)[0] < 0.05
    assert "pair 4 of 4 is left out" in caplog.text


def test_a_lazy_sequence_is_read_only_at_places_spread_over_it(bench: Any) -> None:
    rig = bench.rig()
    unusable = np.zeros((512, 640), np.float32)

    class Lazy(Sequence):
        def __len__(self) -> int:
            return 9

        def __getitem__(self, place: int) -> Any:
            return rig.pair(place) if place in (0, 4, 8) else (unusable, unusable)

    assert calibrate_session(Lazy(), settings=CalibrationSettings(max_pairs=3)).pairs_used == 3


def test_a_generator_is_read_no_farther_than_needed(bench: Any) -> None:
    rig = bench.rig()
    steps: list[str] = []
    endless = (rig.pair(seed % 2) for seed in range(10**6))
    calibrate_session(endless, settings=CalibrationSettings(max_pairs=2), progress=steps.append)
    assert any("pair 2 of 2" in step for step in steps)
    assert "residual" in steps[-1]


def test_two_different_scenes_are_refused_with_the_number_of_matches(bench: Any) -> None:
    rig = bench.rig()
    with pytest.raises(TooFewMatchesError, match=r"ORB \d+ matches.*40 matches or") as refusal:
        calibrate_session([(rig.pair(0)[0], rig.pair(1)[1]), (rig.pair(2)[0], rig.pair(3)[1])])
    assert refusal.value.hint


def test_frames_without_texture_are_refused() -> None:
    rng = np.random.default_rng(0)
    sky = [(np.rint(120 + rng.standard_normal((2, 256, 320)))).astype(np.uint8) for _ in range(2)]
    with pytest.raises((TooFewMatchesError, DegenerateGeometryError), match=r"\d+"):
        calibrate_session([(a, b) for a, b in sky])
    flat = np.full((256, 320), 77, np.uint8)
    with pytest.raises(TooFewMatchesError, match="0 matches"):
        calibrate_session([(flat, flat)])


def test_pairs_that_contradict_each_other_are_refused(bench: Any) -> None:
    left = bench.rig(b_from_a=bench.homography((512, 640), shift_xy=(-30, 0)))
    right = bench.rig(b_from_a=bench.homography((512, 640), shift_xy=(30, 0)))
    with pytest.raises((DegenerateGeometryError, PoorFitError)) as refusal:
        calibrate_session([left.pair(0), right.pair(1)])
    assert refusal.value.hint


def test_a_saturated_camera_is_named_with_its_share(bench: Any) -> None:
    a, b = bench.rig().pair(0)
    with pytest.raises(DegenerateGeometryError, match="100% of camera B"):
        calibrate_session([(a, np.full_like(b, 255))])


def test_two_sizes_of_picture_are_refused_by_name(bench: Any) -> None:
    a, b = bench.rig().pair(0)
    with pytest.raises(DegenerateGeometryError, match="A is 640x512 uint8, B is 640x500 uint8"):
        calibrate_session([(a, b[:500])])
    with pytest.raises(DegenerateGeometryError, match="pair 2"):
        calibrate_session([(a, b), (a[:500], b[:500])])


@pytest.mark.parametrize(
    "frame",
    [np.full((256, 256), np.nan), np.zeros((256, 256), np.float32), np.zeros((256, 256, 3), np.uint8)],
    ids=["nan", "float", "colour"],
)
def test_what_is_not_a_mono_integer_image_is_a_callers_mistake(frame: Any) -> None:
    with pytest.raises(ValueError, match="uint8 or uint16 is needed"):
        calibrate_session([(frame, frame)])


def test_a_one_pixel_high_image_is_refused_with_its_size() -> None:
    line = np.zeros((1, 640), np.uint8)
    with pytest.raises(DegenerateGeometryError, match="640x1"):
        calibrate_session([(line, line)])


def test_no_pair_is_a_callers_mistake() -> None:
    with pytest.raises(ValueError, match="no pair"):
        calibrate_session([])


def test_settings_out_of_range_are_named() -> None:
    with pytest.raises(SettingsError, match="max_pairs is 0"):
        CalibrationSettings(max_pairs=0)
