"""More pairs for a dataset: who was trained on stays trained on, and nothing foreign comes in."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
from small_rig import identity_calibration, write_session

from twinlens.building import append_sessions, build_from_sessions
from twinlens.dataset import DatasetSettings, ImportSettings, PairedDataset, SplitSettings, import_dataset
from twinlens.errors import DatasetError

SETTINGS = DatasetSettings(find_duplicates=False)


@pytest.fixture
def calibration_file(tmp_path: Path) -> Path:
    return identity_calibration(tmp_path / "calibration.json")


def test_appended_pairs_leave_everyone_where_they_were(tmp_path: Path, calibration_file: Path) -> None:
    names = [f"scene-{k}" for k in range(6)]
    old = write_session(tmp_path / "old", scenes=names, pairs_per_scene=2)
    build_from_sessions([old], calibration_file, tmp_path / "d-v1.0.0.h5", settings=SETTINGS)
    parent = PairedDataset(tmp_path / "d-v1.0.0.h5")
    new = write_session(tmp_path / "new", scenes=[*names[:2], "sea", "sky"], pairs_per_scene=2)
    report = append_sessions(parent, [new], calibration_file, tmp_path / "d-v1.1.0.h5", settings=SETTINGS)

    child = PairedDataset(tmp_path / "d-v1.1.0.h5")
    assert (report.pairs, report.version, child.name, child.provenance().parent) == (
        20,
        "1.1.0",
        "d",
        parent.content_hash,
    )
    split_of = {pair.scene: pair.split for pair in parent}
    assert all(pair.split == split_of.get(pair.scene, pair.split) for pair in child)
    assert {source.session_id for source in child.provenance().sources} == {"session_old", "session_new"}
    np.testing.assert_array_equal(child[0].input, parent[0].input)


def test_appended_scenes_of_a_known_place_join_its_split(tmp_path: Path, calibration_file: Path) -> None:
    names = [f"scene-{k}" for k in range(5)]
    old = write_session(tmp_path / "old", scenes=names, pairs_per_scene=2)
    new = write_session(tmp_path / "new", scenes=["gate"], pairs_per_scene=2)
    for seed in range(4):
        splits = SplitSettings(seed=seed, places={"scene-1": "castle"})
        settings = dataclasses.replace(SETTINGS, splits=splits)
        build_from_sessions([old], calibration_file, tmp_path / f"{seed}-v1.0.0.h5", settings=settings)
        parent = PairedDataset(tmp_path / f"{seed}-v1.0.0.h5")
        more = dataclasses.replace(SETTINGS, splits=SplitSettings(places={"gate": "castle"}))
        out = tmp_path / f"{seed}-v1.1.0.h5"
        append_sessions(parent, [new], calibration_file, out, settings=more)
        split_of = {pair.scene: pair.split for pair in PairedDataset(out)}
        assert split_of["gate"] == split_of["scene-1"]


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ({"splits": SplitSettings(counts=(8, 2, 2))}, "no counts and no mirror state"),
        ({"splits": SplitSettings(assignment={"scene-0": "test", "scene-1": "test"})}, "is assigned to test, and"),
    ],
    ids=["counts", "assignment"],
)
def test_what_contradicts_the_parent_is_not_appended(
    tmp_path: Path, calibration_file: Path, change: dict[str, object], seen: str
) -> None:
    old = write_session(tmp_path / "old", scenes=[f"scene-{k}" for k in range(5)], pairs_per_scene=2)
    build_from_sessions([old], calibration_file, tmp_path / "d.h5", settings=SETTINGS)
    new = write_session(tmp_path / "new", pairs_per_scene=2)
    settings = dataclasses.replace(SETTINGS, **change)
    with pytest.raises(DatasetError, match=seen):
        append_sessions(
            PairedDataset(tmp_path / "d.h5"), [new], calibration_file, tmp_path / "e.h5", settings=settings
        )
    assert not (tmp_path / "e.h5").exists()


def test_a_session_is_appended_once_and_by_its_own_rig(tmp_path: Path) -> None:
    calibration = identity_calibration(tmp_path / "calibration.json", serials=("A", "B"))
    old = write_session(tmp_path / "old", scenes=[f"scene-{k}" for k in range(3)])
    build_from_sessions([old], calibration, tmp_path / "d.h5", settings=SETTINGS)
    parent = PairedDataset(tmp_path / "d.h5")
    with pytest.raises(DatasetError, match=r"3 pairs are in .* already, such as trigger 0 of session_old"):
        append_sessions(parent, [old], calibration, tmp_path / "e.h5", settings=SETTINGS)
    with pytest.raises(DatasetError, match="session_old is given 2 times"):
        build_from_sessions([old, old], calibration, tmp_path / "e.h5", settings=SETTINGS)
    other = write_session(tmp_path / "other", serial_a="Z")
    anybodys = identity_calibration(tmp_path / "anybodys.json")
    with pytest.raises(DatasetError, match="session_other was recorded by Z and B"):
        append_sessions(parent, [other], anybodys, tmp_path / "e.h5", settings=SETTINGS)


def test_a_session_is_not_appended_to_pictures_in_colour(tmp_path: Path, calibration_file: Path) -> None:
    for k in range(6):
        for side in ("input", "target"):
            pixels = np.random.default_rng(k).integers(0, 255, (48, 64, 3)).astype(np.uint8)
            (tmp_path / "src" / "train" / side).mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(tmp_path / "src" / "train" / side / f"{k}.png"), pixels)
    import_dataset(tmp_path / "src", tmp_path / "d.h5", settings=ImportSettings(format="gopro"))
    new = write_session(tmp_path / "new", pairs_per_scene=2)
    with pytest.raises(DatasetError, match=r"session_new is monochrome, .*d.h5 in colour"):
        append_sessions(
            PairedDataset(tmp_path / "d.h5"), [new], calibration_file, tmp_path / "e.h5", settings=SETTINGS
        )


def test_the_same_command_with_another_parent_is_not_taken_for_done(
    tmp_path: Path, calibration_file: Path
) -> None:
    scenes = [f"scene-{k}" for k in range(3)]
    new = write_session(tmp_path / "new", scenes=["sea"])
    for name in ("one", "two"):
        session = write_session(tmp_path / name, scenes=scenes)
        build_from_sessions([session], calibration_file, tmp_path / f"{name}.h5", settings=SETTINGS)
    parents = [PairedDataset(tmp_path / f"{name}.h5") for name in ("one", "two")]
    append_sessions(parents[0], [new], calibration_file, tmp_path / "e.h5", settings=SETTINGS)
    append_sessions(parents[0], [new], calibration_file, tmp_path / "e.h5", settings=SETTINGS)  # done already
    with pytest.raises(DatasetError, match="was built from something else"):
        append_sessions(parents[1], [new], calibration_file, tmp_path / "e.h5", settings=SETTINGS)
