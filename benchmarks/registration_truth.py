"""The true map, blur and brightness between two simulated cameras, exact in float64.

Points are (x, y) px, (0, 0) the centre of the top left pixel; maps hold the homography, a smooth distortion,
ground-plane parallax and the centroid of the point spread. What uses them is in `registration_twin.py`.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from twinlens.capture.virtual.optics import MIRROR_NOLL_INDICES, centroid_xy, cut_tails, point_spread

FloatArray = NDArray[np.float64]

WIDE_PX = 2592
"""Perspective and distortion are stated for frames of this width; both scale with the frame."""
PSF_TAIL = 1e-4
"""Share of the light below which a PSF's outer pixels are cut, as in the study that the bars come from."""
PARALLAX_FROM = 0.6
"""Share of the frame's height where the ground begins."""


@dataclass(frozen=True)
class Level:
    """How hard a pair is to register."""

    name: str
    sigma_px: float = 0.0
    """Gaussian blur of B."""
    waves: float = 0.0
    """RMS of a random mix of defocus, astigmatism, coma and trefoil; replaces the Gaussian."""
    distorted: bool = False
    radial_px: float = 3.0
    """Largest radial distortion in the corners of a frame 2592 px wide, where `distorted`."""


LEVELS = (
    Level("s0"),
    Level("g1", sigma_px=1.0),
    Level("g2", sigma_px=2.0),
    Level("g4", sigma_px=4.0),
    Level("g6", sigma_px=6.0),
    Level("z0.2", waves=0.2),
    Level("z0.5", waves=0.5),
    Level("z1.0", waves=1.0),
    Level("z1.5", waves=1.5),
    Level("g2d", sigma_px=2.0, distorted=True),
)


@dataclass(frozen=True)
class Truth:
    """One rig: everything that lies between clean A and clean B. Frames are `shape_hw` for both cameras."""

    shape_hw: tuple[int, int]
    homography: FloatArray
    """(3, 3) A's pixels to B's of the chief rays, before distortion."""
    bend: FloatArray
    """(2, 8) px of distortion per polynomial term of `_terms`."""
    parallax_xy: tuple[float, float]
    """px by which the nearest ground, at B's lower border, is displaced; 0 above the ground."""
    kernels: tuple[FloatArray, ...]
    """One (k, k) PSF; or two, that of the left and that of the right border, blended linearly."""
    gain: float
    offset: float
    gamma: float
    vignette: float
    """Share of light missing in B's corners."""

    def chief_a_from_b(self, points_xy: FloatArray) -> FloatArray:
        """A's points (n, 2) of B's, along chief rays: without the PSF's centroid."""
        straight: FloatArray = points_xy + _terms(points_xy, self.shape_hw) @ self.bend.T
        straight = straight - self._parallax(points_xy)
        return project(_inverse(self.homography), straight)

    def a_from_b(self, points_xy: FloatArray) -> FloatArray:
        """A's points (n, 2) of B's, where a B pixel shows what its own PSF gathers around its centroid."""
        return self.chief_a_from_b(points_xy - self.centroid(points_xy))

    def chief(self, points_xy: FloatArray) -> FloatArray:
        """B's points (n, 2) of A's along chief rays."""
        found = project(self.homography, points_xy)
        for _ in range(20):  # a contraction by 20 or more per round
            found = found + (project(self.homography, points_xy) - self._straight(found))
        return found

    def b_from_a(self, points_xy: FloatArray) -> FloatArray:
        """B's points (n, 2) of A's, including the PSF's centroid: the map that a registration should find."""
        chief = self.chief(points_xy)
        found = chief
        for _ in range(20):
            found = chief + self.centroid(found)
        return found

    def centroid(self, points_xy: FloatArray) -> FloatArray:
        """Centroid (n, 2) px of the PSF at B's points."""
        centres = np.array([centroid_xy(kernel) for kernel in self.kernels])
        right = self._right(points_xy[:, 0])[:, None]
        mixed: FloatArray = (1 - right) * centres[0] + right * centres[-1]
        return mixed

    @property
    def kernel(self) -> FloatArray:
        """The PSF (k, k), in the middle of the frame where it varies; sums to 1."""
        mean: FloatArray = (self.kernels[0] + self.kernels[-1]) / 2
        return mean

    @property
    def reach_px(self) -> int:
        """How far the PSF gathers."""
        return len(self.kernels[0]) // 2

    def blurred(self, scene: FloatArray) -> FloatArray:
        """What B's sensor gets (h, w) of a scene on B's grid with `reach_px` more on every side."""
        images = [fftconvolve(scene, kernel, mode="valid") for kernel in self.kernels]
        right = self._right(np.arange(self.shape_hw[1], dtype=np.float64))
        blend: FloatArray = (1 - right) * images[0] + right * images[-1]
        return blend

    def transfer(self, grey: NDArray[np.floating]) -> FloatArray:
        """Clean B (h, w) of clean A on B's grid, grey levels of 255, not clipped at 255."""
        height, width = self.shape_hw
        y, x = np.mgrid[:height, :width]
        r2 = ((y - (height - 1) / 2) ** 2 + (x - (width - 1) / 2) ** 2) / (
            ((height - 1) ** 2 + (width - 1) ** 2) / 4
        )
        light = self.gain * (1 - self.vignette * r2) * np.maximum(grey, 0) / 255
        level: FloatArray = 255 * light**self.gamma + self.offset
        return level

    def _straight(self, points_xy: FloatArray) -> FloatArray:
        return project(self.homography, self.chief_a_from_b(points_xy))

    def _right(self, x: FloatArray) -> FloatArray:
        right: FloatArray = np.clip(x / (self.shape_hw[1] - 1), 0, 1)
        return right

    def _parallax(self, points_xy: FloatArray) -> FloatArray:
        down = points_xy[:, 1] / (self.shape_hw[0] - 1)
        near = np.clip((down - PARALLAX_FROM) / (1 - PARALLAX_FROM), 0, None)
        shift: FloatArray = near[:, None] * np.array(self.parallax_xy)
        return shift


