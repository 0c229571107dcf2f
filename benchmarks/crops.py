"""Random aligned crops: our memory-mapped reader against h5py slicing of the same file, in the same run.

Reference: `h5py.Dataset[index, top:bottom, left:right]` on an open file, which is what a plain reader does.
Both read the same places of input, target and mask, copy them into one batch array, and take turns, so that a
busy machine slows both. (h5py reads a contiguous file faster than one frame per chunk; this is not that file.)
Run: python benchmarks/crops.py [--pairs N] [--crop-px N]
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import h5py
import numpy as np

from twinlens.calibrate.align import AlignedPair, Passport
from twinlens.dataset import PairedDataset, build_dataset, random_batches, random_crops

SHAPE_HW = (2048, 2592)
ROUNDS = 7
CROPS = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--crop-px", type=int, default=256)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pairs.h5"
        began = time.perf_counter()
        build_dataset(noise_pairs(asked.pairs), path)
        print(f"built {asked.pairs} pairs in {time.perf_counter() - began:.1f} s")
        compare(PairedDataset(path), asked.crop_px)


def compare(dataset: PairedDataset, crop_px: int) -> None:
    split = dataset.split("train")
    batch = np.empty((3, crop_px, crop_px), np.uint8)
    places = list(islice(random_crops(split, crop_px=crop_px, rng=np.random.default_rng(0)), CROPS))
    with h5py.File(dataset.path, "r") as file:
        stacks = [file[f"/pairs/{name}"] for name in ("input", "target", "mask")]

        def ours() -> None:
            for crop in islice(random_crops(split, crop_px=crop_px, rng=np.random.default_rng(0)), CROPS):
                batch[0], batch[1], batch[2] = crop.input, crop.target, crop.mask

        def sliced_by_h5py() -> None:
            for crop in places:
                row = split.indices[crop.index]
                for place, stack in zip(batch, stacks, strict=True):
                    place[:] = stack[row, crop.top : crop.top + crop_px, crop.left : crop.left + crop_px]

        def torch_batches() -> None:
            rng = np.random.default_rng(0)
            for _ in random_batches(split, crop_px=crop_px, batch_size=8, rng=rng, steps=CROPS // 8):
                pass

        seconds = take_turns([sliced_by_h5py, ours, torch_batches])
    reference_s, ours_s, batches_s = np.median(seconds, axis=0)
    print(f"{'h5py slicing (reference)':<26}{CROPS / reference_s:8.0f} crops/s")
    for name, taken_s in (("random_crops", ours_s), ("random_batches, float32", batches_s)):
        print(f"{name:<26}{CROPS / taken_s:8.0f} crops/s   {reference_s / taken_s:5.1f} x reference")


def take_turns(readers: list[Callable[[], None]]) -> list[list[float]]:
    """Seconds of each reader, one row per round; the round before the first warms the page cache."""
    seconds: list[list[float]] = []
    for _ in range(ROUNDS + 1):
        seconds.append([])
        for read in readers:
            began = time.perf_counter()
            read()
            seconds[-1].append(time.perf_counter() - began)
    return seconds[1:]


def noise_pairs(count: int) -> Iterator[AlignedPair]:
    """Full frames of noise: what is in them does not change how they are read."""
    rng = np.random.default_rng(0)
    for trigger_index in range(count):
        input_, target = rng.integers(0, 256, (2, *SHAPE_HW), np.uint8)
        yield AlignedPair(
            input=input_,
            target=target,
            mask=np.ones(SHAPE_HW, np.bool_),
            bit_depth=8,
            scene=f"scene {trigger_index % 6}",
            session_id="noise",
            trigger_index=trigger_index,
            mirror_state="flat",
            skew_ns=0,
            exposure_us=5000.0,
            gain_db=0.0,
            b_from_a=np.eye(3),
            passport=Passport(
                residual_px=0.0,
                ncc=1.0,
                gain=1.0,
                offset=0.0,
                kernel_sigma_px=1.0,
                overlap=1.0,
                saturated_fraction=0.0,
            ),
        )


if __name__ == "__main__":
    main()
