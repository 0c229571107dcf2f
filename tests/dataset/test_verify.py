"""Whatever is not as it was written is found and named; what splits share is found, whoever wrote it so."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from twinlens.calibrate.align import AlignedPair
from twinlens.dataset import DatasetSettings, Provenance, Source, build_dataset
from twinlens.dataset.heaps import unreadable
from twinlens.dataset.identity import content_hash
from twinlens.dataset.schema import LIBVER
from twinlens.dataset.seal import seal
from twinlens.dataset.verify import DatasetCheck, verify_dataset
from twinlens.errors import FormatError
from twinlens.storage import write_artefact

PairsMaker = Callable[..., Iterator[AlignedPair]]
Edit = Callable[[h5py.File], object]
PAIRS = 12


@pytest.fixture(scope="module")
def whole(pair: Callable[..., AlignedPair], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 12 pairs in 6 scenes, in a folder of its own beside its session."""
    folder = tmp_path_factory.mktemp("campaign")
    session = folder / "session-1"
    session.mkdir()
    (session / "session.json").write_text('{"id": "session-1"}')
    write_artefact(
        folder / "calibration.json",
        "twinlens.calibration",
        "1.1.0",
        {"mirror_states": [{"session_ids": ["session-1"]}]},
    )
    path = folder / "street-v1.0.0.h5"
    pairs = [pair(k, host_time_ns=1000 * (k + 1)) for k in range(PAIRS)]
    build_dataset(pairs, path, provenance=_provenance(folder))
    return path


def _provenance(folder: Path) -> Provenance:
    manifest = folder / "session-1" / "session.json"
    source = Source("session-1", "session-1", hashlib.sha256(manifest.read_bytes()).hexdigest())
    return Provenance(calibration_json=(folder / "calibration.json").read_text(), sources=(source,))


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copy(whole, tmp_path))


@contextmanager
def edited(path: Path, *, resealed: bool = True) -> Iterator[h5py.File]:
    """Change a dataset as a program would that knows how to hash and seal it."""
    with h5py.File(path, "r+", libver=LIBVER) as file:
        yield file
        if not resealed:
            return
        table = file["/pairs/table"][()]
        ids = [name.decode() for name in table["pair_id"].tolist()]
        schemes = {
            scheme: {part: [ids[row] for row in rows[()] if 0 <= row < len(ids)] for part, rows in group.items()}
            for scheme, group in file["/splits"].items()
        }
        file.attrs["content_hash"] = content_hash([one.tobytes() for one in table["pair_hash"]], schemes)
        seal(file)


def row_edit(row: int, column: str, value: Any) -> Edit:
    def edit(file: h5py.File) -> None:
        rows = file["/pairs/table"][()]
        rows[column][row] = value
        file["/pairs/table"][...] = rows

    return edit


def put(name: str, value: Any) -> Edit:
    def edit(file: h5py.File) -> None:
        del file[name]
        file[name] = value

    return edit


def in_two(file: h5py.File) -> None:
    """The first pair of train also goes to test."""
    rows = np.append(file["/splits/default/test"][()], file["/splits/default/train"][0])
    put("/splits/default/test", rows)(file)


def told(check: DatasetCheck) -> str:
    return "\n".join(f"{problem.where}: {problem.what}" for problem in check.problems)


