"""Tiny aligned pairs with known pixels."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from small_pairs import make_pair, make_pairs

from twinlens.calibrate.align import AlignedPair
from twinlens.dataset import PairedDataset, build_dataset


@pytest.fixture(scope="session")
def pair() -> Callable[..., AlignedPair]:
    return make_pair


@pytest.fixture
def pairs() -> Callable[..., Iterator[AlignedPair]]:
    return make_pairs


@pytest.fixture
def dataset_path(tmp_path: Path) -> Path:
    """A dataset of 10 pairs in 5 scenes."""
    path = tmp_path / "street-v1.0.0.h5"
    build_dataset(make_pairs(10), path)
    return path


@pytest.fixture
def dataset(dataset_path: Path) -> PairedDataset:
    return PairedDataset(dataset_path)
