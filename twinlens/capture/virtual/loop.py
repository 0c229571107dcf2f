"""A few pictures in turn: the cheapest thing a virtual camera can look at."""

from dataclasses import dataclass

import numpy as np

from twinlens.capture.virtual.source import Shot
from twinlens.pixels import Mono8
from twinlens.settings import Settings


@dataclass(frozen=True, kw_only=True)
class LoopSettings(Settings):
    """What both cameras of a cheap rig look at."""

    shape_hw: tuple[int, int] = (2048, 2592)
    """Height and width of both sensors in px."""
    frames: int = 8
    """Pictures before they repeat."""
    seed: int = 0
    """Everything random follows from it."""

    def check(self) -> None:
        """Raise `SettingsError` where a value cannot work."""
        self.require("frames", minimum=1, maximum=100)
        self.require("seed", minimum=0, maximum=2**32 - 1)


class LoopSource:
    """The same few noise pictures again and again; a frame costs one copy."""

    scene_count = mirror_state_count = 1

    def __init__(self, shape_hw: tuple[int, int] = (2048, 2592), frames: int = 8, *, seed: int = 0) -> None:
        self.shape_hw = shape_hw
        self._pictures = np.random.default_rng(seed).integers(0, 255, (frames, *shape_hw), dtype=np.uint8)

    def frame(self, shot: Shot) -> Mono8:
        """The picture of a trigger."""
        picture: Mono8 = self._pictures[shot.trigger_index % len(self._pictures)].copy()
        return picture
