"""A camera's figures by photon transfer, after EMVA Standard 1288, Release 4.0 Linear (equations by number).

mu is a mean, sigma^2 a variance in time, s^2 one over the field; y are grey levels (DN). Where a lens stands in
front of the sensor the standard does not hold to the letter: what is done instead is said at each figure.
"""

import math

import cv2
import numpy as np

from twinlens.pixels import Mask, MonoFloat

QUANTISATION_VARIANCE = 1 / 12
"""sigma_q^2 in DN^2: rounding to whole grey levels."""
HIDDEN_VARIANCE = 0.24
"""Below this sigma_y.dark^2 in DN^2, rounding decides what is seen, and only a bound can be told."""
LOCAL_PX = 11
"""Side of the box whose mean counts as a pixel's surroundings."""


def system_gain_dn_per_e(
    dark_mean: float, dark_variance: float, flat_mean: float, flat_variance: float
) -> float | None:
    """K: grey levels per electron, the slope of the photon transfer curve between its two points.

    The model is sigma_y^2 = K^2 sigma_d^2 + sigma_q^2 + K (mu_y - mu_y.dark); equation 50 fits K through many
    levels, here there are two. sigma_q^2 is taken off both; where the dark one holds no more than that, its read
    noise counts as none. None if no light tells.

    Args:
        dark_mean: mu_y.dark in grey levels.
        dark_variance: sigma_y.dark^2 in grey levels squared.
        flat_mean: mu_y in grey levels.
        flat_variance: sigma_y^2 in grey levels squared.
    """
    light = flat_mean - dark_mean
    noise = flat_variance - QUANTISATION_VARIANCE - max(dark_variance - QUANTISATION_VARIANCE, 0.0)
    return noise / light if light > 0 and noise > 0 else None


def read_noise_dn(dark_variance: float) -> tuple[float, bool]:
    """Read noise in grey levels, K sigma_d by equation 53, and whether it is only an upper bound."""
    is_bound = dark_variance < HIDDEN_VARIANCE
    seen = HIDDEN_VARIANCE if is_bound else dark_variance
    return math.sqrt(seen - QUANTISATION_VARIANCE), is_bound


def dsnu_dn(dark: MonoFloat, good: Mask, *, noise_variance: float) -> float:
    """DSNU in grey levels: s_y.dark of the mean dark frame (equations 36 and 66), here over good pixels only.

    Args:
        dark: (h, w) mean dark frame.
        good: (h, w) pixels that are no defects; those are counted and replaced, and would drown the rest.
        noise_variance: what is left in the mean frame of the noise in time, sigma_y.dark^2 / frames.
    """
    return math.sqrt(max(float(np.var(dark[good], dtype=np.float64)) - noise_variance, 0.0))


def prnu_percent(gain: MonoFloat, good: Mask, *, noise_variance: float) -> float:
    """PRNU in percent: s over (mu_y - mu_y.dark) of a flat with the dark frame taken off (equations 36 and 67).

    A flat through a lens carries its vignette, so the mean of a pixel's surroundings is taken off, too, in place
    of the high-pass filter of section 8.1; the 1/121 of white variance that goes with it is given back.

    Args:
        gain: (h, w) response to light, 1 in the median; finite in defects, too.
        good: (h, w) pixels that are no defects.
        noise_variance: what is left in `gain` of the noise in time.
    """
    around = cv2.blur(gain, (LOCAL_PX, LOCAL_PX), borderType=cv2.BORDER_REFLECT_101)
    relative = (gain - around) / around
    seen = float(np.var(relative[good], dtype=np.float64)) / (1 - 1 / LOCAL_PX**2)
    return 100 * math.sqrt(max(seen - noise_variance, 0.0))


def dynamic_range_db(full_scale_dn: float, noise_dn: float) -> float | None:
    """Grey levels above darkness against the read noise, in dB; None where there is no noise.

    The standard divides by the light of a signal-to-noise ratio of 1, so that its figure is a little smaller.
    """
    return 20 * math.log10(full_scale_dn / noise_dn) if noise_dn > 0 and full_scale_dn > 0 else None
