"""Sources are compared where they are sure to be the ones; nothing else beside a dataset is held against it."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from twinlens.calibrate.align import AlignedPair
from twinlens.dataset import ImportSettings, Provenance, Source, build_dataset, import_dataset
from twinlens.dataset.verify import DatasetCheck, verify_dataset

ACCOUNT = b'{"id": "session-1"}'


@pytest.fixture(scope="module")
def whole(pair: Callable[..., AlignedPair], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 10 pairs in 5 scenes, beside its session."""
    folder = tmp_path_factory.mktemp("campaign")
    (folder / "session-1").mkdir()
    (folder / "session-1" / "session.json").write_bytes(ACCOUNT)
    source = Source("session-1", "session-1", hashlib.sha256(ACCOUNT).hexdigest())
    build_dataset([pair(k) for k in range(10)], folder / "street.h5", provenance=Provenance(sources=(source,)))
    return folder / "street.h5"


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, without its session."""
    return Path(shutil.copy(whole, tmp_path))


def told(check: DatasetCheck) -> str:
    return "\n".join(f"{problem.where}: {problem.what}" for problem in check.problems)


def test_a_session_that_changed_is_found_by_its_name_and_one_that_is_away_is_said(whole: Path, path: Path) -> None:
    assert "not found by its name session-1" in [seen.what for seen in verify_dataset(path).unchecked]
    assert verify_dataset(path, sources=[whole.parent]).is_intact
    moved = path.parent / "archive" / "session-1"
    shutil.copytree(whole.parent / "session-1", moved)
    (moved / "session.json").write_text('{"id": "session-1", "note": "edited"}')
    check = verify_dataset(path, sources=[moved.parent])
    assert "is not what the dataset was made from" in told(check)


def test_another_session_of_the_same_folder_name_is_not_taken_for_the_source(path: Path) -> None:
    other = path.parent / "session-1"
    other.mkdir()
    (other / "session.json").write_text('{"id": "session-9"}')
    check = verify_dataset(path)
    assert check.is_intact, told(check)
    assert "not found by its name session-1" in [seen.what for seen in check.unchecked]


def test_one_true_copy_of_a_session_is_enough(whole: Path, path: Path) -> None:
    changed = path.parent / "archive"
    changed.mkdir()
    (changed / "session.json").write_text('{"id": "session-1", "note": "edited"}')
    shutil.copytree(whole.parent / "session-1", path.parent / "renamed")
    check = verify_dataset(path)
    assert check.is_intact, told(check)
    assert "session session-1" not in {seen.where for seen in check.unchecked}


def test_sources_that_do_not_hold_a_session_are_a_problem(path: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    check = verify_dataset(path, sources=[tmp_path / "empty"])
    assert told(check) == "session session-1: not found by its name session-1"


def test_a_folder_beside_that_cannot_be_read_is_no_damage(path: Path) -> None:
    # A folder where a file should be: not even root reads it.
    (path.parent / "lost+found" / "session.json").mkdir(parents=True)
    check = verify_dataset(path)
    assert check.is_intact, told(check)


def test_a_name_that_no_file_can_have_is_no_damage(
    pairs: Callable[..., Iterator[AlignedPair]], tmp_path: Path
) -> None:
    path = tmp_path / "long.h5"
    build_dataset(pairs(10), path, provenance=Provenance(sources=(Source("session-1", 300 * "x", "00" * 32),)))
    check = verify_dataset(path)
    assert check.is_intact, told(check)


def test_imported_files_are_compared_by_their_fingerprint(tmp_path: Path) -> None:
    for k in range(10):
        pixels = np.random.default_rng(k).integers(0, 255, (24, 32)).astype(np.uint8)
        for side in ("blur", "sharp"):
            picture = tmp_path / "photos" / side / f"{k // 2}" / f"{k}.png"
            picture.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(picture), pixels)
    settings = ImportSettings(
        format="folders", input="blur/{name}.png", target="sharp/{name}.png", find_duplicates=False
    )
    path, photos = tmp_path / "photos.h5", tmp_path / "photos"
    import_dataset(photos, path, settings=settings)
    check = verify_dataset(path)
    assert check.is_intact, told(check)
    assert "imported files photos" not in {seen.where for seen in check.unchecked}
    (photos / "notes.txt").write_text("more")
    changed = "imported files photos: photos is not what the dataset was made from"
    # Beside the dataset, another folder of that name may be meant.
    unsure = verify_dataset(path)
    assert unsure.is_intact
    assert changed in "\n".join(f"{s.where}: {Path(s.what).name}" for s in unsure.unchecked)
    for place in (photos, tmp_path):
        assert not verify_dataset(path, sources=[place]).is_intact
    photos.rename(tmp_path / "gone")
    assert verify_dataset(path).is_intact
    assert "not found by its name photos" in told(verify_dataset(path, sources=[tmp_path]))
