"""A tiny rig with known truth: dead-leaves scenes, a homography, a blur, a brightness transfer and noise."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage, signal

from twinlens.calibrate import Origin, RigCalibration, calibrate_session

Array = NDArray[np.float64]
MARGIN_PX = 64


@lru_cache(maxsize=16)
def leaves(shape_hw: tuple[int, int], seed: int) -> Array:
    """A scene in [0.05, 0.8]: rectangles and ellipses of all sizes over each other, as sharp as pixels allow."""
    rng = np.random.default_rng(seed)
    height, width = (2 * size for size in shape_hw)
    canvas = np.full((height, width), 128, np.uint8)
    for _ in range(1500):
        size = 6 * rng.pareto(1.2) + 6
        centre = rng.uniform(0, width), rng.uniform(0, height)
        shape = (centre, (size, size * rng.uniform(0.3, 1)), rng.uniform(0, 180))
        tone = int(rng.uniform(10, 245))
        if rng.random() < 0.5:
            cv2.ellipse(canvas, shape, tone, -1)
        else:
            cv2.fillPoly(canvas, [cv2.boxPoints(shape).astype(np.int32)], tone)
    drawn = cv2.resize(cv2.GaussianBlur(canvas, (0, 0), 1.2), shape_hw[::-1], interpolation=cv2.INTER_AREA)
    return 0.05 + 0.75 * drawn.astype(np.float64) / 255


def homography(
    shape_hw: tuple[int, int],
    *,
    rotation_deg: float = 0.0,
    scale: float = 1.0,
    shift_xy: tuple[float, float] = (0.0, 0.0),
    perspective: float = 0.0,
) -> Array:
    """b_from_a about the image centre."""
    centre = np.array([(shape_hw[1] - 1) / 2, (shape_hw[0] - 1) / 2])
    angle = np.deg2rad(rotation_deg)
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    inner = np.array([[c, -s, shift_xy[0]], [s, c, shift_xy[1]], [perspective, -0.7 * perspective, 1]])
    to_centre, back = np.eye(3), np.eye(3)
    to_centre[:2, 2], back[:2, 2] = -centre, centre
    found = back @ inner @ to_centre
    return found / found[2, 2]


def gaussian(sigma_px: float) -> Array:
    """A Gaussian kernel."""
    reach = int(np.ceil(4 * sigma_px)) + 1
    line = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma_px, 1e-3)) ** 2)
    kernel = line[:, None] * line[None, :]
    return kernel / kernel.sum()


def aberrated(waves: float, *, seed: int = 3) -> Array:
    """An asymmetric kernel of 65 px: coma and trefoil over defocus, by Fourier optics (lambda N = 1 px)."""
    rng = np.random.default_rng(seed)
    grid = np.arange(256) - 128
    x, y = np.meshgrid(grid / 64, grid / 64)
    r, t = np.hypot(x, y), np.arctan2(y, x)
    shapes = [2 * r**2 - 1, r**2 * np.cos(2 * t), (3 * r**3 - 2 * r) * np.cos(t), (3 * r**3 - 2 * r) * np.sin(t)]
    shapes += [r**3 * np.cos(3 * t), r**3 * np.sin(3 * t)]
    rms_waves = rng.standard_normal(6) * [0.6, 0.6, 1, 1, 1, 1]
    rms_waves *= waves / np.linalg.norm(rms_waves)
    phase = np.tensordot(rms_waves * np.sqrt([3, 6, 8, 8, 8, 8]), np.array(shapes), axes=1)
    pupil = np.where(r <= 1, np.exp(2j * np.pi * phase), 0)
    # Pupil of 128 of 256 samples: the pattern is sampled at half a wavelength-F-number, that is half a px.
    fine = np.abs(np.fft.fftshift(np.fft.fft2(pupil))) ** 2
    pixel = signal.convolve2d(fine, np.ones((2, 2)) / 4, mode="same")[::2, ::2]
    kernel = pixel[32:97, 32:97]
    return kernel / kernel.sum()


def centroid_xy(kernel: Array) -> Array:
    offsets = np.arange(len(kernel)) - len(kernel) // 2
    return np.array([kernel.sum(0) @ offsets, kernel.sum(1) @ offsets]) / kernel.sum()


@dataclass(frozen=True)
class TinyRig:
    """Two cameras on dead leaves; a scene is its seed, `pair(seed)` is what both cameras deliver."""

    shape_hw: tuple[int, int] = (512, 640)
    b_from_a: Array = field(default_factory=lambda: homography((512, 640), rotation_deg=1, scale=1.02))
    kernel: Array = field(default_factory=lambda: gaussian(2.0))
    gain: float = 0.9
    vignette: float = -0.1
    offset: float = 5.0
    noise_dn: float = 1.2
    white: float = 250.0
    distortion_px: float = 0.0
    """How far a lens of third order moves B's corners outwards."""
    parallax_px: float = 0.0
    """How far the ground, which begins in mid-frame, moves B's last row to the right."""
    kernel_right: Array | None = None
    """The kernel in B's last column, where the blur changes on the way there from `kernel`; of its size."""

    def scene(self, seed: int) -> Array:
        """Irradiance with a margin on every side."""
        height, width = self.shape_hw
        return leaves((height + 2 * MARGIN_PX, width + 2 * MARGIN_PX), seed)

    def a_clean(self, seed: int) -> Array:
        """A's grey levels without noise."""
        return self.white * self.scene(seed)[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]

    def field_at(self, points_xy: Array) -> Array:
        """What B's points (n, 2) are displaced by beyond the homography, in px."""
        height, width = self.shape_hw
        outwards = (points_xy - [(width - 1) / 2, (height - 1) / 2]) / (np.hypot(width - 1, height - 1) / 2)
        field = self.distortion_px * outwards * (outwards**2).sum(axis=1, keepdims=True)
        field[:, 0] += self.parallax_px * np.maximum(0, 2 * points_xy[:, 1] / (height - 1) - 1)
        return field

    def map_a_from_b(self, points_xy: Array) -> Array:
        """Where A sees what B sees at points (n, 2): the truth."""
        return apply(np.linalg.inv(self.b_from_a), points_xy - self.field_at(points_xy))

    def a_through_b(self, seed: int, *, reach: int = 0) -> Array:
        """The scene on B's grid, sharp, in A's grey levels, with `reach` px more on every side."""
        height, width = self.shape_hw
        y, x = np.mgrid[-reach : height + reach, -reach : width + reach].astype(float)
        on_a = self.map_a_from_b(np.stack([x.ravel(), y.ravel()], axis=1)) + MARGIN_PX
        places = [on_a[:, 1].reshape(x.shape), on_a[:, 0].reshape(x.shape)]
        return self.white * ndimage.map_coordinates(self.scene(seed), places, order=5, mode="mirror")

    def b_brightness(self, a_on_b: Array) -> Array:
        """Grey levels of A in B's brightness."""
        height, width = self.shape_hw
        y, x = np.mgrid[:height, :width] - np.array([(height - 1) / 2, (width - 1) / 2])[:, None, None]
        r2 = (x**2 + y**2) / (((height - 1) ** 2 + (width - 1) ** 2) / 4)
        return (self.gain + self.vignette * r2) * a_on_b + self.offset

    def b_clean(self, seed: int) -> Array:
        """B's grey levels without noise."""
        sharp = self.a_through_b(seed, reach=len(self.kernel) // 2)
        seen = signal.oaconvolve(sharp, self.kernel, mode="valid")
        if self.kernel_right is not None:
            right = signal.oaconvolve(sharp, self.kernel_right, mode="valid")
            seen = seen + np.linspace(0, 1, self.shape_hw[1]) * (right - seen)
        return self.b_brightness(seen)

    def pair(self, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        rng = np.random.default_rng([seed, 1])
        a, b = (
            frame + self.noise_dn * rng.standard_normal(frame.shape)
            for frame in (self.a_clean(seed), self.b_clean(seed))
        )
        return tuple(np.clip(np.rint(frame), 0, 255).astype(np.uint8) for frame in (a, b))

    def pairs(self, count: int) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
        return [self.pair(seed) for seed in range(count)]

    def error_px(self, found: Array) -> tuple[float, Array]:
        """Shape error (mean end-point error without the mean shift) and that mean shift, over A seen by B."""
        height, width = self.shape_hw
        grid = np.stack(np.meshgrid(np.linspace(0, width - 1, 33), np.linspace(0, height - 1, 33)), -1).reshape(
            -1, 2
        )
        truth = apply(self.b_from_a, grid)
        seen = np.all((truth >= 0) & (truth <= [width - 1, height - 1]), axis=1)
        error = (apply(found, grid) - truth)[seen]
        return float(np.linalg.norm(error - error.mean(0), axis=1).mean()), error.mean(0)

    def mapped_error_px(self, map_b_from_a: Callable[[Array], Array]) -> tuple[float, Array]:
        """The same for a mapping with a field, over B seen by A."""
        height, width = self.shape_hw
        x, y = np.meshgrid(np.linspace(0, width - 1, 33), np.linspace(0, height - 1, 33))
        on_b = np.stack([x.ravel(), y.ravel()], axis=1)
        on_a = self.map_a_from_b(on_b)
        seen = np.all((on_a >= 0) & (on_a <= [width - 1, height - 1]), axis=1)
        error = (map_b_from_a(on_a) - on_b)[seen]
        return float(np.linalg.norm(error - error.mean(0), axis=1).mean()), error.mean(0)


def apply(matrix: Array, points: Array) -> Array:
    mapped = points @ matrix[:, :2].T + matrix[:, 2]
    return mapped[:, :2] / mapped[:, 2:]


def psnr_db(found: Array, truth: Array) -> float:
    return float(10 * np.log10(255**2 / np.mean((found.astype(float) - truth) ** 2)))


@dataclass(frozen=True)
class Bench:
    """What the tests build with; a fixture, because test folders are no packages."""

    rig: Callable[..., TinyRig] = TinyRig
    homography: Callable[..., Array] = homography
    gaussian: Callable[[float], Array] = gaussian
    aberrated: Callable[..., Array] = aberrated
    leaves: Callable[..., Array] = leaves
    centroid_xy: Callable[[Array], Array] = centroid_xy
    apply: Callable[[Array, Array], Array] = apply
    psnr_db: Callable[[Array, Array], float] = psnr_db


@pytest.fixture(scope="session")
def bench() -> Bench:
    return Bench()


@pytest.fixture(scope="session")
def coma_rig() -> TinyRig:
    """The demo's case in small: 0.5 waves, mostly coma and trefoil, 1 degree, 2 %."""
    moved = homography((512, 640), rotation_deg=1, scale=1.02, shift_xy=(5.3, -4.6), perspective=4e-6)
    return TinyRig(b_from_a=moved, kernel=aberrated(0.5))


@pytest.fixture(scope="session")
def calibration(coma_rig: TinyRig) -> RigCalibration:
    """Found from four pairs of `coma_rig`."""
    return calibrate_session(coma_rig.pairs(4), origin=Origin("coma", ("session-1", "session-2")))


@pytest.fixture(scope="session", autouse=True)
def _one_cv2_thread() -> None:
    cv2.setNumThreads(1)
