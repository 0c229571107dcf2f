"""Changing a crop at random without taking its pictures apart: input, target and mask are treated alike."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinlens.dataset.patches import Crop
from twinlens.errors import SettingsError
from twinlens.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Augment(Settings):
    """What may be done to a crop; the default is nothing."""

    dihedral: bool = False
    """Flip and turn by quarter turns, all eight alike. This flips and turns the blur too: right where the PSF is
    that symmetric, or where a network should not learn one PSF; coma turned by 90 degrees is another mirror."""
    brightness_jitter: float = 0.0
    """Multiply input and target by one factor within 1 +- this, 0 to below 1; pixels at full scale are masked."""

    def check(self) -> None:
        """Raise `SettingsError` where a value cannot work."""
        if not 0.0 <= self.brightness_jitter < 1.0:
            raise SettingsError(
                f"Augment.brightness_jitter is {self.brightness_jitter}; 0 to below 1 is needed",
                hint="0.1 changes the brightness by up to 10 %",
            )


def augmented(crop: Crop, augment: Augment, *, bit_depth: int, rng: np.random.Generator) -> Crop:
    """`crop` (square, to be turned) as `augment` allows, drawn from `rng`; the place it names stays."""
    if augment.dihedral:
        crop = _turned(crop, quarters=int(rng.integers(4)), flipped=bool(rng.integers(2)))
    if augment.brightness_jitter:
        factor = rng.uniform(1.0 - augment.brightness_jitter, 1.0 + augment.brightness_jitter)
        crop = _brightened(crop, float(factor), full_scale=2**bit_depth - 1)
    return crop


def _turned(crop: Crop, *, quarters: int, flipped: bool) -> Crop:
    def turned(plane: NDArray[Any]) -> NDArray[Any]:
        return np.rot90(plane[:, ::-1] if flipped else plane, quarters)

    return replace(crop, input=turned(crop.input), target=turned(crop.target), mask=turned(crop.mask))


def _brightened(crop: Crop, factor: float, *, full_scale: int) -> Crop:
    def scaled(plane: NDArray[Any]) -> NDArray[Any]:
        levels = np.rint(plane * np.float32(factor))
        return np.minimum(levels, np.float32(full_scale)).astype(plane.dtype)

    def is_below_white(plane: NDArray[Any]) -> NDArray[Any]:
        below = plane < full_scale
        return below if below.ndim == 2 else np.all(below, axis=2)

    input_, target = scaled(crop.input), scaled(crop.target)
    mask = crop.mask & is_below_white(input_) & is_below_white(target)
    return replace(crop, input=input_, target=target, mask=mask)
