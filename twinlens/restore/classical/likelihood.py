"""How noisy a blurred picture is, from the picture and its blur alone: nobody needs to have seen the target."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinlens.errors import RestoreError
from twinlens.pixels import Kernel, Mono
from twinlens.restore.classical.fourier import centred, squared_frequency

_RATIOS = tuple(10.0 ** (-k / 4) for k in range(21))
_LOWEST = 0.02
"""(rad/px)^2 below which a picture's few largest structures are no statistics."""


@dataclass(frozen=True)
class Noise:
    """What is likeliest, given the power at each frequency."""

    sigma: float
    """Grey levels."""
    noise_to_signal: float
    """Power of the noise over power of the sharp picture at 1 rad/px."""


def likeliest_noise(channel: Mono, kernel: Kernel) -> Noise:
    """The noise under which the picture's spectrum is likeliest.

    The sharp picture's power is taken to fall with the squared frequency, the noise to be white, both Gaussian:
    power = s^2 (|H|^2 / (r w^2) + 1). For each ratio r the likeliest s is a mean, so only r is searched for.

    Args:
        channel: (h, w), blurred.
        kernel: what blurred it.

    Raises:
        RestoreError: the kernel is larger than the picture.
    """
    power, blur, frequency = _spectra(channel, kernel)
    found: tuple[float, Noise] | None = None
    for ratio in _RATIOS:
        model = blur / (ratio * frequency) + 1
        variance = max(float((power / model).mean()), 1e-6)  # a flat picture has none
        surprise = float(np.log(variance) + np.log(model).mean())
        if found is None or surprise < found[0]:
            found = surprise, Noise(variance**0.5, ratio)
    if found is None:
        raise ValueError("there are no ratios to try")
    return found[1]


def _spectra(channel: Mono, kernel: Kernel) -> Sequence[NDArray[np.floating[Any]]]:
    """Power of the picture, of the blur, and squared frequency, wherever that is not too low.

    The picture is weighed by a Hann window: the jump between its opposite borders would look like detail.
    """
    if max(kernel.shape) > min(channel.shape):
        raise RestoreError(
            f"a blur of {kernel.shape} px is larger than a picture of {channel.shape} px",
            hint="give the calibration of the cameras that took these pictures",
        )
    window = np.outer(*(np.hanning(side + 2)[1:-1] for side in channel.shape))
    window /= np.sqrt(np.square(window).mean())
    levels = channel - float((channel * window).sum() / window.sum())
    power = np.square(np.abs(np.fft.rfft2((levels * window).astype(np.float32)))) / channel.size
    blur = np.square(np.abs(np.fft.rfft2(centred(kernel, channel.shape))))
    frequency = squared_frequency(channel.shape)
    counted = frequency > _LOWEST
    return power[counted], blur[counted], frequency[counted]
