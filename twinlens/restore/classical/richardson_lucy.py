"""Richardson (1972) and Lucy (1974): likelihood climbed step by step, and left before it fits the noise."""

import numpy as np

from twinlens.pixels import Kernel, Mono, MonoFloat, Picture
from twinlens.restore.classical.fourier import Padded
from twinlens.restore.planes import as_picture, channels

MOST_STEPS = 30
_DARKEST = 1e-3
"""Grey levels; nothing is divided by less."""


def richardson_lucy(
    picture: Picture, kernel: Kernel, *, bit_depth: int, steps: int = MOST_STEPS, noise_sigma: float = 0.0
) -> Picture:
    """Undo a known blur in steps; in colour, each channel on its own.

    Own lines, since scikit-image is not needed to restore, reflects no borders and knows no stop.

    Args:
        picture: the blurred picture.
        kernel: what blurred it, in the picture's own gauge.
        bit_depth: white is 2**bit_depth - 1.
        steps: most of them.
        noise_sigma: grey levels; a channel is done once, blurred again, it fits the picture as well as that
            (Morozov's discrepancy principle), as every step beyond fits noise.
    """
    sharp = [_climbed(channel, kernel, steps, noise_sigma) for channel in channels(picture)]
    return as_picture(sharp, like=picture, white=2**bit_depth - 1)


def _climbed(channel: Mono, kernel: Kernel, steps: int, noise_sigma: float) -> MonoFloat:
    padded = Padded.of(channel, kernel)
    transfer = padded.transfer()
    seen = np.maximum(padded.levels, _DARKEST)
    sharp = seen.copy()
    for _ in range(steps):
        again = np.maximum(padded.back(np.fft.rfft2(sharp) * transfer), _DARKEST)
        misfit = float(np.square(padded.inner(again - seen), dtype=np.float64).mean())
        if misfit <= noise_sigma**2:
            break
        sharp = np.maximum(sharp * padded.back(np.fft.rfft2(seen / again) * transfer.conj()), 0)
    return padded.inner(sharp)
