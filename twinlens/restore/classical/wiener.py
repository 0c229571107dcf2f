"""Wiener's filter: with a ratio that is given, and with the best one, which only an oracle knows."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from twinlens.pixels import Kernel, Mask, Picture
from twinlens.restore.classical.fourier import Padded
from twinlens.restore.metrics import psnr
from twinlens.restore.planes import as_picture, channels

ORACLE_GRID = tuple(10.0 ** (-k / 4) for k in range(17))
"""Noise-to-signal ratios that the oracle tries: 1 down to 0.0001."""


@dataclass(frozen=True)
class OracleWiener:
    """The Wiener result closest to the target, which only somebody who knows the target can pick."""

    picture: Picture
    noise_to_signal: float
    psnr_db: float


def wiener(picture: Picture, kernel: Kernel, noise_to_signal: float, *, bit_depth: int) -> Picture:
    """Undo a known blur in the Fourier domain, for white noise on a natural picture.

    A natural picture's power falls with the squared frequency, so the ratio of noise to picture rises with
    it; on photographs this is 0.7 to 1 dB better than the same ratio at every frequency.

    Args:
        picture: the blurred picture; in colour, each channel is filtered on its own.
        kernel: what blurred it, in the picture's own gauge: a kernel off its centre moves the result.
        noise_to_signal: power of the noise over power of the picture at a frequency of 1 rad/px.
        bit_depth: white is 2**bit_depth - 1.
    """
    return next(_wiener_each(picture, kernel, (noise_to_signal,), bit_depth=bit_depth))


def best_wiener(
    picture: Picture, target: Picture, kernel: Kernel, *, bit_depth: int, mask: Mask | None = None
) -> OracleWiener:
    """The best of `wiener` over `ORACLE_GRID`, judged by its PSNR against the target: an oracle.

    No user can reach it, who does not know the target; a network above it is above this filter at its best.
    """
    white = float(2**bit_depth - 1)
    pictures = _wiener_each(picture, kernel, ORACLE_GRID, bit_depth=bit_depth)
    best: OracleWiener | None = None
    for noise_to_signal, restored in zip(ORACLE_GRID, pictures, strict=True):
        psnr_db = psnr(restored, target, data_range=white, mask=mask)
        if best is None or psnr_db > best.psnr_db:
            best = OracleWiener(restored, noise_to_signal, psnr_db)
        elif psnr_db < best.psnr_db - 1.0:
            break  # the score has one maximum over the ratio
    if best is None:
        raise ValueError("ORACLE_GRID is empty")
    return best


def _wiener_each(
    picture: Picture, kernel: Kernel, ratios: Iterable[float], *, bit_depth: int
) -> Iterator[Picture]:
    """One result per ratio; the picture is transformed once."""
    padded = [Padded.of(channel, kernel) for channel in channels(picture)]
    transfer, squared_frequency = padded[0].transfer(), padded[0].squared_frequency()
    power = np.square(np.abs(transfer))
    numerators = [np.fft.rfft2(one.levels) * transfer.conj() for one in padded]
    for ratio in ratios:
        inverse = 1 / (power + np.float32(ratio) * squared_frequency)
        sharp = [one.inner(one.back(above * inverse)) for one, above in zip(padded, numerators, strict=True)]
        yield as_picture(sharp, like=picture, white=2**bit_depth - 1)
