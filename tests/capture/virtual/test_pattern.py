"""The fixed pattern of the twin's sensors, and the dark and flat frames that show it."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from twinlens.capture.capture import Take, capture
from twinlens.capture.frame import CameraRole
from twinlens.capture.rig_file import RigSettings
from twinlens.capture.session import Session
from twinlens.capture.virtual.rehearse import virtual_rig
from twinlens.capture.virtual.sensor import vignette
from twinlens.capture.virtual.source import Shot, Shutter
from twinlens.capture.virtual.twin import EVEN_LIGHT, RigTwin, TwinSettings
from twinlens.errors import SettingsError

SHAPE = (160, 200)
ALIKE = TwinSettings(shape_hw=SHAPE, offset_a_dn=10.0, offset_b_dn=12.0)
PATTERN = replace(ALIKE, dsnu_dn=1.0, prnu_percent=1.0, hot_pixels=20, dead_pixels=10)
ROLES: tuple[CameraRole, CameraRole] = ("a", "b")


def mean_frame(twin: RigTwin, camera: CameraRole, shutter: Shutter, *, count: int = 32) -> np.ndarray:
    shots = (Shot(k, 0, 0, exposure_us=1e4, gain_db=0.0, bit_depth=10, shutter=shutter) for k in range(count))
    return np.mean([twin.frame(camera, shot) for shot in shots], axis=0) / (1023 / 255)


def test_a_closed_shutter_shows_each_cameras_dark_level_and_nothing_else() -> None:
    twin = RigTwin(PATTERN)
    for camera, offset in zip(ROLES, (10.0, 12.0), strict=True):
        truth = twin.fixed_pattern(camera)
        # Read noise is 0.2 grey levels of 8 bits, averaged over 32 frames; 10 bits round to 0.25.
        np.testing.assert_allclose(mean_frame(twin, camera, "Closed"), offset + truth.dark_dn, atol=0.35)


def test_even_light_shows_the_vignette_times_every_pixels_response() -> None:
    twin = RigTwin(PATTERN)
    for camera, light in zip(ROLES, (1.0, PATTERN.gain_b), strict=True):
        truth = twin.fixed_pattern(camera)
        fall_off = PATTERN.vignette_a if camera == "a" else PATTERN.vignette_b
        seen = EVEN_LIGHT * light * vignette(SHAPE, fall_off) * truth.response * 0.85 * 255
        flat = mean_frame(twin, camera, "EvenLight") - mean_frame(twin, camera, "Closed")
        in_range = ~truth.hot  # a hot pixel saturates here
        # Photon noise is 2 grey levels, 0.35 in the mean of 32: six of those.
        np.testing.assert_allclose(flat[in_range], seen[in_range], atol=2.2)


def test_the_pattern_has_the_figures_that_were_asked_for_and_differs_between_cameras() -> None:
    patterns = [RigTwin(PATTERN).fixed_pattern(camera) for camera in ROLES]
    for pattern in patterns:
        good = ~(pattern.hot | pattern.dead)
        assert (pattern.hot.sum(), pattern.dead.sum(), (pattern.hot & pattern.dead).sum()) == (20, 10, 0)
        # 32 000 normal pixels tell a standard deviation to 0.4 %.
        assert pattern.dark_dn[good].std() == pytest.approx(1.0, rel=0.02)
        assert pattern.response[good].std() == pytest.approx(0.01, rel=0.02)
        assert pattern.dark_dn[pattern.hot].min() > 30
        assert pattern.response[pattern.dead].max() <= 0.05
    assert not np.array_equal(patterns[0].dark_dn, patterns[1].dark_dn)


def test_pixels_are_alike_by_default_and_the_shutter_leaves_open_frames_as_they_were() -> None:
    twin = RigTwin(ALIKE)
    assert twin.fixed_pattern("a") is None
    shot = Shot(3, 0, 0, exposure_us=1e4, gain_db=0.0)
    before = twin.frame("b", shot)
    twin.frame("b", replace(shot, shutter="EvenLight"))
    np.testing.assert_array_equal(twin.frame("b", shot), before)


@pytest.mark.parametrize("wrong", [{"dsnu_dn": -1.0}, {"prnu_percent": 30.0}, {"hot_pixels": 160 * 200}])
def test_a_pattern_that_no_sensor_has_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        replace(PATTERN, **wrong)


def test_dark_and_flat_series_can_be_recorded_from_the_virtual_rig(tmp_path: Path) -> None:
    small = replace(PATTERN, shape_hw=(96, 128))
    serials, addresses = ("FA01", "FB01"), ("127.0.9.2", "127.0.9.3")
    rig = RigSettings(a=serials[0], b=serials[1], exposure_us=10_000.0)
    takes = [
        Take("dark", 2, features={"TwinShutterSelector": "Closed"}, kind="dark"),
        Take("flat", 2, features={"TwinShutterSelector": "EvenLight"}, kind="flat"),
    ]
    with (
        virtual_rig(small, addresses=addresses, serials=serials, scene_limit=1),
        closing(capture(rig, takes, out=tmp_path)) as reports,
    ):
        *_, last = reports
    session = Session(Path(last.folder))
    for pair in session.pairs(kind="dark"):
        assert np.median(pair.a.pixels) == pytest.approx(10, abs=1)
        assert np.median(pair.b.pixels) == pytest.approx(12, abs=1)
    flats = session.pairs(kind="flat")
    assert len(flats) == 2
    # Half way between centre and corner of vignette: 0.7 x 0.85 of full scale.
    assert np.median(flats[0].a.pixels) == pytest.approx(10 + 0.7 * 0.85 * 255, abs=4)
