"""Batches for training: the one place where integers become floats in [0, 1]."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from twinlens.dataset.paired import PairSplit, StoredPair
from twinlens.dataset.patches import Crop, random_crops
from twinlens.pixels import Mask, Picture


@dataclass(frozen=True, slots=True)
class Batch:
    """Aligned images on the CPU, contiguous."""

    input: torch.Tensor
    """(b, c, h, w) float32 in [0, 1], c = 1 or RGB; camera B."""
    target: torch.Tensor
    """(b, c, h, w) float32 in [0, 1]; camera A on B's grid."""
    mask: torch.Tensor
    """(b, 1, h, w) float32: 1 where input and target can be compared, else 0."""


def random_batches(
    split: PairSplit, *, crop_px: int, batch_size: int, rng: np.random.Generator, steps: int
) -> Iterator[Batch]:
    """`steps` batches of random aligned crops; the same `rng` state gives the same batches.

    Raises:
        DatasetError: the frames are smaller than `crop_px`.
    """
    crops = random_crops(split, crop_px=crop_px, rng=rng)
    return (as_batch(list(islice(crops, batch_size)), bit_depth=split.bit_depth) for _ in range(steps))


def as_batch(images: Sequence[StoredPair | Crop], *, bit_depth: int) -> Batch:
    """Stack pairs or crops of one size; `bit_depth` names the grey level that becomes 1.0: 2**bit_depth - 1."""
    full_scale = float(2**bit_depth - 1)
    return Batch(
        input=_stacked([one.input for one in images], full_scale),
        target=_stacked([one.target for one in images], full_scale),
        mask=_stacked([one.mask for one in images], 1.0),
    )


def batch_of_levels(stacks: Sequence[torch.Tensor], *, bit_depth: int) -> Batch:
    """The batch of input and target (b, c, h, w) and mask (b, 1, h, w) that are stacked already, as stored."""
    full_scale = float(2**bit_depth - 1)
    scales = (full_scale, full_scale, 1.0)
    return Batch(*(_floats(levels, scale) for levels, scale in zip(stacks, scales, strict=True)))


def _floats(levels: torch.Tensor, full_scale: float) -> torch.Tensor:
    return torch.from_numpy(np.divide(levels.numpy(), np.float32(full_scale), dtype=np.float32))


def _stacked(frames: Sequence[Picture | Mask], full_scale: float) -> torch.Tensor:
    height, width, *channels = frames[0].shape
    stacked = np.empty((len(frames), *(channels or [1]), height, width), np.float32)
    for frame, place in zip(frames, stacked, strict=True):
        # One pass from the file's pages to the batch: read, widen and divide.
        planes = np.moveaxis(frame, 2, 0) if channels else frame[None]
        np.divide(planes, np.float32(full_scale), out=place, dtype=np.float32)
    return torch.from_numpy(stacked)