def draw_truth(
    level: Level,
    shape_hw: tuple[int, int],
    *,
    rng: np.random.Generator,
    parallax_px: float = 0.0,
    field_dependent: bool = False,
) -> Truth:
    """A rig drawn at random."""
    baseline_rad = math.radians(rng.uniform(-5, 5))
    return Truth(
        shape_hw=shape_hw,
        homography=_draw_homography(shape_hw, rng),
        bend=_draw_bend(level, shape_hw[1], rng),
        parallax_xy=(parallax_px * math.cos(baseline_rad), parallax_px * math.sin(baseline_rad)),
        kernels=draw_kernels(level, rng, count=2 if field_dependent else 1),
        gain=rng.uniform(0.7, 1.1),
        offset=rng.uniform(0, 10),
        gamma=rng.uniform(0.92, 1.08),
        vignette=rng.uniform(0, 0.15),
    )


def draw_kernels(level: Level, rng: np.random.Generator, *, count: int = 1) -> tuple[FloatArray, ...]:
    """`count` PSFs (k, k) of a level, all of one size."""
    if level.waves:
        kernels = [_draw_aberration(level.waves, rng) for _ in range(count)]
    elif level.sigma_px:
        kernels = [_gaussian(level.sigma_px)] * count
    else:
        kernels = [np.ones((1, 1))] * count
    half = max(len(kernel) // 2 for kernel in kernels)
    return tuple(np.pad(kernel, half - len(kernel) // 2) for kernel in kernels)


def project(target_from_source: FloatArray, points_xy: FloatArray) -> FloatArray:
    """Points (n, 2) through a homography."""
    mapped = points_xy @ target_from_source[:, :2].T + target_from_source[:, 2]
    projected: FloatArray = mapped[:, :2] / mapped[:, 2:]
    return projected


def _inverse(homography: FloatArray) -> FloatArray:
    inverse: FloatArray = np.linalg.inv(homography).astype(np.float64)
    return inverse


def _draw_homography(shape_hw: tuple[int, int], rng: np.random.Generator) -> FloatArray:
    """About the frame's middle: +-3 degrees, +-2 %, +-8 % of the width and +-4 % of the height, perspective."""
    height, width = shape_hw
    angle_rad, scale = math.radians(rng.uniform(-3, 3)), 1 + rng.uniform(-0.02, 0.02)
    steep = 8e-6 * WIDE_PX / width
    turn = scale * np.array(
        [[math.cos(angle_rad), -math.sin(angle_rad)], [math.sin(angle_rad), math.cos(angle_rad)]]
    )
    middle = np.eye(3)
    middle[:2, 2] = -(width - 1) / 2, -(height - 1) / 2
    centred = np.eye(3)
    centred[:2, :2] = turn
    centred[:2, 2] = rng.uniform(-0.08, 0.08) * width, rng.uniform(-0.04, 0.04) * height
    centred[2, :2] = rng.uniform(-steep, steep, 2)
    whole = np.linalg.inv(middle) @ centred @ middle
    scaled: FloatArray = whole / whole[2, 2]
    return scaled


def _draw_bend(level: Level, width: int, rng: np.random.Generator) -> FloatArray:
    """Radial distortion of half to all of the level's px with either sign, and a tenth of that per cubic term."""
    most_px = level.radial_px * width / WIDE_PX * level.distorted
    bend = np.zeros((2, 8))
    radial_px = most_px * rng.uniform(0.5, 1) * rng.choice([-1, 1])
    bend[0, 0] = bend[1, 1] = radial_px
    bend[:, 2:] = rng.uniform(-0.1, 0.1, (2, 6)) * most_px
    return bend


def _terms(points_xy: FloatArray, shape_hw: tuple[int, int]) -> FloatArray:
    """(n, 8): radial x and y, then quadratic and cubic terms, of points that are 1 long in the corners."""
    height, width = shape_hw
    x, y = ((points_xy - np.array([(width - 1) / 2, (height - 1) / 2])) / (math.hypot(width, height) / 2)).T
    r2 = x * x + y * y
    return np.stack([x * r2, y * r2, x * y, x * x - y * y, x**3, x * x * y, x * y * y, y**3], axis=1)


def _draw_aberration(waves: float, rng: np.random.Generator) -> FloatArray:
    directions = rng.standard_normal(len(MIRROR_NOLL_INDICES))
    values = waves * directions / np.linalg.norm(directions)
    return cut_tails(point_spread(dict(zip(MIRROR_NOLL_INDICES, values, strict=True))), tail=PSF_TAIL)


def _gaussian(sigma_px: float) -> FloatArray:
    half = math.ceil(5 * sigma_px)
    row = cv2.getGaussianKernel(2 * half + 1, sigma_px)
    return (row @ row.T).astype(np.float64)
