"""A dataset's figures are those of its pixels, and poor pairs come first with what is wrong with them."""

import dataclasses
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from twinlens.calibrate.align import AlignedPair
from twinlens.dataset import PairedDataset, build_dataset
from twinlens.dataset.analysis import DatasetAnalysis, analyse
from twinlens.dataset.looks import FREQUENCIES, noise_sigma, power_spectrum, spectrum_window

SHAPE = (96, 128)
SWAPPED, BLURRED, LATE, BRIGHT = 3, 5, 7, 9


def scene(seed: int) -> np.ndarray:
    """Grey patches, darker than white by far."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(30, 170, (24, 32)).astype(np.float32)
    return cv2.resize(coarse, SHAPE[::-1], interpolation=cv2.INTER_NEAREST)


def noisy(levels: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, sigma, levels.shape)
    return np.clip(np.rint(levels + noise), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def dataset(pair: Callable[..., AlignedPair], tmp_path_factory: pytest.TempPathFactory) -> PairedDataset:
    """12 pairs of 6 scenes, four of them spoilt in a way each."""
    pairs = []
    for k in range(12):
        sharp = scene(k // 2)
        before, after = noisy(cv2.GaussianBlur(sharp, (0, 0), 2), 1, k), noisy(sharp, 1, k + 100)
        if k == SWAPPED:
            before, after = after, before
        if k == BLURRED:
            after = noisy(cv2.GaussianBlur(sharp, (0, 0), 9), 0, k)
        if k == BRIGHT:
            before = np.clip(before.astype(int) * 3, 0, 255).astype(np.uint8)
        made = pair(k, input=before, target=after, mask=np.ones(SHAPE, np.bool_), session_id="s_2026-11-20_1")
        late = dataclasses.replace(made.passport, residual_px=1.5)
        pairs.append(dataclasses.replace(made, passport=late) if k == LATE else made)
    path = tmp_path_factory.mktemp("looks") / "looks.h5"
    build_dataset(pairs, path)
    return PairedDataset(path)


@pytest.fixture(scope="module")
def analysis(dataset: PairedDataset) -> DatasetAnalysis:
    return analyse(dataset, likeness=lambda before, _after, _mask, white: float(before.mean()) / white)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (SWAPPED, "the input is sharper than the target"),
        (BLURRED, "the target has little detail"),
        (LATE, "residual 1.500 px, median 0.030 px"),
        (BRIGHT, "of the input is white"),
    ],
)
def test_a_poor_pair_says_why_and_comes_before_the_good_ones(
    analysis: DatasetAnalysis, row: int, fault: str
) -> None:
    place, found = next((k, pair) for k, pair in enumerate(analysis.pairs) if pair.row == row)
    assert any(fault in text for text in found.faults), found.faults
    assert place < 4
    assert not any(pair.faults for pair in analysis.pairs[4:])


def test_blur_shows_in_spectrum_and_sharpness(analysis: DatasetAnalysis) -> None:
    ratio = dict(zip(analysis.frequencies, analysis.spectrum_ratio_db, strict=True))
    assert ratio[FREQUENCIES[0]] > ratio[FREQUENCIES[8]] + 6
    assert analysis.sharpness_ratio.median > 5


def test_what_is_counted_is_said(analysis: DatasetAnalysis) -> None:
    assert (analysis.read, analysis.scored, len(analysis.pairs)) == (12, 12, 12)
    assert analysis.dates == (("2026-11-20", 12),)
    assert sum(analysis.levels_input) == pytest.approx(1)
    assert sum(analysis.levels_target) == pytest.approx(1)
    assert analysis.likeness is not None
    assert 0.2 < analysis.likeness.median < 0.8


def test_few_pairs_are_read_where_few_are_asked_for(dataset: PairedDataset) -> None:
    seen: list[tuple[int, int]] = []
    few = analyse(dataset, most_pairs=4, on_pair=lambda done, of: seen.append((done, of)))
    assert (few.read, few.scored, few.likeness) == (4, 0, None)
    assert sum(pair.looks is not None for pair in few.pairs) == 4
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize("sigma", [1.0, 3.0])
def test_noise_is_found_in_spite_of_edges(sigma: float) -> None:
    frame = noisy(np.kron(scene(1), np.ones((4, 4))), sigma, 2)
    assert noise_sigma(frame, np.ones(frame.shape, np.bool_)) == pytest.approx(sigma, abs=0.3)


def test_a_wave_shows_at_its_frequency() -> None:
    across = np.arange(256)
    frame = np.rint(100 + 50 * np.sin(2 * np.pi * 0.2 * across))[None, :].repeat(256, axis=0).astype(np.uint8)
    assert FREQUENCIES[int(np.argmax(power_spectrum(frame)))] == pytest.approx(0.2, abs=1 / 64)


def test_a_spectrum_keeps_to_what_is_valid() -> None:
    mask = np.zeros((100, 200), np.bool_)
    mask[20:80, 100:190] = True
    rows, columns = spectrum_window(mask)
    assert mask[rows, columns].all()
    assert mask[rows, columns].shape == (60, 60)
