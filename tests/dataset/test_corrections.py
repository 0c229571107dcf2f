"""What was done to a dataset's frames is in the dataset, and older files without it still read."""

from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from twinlens.calibrate.align import AlignedPair
from twinlens.corrections import CameraCorrection, RigCorrections
from twinlens.dataset import PairedDataset, build_dataset
from twinlens.errors import CorruptError

SENSOR = (60, 80)

PairsMaker = Callable[..., Iterator[AlignedPair]]


def correction(seed: int, bit_depth: int = 8) -> CameraCorrection:
    rng = np.random.default_rng(seed)
    exact = CameraCorrection(
        dark=rng.uniform(4, 8, SENSOR).astype(np.float32),
        gain=rng.uniform(0.8, 1.2, SENSOR).astype(np.float32),
        defects=rng.random(SENSOR) < 0.01,
        pedestal=6.1,
        bit_depth=bit_depth,
        exposure_us=12_000.0,
        gain_db=1.5,
        dark_frames=64,
        flat_frames=65,
    )
    return CameraCorrection.unpacked(exact.packed(), exact.facts())


@pytest.fixture
def corrected_path(pairs: PairsMaker, tmp_path: Path) -> Path:
    path = tmp_path / "corrected.h5"
    build_dataset(pairs(10), path, corrections=RigCorrections(correction(1), correction(2)))
    return path


def test_both_cameras_corrections_come_out_as_they_went_in(corrected_path: Path) -> None:
    dataset = PairedDataset(corrected_path)
    found = dataset.corrections()
    assert found is not None
    assert dataset.is_corrected
    assert dataset.summary().is_corrected
    for role, truth in (("a", correction(1)), ("b", correction(2))):
        one = getattr(found, role)
        for name in ("dark", "gain", "defects"):
            np.testing.assert_array_equal(getattr(one, name), getattr(truth, name))
        assert one.facts() == truth.facts()


def test_corrections_enter_the_content_hash_by_pixels_only(corrected_path: Path, dataset: PairedDataset) -> None:
    assert PairedDataset(corrected_path).content_hash == dataset.content_hash


def test_a_dataset_of_uncorrected_frames_says_so(dataset: PairedDataset) -> None:
    assert dataset.corrections() is None
    assert not dataset.is_corrected


def test_a_file_from_before_corrections_still_reads(dataset_path: Path) -> None:
    with h5py.File(dataset_path, "r+") as file:
        file.attrs["schema_version"] = "1.0.0"
    dataset = PairedDataset(dataset_path)
    assert (len(dataset), dataset.corrections()) == (10, None)


def test_damaged_maps_are_told_when_asked_for(corrected_path: Path) -> None:
    with h5py.File(corrected_path, "r+") as file:
        del file["/corrections/b/gain"]
    with pytest.raises(CorruptError, match="damaged") as refused:
        PairedDataset(corrected_path).corrections()
    assert refused.value.hint
