"""What comes back from an export is the same version of the dataset, or says that it is another."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from twinlens.calibrate.align import AlignedPair
from twinlens.dataset import (
    DatasetSettings,
    ExportSettings,
    ImportSettings,
    PairedDataset,
    PassportLimits,
    Provenance,
    Source,
    SplitSettings,
    add_scheme,
    build_dataset,
    export_dataset,
    import_dataset,
    verify_dataset,
)

Built = Callable[..., PairedDataset]
Pairs = Callable[..., Iterator[AlignedPair]]


def back(
    dataset: PairedDataset, to: str = "gopro", *, scheme: str = "default", **settings: object
) -> PairedDataset:
    """The dataset as it comes back from an export."""
    folder = dataset.path.parent
    export_dataset(dataset, folder / "out", to=to, settings=ExportSettings(scheme=scheme))
    import_dataset(folder / "out", folder / "back.h5", settings=ImportSettings(format=to, **settings))
    return PairedDataset(folder / "back.h5")


@pytest.fixture
def two_schemes(built: Built, tmp_path: Path) -> PairedDataset:
    """A dataset with a scheme beside the default, which draws its splits by another seed."""
    dataset = built()
    add_scheme(dataset, tmp_path / "two.h5", name="other", splits=SplitSettings(seed=5))
    return PairedDataset(tmp_path / "two.h5")


@pytest.fixture
def with_unused(pairs: Pairs, tmp_path: Path) -> PairedDataset:
    """A dataset of 10 pairs, of which the default scheme uses 3."""
    splits = SplitSettings(counts=(1, 1, 1), trim=True)
    build_dataset(pairs(10), tmp_path / "d.h5", settings=DatasetSettings(splits=splits, version="1.3.0"))
    return PairedDataset(tmp_path / "d.h5")


@pytest.mark.parametrize("scheme", ["default", "other"])
def test_all_schemes_come_back_whichever_was_exported(two_schemes: PairedDataset, scheme: str) -> None:
    found = back(two_schemes, "webdataset", scheme=scheme)
    assert found.content_hash == two_schemes.content_hash
    assert (found.version, found.provenance().parent) == (two_schemes.version, two_schemes.provenance().parent)
    for name in ("default", "other"):
        one, other = found.contents.schemes[name], two_schemes.contents.schemes[name]
        assert (one.is_leaky, dict(one.about)) == (other.is_leaky, dict(other.about))
        for part, rows in other.rows.items():
            np.testing.assert_array_equal(one.rows[part], rows)


def test_rejects_come_back(pairs: Pairs, tmp_path: Path) -> None:
    some = [replace(pair, skew_ns=9000) if pair.trigger_index > 7 else pair for pair in pairs(12)]
    limits = PassportLimits(max_skew_us=5.0)
    build_dataset(some, tmp_path / "d.h5", settings=DatasetSettings(limits=limits))
    dataset = PairedDataset(tmp_path / "d.h5")
    assert len(dataset.rejects) == 4
    assert back(dataset).rejects == dataset.rejects


def test_without_its_unused_pairs_it_is_another_version(with_unused: PairedDataset) -> None:
    report = export_dataset(with_unused, with_unused.path.parent / "seen", to="gopro")
    assert (report.pairs, report.left_out) == (3, 7)
    found = back(with_unused)
    assert len(found) == 3
    assert found.content_hash != with_unused.content_hash
    assert (found.name, found.version) == (with_unused.name, "2.0.0")
    assert found.provenance().parent == with_unused.content_hash
    told = json.loads(found.provenance().config_json)["exported_from"]
    assert (told["version"], told["left_out"]) == ("1.3.0", 7)
    assert verify_dataset(found.path).is_intact


@pytest.mark.parametrize("settings", [{"split_again": True, "seed": 3}, {"scene_pattern": "_0*([0-9]+)$"}])
def test_with_other_splits_or_scenes_it_is_another_version(built: Built, settings: dict[str, object]) -> None:
    dataset = built()
    found = back(dataset, **settings)
    assert (found.version, found.provenance().parent) == ("2.0.0", dataset.content_hash)


def test_a_version_that_was_asked_for_is_taken(with_unused: PairedDataset) -> None:
    assert back(with_unused, version="1.4.0").version == "1.4.0"


@pytest.mark.parametrize("sources", [(), (Source("session-1", "rec/session-1", "0" * 64),)])
def test_what_came_back_verifies(pairs: Pairs, tmp_path: Path, sources: tuple[Source, ...]) -> None:
    build_dataset(pairs(10), tmp_path / "d.h5", provenance=Provenance(sources=sources))
    found = back(PairedDataset(tmp_path / "d.h5"))
    check = verify_dataset(found.path)
    assert check.problems == ()
    assert {source.session_id for source in found.provenance().sources} == {"out", "session-1"}
    assert set(sources) <= set(found.provenance().sources)
    assert "session session-1" in {seen.where for seen in check.unchecked}
