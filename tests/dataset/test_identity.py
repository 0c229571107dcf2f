"""The content hash sees every bit that matters, and neither dates, paths nor order."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from twinlens.calibrate.align import AlignedPair
from twinlens.dataset import (
    DatasetSettings,
    MirrorStateRecord,
    PairedDataset,
    Provenance,
    Source,
    SplitSettings,
    build_dataset,
)
from twinlens.dataset.identity import content_hash, pair_hash
from twinlens.dataset.stored_schemes import PARTS

PairMaker = Callable[..., AlignedPair]
PairsMaker = Callable[..., Iterator[AlignedPair]]


def test_the_content_hash_of_a_known_dataset_never_changes(pair: PairMaker, tmp_path: Path) -> None:
    ramp = np.arange(40 * 56, dtype=np.uint16).reshape(40, 56)
    known = [pair(k, bit_depth=12, input=ramp + k, target=ramp // 2) for k in range(6)]
    # Checkpoints and reports name datasets by this number: a new one needs a new major schema version.
    found = build_dataset(known, tmp_path / "d.h5", settings=DatasetSettings(find_duplicates=False)).content_hash
    assert found == "0373bf49ba5599622487acf25793b8848fcb2373acbad7d2699755ea723fe3f9"


def test_the_content_hash_can_be_computed_again_from_the_file_alone(dataset_path: Path) -> None:
    dataset = PairedDataset(dataset_path)
    with h5py.File(dataset_path, "r") as file:
        table, photometric = file["/pairs/table"][()], file["/pairs/photometric"][()]
    digests = [
        pair_hash(
            row,
            frames=(pair.input, pair.target, pair.mask),
            labels=(pair.scene, pair.mirror_state),
            b_from_a=pair.b_from_a,
            photometric=(float(brightness[0]), float(brightness[1])),
        )
        for row, pair, brightness in zip(table, dataset, photometric, strict=True)
    ]
    ids_of = {part: [pair.pair_id for pair in dataset.split(part)] for part in PARTS}
    assert content_hash(digests, {"default": ids_of}) == dataset.content_hash
    assert [row["pair_hash"].tobytes() for row in table] == digests


def test_provenance_and_mirror_values_travel_and_leave_the_hash_alone(pairs: PairsMaker, tmp_path: Path) -> None:
    told = Provenance(
        config_json='{"seed": 1}',
        calibration_json='{"b_from_a": 2}',
        sources=(Source("session-1", "/lab/session-1", "ab" * 32),),
        mirror_states=(MirrorStateRecord("coma 0.5", (0.0, 0.5), "waves"),),
    )
    plain = build_dataset(pairs(6), tmp_path / "plain.h5")
    rich = build_dataset(pairs(6), tmp_path / "rich.h5", provenance=told, settings=DatasetSettings(name="other"))
    assert PairedDataset(tmp_path / "rich.h5").provenance() == told
    assert rich.content_hash == plain.content_hash


def test_the_content_hash_does_not_see_the_order_of_pairs(pairs: PairsMaker, tmp_path: Path) -> None:
    straight = build_dataset(pairs(8), tmp_path / "straight.h5")
    reverse = build_dataset(reversed(list(pairs(8))), tmp_path / "reverse.h5")
    assert straight.content_hash == reverse.content_hash
    scenes_of = {
        split: set(PairedDataset(tmp_path / "reverse.h5").split(split).scenes) for split in ("val", "test")
    }
    assert scenes_of == {
        split: set(PairedDataset(tmp_path / "straight.h5").split(split).scenes) for split in scenes_of
    }


def flipped(array: np.ndarray) -> np.ndarray:
    changed = array.copy()
    changed[-1, -1] ^= 1
    return changed


@pytest.mark.parametrize(
    "change",
    [
        lambda pair: {"input": flipped(pair.input)},
        lambda pair: {"target": flipped(pair.target)},
        lambda pair: {"mask": flipped(pair.mask)},
        lambda _: {"mirror_state": "flat"},
        lambda _: {"skew_ns": 121},
        lambda pair: {"b_from_a": np.nextafter(pair.b_from_a, 2)},
        lambda pair: {"passport": dataclasses.replace(pair.passport, residual_px=0.04)},
        lambda pair: {"passport": dataclasses.replace(pair.passport, offset=2.1)},
    ],
    ids=["input", "target", "mask", "mirror_state", "skew", "homography", "residual", "photometric"],
)
def test_the_content_hash_sees_one_changed_bit(
    pairs: PairsMaker, tmp_path: Path, change: Callable[[AlignedPair], dict[str, Any]]
) -> None:
    before = build_dataset(pairs(6), tmp_path / "before.h5")
    first, *rest = pairs(6)
    after = build_dataset([dataclasses.replace(first, **change(first)), *rest], tmp_path / "after.h5")
    assert before.content_hash != after.content_hash


def test_the_content_hash_sees_another_split(pairs: PairsMaker, tmp_path: Path) -> None:
    hashes = {
        build_dataset(
            pairs(8),
            tmp_path / f"{k}.h5",
            settings=DatasetSettings(splits=SplitSettings(assignment={f"scene-{k}": "test"})),
        ).content_hash
        for k in range(4)
    }
    assert len(hashes) == 4
