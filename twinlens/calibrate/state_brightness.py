"""The brightness transfer of a mirror state, from all its registered pairs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from twinlens.calibrate.frames import full_scale
from twinlens.calibrate.photometric import Photometric, brightness_samples, fit_photometric, sample_gain
from twinlens.calibrate.refine import OnB, Refined, registered_template
from twinlens.pixels import Homography

_MOST_SHOWN = 120


@dataclass(frozen=True, slots=True)
class StateBrightness:
    """How A's grey levels become B's in one mirror state."""

    photometric: Photometric
    shown: tuple[tuple[float, float], ...]
    """Some of the grey levels that it was fitted to: A's, and B's without the vignette."""
    gains: tuple[float, ...]
    """Each pair's own gain against it."""


def state_brightness(on_b: Sequence[OnB], found: Refined, start: Homography, *, bit_depth: int) -> StateBrightness:
    """The transfer that all pairs agree on, and each pair's own gain.

    Args:
        on_b: the pairs on B's grid.
        found: their mapping and kernels.
        start: the homography that put them on B's grid.
        bit_depth: of the frames.
    """
    samples = [
        brightness_samples(registered_template(pair, found.kernels, found.mapping, start), pair.b, pair.usable)
        for pair in on_b
    ]
    photometric = fit_photometric(samples, full_scale=full_scale(bit_depth))
    a, b, r2 = (np.concatenate([getattr(one, name) for one in samples]) for name in ("a", "b", "r2"))
    order = np.argsort(a)[:: max(1, len(a) // _MOST_SHOWN)]
    shown = zip(a[order].round(2), (b - photometric.vignette * r2 * a)[order].round(2), strict=True)
    return StateBrightness(
        photometric=photometric,
        shown=tuple((float(of_a), float(of_b)) for of_a, of_b in shown),
        gains=tuple(sample_gain(one, photometric) for one in samples),
    )
