"""The parts of a calibration, each against its own little truth."""

from typing import Any

import numpy as np
import pytest

from twinlens.calibrate.equalise import gaussian_blurred, kernel_blurred
from twinlens.calibrate.frames import eroded, unsaturated
from twinlens.calibrate.geometry import shift, whole
from twinlens.calibrate.kernel import gauge_centroid_xy, kernel_in_gauge, kernel_sigma_px
from twinlens.calibrate.mapping import Mapping
from twinlens.calibrate.orb import CoarseFit, consensus, orb_fit
from twinlens.calibrate.photometric import Photometric, brightness_samples, fit_photometric, squared_radius
from twinlens.calibrate.pooling import Model, pooled_correction, pooled_tiles
from twinlens.calibrate.spectra import Spectra, pooled, window_px_for, zone_spectra
from twinlens.calibrate.tile_lk import tile_fits
from twinlens.errors import DegenerateGeometryError

SHAPE_HW = (512, 640)


def test_features_find_a_turned_and_blurred_camera_to_a_pixel(bench: Any) -> None:
    rig = bench.rig(
        b_from_a=bench.homography(SHAPE_HW, rotation_deg=10, scale=0.95, shift_xy=(18, 9)),
        kernel=bench.gaussian(3.0),
    )
    a, b = (frame.astype(np.float32) for frame in rig.pair(0))
    fit = orb_fit(a, b, sigma_px=3.0, features=3000)
    shape_error_px, mean_shift = rig.error_px(fit.b_from_a)
    assert fit.inliers > 100
    assert shape_error_px + np.linalg.norm(mean_shift) < 1.0


def test_large_frames_are_matched_reduced_with_their_pixel_centres_kept(bench: Any) -> None:
    shape_hw = (1100, 1700)
    rig = bench.rig(shape_hw=shape_hw, b_from_a=bench.homography(shape_hw, scale=1.03), kernel=bench.gaussian(1.0))
    a, b = (frame.astype(np.float32) for frame in rig.pair(0))
    fit = orb_fit(a, b, sigma_px=1.0, features=3000)
    # Forgetting the (s - 1) / 2 of the pixel centres would cost (1.03 - 1) * 1 = 0.03 px and no more; the
    # error itself must stay below a reduced pixel.
    assert np.linalg.norm(rig.error_px(fit.b_from_a)[1]) < 1.0


def test_one_wild_fit_does_not_sway_the_consensus(bench: Any) -> None:
    good = [CoarseFit(bench.homography(SHAPE_HW, shift_xy=(5 + d, 0)), 500, 300) for d in (0.0, 0.4, 0.8)]
    wild = CoarseFit(bench.homography(SHAPE_HW, shift_xy=(90, 40)), 500, 60)
    assert np.array_equal(consensus([wild, *good], SHAPE_HW), good[1].b_from_a)
    with pytest.raises(DegenerateGeometryError, match="disagree"):
        consensus([wild, good[0]], SHAPE_HW)


def test_tiles_measure_a_shift_under_any_gain_and_offset(bench: Any) -> None:
    template = gaussian_blurred((200 * bench.leaves(SHAPE_HW, 6)).astype(np.float32), 2.0)
    f_y, f_x = np.fft.fftfreq(SHAPE_HW[0])[:, None], np.fft.fftfreq(SHAPE_HW[1])[None, :]
    moved = np.fft.ifft2(np.fft.fft2(template) * np.exp(-2j * np.pi * (f_x * 0.3 - f_y * 0.2))).real
    fits = tile_fits(template, (0.7 * moved + 12).astype(np.float32), np.ones(SHAPE_HW, np.bool_), tile_px=64)
    inner = (fits.centre_xy > 64).all(1) & (fits.centre_xy < [576, 448]).all(1)
    assert inner.sum() > 20
    assert np.median(fits.shift_xy[inner], axis=0) == pytest.approx([0.3, -0.2], abs=0.01)
    assert np.median(fits.ncc) > 0.98


@pytest.mark.parametrize("full_scale", [1, 257])
def test_tiles_measure_the_same_shift_at_any_bit_depth(bench: Any, full_scale: int) -> None:
    template = gaussian_blurred((200 * bench.leaves(SHAPE_HW, 6)).astype(np.float32), 2.0)
    f_y, f_x = np.fft.fftfreq(SHAPE_HW[0])[:, None], np.fft.fftfreq(SHAPE_HW[1])[None, :]
    moved = np.fft.ifft2(np.fft.fft2(template) * np.exp(-2j * np.pi * (f_x * 0.3 - f_y * 0.2))).real
    a, b = (full_scale * picture.astype(np.float32) for picture in (template, 0.7 * moved + 12))
    fits = tile_fits(a, b, np.ones(SHAPE_HW, np.bool_), tile_px=64)
    inner = (fits.centre_xy > 64).all(1) & (fits.centre_xy < [576, 448]).all(1)
    errors = np.hypot(*(fits.shift_xy[inner] - [0.3, -0.2]).T)
    assert np.median(errors) < 0.01  # a ridge that is not relative damped the offset: 0.05 px at 16 bit


