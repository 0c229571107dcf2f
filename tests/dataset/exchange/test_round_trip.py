"""What is exported and imported again is the same dataset, to its content hash."""

import dataclasses
import gc
import json
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from twinlens.corrections import CameraCorrection, RigCorrections
from twinlens.dataset import (
    ExportSettings,
    ImportSettings,
    MirrorStateRecord,
    PairedDataset,
    Provenance,
    build_dataset,
    export_dataset,
    import_dataset,
)
from twinlens.dataset.identity import HASHED_COLUMNS
from twinlens.errors import DatasetError, FormatError, SettingsError

Built = Callable[..., PairedDataset]
LAYOUTS = ("gopro", "basicsr", "lmdb", "imagefolder", "webdataset", "zarr")


def exported(dataset: PairedDataset, out: Path, layout: str, **changes: object) -> Path:
    to = "basicsr" if layout == "lmdb" else layout
    export_dataset(dataset, out, to=to, settings=ExportSettings(lmdb=layout == "lmdb", **changes))
    return out


def imported(source: Path, out: Path, form: str, **changes: object) -> PairedDataset:
    form = form.replace("lmdb", "basicsr")
    import_dataset(source, out, settings=ImportSettings(format=form, **changes))
    return PairedDataset(out)


def read_png(path: Path) -> np.ndarray:
    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert found is not None
    return found


