"""A street drawn at sensor size: sky, skyline, a row of houses, hung with photographs, and street life."""

from collections.abc import Sequence

import cv2
import numpy as np

from twinlens.capture.virtual.facade import draw_house, paint_house
from twinlens.capture.virtual.paint import Eye, Painting, fractal
from twinlens.capture.virtual.street import (
    paint_cables,
    paint_car,
    paint_ground,
    paint_lamp,
    paint_person,
    paint_sign,
    paint_tree,
)
from twinlens.pixels import Mono8, MonoFloat

_POSTER_SHARE = 0.25
"""Share of the picture that photographs may cover."""


def paint_city(shape_hw: tuple[int, int], *, rng: np.random.Generator, posters: Sequence[Mono8] = ()) -> MonoFloat:
    """A street (h, w) of irradiance in [0, 1], with pictures hung pixel for pixel on a scaffold."""
    eye = _eye(shape_hw, rng=rng)
    painting = Painting(shape_hw, eye)
    span = eye.seen_x(-0.1 * shape_hw[1], 0), eye.seen_x(1.1 * shape_hw[1], 0)
    _sky(painting, rng=rng)
    _skyline(painting, rng=rng)
    _houses(painting, span, rng=rng)
    if posters:
        _scaffold(painting, posters, rng=rng)
    paint_ground(painting, (2 * span[0], 2 * span[1]), rng=rng)
    _street_life(painting, span, rng=rng)
    return painting.finish(rng=rng)


def _eye(shape_hw: tuple[int, int], *, rng: np.random.Generator) -> Eye:
    height, width = shape_hw
    # A street of 33 to 42 m across the sensor; smaller sensors get a coarser street, not less of it.
    px_per_m = max(width / rng.uniform(33, 42), 18.0)
    height_m = rng.uniform(4.5, 7.5)
    foot_y = rng.uniform(0.80, 0.86) * height
    return Eye(
        px_per_m=px_per_m,
        centre_x_px=width / 2,
        horizon_y_px=foot_y - px_per_m * height_m,
        height_m=height_m,
        distance_m=rng.uniform(38, 50),
        yaw_per_m=float(rng.uniform(-0.006, 0.006)),
    )