def test_moving_tiles_do_not_pull_at_the_mapping(bench: Any) -> None:
    rng = np.random.default_rng(2)
    template = gaussian_blurred((200 * bench.leaves(SHAPE_HW, 7)).astype(np.float32), 2.0)
    b = template + rng.standard_normal(SHAPE_HW).astype(np.float32)
    b[128:256, 128:320] = template[128:256, 131:323]
    fits = tile_fits(template, b, np.ones(SHAPE_HW, np.bool_), tile_px=64)
    moved = pooled_correction(pooled_tiles([fits]), Model("none", SHAPE_HW)).moved
    assert np.abs(moved - np.eye(3)).max() < 0.1
    assert np.abs(bench.apply(moved, np.array([[320.0, 256.0]])) - [320, 256]).max() < 0.05


def test_a_flat_picture_has_no_textured_tile() -> None:
    flat = np.full(SHAPE_HW, 80, np.float32)
    fits = tile_fits(flat, flat, np.ones(SHAPE_HW, np.bool_), tile_px=64)
    assert len(fits.shift_xy) == 0
    assert len(fits.brightness_sums) == 80


def test_an_asymmetric_kernel_is_found_and_recentred(bench: Any) -> None:
    kernel = bench.aberrated(0.5)
    usable = eroded(np.ones(SHAPE_HW, np.bool_), 34)
    spectra = []
    for seed in range(4):
        a = (200 * bench.leaves(SHAPE_HW, seed)).astype(np.float32)
        spectra += zone_spectra(a, kernel_blurred(a, kernel), usable, window_px=window_px_for(SHAPE_HW))
    found, shift_xy = kernel_in_gauge(pooled(spectra))
    assert shift_xy == pytest.approx(gauge_centroid_xy(kernel), abs=0.1)
    assert kernel_sigma_px(found) == pytest.approx(kernel_sigma_px(kernel), rel=0.2)
    assert found.shape[0] % 2 == 1


def test_a_correction_since_resampling_reaches_the_kernel_as_a_phase(bench: Any) -> None:
    a = (200 * bench.leaves(SHAPE_HW, 8)).astype(np.float32)
    usable = np.ones(SHAPE_HW, np.bool_)
    b = kernel_blurred(a, bench.gaussian(2.0))
    moved = Mapping(np.array([[1.0, 0, 0.75], [0, 1, -0.5], [0, 0, 1]]))
    _, shift_xy = kernel_in_gauge(pooled(zone_spectra(a, b, usable, moved=moved, window_px=128)))
    assert shift_xy == pytest.approx((-0.75, 0.5), abs=0.05)


def test_windows_follow_a_correction_so_that_the_gauge_does_not_depend_on_where_a_was_resampled(
    bench: Any,
) -> None:
    scene = (200 * bench.leaves((512, 660), 8)).astype(np.float32)
    blurred = kernel_blurred(scene, bench.aberrated(0.5))
    usable = eroded(np.ones(SHAPE_HW, np.bool_), 34)
    gauges = []
    for late_px in (0, 8):
        a, b = scene[:, 10 : 10 + SHAPE_HW[1]], blurred[:, 10 + late_px : 10 + late_px + SHAPE_HW[1]]
        moved = Mapping(shift(-late_px, 0))
        gauges.append(kernel_in_gauge(pooled(zone_spectra(a, b, usable, moved=moved, window_px=128)))[1])
    assert gauges[1] == pytest.approx(gauges[0], abs=0.05)


def test_spectra_without_a_whole_window_are_refused() -> None:
    nothing = np.zeros((256, 129))
    with pytest.raises(DegenerateGeometryError, match="256 px windows"):
        kernel_in_gauge(Spectra(nothing, nothing, nothing.astype(np.complex128), 0))


@pytest.mark.parametrize("curvature", [0.0, 0.06])
def test_brightness_is_recovered_beside_a_lamp_that_was_switched_on(bench: Any, curvature: float) -> None:
    truth = Photometric(gain=0.9, vignette=-0.12, offset=7.0, curvature=curvature)
    a = gaussian_blurred((220 * bench.leaves(SHAPE_HW, 9)).astype(np.float32), 2.0)
    b = truth.apply(a, squared_radius(SHAPE_HW, whole(SHAPE_HW)))
    b[:128, :128] = 200  # a lamp that was switched on
    found = fit_photometric([brightness_samples(a, b, np.ones(SHAPE_HW, np.bool_))], full_scale=255)
    assert found.gain == pytest.approx(truth.gain, abs=2e-3)
    assert found.vignette == pytest.approx(truth.vignette, abs=4e-3)
    assert found.offset == pytest.approx(truth.offset, abs=0.2)
    assert found.curvature == pytest.approx(truth.curvature, abs=5e-3)


def test_masks_shrink_from_holes_and_borders() -> None:
    frame = np.full((9, 11), 100, np.uint8)
    frame[4, 5] = 255
    open_pixels = eroded(unsaturated(frame, 8), 1)
    assert not open_pixels[3:6, 4:7].any()
    assert not open_pixels[0].any()
    assert open_pixels[2, 2]
    assert not unsaturated(np.full((2, 2), 1023, np.uint16), 10).any()
