"""Random aligned crops per second: our two layouts against the usual ways to keep pairs, in one run.

References: a folder of full-frame PNG read by cv2.imread, LMDB of PNG (BasicSR's way), PNG patches of 512 px at a
stride of 256 px (the official recipe of deblurring networks), WebDataset. Same pictures for all: full frames of
the twin with its noise. One process reads and copies the pixels of input and target into an array, ours the mask
too, from where it is valid. Warm: the files were read once just before. Cold: the kernel was told to forget
them, and bytes are those it then fetched from the disk. Readers take turns, so that a busy machine slows all.
Torch rates are float32 batches of 8, workers included. Needs about 45 MB of disk per pair.
Run: python benchmarks/loader.py [--pairs N] [--crop-px N]      (packages: pip install --group bench)
"""

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
import torch
from loader_pairs import moved_pairs
from loader_rivals import PATCHED_PAIRS, Crops, rival_readers, write_rivals

from twinlens.dataset import (
    CropLoader,
    DatasetSettings,
    PairCrops,
    PairedDataset,
    PairSampler,
    build_dataset,
    random_crops,
)

ROUNDS = 3
WARM_S = 1.0
COLD_S = 4.0
COLD_CROPS = 250
"""Few, so that crops hardly overlap: what one has fetched, another would find warm."""
CHILD_S = 60.0
BATCH = 8
FOLDER, PATCHES = "folder of PNG, cv2.imread", "PNG patches 512/256"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--crop-px", type=int, default=256)
    asked = parser.parse_args()
    cv2.setNumThreads(1)  # one core a reader; and OpenCV's threads would not survive the forks below
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, asked.pairs)
        readers = {
            "ours, contiguous": (
                folder / "contiguous.h5",
                partial(our_crops, folder, "contiguous", asked.crop_px),
            ),
            "ours, tiles": (folder / "tiles.h5", partial(our_crops, folder, "tiles", asked.crop_px)),
            **rival_readers(folder, asked.crop_px),
        }
        found = compare(readers)
        show(found)
        torch_rates(folder, asked.crop_px)
        bars(found, ideal_kb=2 * asked.crop_px**2 / 1000)
    seconds, load = time.perf_counter() - began, os.getloadavg()[0]
    print(f"took {seconds:.0f} s; load at the end {load:.1f} on {os.cpu_count()} CPUs")


def write(folder: Path, count: int) -> None:
    for layout in ("contiguous", "tiles"):
        began = time.perf_counter()
        build_dataset(
            moved_pairs(count),
            folder / f"{layout}.h5",
            settings=DatasetSettings(layout=layout, find_duplicates=False),
        )
        print(f"built {count} pairs, {layout}, in {time.perf_counter() - began:.0f} s")
    write_rivals(moved_pairs(count), folder)
    for package in ("lmdb", "webdataset"):
        if not find_spec(package):
            print(f"no row of {package}: the package is not installed")
    print(f"patches are those of {min(count, PATCHED_PAIRS)} pairs\n")


def our_crops(folder: Path, layout: str, crop_px: int) -> Crops:
    split = PairedDataset(folder / f"{layout}.h5").split("train")
    for crop in random_crops(split, crop_px=crop_px, rng=np.random.default_rng(0)):
        yield crop.input, crop.target, crop.mask


def compare(readers: dict[str, tuple[Path, Callable[[], Crops]]]) -> dict[str, dict[str, float]]:
    """Every reader's rates and what it reads of a cold disk."""
    found: dict[str, dict[str, float]] = {}
    for name, (path, reader) in readers.items():
        forget(path)
        cold = in_child(read, reader, COLD_S, COLD_CROPS)
        found[name] = {"mb": sum(map(size, files(path))) / 1e6, "cold": cold["rate"], "kb": cold["kb"]}
    for path, _ in readers.values():
        remember(path)
    warm = [{name: in_child(read, reader, WARM_S) for name, (_, reader) in readers.items()} for _ in range(ROUNDS)]
    for name, row in found.items():
        row["warm"] = median(one[name]["rate"] for one in warm)
        row["cpu_ms"] = median(one[name]["cpu_ms"] for one in warm)
    return found


