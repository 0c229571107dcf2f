"""A painting of a street in metres: a viewer's perspective, shapes with anti-aliased edges, texture, shade.

World axes: x right along the street, y up from the ground, z from the house fronts towards the viewer.
Tones are 0 (black) to 1 (white).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from twinlens.pixels import MonoFloat

_SHIFT = 4
_ONE = 1 << _SHIFT
"""OpenCV takes corners as integers with 4 binary places: 16 is one px."""
_OPEN = False
"""OpenCV: a line does not return to its start."""
_TEXTURE_DEPTH = 0.4
"""Relative contrast (standard deviation) of the texture where roughness is 1."""
_DARKEST, _BRIGHTEST = 0.10, 0.96
"""Irradiance of black and white paint: under an overcast sky, with some haze, nothing is quite black."""

Points = Sequence[Sequence[float]] | NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Eye:
    """Where the viewer stands and looks: enough to project a metre anywhere in the street."""

    px_per_m: float
    """At the house fronts, in the middle of the picture."""
    centre_x_px: float
    horizon_y_px: float
    height_m: float
    distance_m: float
    """From the viewer to the house fronts."""
    yaw_per_m: float
    """Relative change of distance per metre along the street: how obliquely it is seen."""

    def scale(self, x: float, z: float) -> float:
        """Pixels per metre at a point."""
        return self.px_per_m / max(1 + self.yaw_per_m * x - z / self.distance_m, 0.05)

    def project(self, x: float, y: float, z: float) -> tuple[float, float]:
        """Pixel (x, y) of a point in metres."""
        scale = self.scale(x, z)
        return self.centre_x_px + scale * x, self.horizon_y_px - scale * (y - self.height_m)

    def seen_x(self, x_px: float, z: float) -> float:
        """Metre x of a pixel column at depth z."""
        offset = x_px - self.centre_x_px
        return offset * (1 - z / self.distance_m) / (self.px_per_m - offset * self.yaw_per_m)


class Painting:
    """Three layers of one picture: tone, roughness of the material, and shade."""

    def __init__(self, shape_hw: tuple[int, int], eye: Eye) -> None:
        self.eye = eye
        self.shape_hw = shape_hw
        self.tone = np.zeros(shape_hw, np.uint8)
        self.rough = np.zeros(shape_hw, np.uint8)
        self.light = np.full(shape_hw, 255, np.uint8)

    def polygon(self, points: Points, *, z: float, tone: float, rough: float = 0.1) -> None:
        """Fill a polygon of points (x, y) in metres that stands at depth z."""
        self._fill(self._corners((x, y, z) for x, y in points), tone, rough)

    def box(
        self, corner: tuple[float, float], size: tuple[float, float], *, z: float, tone: float, rough: float = 0.1
    ) -> None:
        """Fill an upright rectangle from its lower left corner and (width, height) in metres."""
        (x, y), (w, h) = corner, size
        self.polygon(((x, y), (x + w, y), (x + w, y + h), (x, y + h)), z=z, tone=tone, rough=rough)

    def ground(self, points: Sequence[Sequence[float]], *, tone: float, rough: float = 0.3) -> None:
        """Fill a polygon of points (x, z) that lies on the ground."""
        self._fill(self._corners((x, 0.0, z) for x, z in points), tone, rough)

    def disc(
        self, centre: tuple[float, float], radius: float, *, z: float, tone: float, rough: float = 0.1
    ) -> None:
        """Fill a circle that faces the viewer."""
        angles = np.linspace(0, 2 * np.pi, 25)[:-1]
        ring = np.stack([centre[0] + radius * np.cos(angles), centre[1] + radius * np.sin(angles)], axis=1)
        self.polygon(ring, z=z, tone=tone, rough=rough)

    def lines(self, segments: NDArray[np.float64], *, z: float, tone: float, width_m: float) -> None:
        """Draw segments (n, 2, 2) of points (x, y); thinner than a pixel they get fainter instead."""
        if len(segments) == 0:
            return
        middle = float(segments[:, :, 0].mean())
        width_px = width_m * self.eye.scale(middle, z)
        ends = list(self._ends(segments, z))
        if width_px >= 1:
            thickness = max(round(width_px), 1)
            cv2.polylines(self.tone, ends, _OPEN, _grey(tone), thickness, cv2.LINE_AA, _SHIFT)
            return
        drawn = np.zeros(self.shape_hw, np.uint8)
        cv2.polylines(drawn, ends, _OPEN, round(255 * width_px), 1, cv2.LINE_AA, _SHIFT)
        blend = drawn[drawn > 0].astype(np.float32) / 255
        self.tone[drawn > 0] = self.tone[drawn > 0] * (1 - blend) + _grey(tone) * blend

    def shadow(self, points: Points, *, z: float, light: float) -> None:
        """Darken a polygon to the share `light` of the sun."""
        corners = self._corners((x, y, z) for x, y in points)
        cv2.fillPoly(self.light, [corners], _grey(light), cv2.LINE_AA, _SHIFT)

    def letters(self, text: str, corner: tuple[float, float], *, height_m: float, z: float, tone: float) -> None:
        """Write a line of text from its lower left corner, capitals `height_m` tall."""
        x, y = self.eye.project(*corner, z)
        size_px = height_m * self.eye.scale(corner[0], z)
        if size_px < 5:
            return
        font = (cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX)[len(text) % 2]
        cv2.putText(
            self.tone,
            text,
            (round(x), round(y)),
            font,
            size_px / 22,
            _grey(tone),
            max(round(size_px / 12), 1),
            cv2.LINE_AA,
        )

    def hang(self, picture: NDArray[np.uint8], corner_px: tuple[int, int]) -> None:
        """Put a picture, pixel for pixel, with its top left at (x, y) px; what lies outside is lost."""
        x, y = corner_px
        top, left = max(y, 0), max(x, 0)
        bottom, right = min(y + picture.shape[0], self.shape_hw[0]), min(x + picture.shape[1], self.shape_hw[1])
        if top < bottom and left < right:
            self.tone[top:bottom, left:right] = picture[top - y : bottom - y, left - x : right - x]
            self.rough[top:bottom, left:right] = 0
            self.light[top:bottom, left:right] = 255

    def finish(self, *, rng: np.random.Generator) -> MonoFloat:
        """The picture (h, w) with texture and shade, in [0, 1]."""
        texture = fractal(self.shape_hw, rng=rng, coarsest_px=32)
        texture += 0.35 * fractal(self.shape_hw, rng=rng, stretch_y=12)
        texture *= self.rough * np.float32(_TEXTURE_DEPTH / 255)
        texture += 1
        texture *= self.tone * np.float32((_BRIGHTEST - _DARKEST) / 255)
        light = cv2.GaussianBlur(self.light, (0, 0), 0.8)
        texture *= light * np.float32(1 / 255)
        texture += np.float32(_DARKEST)
        finished: MonoFloat = np.clip(texture, 0, 1, out=texture)
        return finished

    def _corners(self, points: Iterable[tuple[float, float, float]]) -> NDArray[np.int32]:
        # Far outside the picture OpenCV's integers would overflow.
        pixels = (self.eye.project(*point) for point in points)
        places = [[round(_ONE * min(max(v, -20_000), 40_000)) for v in pixel] for pixel in pixels]
        return np.array(places, np.int32)

    def _ends(self, segments: NDArray[np.float64], z: float) -> NDArray[np.int32]:
        """`_corners` of thousands of segments (n, 2, 2) at once."""
        eye = self.eye
        x, y = segments[..., 0], segments[..., 1]
        scale = eye.px_per_m / np.maximum(1 + eye.yaw_per_m * x - z / eye.distance_m, 0.05)
        pixels = np.stack([eye.centre_x_px + scale * x, eye.horizon_y_px - scale * (y - eye.height_m)], axis=-1)
        ends: NDArray[np.int32] = np.rint(_ONE * np.clip(pixels, -20_000, 40_000)).astype(np.int32)
        return ends

    def _fill(self, corners: NDArray[np.int32], tone: float, rough: float) -> None:
        cv2.fillPoly(self.tone, [corners], _grey(tone), cv2.LINE_AA, _SHIFT)
        cv2.fillPoly(self.rough, [corners], _grey(rough), cv2.LINE_8, _SHIFT)
        cv2.fillPoly(self.light, [corners], 255, cv2.LINE_8, _SHIFT)


def fractal(
    shape_hw: tuple[int, int], *, rng: np.random.Generator, stretch_y: int = 1, coarsest_px: int = 512
) -> MonoFloat:
    """Texture (h, w) with equal contrast in every octave, as in nature; mean about 0, standard deviation about 1.

    Args:
        shape_hw: size in px.
        rng: source of the texture.
        stretch_y: 1 for isotropic; above 1 for streaks that run down.
        coarsest_px: size of the largest patches.
    """
    height, width = shape_hw
    total = np.zeros(shape_hw, np.float32)
    cells = [1 << octave for octave in range(10) if 1 << octave <= min(coarsest_px, width // 3)]
    for cell in cells:
        rows, columns = height // (cell * stretch_y) + 3, width // cell + 3
        grid = rng.standard_normal((rows, columns), np.float32)
        kind = cv2.INTER_LINEAR if cell * stretch_y > 1 else cv2.INTER_NEAREST
        total += cv2.resize(grid, (width, height), interpolation=kind)
    total /= np.float32(len(cells) ** 0.5)
    return total


def _grey(tone: float) -> int:
    return int(min(max(tone, 0.0), 1.0) * 255 + 0.5)
