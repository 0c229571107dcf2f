"""Maps from the twin's dark and flat frames, judged by the pattern the twin drew and by fields they never saw."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from twinlens.calibrate.corrections import Conditions, MeasuredCamera, measure_correction
from twinlens.capture.frame import CameraRole
from twinlens.capture.virtual.sensor import vignette
from twinlens.capture.virtual.source import Shot, Shutter
from twinlens.capture.virtual.twin import RigTwin, TwinSettings
from twinlens.errors import CorrectionError

SHAPE = (240, 320)
SETTINGS = TwinSettings(
    shape_hw=SHAPE,
    offset_a_dn=8.0,
    offset_b_dn=10.0,
    dsnu_dn=1.0,
    prnu_percent=1.0,
    hot_pixels=30,
    dead_pixels=15,
    vignette_b=0.2,
)


@dataclass(frozen=True)
class Bench:
    """One camera of the twin at one bit depth."""

    camera: CameraRole
    bit_depth: int
    twin: RigTwin

    def frames(self, shutter: Shutter, count: int, *, first: int = 0, exposure_us: float = 1e4) -> Iterator[Any]:
        for trigger in range(first, first + count):
            yield self.twin.frame(
                self.camera, Shot(trigger, 0, 0, exposure_us, 0.0, bit_depth=self.bit_depth, shutter=shutter)
            )

    def measure(self, *, darks: int = 64, flats: int = 64) -> MeasuredCamera:
        return measure_correction(
            self.frames("Closed", darks),
            self.frames("EvenLight", flats, first=1000),
            bit_depth=self.bit_depth,
            taken=Conditions(camera=self.camera, exposure_us=1e4, gain_db=0.0),
        )


@lru_cache
def measured(camera: CameraRole, bit_depth: int) -> tuple[Bench, MeasuredCamera]:
    bench = Bench(camera, bit_depth, RigTwin(SETTINGS))
    return bench, bench.measure()


CAMERAS = pytest.mark.parametrize(("camera", "bit_depth"), [("a", 8), ("b", 8), ("a", 10), ("b", 10)])


def uniformity(frames: Iterator[Any]) -> float:
    """Standard deviation over the field of the mean frame, over its mean."""
    total = np.zeros(SHAPE)
    for frame in frames:
        total += frame
    return float(total.std() / total.mean())


@CAMERAS
@pytest.mark.parametrize("exposure_us", [10_000.0, 6000.0])
def test_a_corrected_field_is_uniform_to_half_a_percent(
    camera: CameraRole, bit_depth: int, exposure_us: float
) -> None:
    bench, found = measured(camera, bit_depth)
    flats = list(bench.frames("EvenLight", 128, first=5000, exposure_us=exposure_us))
    before = uniformity(iter(flats))
    after = uniformity(found.correction.apply(flat, bit_depth=bit_depth) for flat in flats)
    assert before > 0.015
    # 64 flats leave 0.16 % of photon noise in the map, 128 corrected ones 0.12 to 0.15 %. Away from the level of
    # the flats, 8 bits add their rounding of the dark level: 0.29 of 90 grey levels.
    assert after < 0.005


@CAMERAS
def test_maps_are_the_twins_truth(camera: CameraRole, bit_depth: int) -> None:
    bench, found = measured(camera, bit_depth)
    truth, step = bench.twin.fixed_pattern(camera), (2**bit_depth - 1) / 255
    good = ~found.correction.defects
    offset = 8.0 if camera == "a" else 10.0
    assert found.correction.pedestal == pytest.approx(offset * step, abs=0.3 * step)
    # Rounding (0.29 grey levels) is not averaged away where read noise is smaller than a grey level.
    dark_error = found.correction.dark / step - (offset + truth.dark_dn)
    assert dark_error[good].std() < 0.3
    light = vignette(SHAPE, SETTINGS.vignette_a if camera == "a" else SETTINGS.vignette_b) * truth.response
    gain_error = found.correction.gain / (light / np.median(light[good])) - 1
    assert gain_error[good].std() < 0.003


@CAMERAS
def test_every_hot_and_dead_pixel_is_found_and_hardly_another(camera: CameraRole, bit_depth: int) -> None:
    bench, found = measured(camera, bit_depth)
    truth = bench.twin.fixed_pattern(camera)
    assert found.correction.defects[truth.hot | truth.dead].all()
    assert (found.correction.defects & ~(truth.hot | truth.dead)).sum() <= 1
    assert (found.emva.hot_pixels, found.emva.dead_pixels) == (30, 15)


@CAMERAS
def test_emva_figures_are_those_of_the_simulated_sensor(camera: CameraRole, bit_depth: int) -> None:
    emva = measured(camera, bit_depth)[1].emva
    step = (2**bit_depth - 1) / 255
    # A variance of 77 000 pixels x 63 differences is known to 0.1 %; rounding that is not quite white adds 1 %.
    assert emva.system_gain_dn_per_e == pytest.approx((2**bit_depth - 1) / SETTINGS.full_well_e, rel=0.02)
    assert emva.full_scale_e == pytest.approx(SETTINGS.full_well_e, rel=0.06)  # less what the dark level takes
    assert emva.dsnu_dn == pytest.approx(SETTINGS.dsnu_dn * step, rel=0.05)
    assert emva.prnu_percent == pytest.approx(SETTINGS.prnu_percent, rel=0.04)
    # At 8 bits read noise is a fifth of a grey level: only a bound can be told.
    assert emva.read_noise_is_bound == (bit_depth == 8)
    if bit_depth == 10:
        assert emva.read_noise_e == pytest.approx(SETTINGS.read_noise_e, rel=0.02)
    else:
        assert emva.read_noise_e > SETTINGS.read_noise_e


def test_a_saturated_pixel_of_a_scene_stays_saturated() -> None:
    bench, found = measured("b", 10)
    frame = next(bench.frames("EvenLight", 1))
    frame[100:140, 50:90] = 1023
    corrected = found.correction.apply(frame, bit_depth=10)
    patch = (slice(100, 140), slice(50, 90))
    assert (corrected[patch] == 1023).all()


def test_without_flats_dark_levels_alone_are_corrected() -> None:
    bench = Bench("a", 10, RigTwin(SETTINGS))
    found = bench.measure(darks=16, flats=0)
    assert (found.correction.gain == 1).all()
    assert (found.emva.flat_frames, found.emva.system_gain_dn_per_e, found.emva.prnu_percent) == (0, None, None)
    darks = list(bench.frames("Closed", 64, first=300))
    corrected = [found.correction.apply(dark, bit_depth=10) for dark in darks]
    assert np.mean(corrected, axis=0).std() < 0.15 * np.mean(darks, axis=0).std()


def test_few_frames_are_used_and_told(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench("b", 8, RigTwin(SETTINGS))
    with caplog.at_level(logging.WARNING):
        found = bench.measure(darks=2, flats=3)
    assert found.correction.dark_frames == 2
    assert [record.getMessage() for record in caplog.records] == [
        "camera B: 2 dark frames; 64 leave less noise in the maps",
        "camera B: 3 flat frames; 64 leave less noise in the maps",
    ]


def test_a_pattern_of_nothing_is_corrected_to_nothing() -> None:
    alike = replace(SETTINGS, dsnu_dn=0.0, prnu_percent=0.0, hot_pixels=0, dead_pixels=0, vignette_a=0.0)
    found = Bench("a", 8, RigTwin(alike)).measure()
    assert not found.correction.defects.any()
    assert found.correction.gain.std() < 0.002
    assert found.emva.dsnu_dn < 0.05
    assert found.emva.prnu_percent < 0.1


@pytest.mark.parametrize(
    ("darks", "flats", "says"),
    [
        ([], [150, 150], "camera A: 2 flat frames and no dark ones"),
        ([5], [150, 150], "1 dark frame; 2 are needed"),
        ([5, 5], [150], "1 flat frame; 2 are needed"),
        ([90, 90], [150, 150], "shows 90 of 255 grey levels; it is not dark"),
        ([5, 5], [20, 20], r"15\.0 grey levels above darkness, 26 are needed"),
        ([5, 5], [255, 255], r"100\.0% of the flat series is saturated, at most 0\.5% can be"),
    ],
)
def test_a_series_that_cannot_tell_is_refused_with_its_number(
    darks: list[int], flats: list[int], says: str
) -> None:
    def frames(levels: list[int]) -> Iterator[Any]:
        return (np.full(SHAPE, level, np.uint8) for level in levels)

    with pytest.raises(CorrectionError, match=says) as refused:
        measure_correction(frames(darks), frames(flats), bit_depth=8, taken=Conditions(camera="a"))
    assert refused.value.hint


def test_partly_saturated_flats_are_refused_with_the_measured_share() -> None:
    flat = np.full(SHAPE, 200, np.uint8)
    flat[:24] = 255
    with pytest.raises(CorrectionError, match=r"10\.0% of the flat series is saturated"):
        measure_correction([np.full(SHAPE, 5, np.uint8)] * 2, [flat] * 2, bit_depth=8)


def test_a_dark_series_with_a_scene_in_it_is_refused() -> None:
    rng = np.random.default_rng(0)
    lit = np.where(rng.random(SHAPE) < 0.1, 50, 5).astype(np.uint8)
    with pytest.raises(CorrectionError, match=r"10\.\d% of the pixels look defective, at most 2%"):
        measure_correction([lit, lit], bit_depth=8)


def test_flats_of_another_size_are_refused() -> None:
    with pytest.raises(CorrectionError, match=r"\(240, 320\)"):
        measure_correction([np.full(SHAPE, 5, np.uint8)] * 2, [np.full((64, 64), 150, np.uint8)] * 2, bit_depth=8)