def read(reader: Callable[[], Crops], seconds: float, most: int | None = None) -> dict[str, float]:
    """Crop pairs per second, CPU milliseconds and kB from the disk for each; opening is not counted."""
    crops, count = reader(), 0
    copy = [np.empty_like(plane) for plane in next(crops)]
    began, began_cpu, began_kb = time.perf_counter(), time.process_time(), disk_kb()
    for crop in islice(crops, most):
        for place, plane in zip(copy, crop, strict=True):
            place[:] = plane
        count += 1
        if time.perf_counter() - began > seconds:
            break
    taken = time.perf_counter() - began
    cpu_ms = 1e3 * (time.process_time() - began_cpu) / count
    return {"rate": count / taken, "cpu_ms": cpu_ms, "kb": (disk_kb() - began_kb) / count}


def torch_rates(folder: Path, crop_px: int) -> None:
    print(f"\n{f'torch batches of {BATCH}, crop pairs/s':<32}{'0 workers':>12}{'1 worker':>12}{'2 workers':>12}")
    for layout in ("contiguous", "tiles"):
        path = folder / f"{layout}.h5"
        for state, prepare in (("cold", forget), ("warm", remember)):
            rates = []
            for workers in range(3):
                prepare(path)
                rates.append(in_child(batches, path, crop_px, workers))
            print(f"{f'ours, {layout}, {state}':<32}" + "".join(f"{rate:12.0f}" for rate in rates))


def batches(path: Path, crop_px: int, workers: int) -> float:
    """Crop pairs per second once the first batch is there."""
    torch.set_num_threads(1)
    split = PairedDataset(path).split("train")
    sampler = PairSampler(split, seed=0, repeats=10_000)
    loader = iter(
        CropLoader(PairCrops(split, crop_px=crop_px, seed=0), sampler, batch_size=BATCH, workers=workers)
    )
    next(loader)
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < 2 * WARM_S:
        count += len(next(loader).input)
    return count / (time.perf_counter() - began)


def in_child(task: Callable[..., Any], *args: Any) -> Any:
    """What `task` gives in a process of its own, so that nothing stays open or mapped."""
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe()
    child = fork.Process(target=lambda: theirs.send(task(*args)))
    child.start()
    theirs.close()
    if not ours.poll(CHILD_S):
        child.kill()
        raise TimeoutError(f"{task.__name__} gave nothing within {CHILD_S:.0f} s")
    found = ours.recv()
    child.join()
    return found


def files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]


def size(path: Path) -> int:
    return path.stat().st_size


def forget(path: Path) -> None:
    for file in files(path):
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def remember(path: Path) -> None:
    for file in files(path):
        with file.open("rb", buffering=0) as opened:
            while opened.read(1 << 24):
                pass


def disk_kb() -> float:
    """What the kernel fetched from disks for this process, in kB: proc(5)."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("read_bytes")).split()[1]) / 1000


def show(found: dict[str, dict[str, float]]) -> None:
    print(
        f"{'numpy, one process, crop pairs/s':<34}{'on disk':>9}{'warm':>9}{'CPU ms':>8}{'cold':>8}{'kB/crop':>9}"
        f"{'x folder':>10}{'x patches':>11}"
    )
    for name, row in found.items():
        versus = [row["warm"] / found[other]["warm"] for other in (FOLDER, PATCHES)]
        print(
            f"{name:<34}{row['mb']:>6.0f} MB{row['warm']:>9.0f}{row['cpu_ms']:>8.2f}{row['cold']:>8.0f}"
            f"{row['kb']:>9.0f}{versus[0]:>10.1f}{versus[1]:>11.2f}"
        )


def bars(found: dict[str, dict[str, float]], *, ideal_kb: float) -> None:
    ours, tiles = found["ours, contiguous"], found["ours, tiles"]
    print()
    for claim, value, passed in (
        ("contiguous >= 500 x PNG folder", ours["warm"] / found[FOLDER]["warm"], 500),
        ("contiguous >= 50 x patches", ours["warm"] / found[PATCHES]["warm"], 50),
        ("tiles >= 100 x PNG folder", tiles["warm"] / found[FOLDER]["warm"], 100),
    ):
        print(f"{claim:<48}{value:8.1f}   {'pass' if value >= passed else 'FAIL'}")
    ratio = tiles["kb"] / ideal_kb
    print(f"{'tiles read <= 3 x input and target, mask too':<48}{ratio:8.2f}   {'pass' if ratio <= 3 else 'FAIL'}")


if __name__ == "__main__":
    main()
