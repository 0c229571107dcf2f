"""A single flipped bit anywhere in a dataset is found, or changes nothing that can be read."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import pytest

from twinlens.calibrate.align import AlignedPair
from twinlens.dataset import DatasetSettings, build_dataset
from twinlens.dataset.seal import PIXELS, census, stored_seal
from twinlens.dataset.verify import verify_dataset
from twinlens.errors import DatasetError

FLIPS = 200


def everything(path: Path) -> tuple[object, ...]:
    """All that h5py reads of a file: arrays, attributes and links."""
    with h5py.File(path, "r", locking=False) as file:
        return census(file), stored_seal(file), *(file[name][()].tobytes() for name in PIXELS)


def is_found(path: Path) -> bool:
    try:
        return not verify_dataset(path).is_intact
    except DatasetError:
        return True


def missed_flips(path: Path, flips: int, *, seed: int = 0) -> tuple[int, list[tuple[int, int]]]:
    """How many of so many flips at uniform offsets were found, and the (offset, bit) of those missed."""
    whole, truth = path.read_bytes(), everything(path)
    rng, found, missed = random.Random(seed), 0, []
    for _ in range(flips):
        offset, bit = rng.randrange(len(whole)), rng.randrange(8)
        damaged = bytearray(whole)
        damaged[offset] ^= 1 << bit
        path.write_bytes(damaged)
        if is_found(path):
            found += 1
        elif everything(path) != truth:
            missed.append((offset, bit))
    path.write_bytes(whole)
    return found, missed


def test_a_flipped_bit_is_found_or_changes_nothing(dataset_path: Path) -> None:
    found, missed = missed_flips(dataset_path, FLIPS)
    assert missed == []
    assert found > 0


@pytest.mark.parametrize("byte", [3, 7, 12])
def test_a_tile_that_misstates_its_length_is_found_and_crashes_nothing(
    pairs: Callable[..., Iterator[AlignedPair]], tmp_path: Path, byte: int
) -> None:
    path = tmp_path / "tiles.h5"
    build_dataset(pairs(6), path, settings=DatasetSettings(layout="tiles"))
    with h5py.File(path) as file:
        start = file["/pairs/input"].id.get_chunk_info(2).byte_offset
    damaged = bytearray(path.read_bytes())
    damaged[start + byte] ^= 0x40
    path.write_bytes(damaged)
    (problem,) = verify_dataset(path).problems
    assert problem.where == "pair 2"
    assert "is not packed as it says" in problem.what
