"""Cheap frames for virtual cameras: a few textures in turn, made once, so that a test can stream at full rate."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from twinlens.capture.frame import CameraRole
from twinlens.capture.virtual.source import Shot
from twinlens.pixels import Mono
from twinlens.settings import Settings


@dataclass(frozen=True, kw_only=True)
class LoopSettings(Settings):
    """Which frames go round."""

    shape_hw: tuple[int, int] = (2048, 2592)
    """Height and width of the sensor, px."""
    frames: int = 8
    """How many different ones."""
    bit_depth: int = 10
    """8 or 10; a 10-bit sensor sends Mono8, too."""
    seed: int = 0
    """Of the textures; both cameras see the same ones."""

    def check(self) -> None:
        """Raise `SettingsError` where a value cannot work."""
        self.require("frames", minimum=1, maximum=1000)
        self.require("bit_depth", minimum=8, maximum=10)
        self.require("seed", minimum=0, maximum=2**63 - 1)


class LoopSource:
    """A few textures in turn; camera B sees them blurred."""

    def __init__(self, settings: LoopSettings | None = None, *, role: CameraRole = "a") -> None:
        settings = settings or LoopSettings()
        self._shape_hw = settings.shape_hw
        rng = np.random.default_rng(settings.seed)
        base = _texture(settings.shape_hw, rng, blur_px=0.8 if role == "a" else 2.5)
        full_scale = 1023 if settings.bit_depth == 10 else 255
        pixels = np.rint(base * full_scale).astype(np.uint16 if settings.bit_depth == 10 else np.uint8)
        step = max(1, settings.shape_hw[0] // (2 * settings.frames))
        self._frames: list[Mono] = [np.roll(pixels, i * step, axis=0) for i in range(settings.frames)]

    @property
    def shape_hw(self) -> tuple[int, int]:
        """Height and width of the sensor in px."""
        return self._shape_hw

    @property
    def scene_count(self) -> int:
        """Scenes to choose from: one."""
        return 1

    @property
    def mirror_state_count(self) -> int:
        """Mirror states to choose from: one."""
        return 1

    def frame(self, shot: Shot) -> Mono:
        """The texture whose turn it is; shared, not to be written to."""
        return self._frames[shot.trigger_index % len(self._frames)]


def _texture(shape_hw: tuple[int, int], rng: np.random.Generator, *, blur_px: float) -> np.ndarray:
    """Structure of every size, as scenes have it, (h, w) float in [0, 1]."""
    tile_hw = tuple(min(size, 512) for size in shape_hw)
    noise = rng.standard_normal(tile_hw)
    total = sum(size * ndimage.gaussian_filter(noise, size, mode="wrap") for size in (1, 4, 16))
    total = ndimage.gaussian_filter(total, blur_px, mode="wrap")
    low, high = np.percentile(total, (1, 99))
    tile = np.clip((total - low) / (high - low), 0, 1) * 0.9 + 0.05
    repeats = [-(-size // len_) for size, len_ in zip(shape_hw, tile.shape, strict=True)]
    return np.tile(tile, repeats)[: shape_hw[0], : shape_hw[1]]
