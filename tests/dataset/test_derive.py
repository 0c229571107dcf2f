"""The next version of a dataset: what stays, stays where it was, and the parent is named."""

from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from twinlens.calibrate import Box
from twinlens.calibrate.align import AlignedPair
from twinlens.dataset import (
    DatasetSettings,
    DeriveSettings,
    PairedDataset,
    PassportLimits,
    Provenance,
    SplitSettings,
    add_scheme,
    build_dataset,
    derive_dataset,
    verify_dataset,
)
from twinlens.dataset.derive import next_version
from twinlens.errors import CorruptError, DatasetError

PairMaker = Callable[..., AlignedPair]
STATES = ("coma 0.5", "flat")


@pytest.fixture
def parent(pair: PairMaker, tmp_path: Path) -> PairedDataset:
    """Eight scenes of four pairs, half of them in each mirror state."""
    pairs: Iterator[AlignedPair] = (
        pair(k, scene=f"scene-{k // 4}", mirror_state=STATES[k % 2], skew_ns=1000 * k) for k in range(32)
    )
    path = tmp_path / "street-v1.0.0.h5"
    settings = DatasetSettings(
        description="a street", splits=SplitSettings(places={"scene-0": "x", "scene-3": "x"})
    )
    build_dataset(pairs, path, settings=settings, provenance=Provenance(config_json='{"a": 1}'))
    return PairedDataset(path)


def splits_by_pair(dataset: PairedDataset) -> dict[str, str]:
    return {one.pair_id: one.split for one in dataset}


def test_fewer_pairs_keep_their_split_and_their_pixels(parent: PairedDataset, tmp_path: Path) -> None:
    out = tmp_path / "flat-v2.0.0.h5"
    settings = DeriveSettings(mirror_states=("flat",), limits=PassportLimits(max_skew_us=20))
    report = derive_dataset(parent, out, settings=settings)
    child = PairedDataset(out)
    kept = [one for one in parent if one.mirror_state == "flat" and one.skew_ns <= 20_000]
    assert report.pairs == len(kept) == 10
    assert [(count.reason, count.pairs) for count in report.rejects] == [("skew_us", 6)]
    assert splits_by_pair(child) == {one.pair_id: one.split for one in kept}
    np.testing.assert_array_equal(child[0].target, kept[0].target)
    assert (child.version, child.provenance().parent) == ("2.0.0", parent.content_hash)
    assert child.contents.head["description"] == "a street"
    assert child.contents.group_of["scene-3"] == child.contents.group_of["scene-0"] == "scene-0"
    assert verify_dataset(out).is_intact


@pytest.mark.parametrize("layout", ["contiguous", "tiles"])
def test_a_crop_moves_the_mapping_with_it(parent: PairedDataset, tmp_path: Path, layout: str) -> None:
    out = tmp_path / "crop.h5"
    derive_dataset(parent, out, settings=DeriveSettings(crop=Box(7, 3, 47, 35), layout=layout))
    child = PairedDataset(out)
    assert (child.shape_hw, child.contents.layout) == ((32, 40), layout)
    np.testing.assert_array_equal(child[5].input, parent[5].input[3:35, 7:47])
    on_a = np.array([20.0, 10.0, 1.0])
    before, after = parent[5].b_from_a @ on_a, child[5].b_from_a @ on_a
    np.testing.assert_allclose(after[:2] / after[2], before[:2] / before[2] - (7, 3))
    assert verify_dataset(out).is_intact


def test_new_splits_are_drawn_over_the_groups_that_are_known(parent: PairedDataset, tmp_path: Path) -> None:
    out = tmp_path / "anew.h5"
    derive_dataset(parent, out, settings=DeriveSettings(splits=SplitSettings(seed=3, counts=(24, 4, 4))))
    split_of = {one.scene: one.split for one in PairedDataset(out)}
    assert split_of["scene-0"] == split_of["scene-3"]
    assert [len(PairedDataset(out).split(name)) for name in ("train", "val", "test")] == [24, 4, 4]


