"""The verbs that make datasets, as a user types them."""

import json
from pathlib import Path

import pytest
from small_rig import identity_calibration, write_session

from twinlens.cli import run
from twinlens.dataset import PairedDataset, PairSplit

NAMES = [f"scene-{k}" for k in range(6)]


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with sessions s and t, and their calibration."""
    write_session(tmp_path / "s", scenes=NAMES, pairs_per_scene=2)
    write_session(tmp_path / "t", scenes=["sea", "sky"], pairs_per_scene=2)
    identity_calibration(tmp_path / "calibration.json", serials=("A", "B"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def build(*options: str, out: str = "street-v1.0.0.h5") -> int:
    return run(["build", "s", "-c", "calibration.json", "-o", out, "--jobs", "1", *options])


def sizes(path: str, scheme: str = "default") -> list[int]:
    dataset = PairedDataset(path)
    splits: list[PairSplit] = [dataset.split(name, scheme=scheme) for name in ("train", "val", "test", "unused")]
    return [len(split) for split in splits]


@pytest.mark.usefixtures("lab")
def test_a_dataset_is_tried_built_extended_split_and_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert build("--counts", "8,2,2", "--max-skew-us", "1", "--dry-run", "--json") == 0
    tried = json.loads(capsys.readouterr().out)
    assert (tried["pairs"], [count["pairs"] for count in tried["splits"]]) == (12, [8, 2, 2, 0])
    assert not Path("street-v1.0.0.h5").exists()

    assert build("--counts", "8,2,2", "--license", "CC-BY-4.0") == 0
    assert "8 pairs of 4 scenes" in capsys.readouterr().out
    assert sizes("street-v1.0.0.h5") == [8, 2, 2, 0]
    assert PairedDataset("street-v1.0.0.h5").contents.head["license"] == "CC-BY-4.0"

    more = ["append", "street-v1.0.0.h5", "t", "-c", "calibration.json", "--jobs", "1"]
    assert run(more) == 0
    assert sum(sizes("street-v1.1.0.h5")) == 16

    again = ["split", "street-v1.1.0.h5", "--scheme", "other", "--seed", "5", "--counts", "10,2,4"]
    assert run([*again, "--json"]) == 0
    assert sizes("street-v1.2.0.h5", "other") == [10, 2, 4, 0]
    assert sizes("street-v1.2.0.h5") == sizes("street-v1.1.0.h5")

    part = ["derive", "street-v1.2.0.h5", "-o", "part.h5", "--crop", "10", "20", "64", "48", "--layout", "tiles"]
    assert run(part) == 0
    dataset = PairedDataset("part.h5")
    assert (dataset.shape_hw, dataset.version, dataset.contents.layout) == ((48, 64), "2.0.0", "tiles")
    for name in ("street-v1.0.0.h5", "street-v1.1.0.h5", "street-v1.2.0.h5", "part.h5"):
        assert run(["verify", name, "--sources", "."]) == 0
    assert run(["info", "part.h5"]) == 0
    Path("away").mkdir()
    Path("s").rename("away/s")
    Path("part.h5").rename("away/part.h5")
    Path("elsewhere").mkdir()
    capsys.readouterr()
    assert run(["verify", "away/part.h5", "--sources", "elsewhere"]) == 0
    Path("away/s").rename("elsewhere/s")
    Path("t").rename("elsewhere/t")
    assert run(["verify", "away/part.h5"]) == 0
    assert run(["verify", "away/part.h5", "--sources", "elsewhere"]) == 0
    assert run(["verify", "away/part.h5", "--sources", "away"]) == 1
    assert "the file itself is whole" in capsys.readouterr().err


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize(
    ("options", "code", "seen"),
    [
        (["--counts", "9,2,1"], 1, "--trim"),
        (["--counts", "9,2"], 2, "is not TRAIN,VAL,TEST"),
        (["--assign", "scene-1"], 2, "is not SCENE=train"),
        (["--assign", "lake=train"], 1, "lake"),
        (["--place", "scene-1"], 2, "is not SCENE=PLACE"),
        (["--scene", "lake"], 1, "no session shows lake"),
        (["--min-ncc", "2"], 1, "all 12 were left out"),
        (["--leave-out-mirror-state", "bent"], 1, "bent"),
        (["--ratios", "0.8", "0.2", "0"], 1, "three positive shares"),
        (["--jobs", "0"], 2, "--jobs"),
    ],
)
def test_what_cannot_be_built_is_told_and_leaves_no_dataset(
    capsys: pytest.CaptureFixture[str], options: list[str], code: int, seen: str
) -> None:
    assert build(*options) == code
    told = capsys.readouterr().err
    assert seen in " ".join(told.replace("│", " ").split())
    assert not list(Path().glob("*.h5"))


@pytest.mark.usefixtures("lab")
def test_a_dry_run_counts_what_it_kept_though_it_cannot_be_split(capsys: pytest.CaptureFixture[str]) -> None:
    assert build("--counts", "9,2,1", "--dry-run", "--json") == 1
    told = capsys.readouterr()
    tried = json.loads(told.out)
    assert (tried["pairs"], tried["splits"]) == (12, [])
    assert "nearest counts" in tried["split_problem"]
    assert "nearest counts" in " ".join(told.err.replace("│", " ").split())


@pytest.mark.usefixtures("lab")
def test_a_folder_that_cannot_be_written_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("blocked").write_text("a file where a folder should be")
    assert build(out="blocked/d.h5") == 1
    assert "blocked" in capsys.readouterr().err
