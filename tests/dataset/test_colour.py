"""Pictures of somebody else may be in colour: (h, w, 3) RGB from the file to the batch, with masks (h, w)."""

from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from twinlens.calibrate import Box
from twinlens.calibrate.align import AlignedPair
from twinlens.dataset import PairedDataset, build_dataset
from twinlens.dataset.augment import Augment
from twinlens.dataset.batches import as_batch, random_batches
from twinlens.dataset.build import DatasetSettings
from twinlens.dataset.crops import CropLoader, PairCrops
from twinlens.dataset.derive import DeriveSettings, add_scheme, derive_dataset
from twinlens.dataset.duplicates import phash
from twinlens.dataset.layout import LAYOUTS, Layout
from twinlens.dataset.luma import luma
from twinlens.dataset.measure import laplacian_variance, psnr_db
from twinlens.dataset.sampling import PairSampler
from twinlens.dataset.schemes import SplitSettings
from twinlens.dataset.verify import verify_dataset
from twinlens.errors import DatasetError
from twinlens.restore.checkpoint import load_checkpoint
from twinlens.restore.evaluate import evaluate
from twinlens.restore.restorer import Restorer
from twinlens.restore.train import TrainSettings, train

torch.set_num_threads(1)

Pairs = Callable[..., Iterator[AlignedPair]]
Pair = Callable[..., AlignedPair]


@pytest.fixture
def built(tmp_path: Path, pairs: Pairs) -> Callable[..., PairedDataset]:
    def build(layout: Layout = "contiguous", **changes: object) -> PairedDataset:
        path = tmp_path / f"{layout}-v1.0.0.h5"
        build_dataset(pairs(10, colour=True, **changes), path, settings=DatasetSettings(layout=layout))
        return PairedDataset(path)

    return build


@pytest.mark.parametrize("bit_depth", [8, 16])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_frames_come_back_in_colour_with_grey_masks(
    layout: Layout, bit_depth: int, built: Callable[..., PairedDataset], pair: Pair
) -> None:
    dataset = built(layout, bit_depth=bit_depth, shape_hw=(150, 140))
    assert (dataset.channels, dataset.shape_hw, dataset.summary().channels) == (3, (150, 140), 3)
    for stored in dataset:
        made = pair(stored.trigger_index, bit_depth=bit_depth, colour=True, shape_hw=(150, 140))
        for name in ("input", "target", "mask"):
            np.testing.assert_array_equal(getattr(stored, name), getattr(made, name))
    window = dataset.stacks[0].window(3, 100, 90, 40, 50)
    np.testing.assert_array_equal(window, dataset[3].input[100:140, 90:140])
    with h5py.File(dataset.path, locking=False) as file:
        chunks = [file[f"/pairs/{name}"].chunks for name in ("input", "target", "mask")]
    frame = (1, 150, 140) if layout == "contiguous" else (1, 128, 128)
    assert chunks == [(*frame, 3), (*frame, 3), frame]


def test_layouts_have_one_content_hash_and_both_verify(built: Callable[..., PairedDataset]) -> None:
    hashes = set()
    for layout in LAYOUTS:
        dataset = built(layout)
        assert verify_dataset(dataset.path).is_intact
        hashes.add(dataset.content_hash)
    assert len(hashes) == 1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_batches_have_three_channels_in_place(layout: Layout, built: Callable[..., PairedDataset]) -> None:
    dataset = built(layout)
    split = dataset.split("train")
    (batch,) = random_batches(split, crop_px=16, batch_size=3, rng=np.random.default_rng(1), steps=1)
    assert (batch.input.shape, batch.mask.shape) == ((3, 3, 16, 16), (3, 1, 16, 16))
    assert batch.input.is_contiguous()
    stored = dataset[0]
    whole = as_batch([stored], bit_depth=8)
    np.testing.assert_allclose(whole.target[0].permute(1, 2, 0).numpy() * 255, stored.target, atol=1e-4)
    crops = PairCrops(split, crop_px=16, seed=2)
    loaded = next(iter(CropLoader(crops, PairSampler(split, seed=2), batch_size=2)))
    keys = list(PairSampler(split, seed=2))[:2]
    collated = crops.collate([crops[key] for key in keys])
    assert loaded.input.is_contiguous()
    assert torch.equal(loaded.input, collated.input)
    assert torch.equal(loaded.mask, collated.mask)


