"""Datasets to export, folders as other people lay them out, and packages that only some formats need."""

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from twinlens.calibrate.align import AlignedPair
from twinlens.dataset import ImportSettings, PairedDataset, build_dataset, import_dataset
from twinlens.errors import DatasetError

PACKAGE = {"lmdb": "lmdb", "zarr": "zarr"}


@pytest.fixture
def needed_package() -> Callable[[str], None]:
    """Skips where the optional package of a format is missing, and fails there in CI."""

    def need(layout: str) -> None:
        package = PACKAGE.get(layout)
        if package is None or importlib.util.find_spec(package) is not None:
            return
        if os.environ.get("CI") == "true":
            pytest.fail(f"{package} is missing: CI installs the dev group")
        pytest.skip(f"{package} is not installed")

    return need


@pytest.fixture
def built(tmp_path: Path, pairs: Callable[..., Iterator[AlignedPair]]) -> Callable[..., PairedDataset]:
    """A dataset of 10 pairs in 5 scenes, of any bit depth."""

    def build(**changes: object) -> PairedDataset:
        path = tmp_path / "street-v1.0.0.h5"
        build_dataset(pairs(10, **changes), path)
        return PairedDataset(path)

    return build


@pytest.fixture
def picture() -> Callable[..., np.ndarray]:
    """Noise that is the same for the same seed."""

    def noise(seed: int, shape: tuple[int, ...] = (24, 32), dtype: type = np.uint8) -> np.ndarray:
        return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, endpoint=True).astype(dtype)

    return noise


@pytest.fixture
def save() -> Callable[[Path, np.ndarray], None]:
    """Writes a picture (h, w) or (h, w, 3) RGB, with its folders."""

    def write(path: Path, pixels: np.ndarray) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), pixels if pixels.ndim == 2 else pixels[..., ::-1])

    return write


@pytest.fixture
def imported() -> Callable[..., PairedDataset]:
    """Imports a source into a dataset beside it."""

    def bring_in(source: Path, **settings: object) -> PairedDataset:
        out = source.with_name("imported.h5")
        import_dataset(source, out, settings=ImportSettings(**settings), overwrite=True)
        return PairedDataset(out)

    return bring_in


@pytest.fixture
def refused() -> Callable[..., DatasetError]:
    """The error that a source is refused with; nothing may be left beside it."""

    def refuse(source: Path, error: type[Exception], match: str, **settings: object) -> DatasetError:
        with pytest.raises(error, match=match) as caught:
            import_dataset(source, source.with_name("refused.h5"), settings=ImportSettings(**settings))
        assert not list(source.parent.glob("*refused*"))
        return caught.value

    return refuse
