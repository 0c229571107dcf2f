"""From irradiance to grey levels: electrons, photon and read noise, gain, dark level, 8 or 10 bit.

Irradiance is relative: 1 is the scene's white. It is kept as uint16 (`pack`), half the memory of float32
and finer than 0.01 grey level.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twinlens.capture.virtual.pattern import FixedPattern
from twinlens.pixels import Mono, MonoFloat

REFERENCE_EXPOSURE_US = 10_000.0
"""The exposure at which white fills `WHITE_FILL` of the well at 0 dB; the rig's default."""
WHITE_FILL = 0.85

Irradiance = NDArray[np.uint16]
"""(h, w) uint16, `_WHITE` per unit of irradiance."""

_WHITE = 40_000
_BAND_ROWS = 64
"""Rows that are exposed at a time: 2592 x 64 float32 stay in a core's cache, which halves the time."""


def pack(irradiance: MonoFloat) -> Irradiance:
    """Irradiance as stored; below 0 and above 1.63 times white it is clipped."""
    scaled = np.clip(irradiance * np.float32(_WHITE) + np.float32(0.5), 0, np.iinfo(np.uint16).max)
    packed: Irradiance = scaled.astype(np.uint16)
    return packed


@dataclass(frozen=True, slots=True)
class Sensor:
    """A monochrome sensor whose full well is full scale at 0 dB."""

    full_well_e: float
    read_noise_e: float
    offset_dn: float
    """Dark level in grey levels of 8 bits."""
    pattern: FixedPattern | None = None
    """How its pixels differ; None: not at all."""

    def grey(self, irradiance: Irradiance, *, exposure_us: float, gain_db: float) -> MonoFloat:
        """Noise-free grey levels of 8 bits (h, w), saturated where the well is full, not rounded."""
        electrons = irradiance * np.float32(self._electrons_per_count(exposure_us))
        if self.pattern is not None:
            electrons *= self.pattern.response
        np.minimum(electrons, np.float32(self.full_well_e), out=electrons)
        electrons *= np.float32(self._grey_per_electron(gain_db))
        electrons += np.float32(self.offset_dn)
        if self.pattern is not None:
            electrons += self.pattern.dark_dn
        clipped: MonoFloat = np.clip(electrons, 0, 255, out=electrons)
        return clipped

    def expose(
        self,
        irradiance: Irradiance,
        *,
        exposure_us: float,
        gain_db: float,
        rng: np.random.Generator,
        bit_depth: int = 8,
    ) -> Mono:
        """One noisy frame (h, w): uint8, or uint16 with `bit_depth` 10; the same noise, quantised finer.

        Photon noise is Gaussian with the Poisson variance: from 20 electrons on, half a grey level at 0 dB,
        8 bits cannot tell them apart; below that only the skewness is missing.
        """
        height, width = irradiance.shape
        frame = np.empty((height, width), np.uint8 if bit_depth == 8 else np.uint16)
        white, finer = 2**bit_depth - 1, (2**bit_depth - 1) / 255
        per_count = np.float32(self._electrons_per_count(exposure_us))
        grey_per_electron = np.float32(self._grey_per_electron(gain_db) * finer)
        # +0.5 makes the cast to an integer, which cuts, round.
        offset = np.float32(self.offset_dn * finer + 0.5)
        for top in range(0, height, _BAND_ROWS):
            rows = slice(top, top + _BAND_ROWS)
            electrons = irradiance[rows] * per_count
            if self.pattern is not None:
                electrons *= self.pattern.response[rows]
            noise = rng.standard_normal(electrons.shape, np.float32)
            noise *= np.sqrt(electrons + np.float32(self.read_noise_e**2))
            electrons += noise
            np.minimum(electrons, np.float32(self.full_well_e), out=electrons)
            electrons *= grey_per_electron
            electrons += offset
            if self.pattern is not None:
                electrons += self.pattern.dark_dn[rows] * np.float32(finer)
            frame[rows] = np.clip(electrons, 0, white, out=electrons)
        return frame

    def _electrons_per_count(self, exposure_us: float) -> float:
        if not exposure_us > 0:
            raise ValueError(f"exposure is {exposure_us!r} us; it must be above 0")
        return WHITE_FILL * self.full_well_e * exposure_us / REFERENCE_EXPOSURE_US / _WHITE

    def _grey_per_electron(self, gain_db: float) -> float:
        return 255 / self.full_well_e * math.pow(10, gain_db / 20)


def vignette(shape_hw: tuple[int, int], fall_off: float) -> MonoFloat:
    """Transmission (h, w): 1 at the image centre, 1 - `fall_off` in the corners, quadratic between."""
    y, x = ((np.arange(size, dtype=np.float32) - (size - 1) / 2) for size in shape_hw)
    r2 = (y[:, None] ** 2 + x[None, :] ** 2) / np.float32(y[0] ** 2 + x[0] ** 2)
    transmission: MonoFloat = (1 - np.float32(fall_off) * r2).astype(np.float32)
    return transmission


def shot_noise_source(seed: int, *key: int) -> np.random.Generator:
    """The random numbers of one exposure: the same seed and key give the same frame."""
    # SFC64 is numpy's fastest bit generator, and 5.3 million numbers a frame is most of the work.
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, *key])))
