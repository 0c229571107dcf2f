"""Photographs and the pairs of frames that two simulated cameras take of them, with the truth between the two.

A is a centred crop of the photograph (blurred by 0.6 px against aliasing). B samples the same photograph, never A,
through the true map with a quintic B-spline in float64, then gets the point spread, the brightness transfer, shot
noise, read noise and 8 bits. No part of `twinlens.calibrate` is used.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import skimage
from numpy.typing import NDArray
from registration_truth import LEVELS, FloatArray, Level, Truth, draw_truth
from scipy.ndimage import gaussian_filter, map_coordinates, spline_filter

__all__ = ["LEVELS", "Level", "SimPair", "error_px", "photographs", "simulate", "simulate_session"]

Photograph = NDArray[np.float32]
MapPoints = Callable[[FloatArray], FloatArray]

MARGIN_WH = (1.24, 1.2)
"""A photograph must be this much larger than a frame, so that every drawn B looks at it alone."""
BUNDLED = ("astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "coins.png", "grass.png",
           "gravel.png", "hubble_deep_field.jpg", "moon.png", "motorcycle_left.png", "rocket.jpg")  # fmt: skip
"""The photographs in scikit-image's wheel."""
PREFILTER_PX = 0.6
FULL_WELL_E = 10_000.0
READ_NOISE_E = 8.0
_GRID = 33
_ORDER = 5
"""Order 3 misplaces detail near Nyquist by 0.003 px in windows of 16 px; this is exact at twice the time."""
_SPLINE_PX = 32
"""Beyond this distance a border changes a quintic B-spline by less than 1e-11."""


@dataclass(frozen=True)
class SimPair:
    """One pair and its truth. Points are (n, 2) px (x, y)."""

    a: NDArray[np.uint8]
    b: NDArray[np.uint8]
    truth: Truth
    scene: Photograph
    """The photograph, blurred by the prefilter; grey levels of 255."""
    corner_xy: tuple[int, int]
    """A's top left pixel in the scene."""

    def b_from_a_true(self, points_xy: FloatArray) -> FloatArray:
        """B's points of A's including the PSF's centroid, distortion and parallax."""
        return self.truth.b_from_a(points_xy)

    def chief(self, points_xy: FloatArray) -> FloatArray:
        """B's points of A's without the PSF's centroid."""
        return self.truth.chief(points_xy)

    @property
    def kernel(self) -> FloatArray:
        """The true PSF (k, k) on B's grid, in the frame's middle where it varies."""
        return self.truth.kernel

    def transfer(self, grey: NDArray[np.floating]) -> FloatArray:
        """Clean B (h, w) of clean A on B's grid, in grey levels."""
        return self.truth.transfer(grey)

    @cached_property
    def a_clean_on_b(self) -> FloatArray:
        """Noise-free A on B's grid (h, w), exactly where the true map puts it, in A's grey levels."""
        return _sampled(self.scene, self.corner_xy, self.truth.a_from_b, self.truth.shape_hw)

    @property
    def seen_by_a(self) -> NDArray[np.bool_]:
        """B's pixels (h, w) that lie within A's frame."""
        height, width = self.truth.shape_hw
        x, y = self.truth.a_from_b(_pixels(self.truth.shape_hw, 0)).T
        inside: NDArray[np.bool_] = (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
        return inside.reshape(height, width)


def photographs(folder: Path, *, frame_wh: tuple[int, int] = (1200, 900)) -> list[tuple[str, Photograph]]:
    """Name and grey levels (h, w) of 255: every picture in `folder`, then those that scikit-image brings.

    Those in the folder are reduced by area until a frame of `frame_wh` just fits; none is enlarged.
    """
    found = []
    for path in sorted(folder.glob("*")):
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) if path.suffix in (".jpg", ".png") else None
        if grey is not None:
            found.append((path.stem, _reduced(grey, frame_wh)))
    bundled = Path(skimage.__file__).parent / "data"
    for name in BUNDLED:
        grey = cv2.imread(str(bundled / name), cv2.IMREAD_GRAYSCALE)
        if grey is not None:
            found.append((Path(name).stem, grey.astype(np.float32)))
    return found


def simulate(image: Photograph, level: Level, *, size_wh: tuple[int, int] = (1200, 900), seed: int) -> SimPair:
    """One pair of the largest frames of this aspect, at most `size_wh`, that the photograph allows."""
    rng = np.random.default_rng(seed)
    shape_hw = frame_shape(image, size_wh)
    truth = draw_truth(level, shape_hw, rng=rng)
    corner_xy = (image.shape[1] - shape_hw[1]) // 2, (image.shape[0] - shape_hw[0]) // 2
    return expose(_prefiltered(image), corner_xy, truth, rng=rng)


def simulate_session(
    images: Sequence[Photograph],
    level: Level,
    *,
    count: int = 10,
    size_wh: tuple[int, int] = (880, 688),
    seed: int,
    parallax_px: float = 0.0,
    field_dependent: bool = False,
) -> list[SimPair]:
    """Pairs of one rig: map, PSF and response are shared; gain and offset jitter by 0.5 %.

    Photographs too small for `size_wh` are left out; the others are taken in random order, each at a random place.
    """
    rng = np.random.default_rng(seed)
    large = [image for image in images if frame_shape(image, size_wh) == (size_wh[1], size_wh[0])]
    if not large:
        raise ValueError(f"none of {len(images)} photographs is large enough for {size_wh[0]}x{size_wh[1]} px")
    truth = draw_truth(
        level, (size_wh[1], size_wh[0]), rng=rng, parallax_px=parallax_px, field_dependent=field_dependent
    )
    order = rng.permutation(len(large))
    pairs = []
    for index in range(count):
        image = large[order[index % len(large)]]
        jitter = 1 + 0.005 * rng.standard_normal(2)
        own = replace(truth, gain=truth.gain * jitter[0], offset=truth.offset * jitter[1])
        corner_xy = (
            _place(image.shape[1], size_wh[0], MARGIN_WH[0], rng),
            _place(image.shape[0], size_wh[1], MARGIN_WH[1], rng),
        )
        pairs.append(expose(_prefiltered(image), corner_xy, own, rng=rng))
    return pairs


