"""What others read crops from, for the loader's benchmark: how it is written, and a plain fast reader of each.

Every reader decodes with OpenCV and gives (input, target) crops without end. Full frames are PNG at OpenCV's own
settings; LMDB holds those PNG files, input and target apart, opened as BasicSR documents; patches are 512 px at a
stride of 256 px, as deblurring networks prepare theirs; WebDataset's tar holds those PNG files pair by pair.
"""

import itertools
import tarfile
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from twinlens.calibrate.align import AlignedPair

Picture = NDArray[np.uint8]
Crops = Iterator[tuple[Picture, ...]]

PATCH_PX = 512
STRIDE_PX = 256
PATCHED_PAIRS = 20
"""Patches take 3.4 times a frame's room: those of some pairs tell how fast one is read."""


def write_rivals(pairs: Iterator[AlignedPair], folder: Path) -> None:
    """Write the pairs in every other way; a way whose package is missing is left out, and says so."""
    for name in ("png", "patches"):
        for role in ("input", "target"):
            (folder / name / role).mkdir(parents=True)
    for number, pair in enumerate(pairs):
        for role, frame in (("input", pair.input), ("target", pair.target)):
            cv2.imwrite(str(folder / "png" / role / f"{number:06d}.png"), frame)
            if number < PATCHED_PAIRS:
                _write_patches(frame, folder / "patches" / role, number)
    if find_spec("lmdb"):
        _write_lmdb(folder)
    if find_spec("webdataset"):
        _write_tar(folder)


def _write_patches(frame: Picture, folder: Path, number: int) -> None:
    height, width = frame.shape
    for top, left in itertools.product(_starts(height), _starts(width)):
        patch = frame[top : top + PATCH_PX, left : left + PATCH_PX]
        cv2.imwrite(str(folder / f"{number:06d}-{top:04d}-{left:04d}.png"), patch)


def _starts(size: int) -> list[int]:
    return sorted({*range(0, size - PATCH_PX + 1, STRIDE_PX), size - PATCH_PX})


def _write_lmdb(folder: Path) -> None:
    lmdb = import_module("lmdb")
    (folder / "lmdb").mkdir()
    for role in ("input", "target"):
        files = sorted((folder / "png" / role).iterdir())
        size = sum(file.stat().st_size for file in files)
        with lmdb.open(str(folder / "lmdb" / role), map_size=2 * size + (64 << 20)) as database:
            for file in files:
                with database.begin(write=True) as transaction:
                    transaction.put(file.stem.encode(), file.read_bytes())


def _write_tar(folder: Path) -> None:
    with tarfile.open(folder / "pairs.tar", "w") as tar:
        for file in sorted((folder / "png" / "input").iterdir()):
            for role in ("input", "target"):
                tar.add(folder / "png" / role / file.name, f"{file.stem}.{role}.png")


def png_crops(folder: Path, name: str, crop_px: int) -> Crops:
    """Crops of random PNG files under folder/name: whole frames, or patches of them."""
    rng = np.random.default_rng(0)
    files = sorted(file.name for file in (folder / name / "input").iterdir())
    while True:
        file = files[rng.integers(len(files))]
        pictures = [
            cv2.imread(str(folder / name / role / file), cv2.IMREAD_UNCHANGED) for role in ("input", "target")
        ]
        yield cut(pictures, crop_px, rng)


def lmdb_crops(folder: Path, crop_px: int) -> Crops:
    """Crops of random PNG values of two databases."""
    lmdb = import_module("lmdb")
    rng = np.random.default_rng(0)
    databases = [
        lmdb.open(
            str(folder / "lmdb" / role), readonly=True, lock=False, readahead=False, map_size=8 * 1024 * 10485760
        ).begin(buffers=True)
        for role in ("input", "target")
    ]
    keys = [key.tobytes() for key in databases[0].cursor().iternext(values=False)]
    while True:
        key = keys[rng.integers(len(keys))]
        yield cut([decoded(database.get(key)) for database in databases], crop_px, rng)


def webdataset_crops(folder: Path, crop_px: int, per_pair: int) -> Crops:
    """Some crops of each pair of a tar, in its order."""
    webdataset = import_module("webdataset")
    rng = np.random.default_rng(0)
    while True:
        for sample in webdataset.WebDataset(str(folder / "pairs.tar"), shardshuffle=False):
            pictures = [decoded(sample[f"{role}.png"]) for role in ("input", "target")]
            for _ in range(per_pair):
                yield cut(pictures, crop_px, rng)


def decoded(packed: bytes) -> Picture:
    """The picture in a PNG file's bytes."""
    picture: Picture = cv2.imdecode(np.frombuffer(packed, np.uint8), cv2.IMREAD_UNCHANGED)
    return picture


def cut(pictures: list[Picture], crop_px: int, rng: np.random.Generator) -> tuple[Picture, ...]:
    """The same random place of every picture."""
    height, width = pictures[0].shape
    top, left = int(rng.integers(height - crop_px + 1)), int(rng.integers(width - crop_px + 1))
    return tuple(picture[top : top + crop_px, left : left + crop_px] for picture in pictures)


def rival_readers(folder: Path, crop_px: int) -> dict[str, tuple[Path, Callable[[], Crops]]]:
    """By name: what is on disk, and what opens it."""
    found: dict[str, tuple[Path, Callable[[], Crops]]] = {
        "folder of PNG, cv2.imread": (folder / "png", partial(png_crops, folder, "png", crop_px)),
        "PNG patches 512/256": (folder / "patches", partial(png_crops, folder, "patches", crop_px)),
    }
    if (folder / "lmdb").exists():
        found["LMDB of PNG"] = (folder / "lmdb", partial(lmdb_crops, folder, crop_px))
    if (folder / "pairs.tar").exists():
        for per_pair in (1, 8):
            name = f"WebDataset, {per_pair} crop{'s' * (per_pair > 1)} a pair"
            found[name] = (folder / "pairs.tar", partial(webdataset_crops, folder, crop_px, per_pair))
    return found
