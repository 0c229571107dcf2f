"""`twinlens verify` tells what it is given, and its exit code says whether that is as it was made."""

import json
import re
from pathlib import Path

import h5py
import pytest
from small_pairs import make_pairs

from twinlens.cli import run
from twinlens.dataset import DatasetSettings, build_dataset
from twinlens.dataset.schema import LIBVER
from twinlens.storage import write_artefact


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Ten pairs of noise."""
    pairs = make_pairs(10)
    path = tmp_path / "data" / "noise.h5"
    build_dataset(pairs, path, settings=DatasetSettings(find_duplicates=False))
    return path


def content_hash(dataset: Path) -> str:
    from twinlens.dataset import PairedDataset

    return PairedDataset(dataset).content_hash


def test_a_whole_dataset_passes_and_says_what_was_not_compared(
    dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["verify", str(dataset)]) == 0
    told = capsys.readouterr().out
    assert re.search(r"problems +none", told)
    assert "the dataset names no calibration" in told


def test_damage_exits_1_and_is_listed_as_json(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with h5py.File(dataset, "r+", libver=LIBVER) as file:
        file["/pairs/input"][4, 3, 3] ^= 1
    assert run(["verify", str(dataset), "--json"]) == 1
    told = capsys.readouterr()
    assert {problem["where"] for problem in json.loads(told.out)["problems"]} == {"pair 4", "/"}
    assert "CorruptError" in told.err
    assert "build it again" in told.err


def test_a_leak_alone_is_told_as_one(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from twinlens.dataset.identity import content_hash as hashed
    from twinlens.dataset.seal import seal

    with h5py.File(dataset, "r+", libver=LIBVER) as file:
        default = file["/splits/default"]
        train, test = default["train"][()], default["test"][()]
        train[0], test[0] = test[0], train[0]
        default["train"][...], default["test"][...] = train, test
        table = file["/pairs/table"][()]
        ids = [name.decode() for name in table["pair_id"].tolist()]
        parts = {part: [ids[row] for row in rows[()]] for part, rows in default.items()}
        file.attrs["content_hash"] = hashed([one.tobytes() for one in table["pair_hash"]], {"default": parts})
        seal(file)
    assert run(["verify", str(dataset)]) == 1
    assert "SplitLeakError" in capsys.readouterr().err


def test_a_report_is_followed_to_its_dataset(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    write_artefact(report, "twinlens.report", "1.0.0", {"dataset": {"content_hash": content_hash(dataset)}})
    assert run(["verify", str(report)]) == 0
    assert "not found; name it with --sources" in capsys.readouterr().out
    for place in (dataset, dataset.parent):
        assert run(["verify", str(report), "--sources", str(place), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["dataset"] == str(dataset)


def test_a_report_of_another_dataset_is_refused(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    write_artefact(report, "twinlens.report", "1.0.0", {"dataset": {"content_hash": "00" * 32}})
    assert run(["verify", str(report), "--sources", str(dataset)]) == 1
    assert "was made with a dataset of content hash 000000000000" in capsys.readouterr().err


def test_a_changed_artefact_and_a_foreign_file_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calibration = tmp_path / "calibration.json"
    write_artefact(calibration, "twinlens.calibration", "1.1.0", {"mirror_states": []})
    assert run(["verify", str(calibration)]) == 0
    calibration.write_text(calibration.read_text().replace("[]", "[1]"))
    assert run(["verify", str(calibration)]) == 1
    assert "was changed after it was written" in capsys.readouterr().err
    (tmp_path / "notes.txt").write_text("hello")
    assert run(["verify", str(tmp_path / "notes.txt")]) == 1
    assert "is no file that twinlens wrote" in capsys.readouterr().err


@pytest.mark.parametrize("dataset", ["street.h5", ["street.h5"]])
def test_a_report_that_names_its_dataset_in_no_way_of_ours_is_refused(
    dataset: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    write_artefact(report, "twinlens.report", "1.0.0", {"dataset": dataset})
    assert run(["verify", str(report)]) == 1
    told = capsys.readouterr().err
    assert "FormatError" in told
    assert "names its dataset as" in told


def test_only_sessions_are_repaired(dataset: Path) -> None:
    assert run(["verify", "--repair", str(dataset)]) == 2