def _sky(painting: Painting, *, rng: np.random.Generator) -> None:
    height, width = painting.shape_hw
    gradient = np.linspace(rng.uniform(0.74, 0.84), rng.uniform(0.9, 0.98), height, dtype=np.float32)[:, None]
    small = fractal((height // 16 + 2, width // 24 + 2), rng=rng, coarsest_px=64)
    clouds = cv2.resize(cv2.GaussianBlur(small, (0, 0), 1), (width, height), interpolation=cv2.INTER_CUBIC)
    painting.tone[:] = np.clip((gradient + 0.09 * np.clip(clouds, -1.2, 2.5)) * 255, 0, 255)
    painting.rough[:] = 3


def _skyline(painting: Painting, *, rng: np.random.Generator) -> None:
    """Rows of houses far behind, the farther the paler, and the ground they stand on."""
    eye, width = painting.eye, painting.shape_hw[1]
    for distance in (300.0, 170.0, 80.0):
        haze = distance / (distance + 150)
        x, end = eye.seen_x(-0.1 * width, -distance), eye.seen_x(1.1 * width, -distance)
        _crane(painting, (rng.uniform(x, end), distance), tone=0.15 + 0.6 * haze)
        while x < end:
            w = rng.uniform(9, 22)
            h = rng.uniform(28, 46) + 0.16 * distance * rng.random()
            tone = (1 - haze) * rng.uniform(0.3, 0.75) + haze * 0.8
            painting.box((x, -8), (w, h + 8), z=-distance, tone=tone, rough=0.1)
            painting.box((x - 0.2, h), (w + 0.4, 0.5), z=-distance, tone=tone * 0.75, rough=0.1)
            _far_windows(painting, (x, w, h), z=-distance, tone=(1 - haze) * 0.2 + haze * 0.74)
            x += w + rng.choice([0.0, 0.0, 5.0])
    reach = 4 * width / eye.px_per_m
    painting.ground(((-reach, -80), (reach, -80), (reach, 0), (-reach, 0)), tone=0.4, rough=0.4)


def _far_windows(painting: Painting, house: tuple[float, float, float], *, z: float, tone: float) -> None:
    x, w, h = house
    columns = np.arange(x + 0.7, x + w - 1.4, 1.9)
    for v in np.arange(h - 2.4, max(h - 30, 0), -3.0):
        for u in columns:
            painting.box((u, v), (1.0, 1.5), z=z, tone=tone, rough=0.3)
        sills = np.array([((u - 0.1, v), (u + 1.1, v)) for u in columns])
        painting.lines(sills, z=z, tone=min(tone + 0.3, 0.95), width_m=0.14)


def _crane(painting: Painting, place: tuple[float, float], *, tone: float) -> None:
    x, distance = place
    top, reach = 52 + 0.12 * distance, 26.0
    frame = [((x, 0.0), (x, top + 5)), ((x + 1.5, 0.0), (x + 1.5, top + 5)), ((x - 9, top), (x + reach, top))]
    frame += [((x, top + 1.5), (x + reach, top + 1.2)), ((x, top + 5), (x + reach, top))]
    mast = [((x, y), (x + 1.5, y + 1.5)) for y in np.arange(0, top, 1.5).tolist()]
    jib = [((u, top), (u + 1, top + 1.3)) for u in np.arange(x, x + reach, 1.5).tolist()]
    painting.lines(np.array(frame + mast + jib), z=-distance, tone=tone, width_m=0.16)
    painting.box((x - 9, top - 2), (3, 2.2), z=-distance, tone=tone)


def _houses(painting: Painting, span: tuple[float, float], *, rng: np.random.Generator) -> None:
    left, end = span
    visible_m = painting.eye.project(0, 0, 0)[1] / painting.eye.px_per_m
    while left < end:
        floors = int(np.clip((visible_m * rng.uniform(0.62, 0.97) - 4) / 3.3, 1, 8))
        house = draw_house(left, floors=floors, rng=rng)
        paint_house(painting, house, rng=rng)
        left += house.width
        if rng.random() < 0.15:
            left += rng.uniform(1.0, 2.5)


def _scaffold(painting: Painting, posters: Sequence[Mono8], *, rng: np.random.Generator) -> None:
    """Pictures printed on the sheets of a scaffold, two side by side, up from the first floor."""
    height, width = painting.shape_hw
    tallest, widest = (min(sheet.shape[axis] for sheet in posters) for axis in (0, 1))
    foot = round(painting.eye.project(0, 4.0, 0)[1])
    fits = int((foot - 0.1 * height) // tallest), int(_POSTER_SHARE * height * width // (2 * tallest * widest))
    rows = max(min(fits), 1)
    left = round(rng.uniform(0.05, 0.95 - min(2 * widest / width, 0.85)) * width)
    for row in range(rows):
        for column in range(2):
            sheet = posters[(2 * row + column + row % 2) % len(posters)][:tallest, :widest]
            painting.hang(sheet, (left + column * widest, foot - (row + 1) * tallest))
    _tubes(painting, (left, left + 2 * widest), (foot - rows * tallest, foot))


def _tubes(painting: Painting, columns_px: tuple[int, int], rows_px: tuple[int, int]) -> None:
    """The scaffold's tubes: drawn in pixels, as the sheets they hold are."""
    (left, right), (top, foot) = columns_px, rows_px
    ground = round(painting.eye.project(0, 0, 0)[1])
    pitch = max(round(2.5 * painting.eye.px_per_m), 24)
    for x in range(left, right + pitch, pitch):
        x_here = min(x, right)
        cv2.line(painting.tone, (x_here, top - 30), (x_here, ground), 60, 5, cv2.LINE_AA)
        cv2.line(painting.tone, (x_here - 1, top - 30), (x_here - 1, ground), 190, 1, cv2.LINE_AA)
    for y in range(foot, top - 1, -pitch):
        cv2.line(painting.tone, (left - 8, y), (right + 8, y), 70, 4, cv2.LINE_AA)
        cv2.line(painting.tone, (left - 8, y - 1), (right + 8, y - 1), 200, 1, cv2.LINE_AA)


def _street_life(painting: Painting, span: tuple[float, float], *, rng: np.random.Generator) -> None:
    x0, x1 = span
    length = x1 - x0
    for _ in range(int(rng.integers(5, 11))):
        paint_person(painting, (rng.uniform(x0, x1), rng.uniform(1.0, 3.2)), rng=rng)
    for x in np.arange(x0 + rng.uniform(0, 5), x1, rng.uniform(9, 15)):
        paint_lamp(painting, (float(x), 3.6), height=rng.uniform(6.5, 8.5))
    for _ in range(int(rng.integers(2, 4))):
        paint_tree(painting, (rng.uniform(x0, x1), 3.4), height=rng.uniform(6.5, 10), rng=rng)
    x = x0 + rng.uniform(0, 3)
    while x < x1:
        paint_car(painting, (float(x), 5.6), rng=rng)
        x += rng.choice([4.9, 5.4, 9.0, 13.0])
    paint_sign(painting, (x0 + rng.uniform(0.2, 0.8) * length, 3.7), rng=rng)
    paint_cables(painting, (1.3 * x0, 1.3 * x1), height=rng.uniform(7, 10), rng=rng)
    for _ in range(2):
        z = rng.uniform(11, 14)
        paint_car(painting, (rng.uniform(0.7 * x0, 0.6 * x1), float(z)), rng=rng)