def test_turning_moves_pixels_and_never_channels(built: Callable[..., PairedDataset]) -> None:
    split = built().split("train")
    plain = PairCrops(split, crop_px=16, seed=3)
    turned = PairCrops(split, crop_px=16, seed=3, augment=Augment(dihedral=True))
    for draw in range(8):
        one, other = plain[draw, 0], turned[draw, 0]
        assert other.input.shape == (16, 16, 3)
        np.testing.assert_array_equal(one.input.sum((0, 1)), other.input.sum((0, 1)))
        np.testing.assert_array_equal(one.target.sum((0, 1)), other.target.sum((0, 1)))


def test_a_crop_at_full_scale_in_any_channel_is_masked_when_brightened(
    built: Callable[..., PairedDataset],
) -> None:
    crops = PairCrops(built().split("train"), crop_px=16, seed=3, augment=Augment(brightness_jitter=0.5))
    crop = crops[0, 0]
    white = (crop.input == 255).any(2) | (crop.target == 255).any(2)
    assert white.any()
    assert not crop.mask[white].any()


def test_figures_are_of_luma_and_psnr_of_all_channels(pair: Pair) -> None:
    made = pair(0, colour=True, shape_hw=(64, 64))
    grey = luma(made.input)
    exact = 0.299 * made.input[..., 0] + 0.587 * made.input[..., 1] + 0.114 * made.input[..., 2]
    assert np.abs(grey - exact).max() <= 0.5 + 1e-9
    assert phash(made.input) == phash(grey)
    assert laplacian_variance(made.input, made.mask) == laplacian_variance(grey, made.mask)
    difference = made.input[made.mask].astype(float) - made.target[made.mask]
    wanted = 10 * np.log10(255**2 / np.mean(difference**2))
    assert psnr_db(made.input, made.target, made.mask, bit_depth=8) == pytest.approx(wanted)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["input", "target"])
def test_a_flipped_bit_in_a_channel_is_found(
    layout: Layout, name: str, built: Callable[..., PairedDataset]
) -> None:
    path = built(layout).path
    with h5py.File(path, "r+") as file:
        file[f"/pairs/{name}"][4, 10, 11, 2] ^= 1
    found = verify_dataset(path)
    assert any(p.where == "pair 4" and f"its {name} does not have its hash" in p.what for p in found.problems)


def test_grey_and_colour_do_not_mix(pair: Pair, tmp_path: Path) -> None:
    mixed = [pair(k, colour=k == 3) for k in range(6)]
    with pytest.raises(DatasetError, match="8 bit in colour; the pairs before it have 56x40 px") as caught:
        build_dataset(mixed, tmp_path / "mixed.h5")
    assert "--rgb" in caught.value.hint
    half = [pair(0, target=pair(0, colour=True).target)]
    with pytest.raises(DatasetError, match=r"input is \(40, 56\), target \(40, 56, 3\)"):
        build_dataset(half, tmp_path / "half.h5")
    assert not list(tmp_path.glob("*.h5"))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_colour_dataset_is_cropped_and_gets_another_scheme(
    layout: Layout, built: Callable[..., PairedDataset], tmp_path: Path
) -> None:
    parent = built(layout)
    derive_dataset(parent, tmp_path / "part.h5", settings=DeriveSettings(crop=Box(8, 4, 40, 36)))
    part = PairedDataset(tmp_path / "part.h5")
    assert (part.channels, part.shape_hw) == (3, (32, 32))
    np.testing.assert_array_equal(part[2].target, parent[2].target[4:36, 8:40])
    assert verify_dataset(part.path).is_intact
    add_scheme(parent, tmp_path / "more.h5", name="again", splits=SplitSettings(seed=5))
    assert PairedDataset(tmp_path / "more.h5").channels == 3


def test_a_network_trains_in_as_many_channels_as_the_dataset_has(
    built: Callable[..., PairedDataset], tmp_path: Path
) -> None:
    settings = TrainSettings(
        preset="tiny", steps=1, batch_size=1, crop_px=16, validation_crops=1, validation_crop_px=16
    )
    dataset = built()
    (report,) = train(dataset, settings, out=tmp_path / "run")
    assert report.psnr_db is not None
    restorer = Restorer.from_checkpoint(load_checkpoint(tmp_path / "run" / "best.safetensors"))
    pair = dataset[0]
    (scored,) = evaluate([pair], restorer)
    assert scored.restored.shape == (40, 56, 3)
    assert scored.score.input.psnr_db == pytest.approx(pair.psnr_db, abs=1e-4)
