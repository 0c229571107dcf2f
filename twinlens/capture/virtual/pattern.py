"""A sensor's fixed pattern: what a pixel adds in the dark and how it answers to light, drawn once per camera."""

from dataclasses import dataclass

import numpy as np

from twinlens.pixels import Mask, MonoFloat

HOT_DN = (40.0, 180.0)
"""What a hot pixel adds in the dark, grey levels of 8 bits: bright in every frame, seldom saturated by itself."""
DEAD_RESPONSE = 0.05
"""A dead pixel's response to light at most."""


@dataclass(frozen=True, slots=True, eq=False)
class FixedPattern:
    """The truth that dark, gain and defect maps are judged by."""

    dark_dn: MonoFloat
    """(h, w) what a pixel adds to the dark level, grey levels of 8 bits."""
    response: MonoFloat
    """(h, w) a pixel's response to light, 1 on average."""
    hot: Mask
    """(h, w)"""
    dead: Mask
    """(h, w)"""


def draw_pattern(
    shape_hw: tuple[int, int],
    *,
    dsnu_dn: float,
    prnu: float,
    hot_pixels: int,
    dead_pixels: int,
    rng: np.random.Generator,
) -> FixedPattern:
    """A pattern of normal pixels, with hot and dead ones at different random places.

    Args:
        shape_hw: height and width of the sensor in px.
        dsnu_dn: standard deviation of the dark level in grey levels of 8 bits.
        prnu: relative standard deviation of the response.
        hot_pixels: how many.
        dead_pixels: how many.
        rng: where chance comes from.
    """
    dark_dn = np.float32(dsnu_dn) * rng.standard_normal(shape_hw, np.float32)
    response = 1 + np.float32(prnu) * rng.standard_normal(shape_hw, np.float32)
    places = rng.choice(response.size, hot_pixels + dead_pixels, replace=False)
    hot, dead = np.zeros(shape_hw, np.bool_), np.zeros(shape_hw, np.bool_)
    hot.flat[places[:hot_pixels]] = True
    dead.flat[places[hot_pixels:]] = True
    dark_dn[hot] += rng.uniform(*HOT_DN, hot_pixels).astype(np.float32)
    response[dead] = rng.uniform(0, DEAD_RESPONSE, dead_pixels).astype(np.float32)
    return FixedPattern(dark_dn, response, hot, dead)
