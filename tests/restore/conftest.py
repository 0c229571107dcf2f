"""A small restoration problem with a known blur, as a dataset on disk."""

from collections.abc import Iterator

import numpy as np
import pytest
from scipy import ndimage

from twinlens.calibrate.align import AlignedPair, Passport
from twinlens.dataset import DatasetSettings, PairedDataset, SplitSettings, build_dataset
from twinlens.pixels import Kernel, Mono8

PASSPORT = Passport(
    residual_px=0.03, ncc=0.99, gain=1.0, offset=0.0, kernel_sigma_px=1.5, overlap=1.0, saturated_fraction=0.0
)
SCENES = ("north", "east", "south", "west", "middle")


def streak() -> Kernel:
    """A streak across both axes: nothing symmetric."""
    kernel = np.zeros((9, 9))
    kernel[4, 4], kernel[3, 5], kernel[5, 3], kernel[2, 6], kernel[6, 2] = 1, 1, 1, 0.7, 0.7
    return kernel / kernel.sum()


def blocks(rng: np.random.Generator, shape_hw: tuple[int, int]) -> Mono8:
    """Overlapping rectangles of random brightness: edges at every distance."""
    image = np.full(shape_hw, 120, np.uint8)
    for _ in range(shape_hw[0] * shape_hw[1] // 150):
        top, left = rng.integers(0, shape_hw[0]), rng.integers(0, shape_hw[1])
        height, width = rng.integers(3, 22, 2)
        image[top : top + height, left : left + width] = rng.integers(30, 226)
    return image


def blurred_pairs(shape_hw: tuple[int, int] = (160, 176)) -> Iterator[AlignedPair]:
    """One pair per scene: a target, and the same blurred with a little noise."""
    for trigger_index, scene in enumerate(SCENES):
        rng = np.random.default_rng(trigger_index)
        target = blocks(rng, shape_hw)
        soft = ndimage.convolve(target.astype(np.float64), streak()) + rng.normal(0, 1, shape_hw)
        mask = np.ones(shape_hw, np.bool_)
        mask[:, :6] = False
        yield AlignedPair(
            input=np.clip(np.rint(soft), 0, 255).astype(np.uint8),
            target=target,
            mask=mask,
            bit_depth=8,
            scene=scene,
            session_id="session-1",
            trigger_index=trigger_index,
            mirror_state="streak",
            skew_ns=0,
            exposure_us=10000.0,
            gain_db=0.0,
            b_from_a=np.eye(3),
            passport=PASSPORT,
        )


@pytest.fixture(scope="session")
def slanted_kernel() -> Kernel:
    return streak()


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> PairedDataset:
    """Three scenes to train, one to validate, one to test."""
    path = tmp_path_factory.mktemp("restore") / "streak-v1.0.0.h5"
    assignment = dict(zip(SCENES, ("train", "train", "train", "val", "test"), strict=True))
    build_dataset(blurred_pairs(), path, settings=DatasetSettings(splits=SplitSettings(assignment=assignment)))
    return PairedDataset(path)
