"""A raw frame and its camera's maps in, the frame an even camera would have taken out."""

import time
from dataclasses import replace

import numpy as np
import pytest

from twinlens.corrections import CameraCorrection
from twinlens.errors import CorrectionError

SHAPE = (60, 80)


def made(*, bit_depth: int = 8, defects: np.ndarray | None = None, seed: int = 1) -> CameraCorrection:
    rng = np.random.default_rng(seed)
    white = 2**bit_depth - 1
    dark = (0.04 * white + 0.004 * white * rng.standard_normal(SHAPE)).astype(np.float32)
    gain = (1 + 0.05 * rng.standard_normal(SHAPE)).astype(np.float32)
    none = np.zeros(SHAPE, np.bool_)
    exact = CameraCorrection(
        dark=dark,
        gain=gain,
        defects=none if defects is None else defects,
        pedestal=float(np.median(dark)),
        bit_depth=bit_depth,
        exposure_us=9000.0,
        gain_db=2.0,
        dark_frames=64,
        flat_frames=32,
    )
    return CameraCorrection.unpacked(exact.packed(), exact.facts())


def raw(correction: CameraCorrection, light: np.ndarray) -> np.ndarray:
    """What the camera sends of so much light above the pedestal."""
    white = 2**correction.bit_depth - 1
    levels = np.clip(np.rint(light * correction.gain + correction.dark), 0, white)
    return levels.astype(np.uint8 if correction.bit_depth == 8 else np.uint16)


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_a_corrected_frame_is_the_light_above_the_pedestal(bit_depth: int) -> None:
    correction = made(bit_depth=bit_depth)
    light = np.random.default_rng(2).uniform(0, 0.7 * 2**bit_depth, SHAPE)
    frame = raw(correction, light)
    corrected = correction.apply(frame, bit_depth=bit_depth)
    assert corrected.dtype == frame.dtype
    # Two roundings, the first of them divided by a gain of 0.8 at least.
    np.testing.assert_allclose(corrected, light + correction.pedestal, atol=0.5 / 0.8 + 0.5)


def test_noise_around_darkness_is_not_clipped() -> None:
    correction = made(bit_depth=10)
    noise = 3 * np.random.default_rng(3).standard_normal(SHAPE)
    corrected = correction.apply(raw(correction, noise), bit_depth=10)
    assert corrected.min() > 0
    assert corrected.mean() == pytest.approx(correction.pedestal, abs=0.2)


def test_a_saturated_pixel_stays_saturated_and_a_defect_takes_the_median_of_its_good_neighbours() -> None:
    defects = np.zeros(SHAPE, np.bool_)
    defects[10, 10] = defects[10, 11] = defects[0, 0] = True
    correction = made(defects=defects)
    frame = np.full(SHAPE, 120, np.uint8)
    frame[30, 40], frame[10, 10], frame[0, 0] = 255, 255, 0
    corrected = correction.apply(frame, bit_depth=8)
    assert corrected[30, 40] == 255
    around = corrected[9:12, 9:13].astype(float)
    left = np.delete(around[:, :3].ravel(), [4, 5])  # without the pixel and its bad neighbour
    assert corrected[10, 10] == pytest.approx(np.median(left), abs=0.5)
    assert corrected[0, 0] == np.median([corrected[0, 1], corrected[1, 0], corrected[1, 1]])
    np.testing.assert_array_equal(frame[0, 0], 0)  # the raw frame is left as it was


def test_a_cluster_of_defects_is_filled_from_its_rim() -> None:
    defects = np.zeros(SHAPE, np.bool_)
    defects[20:25, 30:35] = True
    defects[:, 0] = True
    correction = replace(made(defects=defects), gain=np.ones(SHAPE, np.float32))
    frame = np.full(SHAPE, 100, np.uint8)
    frame[defects] = 3
    corrected = correction.apply(frame, bit_depth=8)
    good = corrected[~defects]
    assert good.min() <= corrected[defects].min()
    assert corrected[defects].max() <= good.max()


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_maps_survive_being_stored_and_correct_alike(bit_depth: int) -> None:
    defects = np.random.default_rng(4).random(SHAPE) < 0.01
    correction = made(bit_depth=bit_depth, defects=defects)
    again = CameraCorrection.unpacked(correction.packed(), correction.facts())
    np.testing.assert_array_equal(again.dark, correction.dark)
    np.testing.assert_array_equal(again.gain, correction.gain)
    np.testing.assert_array_equal(again.defects, correction.defects)
    assert again.facts() == correction.facts()
    frame = raw(correction, np.full(SHAPE, 90.0))
    np.testing.assert_array_equal(
        again.apply(frame, bit_depth=bit_depth), correction.apply(frame, bit_depth=bit_depth)
    )


def test_a_frame_of_another_size_or_depth_is_refused() -> None:
    correction = made()
    with pytest.raises(CorrectionError, match=r"60x80 px with 8 bit.*80x60 px with 8 bit") as refused:
        correction.apply(np.zeros((80, 60), np.uint8), bit_depth=8)
    assert refused.value.hint
    with pytest.raises(CorrectionError, match="10 bit"):
        correction.apply(np.zeros(SHAPE, np.uint16), bit_depth=10)


@pytest.mark.parametrize(
    "wrong",
    [
        {"gain": np.zeros(SHAPE, np.float32)},
        {"dark": np.full(SHAPE, np.nan, np.float32)},
        {"dark": np.zeros((3, 3), np.float32)},
        {"defects": np.ones(SHAPE, np.bool_)},
    ],
)
def test_maps_that_cannot_correct_are_refused(wrong: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match=r"maps of|finite|defect"):
        replace(made(), **wrong)


def test_a_full_frame_takes_a_few_tens_of_milliseconds() -> None:
    shape = (2048, 2592)
    rng = np.random.default_rng(5)
    correction = CameraCorrection(
        dark=np.full(shape, 6, np.float32),
        gain=np.full(shape, 1.01, np.float32),
        defects=rng.random(shape) < 1e-3,
        pedestal=6.0,
        bit_depth=8,
    )
    frame = rng.integers(0, 256, shape).astype(np.uint8)
    correction.apply(frame, bit_depth=8)
    taken = []
    for _ in range(3):
        started = time.perf_counter()
        correction.apply(frame, bit_depth=8)
        taken.append(time.perf_counter() - started)
    # 5 ms on one quiet core; the margin is for a busy machine.
    assert min(taken) < 0.1
