"""What misregistration alone costs: a picture scored against itself, displaced by parts of a pixel.

No network is involved: whoever restored perfectly would score this against a target that lies beside its input.
"""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twinlens.dataset.paired import StoredPair
from twinlens.errors import RestoreError
from twinlens.pixels import Mono, Picture
from twinlens.restore.metrics import psnr, ssim
from twinlens.restore.planes import as_picture

SHIFTS_PX = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
_BORDER_PX = 8
"""What a displacement brings in from beyond the frame is not scored."""


@dataclass(frozen=True, kw_only=True)
class DisplacedScore:
    """Mean over pictures, and over displacements to the right and downwards."""

    shift_px: float
    psnr_db: float
    ssim: float


def displaced_scores(
    pairs: Iterable[StoredPair], shifts_px: Sequence[float] = SHIFTS_PX
) -> tuple[DisplacedScore, ...]:
    """Score every pair's target against itself, displaced by each of `shifts_px`, 0 < shift <= 8.

    Raises:
        RestoreError: a picture is in colour, or there is none.
    """
    found: dict[float, list[tuple[float, float]]] = {shift: [] for shift in shifts_px}
    for pair in pairs:
        for shift in shifts_px:
            found[shift] += [_score(pair, (shift, 0.0)), _score(pair, (0.0, shift))]
    if not all(found.values()):
        raise RestoreError("there is no picture to displace", hint="give a split that holds pairs")
    return tuple(
        DisplacedScore(
            shift_px=shift,
            psnr_db=statistics.fmean(psnr_db for psnr_db, _ in scores),
            ssim=statistics.fmean(likeness for _, likeness in scores),
        )
        for shift, scores in found.items()
    )


def displace(picture: Picture, shift_xy: tuple[float, float], *, bit_depth: int) -> Mono:
    """A picture (h, w) moved by (x, y) px in the Fourier domain, which blurs nothing; mirrored at its borders.

    Raises:
        RestoreError: the picture is in colour.
    """
    if picture.ndim != 2:
        raise RestoreError(
            f"a picture of {picture.shape} is in colour; one channel is displaced here",
            hint="import the dataset with --mono",
        )
    height, width = picture.shape
    # Mirrored once more, the picture is periodic without a step, so nothing rings at its borders.
    periodic = np.pad(picture.astype(np.float64), ((0, height), (0, width)), mode="symmetric")
    x, y = np.fft.rfftfreq(2 * width) * shift_xy[0], np.fft.fftfreq(2 * height) * shift_xy[1]
    turned = np.fft.rfft2(periodic) * np.exp(-2j * np.pi * (y[:, None] + x[None, :]))
    moved: NDArray[np.float64] = np.fft.irfft2(turned, s=periodic.shape)[:height, :width]
    return as_picture([moved], like=picture, white=2**bit_depth - 1)


def _score(pair: StoredPair, shift_xy: tuple[float, float]) -> tuple[float, float]:
    """PSNR in dB and SSIM of the target, displaced, against itself."""
    inside = np.s_[_BORDER_PX:-_BORDER_PX, _BORDER_PX:-_BORDER_PX]
    moved = displace(pair.target, shift_xy, bit_depth=pair.bit_depth)[inside]
    white, target, mask = float(2**pair.bit_depth - 1), pair.target[inside], pair.mask[inside]
    return (
        psnr(moved, target, data_range=white, mask=mask),
        ssim(moved, target, data_range=white, mask=mask),
    )
