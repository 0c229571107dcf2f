"""A few pictures in turn: the cheapest thing a virtual camera can look at that still looks like something."""

import threading
from dataclasses import dataclass

import cv2
import numpy as np

from twinlens.capture.frame import CameraRole
from twinlens.capture.virtual.source import Shot
from twinlens.errors import SettingsError
from twinlens.pixels import Mono
from twinlens.settings import Settings

_SHAPES = 160
_BLUR_A_PX, _BLUR_B_PX = 0.8, 2.5
_NOISE_DN = 6.0
"""Standard deviation of the pictures' grain in grey levels of 10 bits."""


@dataclass(frozen=True, kw_only=True)
class LoopSettings(Settings):
    """What both cameras of a cheap rig look at."""

    shape_hw: tuple[int, int] = (2048, 2592)
    """Height and width of both sensors in px."""
    frames: int = 8
    """Pictures before they repeat."""
    bit_depth: int = 10
    """Depth of the pictures, 8 or 10; a camera that sends 8 bits cuts off the lowest."""
    seed: int = 0
    """Of the pictures; both cameras see the same ones."""

    def check(self) -> None:
        """Raise `SettingsError` where a value cannot work."""
        self.require("frames", minimum=1, maximum=100)
        if self.bit_depth not in (8, 10):
            raise SettingsError(
                f"pictures of {self.bit_depth} bits; 8 or 10 are possible", hint="set bit_depth to 8 or 10"
            )
        self.require("seed", minimum=0, maximum=2**32 - 1)


class LoopSource:
    """The same few pictures again and again, without any work per frame; whatever the exposure, gain or shutter.

    The frames are read-only, so a virtual camera packs each of them once and then sends it as it lies.
    """

    scene_count = 16
    mirror_state_count = 4

    def __init__(self, settings: LoopSettings | None = None, *, role: CameraRole = "a") -> None:
        """Paint the pictures; B sees them blurred. Those of 10 bits are made when first asked for."""
        settings = settings or LoopSettings()
        self.shape_hw = settings.shape_hw
        self._bit_depth = settings.bit_depth
        blur_px = _BLUR_A_PX if role == "a" else _BLUR_B_PX
        self._texture = _texture(self.shape_hw, np.random.default_rng(settings.seed), blur_px=blur_px)
        self._lock = threading.Lock()
        self._frames = [{8: self._picture(place, 8)} for place in range(settings.frames)]

    def frame(self, shot: Shot) -> Mono:
        """The picture of a trigger, read-only; scenes and mirror states begin at different pictures."""
        place = (shot.trigger_index + 3 * shot.scene_index + 5 * shot.mirror_state_index) % len(self._frames)
        depth = min(self._bit_depth, shot.bit_depth)
        with self._lock:
            if depth not in self._frames[place]:
                self._frames[place][depth] = self._picture(place, depth)
            return self._frames[place][depth]

    def _picture(self, place: int, depth: int) -> Mono:
        height, width = self.shape_hw
        # Each picture is the texture elsewhere, so that two of them can be told apart anywhere.
        moved = np.roll(self._texture, (place * height // 13, place * width // 7), axis=(0, 1))
        picture = (moved >> 2).astype(np.uint8) if depth == 8 else moved
        picture.setflags(write=False)
        return picture


def _texture(shape_hw: tuple[int, int], rng: np.random.Generator, *, blur_px: float) -> Mono:
    """Shapes of all sizes on a soft ground, with grain: (h, w) uint16 of 10 bits."""
    height, width = shape_hw
    coarse = rng.uniform(200, 700, (5, 6)).astype(np.float32)
    canvas = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    reach = max(4, min(shape_hw) // 6)
    for _ in range(_SHAPES):
        x, y, size = (int(value) for value in rng.integers(0, (width, height, reach)))
        grey = float(rng.uniform(40, 960))
        if rng.random() < 0.5:
            cv2.circle(canvas, (x, y), max(1, size // 3), grey, -1, cv2.LINE_AA)
        else:
            corner = (x + size, y + max(1, size // 4))
            cv2.rectangle(canvas, (x, y), corner, grey, -1)
    grain = np.float32(_NOISE_DN) * rng.standard_normal(shape_hw, np.float32)
    seen = cv2.GaussianBlur(canvas, (0, 0), blur_px) + grain
    texture: Mono = np.clip(seen, 0, 1023).astype(np.uint16)
    return texture
