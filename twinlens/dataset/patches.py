"""Aligned crops: the same place of input, target and mask, without touching the rest of the frame."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from twinlens.dataset.paired import PairSplit
from twinlens.errors import DatasetError
from twinlens.pixels import Mask, Picture

MIN_VALID = 0.95
TRIES = 8
"""Places looked at within one pair for enough valid pixels: masks come from the overlap of two cameras and
cover most of a frame, so a pair that fails this often is a poor one, and its best place is taken."""


@dataclass(frozen=True, slots=True)
class Crop:
    """One place of one pair; the pixels are read-only views into the file where it maps, else copies."""

    input: Picture
    target: Picture
    mask: Mask
    index: int
    """Of the pair within its split."""
    top: int
    left: int


def random_crops(split: PairSplit, *, crop_px: int, rng: np.random.Generator) -> Iterator[Crop]:
    """Endless crops of crop_px x crop_px: every pair once per round, in an order and at places drawn from `rng`.

    A crop is at least `MIN_VALID` valid where `TRIES` draws find such a place, else the best place they saw.

    Raises:
        DatasetError: the frames are smaller than `crop_px`.
    """
    check_crop(split, crop_px)
    return _rounds(split, crop_px, rng)


def check_crop(split: PairSplit, crop_px: int) -> None:
    """Raise `DatasetError` where the split is empty or the frames are smaller than `crop_px`."""
    if crop_px < 1:
        raise ValueError(f"crop_px is {crop_px}; at least 1 is needed")
    if not len(split):
        raise DatasetError(
            f"{split.dataset.path}: no pair is in {split.name}", hint="build or derive it with other splits"
        )
    if crop_px > min(split.shape_hw):
        height, width = split.shape_hw
        raise DatasetError(
            f"{split.dataset.path}: frames are {width}x{height} px, crops of {crop_px} px were asked for",
            hint=f"choose crops of at most {min(height, width)} px",
        )


def _rounds(split: PairSplit, crop_px: int, rng: np.random.Generator) -> Iterator[Crop]:
    while True:
        for index in rng.permutation(len(split)).tolist():
            yield random_crop(split, index, crop_px=crop_px, rng=rng)


def random_crop(split: PairSplit, index: int, *, crop_px: int, rng: np.random.Generator) -> Crop:
    """A crop of the split's pair `index`, valid as in `random_crops`, at a place drawn from `rng`."""
    inputs, targets, masks = split.dataset.stacks
    row = int(split.indices[index])

    def mask_at(top: int, left: int) -> Mask:
        return masks.window(row, top, left, crop_px, crop_px)

    top, left, mask = valid_place(mask_at, split.shape_hw, crop_px=crop_px, rng=rng)
    return Crop(
        inputs.window(row, top, left, crop_px, crop_px),
        targets.window(row, top, left, crop_px, crop_px),
        mask,
        index,
        top,
        left,
    )


def valid_place(
    mask_at: Callable[[int, int], Mask], shape_hw: tuple[int, int], *, crop_px: int, rng: np.random.Generator
) -> tuple[int, int, Mask]:
    """Top, left and mask of the first of `TRIES` places that is at least `MIN_VALID` valid, else of the best.

    `mask_at` gives the mask of a crop at (top, left) of a frame of `shape_hw`.
    """
    height, width = shape_hw
    best: tuple[int, int, Mask] | None = None
    most_valid = -1
    for _ in range(TRIES):
        top, left = int(rng.integers(height - crop_px + 1)), int(rng.integers(width - crop_px + 1))
        mask = mask_at(top, left)
        valid = int(np.count_nonzero(mask))
        if best is None or valid > most_valid:
            best, most_valid = (top, left, mask), valid
        if valid >= MIN_VALID * crop_px**2:
            break
    if best is None:
        raise ValueError(f"{TRIES} tries; at least 1 is needed")
    return best
