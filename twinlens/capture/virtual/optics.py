"""Fourier optics of the twin: Zernike polynomials, pupil, point spread function, mirror states.

Axes are the image's: x right, y down, so the polar angle grows from +x towards +y. Coefficients are in
waves RMS of Noll's orthonormal polynomials (R. J. Noll, J. Opt. Soc. Am. 66, 207, 1976).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twinlens.capture.frame import MirrorState
from twinlens.errors import SettingsError
from twinlens.pixels import Kernel

MIRROR_NOLL_INDICES = (4, 5, 6, 7, 8, 9, 10)
"""What a mirror state holds: defocus, 2 astigmatism, 2 coma, 2 trefoil."""
COMA_TREFOIL = slice(3, 7)
"""Where in a mirror state's values coma and trefoil are."""
MAX_RMS_WAVES = 1.5

_GRID = 1024
"""Pupil grid; with 4 samples per pixel it spans 256 px of the sensor, twice the widest PSF at 1.5 waves."""
_SAMPLES_PER_PIXEL = 4
_TAIL = 2e-5
"""A kernel ends where every pixel farther out holds less than this share of the light."""


@dataclass(frozen=True, slots=True)
class Lens:
    """What sets the size of a diffraction pattern on the sensor; defaults: 850 nm, F/5.6, MER-530 pixels."""

    wavelength_um: float = 0.85
    f_number: float = 5.6
    pixel_um: float = 4.8

    @property
    def airy_px(self) -> float:
        """Wavelength times F-number in px."""
        return self.wavelength_um * self.f_number / self.pixel_um


def noll_orders(index: int) -> tuple[int, int]:
    """Radial order n and signed azimuthal order m (negative: sine) of Noll's polynomial `index` >= 1.

    Raises:
        ValueError: the index is below 1.
    """
    if index < 1:
        raise ValueError(f"Noll indices start at 1, got {index}")
    n = math.ceil((math.sqrt(8 * index + 1) - 3) / 2)
    place = index - n * (n + 1) // 2 - 1
    m = 2 * ((place + 1) // 2) if n % 2 == 0 else 2 * (place // 2) + 1
    return n, m if index % 2 == 0 else -m


def zernike(index: int, *, radius: NDArray[np.float64], angle_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Noll's polynomial `index` at polar points inside the unit disc; its mean square there is 1."""
    n, m = noll_orders(index)
    order = abs(m)
    radial = np.zeros_like(radius)
    for k in range((n - order) // 2 + 1):
        weight = (-1) ** k * math.comb(n - k, k) * math.comb(n - 2 * k, (n - order) // 2 - k)
        radial += weight * radius ** (n - 2 * k)
    if m == 0:
        return math.sqrt(n + 1) * radial
    wave = np.cos(order * angle_rad) if m > 0 else np.sin(order * angle_rad)
    return math.sqrt(2 * (n + 1)) * radial * wave


def point_spread(waves: Mapping[int, float], *, lens: Lens | None = None) -> Kernel:
    """PSF (255, 255) on the pixel grid, each pixel's square integrated, not cut; sums to 1.

    Args:
        waves: waves RMS by Noll index.
        lens: wavelength, F-number and pixel.
    """
    lens = lens or Lens()
    y, x = (np.mgrid[:_GRID, :_GRID] - _GRID // 2).astype(np.float64)
    # One sample of the image plane is lambda N * pupil diameter / grid: choose the pupil that makes it p/4.
    pupil_radius = _GRID / (2 * _SAMPLES_PER_PIXEL * lens.airy_px)
    r = np.hypot(x, y)
    amplitude = np.clip(pupil_radius - r + 0.5, 0, 1)
    inside = amplitude > 0
    radius, angle = r[inside] / pupil_radius, np.arctan2(y, x)[inside]
    phase_waves = sum(
        (a * zernike(j, radius=radius, angle_rad=angle) for j, a in waves.items()), np.zeros_like(radius)
    )
    pupil = np.zeros((_GRID, _GRID), np.complex128)
    pupil[inside] = amplitude[inside] * np.exp(2j * np.pi * phase_waves)
    intensity = np.abs(np.fft.fft2(np.fft.ifftshift(pupil))) ** 2
    # The pixel's square is a product with sinc in the spectrum; np.sinc takes cycles per pixel.
    pixel = np.sinc(np.fft.fftfreq(_GRID, 1 / _SAMPLES_PER_PIXEL))
    seen = np.fft.ifft2(np.fft.fft2(intensity) * pixel[:, None] * pixel[None, :]).real
    sampled = np.fft.fftshift(seen)[::_SAMPLES_PER_PIXEL, ::_SAMPLES_PER_PIXEL][1:, 1:].clip(min=0)
    kernel: Kernel = sampled / sampled.sum()
    return kernel


def cut_tails(kernel: Kernel, *, tail: float = _TAIL) -> Kernel:
    """The centre of `kernel` beyond which every pixel holds less than `tail` of the light; sums to 1."""
    centre = kernel.shape[0] // 2
    rows, columns = np.nonzero(kernel >= tail * kernel.sum())
    half = int(max(np.abs(rows - centre).max(), np.abs(columns - centre).max()))
    part = kernel[centre - half : centre + half + 1, centre - half : centre + half + 1]
    cut: Kernel = part / part.sum()
    return cut


def centroid_xy(kernel: Kernel) -> tuple[float, float]:
    """Centre of mass of a kernel in px from its middle pixel."""
    offsets = np.arange(kernel.shape[0]) - kernel.shape[0] // 2
    total = kernel.sum()
    return float(kernel.sum(axis=0) @ offsets / total), float(kernel.sum(axis=1) @ offsets / total)


def mirror_psf(state: MirrorState, *, lens: Lens | None = None) -> Kernel:
    """PSF (k, k) behind a mirror in `state`, tails cut."""
    return cut_tails(point_spread(dict(zip(MIRROR_NOLL_INDICES, state.values, strict=True)), lens=lens))


def draw_mirror_state(
    rms_waves: float, *, coma_trefoil_share: float, label: str, rng: np.random.Generator
) -> MirrorState:
    """A mirror state with random directions, `rms_waves` in total, and a given share of coma and trefoil.

    Args:
        rms_waves: root of the sum of squares of the seven coefficients, 0 to 1.5.
        coma_trefoil_share: share of the variance in Noll 7 to 10, 0 to 1.
        label: the state's name.
        rng: source of the directions.

    Raises:
        SettingsError: `rms_waves` or the share is out of range.
    """
    if not 0 <= rms_waves <= MAX_RMS_WAVES:
        raise SettingsError(
            f"mirror state {label}: {rms_waves!r} waves RMS; 0 to {MAX_RMS_WAVES} can be simulated",
            hint="choose a weaker aberration",
        )
    if not 0 <= coma_trefoil_share <= 1:
        raise SettingsError(
            f"share of coma and trefoil is {coma_trefoil_share!r}; it must lie between 0 and 1",
            hint="0.58 is the demo's",
        )
    directions = rng.standard_normal(len(MIRROR_NOLL_INDICES))
    others = slice(0, COMA_TREFOIL.start)
    directions[COMA_TREFOIL] *= math.sqrt(coma_trefoil_share) / np.linalg.norm(directions[COMA_TREFOIL])
    directions[others] *= math.sqrt(1 - coma_trefoil_share) / np.linalg.norm(directions[others])
    values = tuple(float(v) for v in rms_waves * directions)
    return MirrorState(label=label, values=values, unit="waves")


def rms_waves(values: Sequence[float]) -> float:
    """Total waves RMS of Noll coefficients."""
    return math.sqrt(sum(v * v for v in values))
