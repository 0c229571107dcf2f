"""The twin against its own truth: geometry, brightness, noise, threads, memory."""

import threading

import numpy as np
import pytest
from scipy import ndimage

from twinlens.capture.virtual.geometry import map_points
from twinlens.capture.virtual.optics import rms_waves
from twinlens.capture.virtual.scenery import Scenery
from twinlens.capture.virtual.sensor import vignette
from twinlens.capture.virtual.source import ImageSource, Shot
from twinlens.capture.virtual.twin import RigTwin, TwinSettings
from twinlens.errors import SettingsError

SHAPE = (160, 200)
PLAIN = TwinSettings(shape_hw=SHAPE, gain_b=1.0, offset_a_dn=0.0, offset_b_dn=0.0, vignette_a=0.0, vignette_b=0.0)


def spot(x: float, y: float) -> Scenery:
    """One Gaussian spot in the dark; x, y are canvas pixels from its middle."""

    def load(shape_hw: tuple[int, int]) -> np.ndarray:
        rows, columns = (np.arange(size) - size / 2 for size in shape_hw)
        distance2 = (rows[:, None] - y) ** 2 + (columns[None, :] - x) ** 2
        return np.exp(-distance2 / (2 * 3.0**2)).astype(np.float32)

    return Scenery(name=f"spot{x}{y}", load=load)


def grain(seed: int) -> Scenery:
    def load(shape_hw: tuple[int, int]) -> np.ndarray:
        noise = np.random.default_rng(seed).random(shape_hw, np.float32)
        return ndimage.gaussian_filter(noise, 2) * np.float32(0.8)

    return Scenery(name=f"grain{seed}", load=load)


def centroid_xy(picture: np.ndarray) -> np.ndarray:
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    return np.array([[(picture * columns).sum(), (picture * rows).sum()]]) / picture.sum()


def shot(trigger: int = 0, *, scene: int = 0, state: int = 0) -> Shot:
    return Shot(trigger_index=trigger, scene_index=scene, mirror_state_index=state, exposure_us=1e4, gain_db=0.0)


@pytest.mark.parametrize("place", [(0, 0), (-40, 20), (30, -25)])
def test_b_sees_a_point_where_the_truth_and_the_psf_say(place: tuple[int, int]) -> None:
    twin = RigTwin(PLAIN, scenes=[spot(*place)])
    seen_a, seen_b = centroid_xy(twin.clean("a", 0)), centroid_xy(twin.clean("b", 0))
    expected_b = map_points(twin.true_b_from_a, seen_a) + np.array(twin.psf_centroid_xy())
    np.testing.assert_allclose(seen_b, expected_b, atol=0.005)


def test_the_default_twin_is_the_demos() -> None:
    settings = TwinSettings(shape_hw=SHAPE)
    twin = RigTwin(settings, scenes=[grain(0)])
    (state,) = twin.mirror_states
    assert (settings.rotation_deg, settings.scale, settings.gain_b, settings.vignette_b) == (1.0, 1.02, 0.9, 0.1)
    assert (settings.full_well_e, TwinSettings().shape_hw) == (10_000, (2048, 2592))
    assert rms_waves(state.values) == pytest.approx(0.5)
    assert rms_waves(state.values[3:]) ** 2 == pytest.approx(0.58 * 0.25)
    assert state.label == "state0-0.50waves"


def test_brightness_of_b_follows_gain_vignette_and_offset() -> None:
    twin = RigTwin(TwinSettings(shape_hw=SHAPE), scenes=[Scenery(name="grey", load=grey)])
    seen_a, seen_b = twin.clean("a", 0) - 2, twin.clean("b", 0) - 6
    np.testing.assert_allclose(seen_a, 0.5 * 216.75 * vignette(SHAPE, 0.02), rtol=2e-4)
    np.testing.assert_allclose(seen_b, 0.9 * 0.5 * 216.75 * vignette(SHAPE, 0.1), rtol=2e-4)


def grey(shape_hw: tuple[int, int]) -> np.ndarray:
    return np.full(shape_hw, 0.5, np.float32)


def test_a_flat_mirror_makes_b_as_sharp_as_a_and_a_bent_one_does_not() -> None:
    twin = RigTwin(TwinSettings(shape_hw=SHAPE, rms_waves=(0.0, 0.5, 1.0)), scenes=[grain(1)])
    detail = [np.diff(twin.clean("b", 0, state)).std() for state in range(3)]
    assert detail[0] == pytest.approx(np.diff(twin.clean("a", 0)).std() * 0.9, rel=0.05)
    assert detail[0] > 1.3 * detail[1] > 1.3 * detail[2]
    np.testing.assert_array_equal(twin.psf("a", 2), twin.psf("b", 0))


