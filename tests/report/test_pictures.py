"""Photographs keep their pixels; what is shown of them follows rules."""

import base64
import math

import cv2
import numpy as np
import pytest

from twinlens.report.pictures import (
    Window,
    busiest_window,
    checkerboard,
    eight_bit,
    in_brightness_of,
    native,
    red_cyan,
    reduced,
)
from twinlens.report.selection import evenly

RNG_SEED = 5


def pixels_of(source: str) -> np.ndarray:
    encoded = base64.b64decode(source.partition(",")[2])
    return np.asarray(cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED))


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(RNG_SEED).integers(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize("shape", [(31, 47), (31, 47, 3)])
def test_a_native_picture_keeps_every_pixel(shape: tuple[int, ...]) -> None:
    picture = noise(*shape)
    shown = native(picture, "noise")
    decoded = pixels_of(shown.source)
    assert np.array_equal(decoded[..., ::-1] if len(shape) == 3 else decoded, picture)
    assert (shown.height, shown.width) == shape[:2]


@pytest.mark.parametrize(("stored_px", "shown_px", "file_px"), [(900, 300, 600), (500, 300, 500), (200, 200, 200)])
def test_a_reduced_picture_is_never_enlarged(stored_px: int, shown_px: int, file_px: int) -> None:
    shown = reduced(noise(stored_px // 2, stored_px), "noise", width=300)
    assert shown.width == shown_px
    assert pixels_of(shown.source).shape[1] == file_px


def test_a_mark_frames_its_part_of_the_picture() -> None:
    shown = reduced(np.zeros((100, 200), np.uint8), "dark", width=200, marks=[Window(50, 20, 60, 40)])
    bright = pixels_of(shown.source).max(axis=2) > 100
    rows, columns = np.nonzero(bright)
    assert rows.min() == pytest.approx(20, abs=2)
    assert rows.max() == pytest.approx(60, abs=2)
    assert columns.min() == pytest.approx(50, abs=2)
    assert columns.max() == pytest.approx(110, abs=2)


def test_the_busiest_window_holds_the_only_texture() -> None:
    target = np.full((800, 1000), 100, np.uint8)
    target[500:600, 700:800] = noise(100, 100)
    window = busiest_window(target, (150, 150))
    assert window.left <= 708
    assert window.left + 150 >= 792
    assert window.top <= 508
    assert window.top + 150 >= 592


@pytest.mark.parametrize("shape_hw", [(40, 500), (500, 40), (7, 9), (304, 304)])
def test_a_window_stays_inside_a_small_picture(shape_hw: tuple[int, int]) -> None:
    window = busiest_window(noise(*shape_hw), (304, 304))
    assert window.of(noise(*shape_hw)).shape == (min(304, shape_hw[0]), min(304, shape_hw[1]))


def test_a_window_stays_within_the_region_asked_for() -> None:
    region = Window(600, 100, 200, 300)
    window = busiest_window(noise(700, 900), (100, 100), within=region)
    assert region.left <= window.left <= region.left + 100
    assert region.top <= window.top <= region.top + 200


def test_ten_bit_white_becomes_screen_white() -> None:
    levels = np.array([[0, 511, 1023]], np.uint16)
    assert eight_bit(levels, 10).tolist() == [[0, 127, 255]]
    assert eight_bit(levels.astype(np.uint8), 8) is not levels


def test_pictures_that_agree_overlay_to_grey() -> None:
    picture = noise(20, 30)
    assert np.ptp(red_cyan(picture, picture), axis=2).max() == 0
    assert np.array_equal(checkerboard(picture, picture, field_px=7), picture)


def test_an_overlay_is_brought_to_the_brightness_of_b() -> None:
    b = (noise(60, 60) // 2 + 40).astype(np.uint8)
    a = (b / 2 + 100).astype(np.uint8)
    matched = in_brightness_of(b, a).astype(int)
    assert np.abs(matched - b).max() <= 2


def test_black_beyond_the_border_of_a_says_nothing_of_its_brightness() -> None:
    b = (noise(60, 60) // 2 + 40).astype(np.uint8)
    a = (b / 2 + 100).astype(np.uint8)
    a[:, :35] = 0
    matched = in_brightness_of(b, a).astype(int)
    assert np.abs(matched - b)[:, 35:].max() <= 2
    assert not matched[:, :35].any()
    assert not in_brightness_of(b, np.zeros_like(a)).any()


@pytest.mark.parametrize("count", [0, 1, 5, 6, 7, 40])
def test_a_selection_keeps_the_worst_and_the_best(count: int) -> None:
    items = list(range(count))
    chosen = evenly(items, 6)
    assert len(chosen) == min(count, 6)
    assert chosen == sorted(set(chosen))
    assert chosen[:1] == items[:1]
    assert chosen[-1:] == items[-1:]
    assert not any(math.isnan(item) for item in chosen)