def assert_same(found: PairedDataset, dataset: PairedDataset) -> None:
    assert len(found) == len(dataset)
    for name in (
        "content_hash",
        "name",
        "version",
        "bit_depth",
        "dtype",
        "scenes",
        "session_ids",
        "mirror_states",
    ):
        assert getattr(found, name) == getattr(dataset, name), name
    for one, other in zip(found, dataset, strict=True):
        for name in ("input", "target", "mask"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert (one.pair_id, one.scene, one.split) == (other.pair_id, other.scene, other.split)
    for column in HASHED_COLUMNS:
        np.testing.assert_array_equal(found.contents.table[column], dataset.contents.table[column])


@pytest.mark.parametrize("bit_depth", [8, 10, 16])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_export_comes_back_as_the_dataset_it_was(
    layout: str, bit_depth: int, built: Built, tmp_path: Path, needed_package: Callable[[str], None]
) -> None:
    needed_package(layout)
    dataset = built(bit_depth=bit_depth)
    folder = exported(dataset, tmp_path / "out", layout)
    assert_same(imported(folder, tmp_path / "back.h5", layout), dataset)


@pytest.mark.parametrize("layout", ["gopro", "imagefolder", "webdataset", "zarr"])
def test_grey_written_in_three_channels_comes_back_as_grey(
    layout: str, built: Built, tmp_path: Path, needed_package: Callable[[str], None]
) -> None:
    needed_package(layout)
    dataset = built(bit_depth=10)
    folder = exported(dataset, tmp_path / "out", layout, rgb=True)
    assert_same(imported(folder, tmp_path / "back.h5", layout), dataset)


@pytest.mark.parametrize("layout", ["gopro", "webdataset"])
def test_pictures_spread_over_16_bits_come_back_as_deep_as_they_were(
    layout: str, built: Built, tmp_path: Path
) -> None:
    dataset = built(bit_depth=10)
    folder = exported(dataset, tmp_path / "out", layout, full_range=True)
    if layout == "gopro":
        brightest = max(read_png(path).max() for path in folder.glob("*/input/*.png"))
        assert brightest == 1023 << 6
    assert_same(imported(folder, tmp_path / "back.h5", layout), dataset)


def test_a_dataset_in_tiles_comes_back_in_tiles(built: Built, tmp_path: Path) -> None:
    dataset = built()
    first = exported(dataset, tmp_path / "a", "gopro")
    tiles = imported(first, tmp_path / "tiles.h5", "gopro", layout="tiles")
    assert tiles.contents.layout == "tiles"
    assert_same(imported(exported(tiles, tmp_path / "b", "webdataset"), tmp_path / "c.h5", "webdataset"), dataset)


def test_what_belongs_to_the_dataset_comes_back_too(pairs: Callable[..., object], tmp_path: Path) -> None:
    correction = CameraCorrection(
        dark=np.full((40, 56), 2.0, np.float32),
        gain=np.ones((40, 56), np.float32),
        defects=np.eye(40, 56, dtype=np.bool_),
        pedestal=2.0,
        bit_depth=8,
    )
    state = MirrorStateRecord("coma 0.5", (0.25, -1.5), "V")
    build_dataset(
        pairs(10),
        tmp_path / "d.h5",
        provenance=Provenance(mirror_states=(state,)),
        corrections=RigCorrections(correction, correction),
    )
    dataset = PairedDataset(tmp_path / "d.h5")
    back = imported(exported(dataset, tmp_path / "out", "gopro"), tmp_path / "back.h5", "gopro")
    assert_same(back, dataset)
    assert back.is_corrected
    found = back.corrections()
    assert found is not None
    np.testing.assert_array_equal(found.b.defects, correction.defects)
    np.testing.assert_array_equal(found.a.dark, correction.dark)


def test_provenance_names_the_export_by_hash(built: Built, tmp_path: Path) -> None:
    dataset = built()
    back = imported(exported(dataset, tmp_path / "out", "gopro"), tmp_path / "back.h5", "gopro")
    told = json.loads(back.provenance().config_json)
    assert told["exported_from"]["content_hash"] == dataset.content_hash
    source, of_pairs = back.provenance().sources
    assert (source.session_id, source.path, len(source.sha256)) == ("out", "out", 64)
    assert (of_pairs.session_id, of_pairs.sha256) == ("session-1", "")


def test_an_export_says_how_bright_white_is_and_what_is_known_of_each_pair(built: Built, tmp_path: Path) -> None:
    dataset = built(bit_depth=10)
    told = json.loads((exported(dataset, tmp_path / "out", "gopro") / "twinlens-export.json").read_text())
    assert (told["schema"], told["bit_depth"], told["full_scale"]) == ("twinlens.export", 10, 1023)
    assert told["content_hash"] == dataset.content_hash
    of_first = next(facts for facts in told["pairs"].values() if facts["row"] == 0)
    assert of_first["residual_px"] == pytest.approx(0.03)
    assert of_first["pair_id"] == dataset[0].pair_id


def test_a_report_counts_pairs_files_and_bytes(built: Built, tmp_path: Path) -> None:
    dataset = built()
    report = export_dataset(dataset, tmp_path / "out", to="gopro")
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert (report.pairs, report.files) == (10, 31) == (10, len(files))
    assert report.bytes == sum(path.stat().st_size for path in files)
    assert sum(report.pictures.values()) == 10
    json.dumps(dataclasses.asdict(report))


def test_memory_does_not_grow_with_the_number_of_pairs(pairs: Callable[..., object], tmp_path: Path) -> None:
    def peak_bytes(count: int) -> int:
        build_dataset(pairs(count, shape_hw=(300, 400)), tmp_path / f"{count}.h5", overwrite=True)
        dataset = PairedDataset(tmp_path / f"{count}.h5")
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        (tmp_path / "back.h5").unlink(missing_ok=True)
        gc.collect()
        tracemalloc.start()
        imported(
            exported(dataset, tmp_path / "out", "gopro"), tmp_path / "back.h5", "gopro", find_duplicates=False
        )
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(6)  # imports and caches are paid here
    # 24 more pairs may cost their names and facts, and nothing like their 8.6 MB of pixels.
    assert peak_bytes(30) - peak_bytes(6) < 360_000


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_export_that_fails_leaves_nothing(
    layout: str, built: Built, tmp_path: Path, needed_package: Callable[[str], None]
) -> None:
    needed_package(layout)
    dataset = built()

    def stop(done: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    before = sorted(path.name for path in tmp_path.iterdir())
    to = "basicsr" if layout == "lmdb" else layout
    with pytest.raises(KeyboardInterrupt):
        export_dataset(
            dataset, tmp_path / "out", to=to, settings=ExportSettings(lmdb=layout == "lmdb"), on_pair=stop
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize(("where", "match"), [("row", "does not tell its row"), ("session_id", "session_id")])
def test_an_export_that_tells_too_little_is_a_clear_error(
    built: Built, tmp_path: Path, where: str, match: str
) -> None:
    folder = exported(built(), tmp_path / "out", "gopro")
    told = json.loads((folder / "twinlens-export.json").read_text())
    del next(iter(told["pairs"].values()))[where]
    (folder / "twinlens-export.json").write_text(json.dumps(told))
    with pytest.raises(FormatError, match=match):
        imported(folder, tmp_path / "back.h5", "gopro")


def test_an_export_that_lost_a_pair_is_not_imported(built: Built, tmp_path: Path) -> None:
    folder = exported(built(), tmp_path / "out", "gopro")
    gone = sorted((folder / "train" / "input").iterdir())[0].name
    for side in ("input", "target", "mask"):
        (folder / "train" / side / gone).unlink()
    with pytest.raises(DatasetError, match=f"lists 10 pairs; 1 of them are not there.*{gone[:-4]}"):
        imported(folder, tmp_path / "back.h5", "gopro")
    assert not (tmp_path / "back.h5").exists()


def test_a_damaged_picture_is_named_and_leaves_nothing(built: Built, tmp_path: Path) -> None:
    folder = exported(built(), tmp_path / "out", "gopro")
    victim = sorted((folder / "val" / "target").iterdir())[0]
    victim.write_bytes(b"no picture")
    with pytest.raises(FormatError, match=victim.name):
        imported(folder, tmp_path / "back.h5", "gopro")
    assert not (tmp_path / "back.h5").exists()


def test_names_that_differ_in_capitals_or_odd_characters_alone_stay_apart(
    pairs: Callable[..., object], tmp_path: Path
) -> None:
    scenes = ("Gate", "gate", "g/ate", "g:ate", "über dem Tor")
    build_dataset(
        (dataclasses.replace(pair, scene=scenes[k // 2], session_id=f"s {k % 2}", trigger_index=k // 2)
         for k, pair in enumerate(pairs(10))),
        tmp_path / "d.h5",
    )  # fmt: skip
    dataset = PairedDataset(tmp_path / "d.h5")
    back = imported(exported(dataset, tmp_path / "out", "webdataset"), tmp_path / "back.h5", "webdataset")
    assert_same(back, dataset)


def test_patches_cover_training_frames_and_leave_the_others_whole(built: Built, tmp_path: Path) -> None:
    dataset = built()
    folder = exported(dataset, tmp_path / "out", "gopro", patch_px=24, stride_px=16)
    told = json.loads((folder / "twinlens-export.json").read_text())["pairs"]
    seen = np.zeros((40, 56), np.bool_)
    for key, facts in told.items():
        if facts["split"] == "train" and facts["row"] == dataset.split("train").indices[0]:
            top, left = facts["patch_top_left_px"]
            seen[top : top + 24, left : left + 24] = True
            assert key.endswith(f"_y{top:05d}_x{left:05d}")
    assert seen.all()
    assert len(list((folder / "val" / "input").iterdir())) == len(dataset.split("val"))
    # Three sizes of steps: 0, 16 down; 0, 16, 32 across.
    assert len(list((folder / "train" / "input").iterdir())) == 6 * len(dataset.split("train"))
    with pytest.raises(DatasetError, match=r"2 sizes: 24x24 px \(\d+\), 56x40 px"):
        imported(folder, tmp_path / "back.h5", "gopro")
    cropped = imported(folder, tmp_path / "back.h5", "gopro", crop_to_common=True)
    assert cropped.shape_hw == (24, 24)
    assert set(cropped.scenes) == set(dataset.scenes)


def test_patches_larger_than_frames_and_a_stride_without_patches_are_refused(built: Built, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="56x40 px, patches of 41 px"):
        export_dataset(built(), tmp_path / "out", to="gopro", settings=ExportSettings(patch_px=41))
    with pytest.raises(SettingsError, match="no patches"):
        ExportSettings(stride_px=4)
    assert not (tmp_path / "out").exists()


def test_new_splits_can_be_drawn_from_an_export(built: Built, tmp_path: Path) -> None:
    dataset = built()
    folder = exported(dataset, tmp_path / "out", "gopro")
    back = imported(folder, tmp_path / "back.h5", "gopro", split_again=True, seed=3)
    assert {pair.pair_id for pair in back} == {pair.pair_id for pair in dataset}
    assert all(len(back.split(name)) for name in ("train", "val", "test"))
