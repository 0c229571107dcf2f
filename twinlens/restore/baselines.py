"""The classical methods by name, each with the blur that calibration found and without sight of the target."""

from collections.abc import Callable
from typing import NamedTuple

from twinlens.dataset.paired import StoredPair
from twinlens.pixels import Kernel, Picture
from twinlens.restore.classical.fourier import shift_kernel
from twinlens.restore.classical.likelihood import Noise, likeliest_noise
from twinlens.restore.classical.richardson_lucy import MOST_STEPS, richardson_lucy
from twinlens.restore.classical.total_variation import STEPS, total_variation
from twinlens.restore.classical.wiener import ORACLE_GRID, OracleWiener, best_wiener, wiener
from twinlens.restore.planes import channels

__all__ = [
    "BASELINES",
    "ORACLE_GRID",
    "KernelOf",
    "Method",
    "OracleWiener",
    "baseline",
    "best_wiener",
    "shift_kernel",
    "wiener",
]

KernelOf = Callable[[str], Kernel]
"""From a mirror state's label to the blur from A to B, in the gauge of the pairs."""

_CAUTION = 3.0
"""Photographs are not Gaussian: the best ratio is about this much above the likeliest. On 6 photographs under 2
blurs (0.2 and 0.5 waves RMS) and noise of 0.4 to 2 % it loses 0.07 dB to the oracle in the mean, 0.5 at most."""
_TV_FACTOR, _TV_POWER = 0.95, 1.4
"""The best weight of total variation over noise, white being 1: fitted to 4 of these photographs under both blurs
at noise of 0.4, 1, 2 and 4 %."""


def baseline(name: str, kernel_of: KernelOf) -> Callable[[StoredPair], Picture]:
    """A method by its name in `BASELINES`, as `evaluate` takes it."""
    if name not in BASELINES:
        raise ValueError(f"no baseline is called {name!r}; {', '.join(BASELINES)} are")
    method = BASELINES[name]
    return lambda pair: method.restore(pair.input, kernel_of(pair.mirror_state), pair.bit_depth)


def _wiener(picture: Picture, kernel: Kernel, bit_depth: int) -> Picture:
    ratio = _CAUTION * _noise(picture, kernel).noise_to_signal
    return wiener(picture, kernel, ratio, bit_depth=bit_depth)


def _richardson_lucy(picture: Picture, kernel: Kernel, bit_depth: int) -> Picture:
    return richardson_lucy(picture, kernel, bit_depth=bit_depth, noise_sigma=_noise(picture, kernel).sigma)


def _total_variation(picture: Picture, kernel: Kernel, bit_depth: int) -> Picture:
    noise = _noise(picture, kernel).sigma / (2**bit_depth - 1)
    return total_variation(picture, kernel, _TV_FACTOR * noise**_TV_POWER, bit_depth=bit_depth)


def _noise(picture: Picture, kernel: Kernel) -> Noise:
    """The mean over the channels."""
    found = [likeliest_noise(channel, kernel) for channel in channels(picture)]
    return Noise(
        sigma=sum(one.sigma for one in found) / len(found),
        noise_to_signal=sum(one.noise_to_signal for one in found) / len(found),
    )


class Method(NamedTuple):
    """A filter that knows the blur and finds the rest in the picture."""

    says: str
    """How it is set, in one line."""
    restore: Callable[[Picture, Kernel, int], Picture]
    """From the picture, its blur and the bit depth."""


BASELINES = {
    "wiener": Method("ratio of noise to signal: 3 times the likeliest under the picture's spectrum", _wiener),
    "richardson-lucy": Method(
        f"stopped at the likeliest noise, after {MOST_STEPS} steps at most", _richardson_lucy
    ),
    "tv": Method(
        f"split Bregman, {STEPS} steps, weight {_TV_FACTOR} s^{_TV_POWER} at the likeliest noise s (white = 1)",
        _total_variation,
    ),
}