def test_noise_is_new_for_every_camera_and_trigger_and_repeats_with_the_seed() -> None:
    twin, again = (RigTwin(TwinSettings(shape_hw=SHAPE), scenes=[grain(2)]) for _ in range(2))
    a0, a1, b0 = (
        (twin.frame(camera, shot(trigger)) - twin.clean(camera, 0)).ravel()
        for camera, trigger in (("a", 0), ("a", 1), ("b", 0))
    )
    correlations = np.corrcoef([a0, a1, b0])[np.triu_indices(3, 1)]
    np.testing.assert_allclose(correlations, 0, atol=0.03)
    np.testing.assert_array_equal(twin.frame("b", shot(5)), again.frame("b", shot(5)))


def test_another_seed_is_another_rig() -> None:
    twins = [RigTwin(TwinSettings(shape_hw=SHAPE, seed=seed), scenes=[grain(0)]) for seed in (1, 2)]
    assert twins[0].mirror_states != twins[1].mirror_states
    assert not np.array_equal(twins[0].frame("a", shot()), twins[1].frame("a", shot()))


def test_both_views_show_the_scene_and_state_of_the_shot() -> None:
    twin = RigTwin(TwinSettings(shape_hw=SHAPE, rms_waves=(0.5, 1.0)), scenes=[grain(3), grain(4)])
    for camera in ("a", "b"):
        view = twin.view(camera)
        assert isinstance(view, ImageSource)
        assert (view.shape_hw, view.scene_count, view.mirror_state_count) == (SHAPE, 2, 2)
        frame = view.frame(shot(scene=1, state=1))
        assert frame.flags.writeable
        errors = [np.abs(frame - twin.clean(camera, scene, 1)).mean() for scene in range(2)]
        assert errors[1] < 2 < errors[0]
    with pytest.raises(ValueError, match="2 scenes"):
        twin.view("a").frame(shot(scene=2))


def test_pairs_go_round_the_scenes() -> None:
    twin = RigTwin(TwinSettings(shape_hw=SHAPE), scenes=[grain(5), grain(6)])
    pairs = list(twin.pairs(3))
    assert all(a.shape == b.shape == SHAPE and a.dtype == b.dtype == np.uint8 for a, b in pairs)
    first, second, third = (a.astype(float).ravel() for a, _ in pairs)
    assert np.corrcoef(first, third)[0, 1] > 0.9
    assert np.corrcoef(first, second)[0, 1] < 0.2


def test_two_cameras_that_ask_at_once_load_a_scene_once() -> None:
    loaded: list[int] = []

    def load(shape_hw: tuple[int, int]) -> np.ndarray:
        loaded.append(1)
        return grey(shape_hw)

    twin = RigTwin(TwinSettings(shape_hw=SHAPE), scenes=[Scenery(name="counted", load=load)])
    threads = [threading.Thread(target=twin.frame, args=(camera, shot())) for camera in ("a", "b") * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(loaded) == 1


def test_prerendering_says_its_bytes_and_refuses_what_does_not_fit() -> None:
    scenes = [grain(seed) for seed in range(3)]
    twin = RigTwin(TwinSettings(shape_hw=SHAPE), scenes=scenes)
    assert twin.prerender([0, 2]) == 2 * 2 * 2 * SHAPE[0] * SHAPE[1]
    small = RigTwin(TwinSettings(shape_hw=(1024, 1024), memory_mib=16), scenes=scenes * 10)
    with pytest.raises(SettingsError, match="60 pictures take 120 MiB; 16 are allowed"):
        small.prerender()


@pytest.mark.parametrize(
    "wrong",
    [{"rms_waves": ()}, {"scale": 3.0}, {"shape_hw": (8, 8)}, {"gain_b": 0.0}, {"vignette_b": 1.5}, {"seed": -1}],
)
def test_settings_that_cannot_be_simulated_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        TwinSettings(**wrong)


def test_a_twin_without_scenes_or_with_too_strong_a_mirror_is_refused() -> None:
    with pytest.raises(SettingsError, match="no scene"):
        RigTwin(PLAIN, scenes=[])
    with pytest.raises(SettingsError, match="waves RMS"):
        RigTwin(TwinSettings(shape_hw=SHAPE, rms_waves=(2.0,)), scenes=[grain(0)])