def test_a_scheme_that_leaves_a_mirror_state_out_stands_beside_the_default(
    parent: PairedDataset, tmp_path: Path
) -> None:
    out = tmp_path / "schemes.h5"
    report = add_scheme(parent, out, name="without-flat", splits=SplitSettings(leave_out_mirror_state="flat"))
    child = PairedDataset(out)
    assert (child.schemes, child.version) == (("default", "without-flat"), "1.1.0")
    assert splits_by_pair(child) == splits_by_pair(parent)
    assert report.content_hash != parent.content_hash
    trained = {one.mirror_state for one in child.split("train", scheme="without-flat")}
    tested = {one.mirror_state for one in child.split("test", scheme="without-flat")}
    assert (trained, tested) == ({"coma 0.5"}, {"flat"})
    scenes = [set(child.split(name, scheme="without-flat").scenes) for name in ("train", "val", "test")]
    assert not scenes[0] & scenes[2]
    assert not scenes[1] & scenes[2]
    assert verify_dataset(out).is_intact
    with pytest.raises(DatasetError, match="has no split scheme 'by-day'; it has default, without-flat"):
        child.split("train", scheme="by-day")


@pytest.mark.parametrize(
    ("settings", "seen"),
    [
        (DeriveSettings(scenes=("lake",)), "has no scene lake; it has scene-0"),
        (DeriveSettings(mirror_states=("bent",)), "has no mirror state bent; it has coma 0.5, flat"),
        (DeriveSettings(crop=Box(20, 0, 60, 10)), "does not lie inside frames of 56x40 px"),
        (DeriveSettings(limits=PassportLimits(min_ncc=0.999)), "all 32 were left out, .* ncc is 0.99, at least"),
    ],
    ids=["scene", "state", "crop", "limits"],
)
def test_what_cannot_be_derived_is_refused(
    parent: PairedDataset, tmp_path: Path, settings: DeriveSettings, seen: str
) -> None:
    with pytest.raises(DatasetError, match=seen) as caught:
        derive_dataset(parent, tmp_path / "x.h5", settings=settings)
    assert caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == [parent.path.name]


def test_a_damaged_parent_is_not_carried_on(parent: PairedDataset, tmp_path: Path) -> None:
    place = parent.path.read_bytes().find(parent[9].target[20].tobytes())
    with parent.path.open("r+b") as file:
        file.seek(place)
        file.write(bytes([int(parent[9].target[20, 0]) ^ 1]))
    with pytest.raises(CorruptError, match="the target of trigger 9 of session session-1 is not what was written"):
        derive_dataset(PairedDataset(parent.path), tmp_path / "x.h5", settings=DeriveSettings())
    assert not (tmp_path / "x.h5").exists()


def test_versions_count_up_and_begin_again_below() -> None:
    assert [next_version("1.4.2", part=part) for part in (0, 1, 2)] == ["2.0.0", "1.5.0", "1.4.3"]


def test_a_tile_that_would_crash_its_reader_is_told_instead(parent: PairedDataset, tmp_path: Path) -> None:
    tiles = tmp_path / "tiles.h5"
    derive_dataset(parent, tiles, settings=DeriveSettings(layout="tiles"))
    with h5py.File(tiles, "r") as file:
        start = file["/pairs/input"].id.get_chunk_info_by_coord((3, 0, 0)).byte_offset
    with tiles.open("r+b") as raw:
        raw.seek(start + 3)  # in the length it says to unpack to
        raw.write(b"\x7f")
    # The type checker of the tests looks at a pair of its own choice, and may meet the damage before.
    with pytest.raises(CorruptError, match=r"/pairs/input (is not packed as it says|cannot be read)"):
        derive_dataset(PairedDataset(tiles), tmp_path / "x.h5", settings=DeriveSettings())
    assert not (tmp_path / "x.h5").exists()
