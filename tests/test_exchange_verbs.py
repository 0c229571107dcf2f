"""`twinlens export` and `import` from the command line."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from small_pairs import make_pairs

from twinlens.cli import run
from twinlens.dataset import PairedDataset, build_dataset


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def dataset(tmp_path: Path) -> PairedDataset:
    build_dataset(make_pairs(6, shape_hw=(24, 32)), tmp_path / "d.h5")
    return PairedDataset(tmp_path / "d.h5")


def test_a_dataset_goes_out_and_comes_back(dataset: PairedDataset, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", "d.h5", "--to", "gopro", "-o", "out", "--rgb", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["format"], told["pairs"], told["content_hash"]) == ("gopro", 6, dataset.content_hash)
    assert run(["import", "out", "--from", "gopro", "-o", "back.h5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["content_hash"] == dataset.content_hash
    assert run(["export", "d.h5", "--to", "webdataset", "-o", "shards", "--shard-mb", "0.004"]) == 0
    assert run(["import", "shards", "--from", "webdataset", "-o", "again.h5"]) == 0
    assert capsys.readouterr().out.count(dataset.content_hash) == 2


@pytest.mark.usefixtures("dataset")
def test_what_cannot_come_back_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["split", "d.h5", "-o", "e.h5", "--scheme", "few", "--counts", "2,1,1", "--trim"]) == 0
    assert run(["export", "e.h5", "--scheme", "few", "--to", "gopro", "-o", "out"]) == 0
    assert re.search(r"left out +2 pairs", capsys.readouterr().out)
    assert run(["import", "out", "--from", "gopro", "-o", "back.h5", "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["version"] == "2.0.0"
    exported = PairedDataset("e.h5")
    assert "differs from d 1.1.0" in told.err
    assert exported.content_hash[:12] in told.err
    assert "2 pairs were in no exported split" in told.err
    assert run(["export", "e.h5", "--to", "gopro", "-o", "all"]) == 0
    assert "left out" not in capsys.readouterr().out
    assert run(["import", "all", "--from", "gopro", "-o", "same.h5"]) == 0
    assert "differs" not in capsys.readouterr().err
    assert PairedDataset("same.h5").content_hash == exported.content_hash
    picture = next((Path("all") / "train" / "input").iterdir())
    cv2.imwrite(str(picture), np.zeros((24, 32), np.uint8))
    assert run(["import", "all", "--from", "gopro", "-o", "dark.h5"]) == 0
    assert "pictures or splits were changed" in capsys.readouterr().err


def test_a_foreign_folder_comes_in_by_patterns_in_colour(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    colour = np.random.default_rng(1).integers(0, 255, (4, 24, 32, 3), np.uint8)
    for k, side in ((k, side) for k in range(4) for side in ("blur", "sharp")):
        (tmp_path / "src" / side).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "src" / side / f"p{k}_{k}.png"), colour[k])
    asked = ["import", "src", "--from", "folders", "--input", "blur/{name}.png", "--target", "sharp/{name}.png"]
    asked += ["-o", "f.h5", "--no-find-duplicates", "--scene-pattern", r"(\d+)_"]
    assert run(asked) == 0
    assert "3, RGB" in capsys.readouterr().out
    np.testing.assert_array_equal(PairedDataset(tmp_path / "f.h5")[0].input[..., ::-1], colour[0])
    assert run([*asked, "--channel", "r", "--overwrite"]) == 0
    assert sorted(PairedDataset(tmp_path / "f.h5").scenes) == ["0", "1", "2", "3"]
    assert run([*asked, "--channel", "r"]) == 1
    assert run([*asked, "--mono", "--overwrite"]) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["export", "d.h5", "-o", "out"],
        ["export", "d.h5", "--to", "tiff", "-o", "out"],
        ["export", ".", "--to", "gopro", "-o", "out"],
        ["import", "d.h5", "-o", "x.h5"],
        ["import", ".", "--from", "gopro", "-o", "x.h5", "--mono", "--channel", "r"],
        ["import", ".", "--from", "gopro", "-o", "x.h5", "--mono", "--rgb"],
    ],
)
@pytest.mark.usefixtures("dataset")
def test_what_does_not_fit_its_source_is_wrong_usage(arguments: list[str], tmp_path: Path) -> None:
    assert run(arguments) == 2
    assert not (tmp_path / "out").exists()
