"""Scenes from files: the bundled ones without any network, the user's without surprises."""

import socket
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy import ndimage

from twinlens.capture.virtual.photographs import fill_canvas, read_grey
from twinlens.capture.virtual.scenery import DEFAULT_PHOTOGRAPHS, bundled, default_scenery, folder_scenery
from twinlens.capture.virtual.sensor import vignette
from twinlens.capture.virtual.source import Shot
from twinlens.capture.virtual.twin import RigTwin, TwinSettings
from twinlens.errors import CaptureError

CANVAS = (360, 480)


def photograph(shape_hw: tuple[int, int], seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).random(shape_hw, np.float32)
    smooth = ndimage.gaussian_filter(noise, 1.5)
    return np.clip(128 + 900 * (smooth - 0.5), 0, 255).astype(np.uint8)


def save(path: Path, shape_hw: tuple[int, int], seed: int = 0) -> Path:
    path.parent.mkdir(exist_ok=True)
    assert cv2.imwrite(str(path), photograph(shape_hw, seed))
    return path


def test_no_two_default_scenes_share_a_photograph_or_a_name() -> None:
    used = [name for names in DEFAULT_PHOTOGRAPHS.values() for name in names]
    scenes = default_scenery(7)
    assert len(used) == len(set(used))
    assert len({scene.name for scene in scenes}) == len(scenes) >= 16


def test_more_streets_than_photographs_are_all_different_and_fewer_are_the_first() -> None:
    names = [scene.name for scene in default_scenery(7, 40)]
    assert len(set(names)) == 40
    assert [scene.name for scene in default_scenery(7, 3)] == names[:3]
    assert [scene.name for scene in default_scenery(7)] == names[:16]
    bare = [scene.load((100, 130)).ravel() for scene in default_scenery(7, 20)[16:]]
    assert np.corrcoef(bare)[np.triu_indices(len(bare), 1)].max() < 0.8
    assert RigTwin(TwinSettings(shape_hw=(64, 64), streets=5)).scene_names == tuple(names[:5])


def test_default_photographs_load_without_touching_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a default scene opened a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    pictures = [bundled(name) for names in DEFAULT_PHOTOGRAPHS.values() for name in names]
    assert all(picture.std() > 10 for picture in pictures)


def test_default_scenes_look_different() -> None:
    canvases = [scene.load((100, 130)) for scene in default_scenery(7)[::4]]
    correlations = np.corrcoef([canvas.ravel() for canvas in canvases])[np.triu_indices(len(canvases), 1)]
    assert correlations.max() < 0.8


def test_a_default_scene_gives_the_degradation_and_the_texture_the_demo_needs() -> None:
    twin = RigTwin(TwinSettings(shape_hw=(360, 480)), scenes=default_scenery(2024)[:1])
    assert 20 < input_psnr_db(twin, 0) < 30
    assert textured_share(twin.clean("a", 0)) > 0.6


def input_psnr_db(twin: RigTwin, scene_index: int) -> float:
    """B against the clean A moved onto B's grid and into B's brightness, as the pipeline's target will be."""
    shape, settings = twin.shape_hw, twin.settings
    light_a = (twin.clean("a", scene_index) - settings.offset_a_dn) / vignette(shape, settings.vignette_a)
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(float)
    dx, dy = twin.psf_centroid_xy()
    points = np.stack([columns - dx, rows - dy, np.ones(shape)]).reshape(3, -1)
    x, y, w = np.linalg.inv(twin.true_b_from_a) @ points
    moved = ndimage.map_coordinates(light_a, (y / w, x / w), order=3).reshape(shape)
    target = moved * settings.gain_b * vignette(shape, settings.vignette_b) + settings.offset_b_dn
    shot = Shot(trigger_index=0, scene_index=scene_index, mirror_state_index=0, exposure_us=1e4, gain_db=0.0)
    error = (twin.frame("b", shot) - target)[40:-40, 40:-40]
    return float(10 * np.log10(255**2 / np.mean(error**2)))


