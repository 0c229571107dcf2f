"""The drawn city: repeatable, various, detailed at every scale, with photographs hung pixel for pixel."""

import itertools

import cv2
import numpy as np
import pytest

from twinlens.capture.virtual.city import paint_city
from twinlens.capture.virtual.paint import Eye, Painting, fractal

SHAPE = (360, 480)
EYE = Eye(px_per_m=10.0, centre_x_px=50.0, horizon_y_px=40.0, height_m=0.0, distance_m=40.0, yaw_per_m=0.0)


def city(seed: int, **options: object) -> np.ndarray:
    return paint_city(SHAPE, rng=np.random.default_rng(seed), **options)


@pytest.fixture(scope="module")
def street() -> np.ndarray:
    return city(0)


def test_a_seed_draws_the_same_street_and_another_seed_another(street: np.ndarray) -> None:
    assert street.shape == SHAPE
    assert street.dtype == np.float32
    assert street.min() >= 0
    assert street.max() <= 1
    np.testing.assert_array_equal(street, city(0))
    assert abs(np.corrcoef(street.ravel(), city(1).ravel())[0, 1]) < 0.7


def test_a_street_has_detail_at_every_scale_as_nature_has(street: np.ndarray) -> None:
    window = np.outer(np.hanning(SHAPE[0]), np.hanning(SHAPE[1]))
    power = np.abs(np.fft.fft2((street - street.mean()) * window)) ** 2
    radius = np.hypot(np.fft.fftfreq(SHAPE[0])[:, None], np.fft.fftfreq(SHAPE[1])[None, :])
    edges = np.geomspace(0.015, 0.45, 9)
    rings = [power[(radius >= low) & (radius < high)].mean() for low, high in itertools.pairwise(edges)]
    slope = np.polyfit(np.log(edges[:-1]), np.log(rings), 1)[0]
    # Photographs of streets lie between -1.5 and -3; flat polygons without texture are steeper than -3.
    assert -3 < slope < -1.3


def test_a_poster_is_hung_pixel_for_pixel() -> None:
    poster = np.random.default_rng(3).integers(0, 256, (60, 80)).astype(np.uint8)
    painted = city(2, posters=[poster, poster])
    match = cv2.matchTemplate(painted, poster.astype(np.float32), cv2.TM_CCOEFF_NORMED)
    # Tubes, a tree or cables may cross it.
    assert match.max() > 0.7


def test_edges_are_drawn_between_pixels() -> None:
    painting = Painting((80, 100), EYE)
    painting.polygon(((-3.0, -3.0), (2.04, -3.0), (2.04, 3.0), (-3.0, 3.0)), z=0.0, tone=1.0)
    row = painting.tone[40].astype(int)
    assert row[60] == 255
    assert 0 < row[71:73].sum() < 2 * 255
    assert row[75] == 0


def test_what_is_nearer_is_drawn_larger_and_lower() -> None:
    eye = Eye(px_per_m=10.0, centre_x_px=50.0, horizon_y_px=40.0, height_m=2.0, distance_m=40.0, yaw_per_m=0.001)
    assert eye.scale(0, 20) == pytest.approx(20)
    assert eye.project(0, 0, 20)[1] > eye.project(0, 0, 0)[1]
    assert eye.seen_x(eye.project(7.0, 0, 5)[0], 5) == pytest.approx(7.0)


def test_lines_thinner_than_a_pixel_are_fainter() -> None:
    tones = []
    for width_m in (0.02, 0.06):
        painting = Painting((80, 100), EYE)
        painting.lines(np.array([[(-3.0, 0.0), (3.0, 0.0)]]), z=0.0, tone=1.0, width_m=width_m)
        tones.append(int(painting.tone[:, 50].max()))
    assert 0 < tones[0] < 0.6 * tones[1] < 255


def test_texture_has_unit_contrast() -> None:
    texture = fractal((300, 400), rng=np.random.default_rng(0))
    assert texture.std() == pytest.approx(0.75, abs=0.3)
