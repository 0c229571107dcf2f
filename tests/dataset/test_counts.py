"""The paper's split, exactly, from scenes of any size; and scenes under two names stay together."""

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from twinlens.calibrate.align import AlignedPair
from twinlens.dataset import DatasetSettings, PairedDataset, SplitSettings, build_dataset, verify_dataset
from twinlens.errors import SplitLeakError

PairMaker = Callable[..., AlignedPair]
SIZE_HW = (32, 32)


def sixty_scenes() -> list[int]:
    """60 sizes of 5 to 45 pairs that add up to 1200, among them sets of 120 and 120."""
    rng = np.random.default_rng(3)
    while True:
        sizes = rng.integers(5, 46, 60)
        rest = 1200 - int(sizes[:-1].sum())
        if 5 <= rest <= 45:
            return [*sizes[:-1].tolist(), rest]


@pytest.fixture
def campaign(pair: PairMaker) -> Callable[..., Iterator[AlignedPair]]:
    sizes = sixty_scenes()
    scenes = [f"scene-{k:02d}" for k, size in enumerate(sizes) for _ in range(size)]

    def pairs(order: np.ndarray) -> Iterator[AlignedPair]:
        return (pair(int(k), shape_hw=SIZE_HW, scene=scenes[k]) for k in order)

    return pairs


def test_exactly_960_120_120_of_1200_pairs_whatever_their_order(
    campaign: Callable[..., Iterator[AlignedPair]], tmp_path: Path
) -> None:
    settings = DatasetSettings(splits=SplitSettings(counts=(960, 120, 120)))
    orders = (np.arange(1200), np.random.default_rng(1).permutation(1200))
    reports = [
        build_dataset(campaign(order), tmp_path / f"{k}.h5", settings=settings) for k, order in enumerate(orders)
    ]
    assert [(count.split, count.pairs) for count in reports[0].splits] == [
        ("train", 960),
        ("val", 120),
        ("test", 120),
    ]
    assert reports[0].content_hash == reports[1].content_hash
    check = verify_dataset(tmp_path / "1.h5")
    assert (check.problems, check.pairs) == ((), 1200)


def test_counts_that_no_groups_meet_name_the_nearest_and_trimming_lists_what_it_drops(
    pair: PairMaker, tmp_path: Path
) -> None:
    pairs = [pair(k, scene=f"scene-{k // 6}") for k in range(36)]  # six scenes of six
    impossible = DatasetSettings(splits=SplitSettings(counts=(26, 5, 5)))
    with pytest.raises(SplitLeakError, match=r"24.*6.*6"):
        build_dataset(pairs, tmp_path / "d.h5", settings=impossible)
    assert list(tmp_path.iterdir()) == []

    trimmed = DatasetSettings(splits=SplitSettings(counts=(22, 5, 5), trim=True))
    report = build_dataset(pairs, tmp_path / "d.h5", settings=trimmed)
    assert [(count.split, count.pairs) for count in report.splits] == [
        ("train", 22),
        ("val", 5),
        ("test", 5),
        ("unused", 4),
    ]
    dataset = PairedDataset(tmp_path / "d.h5")
    assert len({one.pair_id for one in dataset.split("unused")}) == 4
    assert len(dataset) == 36


def test_a_scene_under_two_names_goes_to_one_split(pair: PairMaker, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    views = [cv2.GaussianBlur(rng.integers(0, 256, (160, 200)).astype(np.uint8), (0, 0), 3) for _ in range(8)]
    views = [cv2.normalize(view, None, 20, 220, cv2.NORM_MINMAX) for view in views]
    # The same view again: softer, darker and noisy, as another day would record it.
    again = np.clip(
        0.7 * cv2.GaussianBlur(views[0], (0, 0), 1.5) + rng.normal(10, 2, views[0].shape), 0, 255
    ).astype(np.uint8)
    pairs = [
        pair(k, input=view, target=view, mask=np.ones(view.shape, np.bool_), scene=f"scene-{k}")
        for k, view in enumerate([*views, again])
    ]
    for seed in range(6):
        path = tmp_path / f"{seed}.h5"
        report = build_dataset(pairs, path, settings=DatasetSettings(splits=SplitSettings(seed=seed)))
        split_of = {one.scene: one.split for one in PairedDataset(path)}
        assert split_of["scene-0"] == split_of["scene-8"]
        assert (report.scenes, report.groups) == (9, 8)
        assert verify_dataset(path).is_intact