def test_a_whole_dataset_is_intact_and_everything_was_compared(whole: Path) -> None:
    seen: list[tuple[int, int]] = []
    check = verify_dataset(whole, on_pair=lambda done, of: seen.append((done, of)))
    assert check.is_intact, told(check)
    assert (check.pairs, check.trigger_gaps, check.warnings, check.unchecked) == (PAIRS, 0, (), ())
    assert seen[-1] == (PAIRS, PAIRS)


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        (lambda f: f["/pairs/input"].__setitem__((3, 5, 5), f["/pairs/input"][3, 5, 5] ^ 1), "pair 3: its input"),
        (
            lambda f: f["/pairs/target"].__setitem__((3, 5, 5), f["/pairs/target"][3, 5, 5] ^ 1),
            "pair 3: its target",
        ),
        (lambda f: f["/pairs/mask"].__setitem__((3, 5, 5), 0), "pair 3: its pixels, mask and passport"),
        (lambda f: f["/pairs/mask"].__setitem__((3, 5, 5), 2), "pair 3: its mask holds 2"),
        (row_edit(2, "residual_px", 0.01), "pair 2: its pixels, mask and passport"),
        (row_edit(2, "pair_id", b"me"), "pair 2: is called me"),
        (row_edit(2, "host_time_ns", 1), "session session-1: trigger 2 was not later"),
        (row_edit(2, "group_id", 99), "group_id is 0 to 99, of 6 known"),
        (row_edit(slice(None), "bit_depth", 10), "is uint8; its rows say uint16"),
        (lambda f: f["/pairs/mask"].resize(PAIRS - 1, axis=0), "/pairs/mask: is (11, 40, 56)"),
        (lambda f: f["/pairs/photometric"].resize(PAIRS - 1, axis=0), "/pairs/photometric: is (11, 2)"),
        (in_two, "and 0 more are in several parts"),
        (put("/splits/default/val", np.zeros(0, np.int64)), "are in no part"),
        (put("/splits/default/unused", np.array([99])), "names row 99 of 12"),
        (lambda f: f["/splits/default"].__delitem__("val"), "has no val"),
        (lambda f: f["/splits"].move("default", "other"), "has no scheme 'default'"),
        (lambda f: f.attrs.modify("complete", np.uint8(0)), "was never finished"),
        (put("/provenance/calibration", "{"), "cannot be read as JSON"),
        (put("/provenance/calibration", '{"fields_hash": "ab", "mirror_states": []}'), "was changed after"),
    ],
)
def test_what_is_wrong_is_named(path: Path, edit: Edit, what: str) -> None:
    with edited(path) as file:
        edit(file)
    check = verify_dataset(path)
    assert what in told(check)
    assert not check.is_intact


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        (lambda f: f.attrs.modify("content_hash", "00" * 32), "do not have its content hash"),
        (lambda f: f.attrs.create("note", "new"), "do not have their seal"),
        (lambda f: f.attrs.__delitem__("seal"), "do not have their seal"),
        (lambda f: f.__delitem__("/pairs/b_from_a"), "is damaged or cut short"),
    ],
)
def test_what_was_changed_later_is_found(path: Path, edit: Edit, what: str) -> None:
    with edited(path, resealed=False) as file:
        edit(file)
    assert what in told(verify_dataset(path))


def test_a_group_in_two_splits_is_a_leak_unless_it_was_allowed(path: Path) -> None:
    with edited(path) as file:
        train, test = file["/splits/default/train"][()], file["/splits/default/test"][()]
        put("/splits/default/test", np.append(test, train[0]))(file)
        put("/splits/default/train", train[1:])(file)
    check = verify_dataset(path)
    assert [problem.is_leak for problem in check.problems] == [True]
    assert "lies in train and test" in told(check)
    with edited(path) as file:
        file["/splits/default"].attrs["leaky"] = np.uint8(1)
    check = verify_dataset(path)
    assert check.is_intact
    assert "lies in" in check.warnings[0].what


def test_the_same_pixels_in_two_splits_are_a_leak(pair: Callable[..., AlignedPair], tmp_path: Path) -> None:
    pairs = [pair(k) for k in range(10)]
    copied = pair(0)
    pairs.append(pair(20, scene="planted", input=copied.input, target=copied.target))
    path = tmp_path / "leaky.h5"
    build_dataset(pairs, path, settings=DatasetSettings(find_duplicates=False))
    with h5py.File(path) as file:
        parts = {part: rows[()] for part, rows in file["/splits/default"].items()}
    home = next(part for part, rows in parts.items() if 0 in rows)
    other = next(part for part in ("train", "val", "test") if part != home)
    with edited(path) as file:
        for part, rows in parts.items():
            put(f"/splits/default/{part}", np.append(rows[rows != 10], [10] if part == other else []).astype(int))(
                file
            )
    found = told(verify_dataset(path))
    assert "have the same input pixels" in found
    assert "have the same target pixels" in found