def textured_share(picture: np.ndarray) -> float:
    """Share of 64 px tiles in which both directions show a gradient of a grey level per px."""
    gradients = np.gradient(ndimage.gaussian_filter(picture, 1.5))
    tiles = [
        np.stack([g[top : top + 64, left : left + 64].ravel() for g in gradients])
        for top in range(0, picture.shape[0] - 63, 64)
        for left in range(0, picture.shape[1] - 63, 64)
    ]
    return float(np.mean([np.linalg.eigvalsh(tile @ tile.T / tile.shape[1])[0] > 1 for tile in tiles]))


def test_a_folder_gives_one_scene_per_photograph_named_after_its_path(tmp_path: Path) -> None:
    save(tmp_path / "b.png", (200, 300))
    save(tmp_path / "a.JPG", (200, 300))
    save(tmp_path / "old town" / "c.tif", (200, 300))
    (tmp_path / "README.md").write_text("not a photograph")
    scenes = folder_scenery(tmp_path)
    assert [scene.name for scene in scenes] == ["a", "b", "old town-c"]
    assert all(scene.load(CANVAS).shape == CANVAS for scene in scenes)
    save(tmp_path / "a.png", (200, 300))
    assert [scene.name for scene in folder_scenery(tmp_path)][:2] == ["a.JPG", "a.png"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [(None, b"", "holds no photograph"), ("x.jpg", b"", "cannot be read"), ("x.png", b"text", "cannot be read")],
)
def test_a_folder_without_readable_photographs_is_refused(
    tmp_path: Path, name: str | None, content: bytes, message: str
) -> None:
    if name is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CaptureError, match=message) as caught:
        folder_scenery(tmp_path)
    assert caught.value.hint


def test_a_missing_folder_and_a_tiny_photograph_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="not a folder"):
        folder_scenery(tmp_path / "nowhere")
    save(tmp_path / "tiny.png", (90, 400))
    with pytest.raises(CaptureError, match="160 px"):
        folder_scenery(tmp_path)


@pytest.mark.parametrize("shape_hw", [(200, 240), (400, 300), (500, 700)])
def test_photographs_keep_their_own_pixels(tmp_path: Path, shape_hw: tuple[int, int]) -> None:
    grey = read_grey(save(tmp_path / "p.png", shape_hw))
    canvas = fill_canvas(grey, CANVAS, rng=np.random.default_rng(1))
    height, width = shape_hw
    patch = grey[height // 2 - 30 : height // 2 + 30, width // 2 - 40 : width // 2 + 40].astype(np.float32)
    matches = [
        cv2.matchTemplate(canvas, part, cv2.TM_CCOEFF_NORMED).max() for part in (patch, patch[:, ::-1].copy())
    ]
    # A repeat may be in another tone or mirrored, but an enlarged or blurred one would not reach this.
    assert max(matches) > 0.98


def test_a_much_larger_photograph_is_reduced_to_the_canvas(tmp_path: Path) -> None:
    grey = read_grey(save(tmp_path / "p.png", (900, 1200)))
    canvas = fill_canvas(grey, CANVAS, rng=np.random.default_rng(1))
    reduced = cv2.resize(grey, (480, 360), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(canvas, reduced.astype(np.float32) / np.float32(255))


def test_colour_and_sixteen_bit_photographs_become_grey(tmp_path: Path) -> None:
    colour = np.repeat(photograph((200, 300))[..., None], 3, axis=2)
    cv2.imwrite(str(tmp_path / "colour.png"), colour)
    cv2.imwrite(str(tmp_path / "deep.tif"), photograph((200, 300)).astype(np.uint16) * 257)
    first, second = (read_grey(tmp_path / name) for name in ("colour.png", "deep.tif"))
    assert np.abs(first.astype(int) - second).max() <= 1
    assert first.max() == 255
