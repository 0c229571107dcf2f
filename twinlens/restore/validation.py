"""The score a training is steered by: fixed crops of the validation split."""

import numpy as np
import torch
from torch import Tensor

from twinlens.dataset.batches import Batch, random_batches
from twinlens.dataset.paired import PairSplit
from twinlens.errors import DatasetError
from twinlens.restore.networks import find_network
from twinlens.restore.networks.network import Network
from twinlens.restore.train_settings import TrainSettings

PROTOCOL = "mean over crops of PSNR on valid pixels, range 1"


class ValidationCrops:
    """Crops that are the same at every validation; smaller than asked for where the frames are."""

    def __init__(
        self, split: PairSplit, settings: TrainSettings, *, device: torch.device, dtype: torch.dtype
    ) -> None:
        multiple = find_network(settings.network).size_multiple
        crop_px = min(settings.validation_crop_px, min(split.shape_hw) // multiple * multiple)
        # A generator of its own: more validation crops must not change the training.
        rng = np.random.default_rng(settings.seed)
        if not crop_px:
            raise DatasetError(
                f"{split.dataset.path}: frames of {split.shape_hw} px are smaller than the {multiple} px that "
                f"{settings.network} needs",
                hint="use larger frames, or another network",
            )
        crops = random_batches(split, crop_px=crop_px, batch_size=settings.validation_crops, rng=rng, steps=1)
        self._device, self._dtype = device, dtype
        self._batch = self.place(_with_valid_pixels(next(crops), split))
        self.channels = self._batch.input.shape[1]
        self.input_psnr_db = _mean_psnr_db(self._batch.input, self._batch)
        """Of the crops as they are."""

    def psnr_db(self, network: Network) -> float:
        """Of the crops as the network restores them, one by one."""
        network.eval()
        with torch.inference_mode():
            restored = [network(one)[0] for one in torch.split(self._batch.input, 1)]
        network.train()
        return _mean_psnr_db(torch.cat(restored).clamp(0.0, 1.0), self._batch)

    def place(self, batch: Batch) -> Batch:
        """A batch where the training computes, in its type and the layout convolutions run fastest in."""

        def placed(images: Tensor) -> Tensor:
            return images.to(self._device, self._dtype).contiguous(memory_format=torch.channels_last)

        return Batch(input=placed(batch.input), target=placed(batch.target), mask=placed(batch.mask))


def _with_valid_pixels(batch: Batch, split: PairSplit) -> Batch:
    """The crops that can be scored: one without a valid pixel would count as perfect."""
    usable = batch.mask.flatten(1).any(1)
    if not usable.any():
        raise DatasetError(
            f"{split.dataset.path}: none of {len(usable)} crops of the {split.name} split has a valid pixel",
            hint="raise validation_crops, or build the dataset from pairs whose cameras overlap more",
        )
    return Batch(input=batch.input[usable], target=batch.target[usable], mask=batch.mask[usable])


def _mean_psnr_db(images: Tensor, batch: Batch) -> float:
    """The mean over crops of PSNR in dB on valid pixels, at a range of 1."""
    squares = ((images - batch.target) * batch.mask).square().sum((1, 2, 3), dtype=torch.float64)
    counted = batch.mask.sum((1, 2, 3), dtype=torch.float64).clamp_min(1.0) * images.shape[1]
    errors = (squares / counted).clamp_min(1e-12)  # at most 120 dB, so that a perfect crop stays finite
    return float((-10.0 * torch.log10(errors)).mean())