def test_near_duplicates_of_other_groups_in_other_splits_are_a_leak_whatever_the_table_says(path: Path) -> None:
    with edited(path) as file:
        first, second = int(file["/splits/default/train"][0]), int(file["/splits/default/test"][0])
        file["/pairs/target"][second] = file["/pairs/target"][first] // 2
    found = told(verify_dataset(path))
    assert "have targets within 10 bits of each other" in found
    assert f"pair {second}: its target looks unlike its perceptual hash" in found


def test_a_split_without_pairs_is_a_warning(path: Path) -> None:
    with edited(path) as file:
        rows = np.concatenate([file[f"/splits/default/{part}"][()] for part in ("train", "val")])
        put("/splits/default/train", rows)(file)
        put("/splits/default/val", np.zeros(0, np.int64))(file)
    check = verify_dataset(path)
    assert check.is_intact, told(check)
    assert [(seen.where, seen.what) for seen in check.warnings] == [("splits/default", "no pair in val")]


def test_a_pair_that_is_there_twice_is_named(path: Path) -> None:
    with edited(path) as file:
        name = file["/pairs/table"]["pair_id"][4]
        row_edit(7, "pair_id", name)(file)
    assert f"pair {name.decode()} is there 2 times" in told(verify_dataset(path))


def test_a_session_that_nobody_named_is_found(path: Path) -> None:
    with edited(path) as file:
        rows = file["/provenance/sources"][()]
        rows["session_id"] = b"another"
        file["/provenance/sources"][...] = rows
    check = verify_dataset(path)
    assert "session session-1: has pairs here and is no source" in told(check)
    assert "made from session session-1, which is no source" in " ".join(seen.what for seen in check.unchecked)


def test_triggers_without_a_pair_are_counted_and_no_problem(pairs: PairsMaker, tmp_path: Path) -> None:
    path = tmp_path / "gaps.h5"
    build_dataset((pair for pair in pairs(12) if pair.trigger_index not in (3, 4, 7)), path)
    check = verify_dataset(path)
    assert check.is_intact
    assert check.trigger_gaps == 3


def test_a_file_that_is_cut_short_is_damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2000])
    assert not verify_dataset(path).is_intact


def test_a_foreign_file_and_a_newer_one_are_refused(path: Path, tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("no dataset")
    with pytest.raises(FormatError, match="not HDF5"):
        verify_dataset(tmp_path / "text.h5")
    for name, value in (("schema_version", "2.0.0"), ("schema", "somebody.else")):
        with edited(path) as file:
            file.attrs[name] = value
        with pytest.raises(FormatError, match=r"2\.0\.0|somebody"):
            verify_dataset(path)


def test_an_older_file_says_what_it_cannot_be_checked_for(path: Path) -> None:
    with edited(path, resealed=False) as file:
        rows = file["/pairs/table"][()]
        columns = [name for name in rows.dtype.names if name not in ("pair_hash", "host_time_ns", "phash_tg")]
        put("/pairs/table", np.array(rows[columns].tolist(), np.dtype([(c, rows.dtype[c]) for c in columns])))(
            file
        )
        file.attrs["schema_version"] = "1.1.0"
        del file.attrs["seal"]
    check = verify_dataset(path)
    assert check.is_intact, told(check)
    unchecked = json.dumps([seen.what for seen in check.unchecked])
    for what in ("no seal", "no hashes of whole pairs", "no times of the host"):
        assert what in unchecked


def test_a_reader_that_never_ends_is_not_waited_for(path: Path) -> None:
    assert unreadable(path) is None
    reason = unreadable(path, patience_s=0.001)
    assert reason is not None
    assert "did not come to an end" in reason