def expose(scene: Photograph, corner_xy: tuple[int, int], truth: Truth, *, rng: np.random.Generator) -> SimPair:
    """The two frames that a rig takes of a scene (h, w, already without aliasing)."""
    height, width = truth.shape_hw
    left, top = corner_xy
    clean_a = scene[top : top + height, left : left + width].astype(np.float64)
    on_b = _sampled(scene, corner_xy, truth.chief_a_from_b, truth.shape_hw, more_px=truth.reach_px)
    light = truth.transfer(truth.blurred(on_b)) - truth.offset
    return SimPair(
        a=_recorded(clean_a, offset=0.0, rng=rng),
        b=_recorded(light, offset=truth.offset, rng=rng),
        truth=truth,
        scene=scene,
        corner_xy=corner_xy,
    )


def frame_shape(image: Photograph, size_wh: tuple[int, int]) -> tuple[int, int]:
    """The largest (h, w) of the aspect of `size_wh`, not above it, that leaves B its margin on the photograph."""
    height, width = image.shape
    factor = min(1.0, width / (MARGIN_WH[0] * size_wh[0]), height / (MARGIN_WH[1] * size_wh[1]))
    return int(factor * size_wh[1]), int(factor * size_wh[0])


def error_px(pair: SimPair, map_b_from_a: MapPoints) -> tuple[float, float]:
    """Mean end-point error over a grid of A's frame as B sees it; and the same without the mean shift (shape)."""
    height, width = pair.truth.shape_hw
    y, x = np.meshgrid(np.linspace(0, height - 1, _GRID), np.linspace(0, width - 1, _GRID), indexing="ij")
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    true = pair.b_from_a_true(points)
    seen = np.all((true >= 0) & (true <= np.array([width - 1, height - 1])), axis=1)
    wrong = np.asarray(map_b_from_a(points[seen])) - true[seen]
    error = float(np.hypot(*wrong.T).mean())
    return error, float(np.hypot(*(wrong - wrong.mean(axis=0)).T).mean())


def _sampled(
    scene: Photograph,
    corner_xy: tuple[int, int],
    a_from_b: MapPoints,
    shape_hw: tuple[int, int],
    *,
    more_px: int = 0,
) -> FloatArray:
    """The scene (h + 2 more, w + 2 more) at what B's pixels show, mirrored where the photograph ends."""
    x, y = (a_from_b(_pixels(shape_hw, more_px)) + np.array(corner_xy)).T
    top, left = max(int(y.min()) - _SPLINE_PX, 0), max(int(x.min()) - _SPLINE_PX, 0)
    bottom, right = int(y.max()) + _SPLINE_PX, int(x.max()) + _SPLINE_PX
    weights = spline_filter(scene[top:bottom, left:right].astype(np.float64), order=_ORDER, mode="mirror")
    levels: FloatArray = map_coordinates(
        weights, [y - top, x - left], order=_ORDER, mode="mirror", prefilter=False
    )
    return levels.reshape(shape_hw[0] + 2 * more_px, shape_hw[1] + 2 * more_px)


def _pixels(shape_hw: tuple[int, int], more_px: int) -> FloatArray:
    """B's pixels (n, 2) row by row, with `more_px` beyond every border."""
    y, x = np.mgrid[-more_px : shape_hw[0] + more_px, -more_px : shape_hw[1] + more_px].astype(np.float64)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def _recorded(light: FloatArray, *, offset: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Grey levels (h, w) with shot and read noise, an offset without shot noise, 8 bits."""
    electrons = light * (FULL_WELL_E / 255)
    noise = rng.standard_normal(light.shape) * np.sqrt(np.maximum(electrons, 0) + READ_NOISE_E**2)
    return np.clip(np.rint((electrons + noise) * (255 / FULL_WELL_E) + offset), 0, 255).astype(np.uint8)


def _prefiltered(image: Photograph) -> Photograph:
    blurred: Photograph = gaussian_filter(image, PREFILTER_PX, output=np.float32, mode="mirror")
    return blurred


def _reduced(grey: NDArray[np.integer | np.floating], frame_wh: tuple[int, int]) -> Photograph:
    height, width = grey.shape
    factor = max(MARGIN_WH[0] * frame_wh[0] / width, MARGIN_WH[1] * frame_wh[1] / height)
    if factor >= 1:
        return grey.astype(np.float32)
    size = int(np.ceil(factor * width)), int(np.ceil(factor * height))
    return cv2.resize(grey.astype(np.float32), size, interpolation=cv2.INTER_AREA).astype(np.float32)


def _place(length: int, frame: int, margin: float, rng: np.random.Generator) -> int:
    """Where a frame begins on a photograph, with B's margin on either side."""
    spare = int((margin - 1) / 2 * frame)
    return spare + int(rng.integers(max(length - frame - 2 * spare, 0) + 1))
