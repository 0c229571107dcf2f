"""What goes into a file comes out of it, in any amount."""

import dataclasses
import gc
import json
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twinlens.calibrate.align import AlignedPair
from twinlens.dataset import (
    DatasetSettings,
    PairedDataset,
    build_dataset,
)
from twinlens.dataset.heaps import uses_heaps
from twinlens.dataset.text import text_of

PairMaker = Callable[..., AlignedPair]
PairsMaker = Callable[..., Iterator[AlignedPair]]


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_what_was_written_is_read_back_to_the_last_field(
    pairs: PairsMaker, tmp_path: Path, bit_depth: int
) -> None:
    build_dataset(pairs(7, bit_depth=bit_depth), tmp_path / "d.h5")
    dataset = PairedDataset(tmp_path / "d.h5")
    assert len(dataset) == 7
    for written, read in zip(pairs(7, bit_depth=bit_depth), dataset, strict=True):
        for name in ("input", "target", "mask", "b_from_a"):
            np.testing.assert_array_equal(getattr(read, name), getattr(written, name))
            assert getattr(read, name).dtype == getattr(written, name).dtype
        for name in ("bit_depth", "scene", "session_id", "trigger_index", "skew_ns", "mirror_state"):
            assert getattr(read, name) == getattr(written, name)
        for name in (
            "residual_px",
            "residual_p95_px",
            "ncc",
            "gain",
            "offset",
            "kernel_sigma_px",
            "overlap",
            "saturated_fraction",
        ):
            assert getattr(read, name) == pytest.approx(getattr(written.passport, name), rel=1e-6)
        assert (read.exposure_us, read.gain_db) == (written.exposure_us, written.gain_db)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape_hw=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    bit_depth=st.sampled_from([8, 10, 16]),
)
def test_pixels_survive_in_frames_of_any_size(
    pairs: PairsMaker, tmp_path_factory: pytest.TempPathFactory, shape_hw: tuple[int, int], bit_depth: int
) -> None:
    path = tmp_path_factory.mktemp("any") / "d.h5"
    valid = np.ones(shape_hw, np.bool_)
    given_pairs = list(pairs(6, shape_hw=shape_hw, bit_depth=bit_depth, mask=valid))
    build_dataset(given_pairs, path)
    for written, read in zip(given_pairs, PairedDataset(path), strict=True):
        np.testing.assert_array_equal(read.input, written.input)
        np.testing.assert_array_equal(read.target, written.target)
        np.testing.assert_array_equal(read.mask, written.mask)


def test_the_report_counts_what_was_written(pairs: PairsMaker, tmp_path: Path) -> None:
    report = build_dataset(pairs(24), tmp_path / "street.h5")
    assert (report.name, report.pairs, report.scenes, report.sessions) == ("street", 24, 12, 1)
    assert [(c.split, c.scenes, c.pairs) for c in report.splits] == [
        ("train", 10, 20),
        ("val", 1, 2),
        ("test", 1, 2),
    ]
    assert sum(scene.pairs for scene in report.scene_counts) == 24
    assert report.residual_px.median == pytest.approx(0.03)
    assert report == PairedDataset(tmp_path / "street.h5").summary()
    json.dumps(dataclasses.asdict(report), allow_nan=False)


def test_the_input_psnr_is_that_of_the_valid_pixels(pair: PairMaker, tmp_path: Path) -> None:
    flat = np.full((40, 56), 100, np.uint8)
    ten_off = np.where(pair(0).mask, 110, 255).astype(np.uint8)
    known = [pair(k, input=flat, target=target, scene=f"s{k}") for k, target in enumerate((ten_off, flat, flat))]
    build_dataset(known, tmp_path / "d.h5")
    found = [one.psnr_db for one in PairedDataset(tmp_path / "d.h5")]
    assert found[0] == pytest.approx(20 * np.log10(255 / 10), abs=1e-4)
    assert found[1] == pytest.approx(10 * np.log10(255**2 * 12), abs=1e-4)  # equal but for rounding


def test_memory_does_not_grow_with_the_number_of_pairs(pairs: PairsMaker, tmp_path: Path) -> None:
    def peak_bytes(count: int) -> int:
        gc.collect()
        tracemalloc.start()
        # Looking for duplicates keeps a scene's features, 40 kB, which would show beside such small frames.
        settings = DatasetSettings(find_duplicates=False)
        build_dataset(
            pairs(count, shape_hw=(200, 300)), tmp_path / f"{count}.h5", settings=settings, overwrite=True
        )
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    build_dataset(pairs(6), tmp_path / "warm.h5")  # imports and caches are paid here
    # The lower of two: what other tests left to the garbage collector may fall into one of them.
    few, many = (min(peak_bytes(count), peak_bytes(count)) for count in (10, 50))
    # One pair is 180 kB; forty more pairs may cost their names and rows, and nothing like their pixels.
    assert many - few < 180_000


def test_the_file_says_what_it_is(dataset_path: Path) -> None:
    with h5py.File(dataset_path, "r") as file:
        assert text_of(file.attrs["schema"]) == "twinlens.pairs"
        assert text_of(file.attrs["schema_version"]) == "1.2.0"
        assert not uses_heaps(file)  # nothing lies where HDF5 has no checksums
        assert file.attrs["complete"] == 1
        assert file["/splits/default"].attrs["group_key"] == b"scene, place and look"
        assert json.loads(file["/provenance/software"][()])["twinlens"] == text_of(file.attrs["twinlens_version"])
