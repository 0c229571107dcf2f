"""The crops of each training step, drawn so that ranks share them and a resumed run finds its place."""

from collections.abc import Iterator

from twinlens.dataset.batches import Batch
from twinlens.dataset.crops import CropLoader, PairCrops
from twinlens.dataset.paired import PairSplit
from twinlens.dataset.patches import check_crop
from twinlens.dataset.sampling import PairSampler
from twinlens.restore.train_settings import Phase, TrainSettings

_ENDLESS = 10**9
"""Rounds over the pairs in an epoch: a training counts steps, so its epoch never ends."""


class Draws:
    """Batches of random crops, step by step; every crop follows from the seed and its number alone.

    Raises:
        DatasetError: the frames are smaller than a crop of any phase.
    """

    def __init__(self, split: PairSplit, settings: TrainSettings, *, rank: int = 0, world_size: int = 1) -> None:
        self._split, self._settings = split, settings
        for crop_px in (settings.crop_px, *(phase[1] for phase in settings.later_crops)):
            check_crop(split, crop_px)
        self._sampler = PairSampler(
            split,
            seed=settings.seed,
            repeats=_ENDLESS,
            weights="passport" if settings.passport_weights else None,
            rank=rank,
            world_size=world_size,
        )
        self._phase: Phase | None = None
        self._batches: Iterator[Batch] = iter(())

    def batches(self, step: int) -> list[Batch]:
        """What step `step`, counted from 0, is made of: `accumulate` batches."""
        phase = self._settings.phase(step)
        if phase != self._phase:
            self._phase, self._batches = phase, iter(self._loader(phase))
        return [next(self._batches) for _ in range(self._settings.accumulate)]

    def state(self) -> dict[str, int | str]:
        """How many crops were drawn, by all ranks together, and from what."""
        return self._sampler.state_dict()

    def load(self, state: dict[str, int | str]) -> None:
        """Go on where `state` was taken.

        Raises:
            DatasetError: it is of another dataset, split or seed.
        """
        self._sampler.load_state_dict(state)
        self._phase = None

    def _loader(self, phase: Phase) -> CropLoader:
        settings = self._settings
        crops = PairCrops(self._split, crop_px=phase.crop_px, seed=settings.seed, augment=settings.augment)
        return CropLoader(crops, self._sampler, batch_size=phase.batch_size, workers=settings.workers)
