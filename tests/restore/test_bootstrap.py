"""The interval of a mean is as wide as scenes differ, not as images do."""

import math

import numpy as np
import pytest

from twinlens.restore.bootstrap import interval_95


def test_the_interval_of_many_scenes_is_that_of_the_normal_law() -> None:
    values = np.random.default_rng(0).normal(30.0, 2.0, 200)
    found = interval_95(values.tolist(), list(range(200)), resamples=4000, rng=np.random.default_rng(1))
    half = 1.96 * values.std() / math.sqrt(200)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.03)


def test_more_images_of_the_same_scenes_make_nothing_surer() -> None:
    values = np.random.default_rng(0).normal(30.0, 2.0, 12).tolist()
    once, often = (
        interval_95(values * times, list(range(12)) * times, resamples=1000, rng=np.random.default_rng(1))
        for times in (1, 10)
    )
    assert once is not None
    assert often is not None
    assert (once.low, once.high) == pytest.approx((often.low, often.high), abs=1e-9)


def test_each_image_counts_the_same_in_scenes_of_unequal_size() -> None:
    found = interval_95([0.0, 0.0, 0.0, 10.0], list("aaab"), resamples=500, rng=np.random.default_rng(0))
    assert found is not None
    assert (found.low, found.high) == (0.0, 10.0)


def test_one_scene_or_an_infinite_value_gives_no_interval() -> None:
    rng = np.random.default_rng(0)
    assert interval_95([1.0, 2.0], ["a", "a"], resamples=100, rng=rng) is None
    assert interval_95([1.0, math.inf], ["a", "b"], resamples=100, rng=rng) is None


def test_the_generator_alone_decides_the_draws() -> None:
    values, scenes = [1.0, 2.0, 4.0, 8.0], list("abcd")
    first, again = (interval_95(values, scenes, resamples=500, rng=np.random.default_rng(3)) for _ in range(2))
    assert first == again
