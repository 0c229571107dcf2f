"""Two pictures of one place are told from two pictures of the same kind."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from twinlens.dataset.duplicates import DuplicateSettings
from twinlens.dataset.same_place import MIN_OVERLAP, features_of, shared_view

MIN_INLIERS = DuplicateSettings().min_inliers
Grey = NDArray[np.uint8]


def crops(picture: Grey, shared: float) -> tuple[Grey, Grey]:
    """The left and the right part of a picture, which share this much of their width."""
    width = int(picture.shape[1] / (2 - shared))
    return picture[:, :width].copy(), picture[:, -width:].copy()


def seen_again(picture: Grey, *, gain: float = 0.7, sigma_px: float = 1.0) -> Grey:
    """The picture dimmed, blurred, noisy and turned by a degree."""
    height, width = picture.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 1.0, 1.0)
    turned = cv2.warpAffine(picture, turn, (width, height), borderMode=cv2.BORDER_REFLECT)
    noise = np.random.default_rng(1).normal(0, 4, picture.shape)
    return np.clip(gain * cv2.GaussianBlur(turned, (0, 0), sigma_px) + noise, 0, 255).astype(np.uint8)


def is_same(a: Grey, b: Grey) -> bool:
    view = shared_view(features_of(a), features_of(b))
    return view.inliers >= MIN_INLIERS and view.overlap >= MIN_OVERLAP


@pytest.mark.parametrize("name", ["camera", "brick", "gravel", "coins"])
@pytest.mark.parametrize("shared", [0.6, 1.0])
def test_two_views_that_share_most_of_a_picture_show_one_place(name: str, shared: float) -> None:
    left, right = crops(getattr(data, name)(), shared)
    view = shared_view(features_of(left), features_of(seen_again(right)))
    assert view.inliers >= MIN_INLIERS
    assert view.overlap == pytest.approx(shared, abs=0.05)


@pytest.mark.parametrize("name", ["camera", "brick", "gravel", "grass", "coins", "page"])
@pytest.mark.parametrize("shared", [0.0, 0.2])
def test_neighbours_that_share_little_or_nothing_are_two_places(name: str, shared: float) -> None:
    left, right = crops(getattr(data, name)(), shared)
    assert not is_same(left, right)
    assert not is_same(left, seen_again(right))


def test_unrelated_pictures_repetitive_ones_too_are_different_places() -> None:
    names = ["camera", "brick", "gravel", "grass", "coins", "page", "moon", "text"]
    pictures = [getattr(data, name)() for name in names]
    assert not any(is_same(a, b) for k, a in enumerate(pictures) for b in pictures[:k])


def test_ten_bits_and_full_size_show_the_same_as_eight_bits_and_half() -> None:
    picture = data.camera()
    large = cv2.resize(picture, (1024, 1024)).astype(np.uint16) * 4
    view = shared_view(features_of(picture), features_of(large))
    assert view.inliers > 200
    assert view.overlap == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("shape_hw", [(1, 1), (1, 2000), (40, 56), (600, 900)])
def test_a_picture_without_features_is_like_nothing(shape_hw: tuple[int, int]) -> None:
    flat = features_of(np.full(shape_hw, 7, np.uint8))
    assert shared_view(flat, flat).inliers == 0
    assert shared_view(flat, features_of(data.camera())).inliers == 0
