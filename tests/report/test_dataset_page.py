"""A dataset's page stands alone and shows its report.json; its card and croissant.json invent nothing."""

import dataclasses
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_pairs import make_pair

from twinlens.calibrate.align import AlignedPair
from twinlens.cli import run
from twinlens.dataset import DatasetSettings, PairedDataset, Provenance, Source, SplitSettings, build_dataset
from twinlens.errors import DatasetError
from twinlens.report.dataset_page import SCHEMA, SCHEMA_VERSION, write_dataset_report
from twinlens.storage import artefact_is_intact, read_artefact

FILES = ["README.md", "croissant.json", "report.html", "report.json"]
GEBRU = ["Motivation", "Composition", "Collection", "Preprocessing", "Uses", "Distribution", "Maintenance"]


def pairs(count: int = 10) -> list[AlignedPair]:
    made = []
    for k in range(count):
        target = np.random.default_rng(k).integers(0, 200, (40, 56)).astype(np.uint8)
        blurred, valid = (target // 2).astype(np.uint8), np.ones((40, 56), np.bool_)
        names = {"scene": f"scene <{k // 2}>", "mirror_state": "coma | 0.5"}
        made.append(make_pair(k, input=blurred, target=target, mask=valid, b_from_a=np.eye(3), **names))
    return made


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> PairedDataset:
    path = tmp_path_factory.mktemp("data") / "street-v1.0.0.h5"
    build_dataset(
        pairs(),
        path,
        settings=DatasetSettings(name="street", license="CC-BY-4.0", find_duplicates=False),
        provenance=Provenance(sources=(Source("session-1", "session-1", "ab" * 32),)),
    )
    return PairedDataset(path)


@pytest.fixture(scope="module")
def folder(dataset: PairedDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    write_dataset_report(dataset, out)
    return out


def test_page_numbers_card_and_croissant_lie_side_by_side(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert artefact_is_intact(folder / "report.json")


def test_the_page_stands_alone_and_escapes_names(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    for address in re.findall(r'(?:src|href)="([^"]*)"', page):
        assert address.startswith(("data:", "#"))
    assert "scene &lt;0&gt;" in page
    assert page.count('class="card pair"') == 10
    assert page.count('class="plot"') == 7


def test_the_page_shows_the_figures_of_its_json(folder: Path, dataset: PairedDataset) -> None:
    numbers = read_artefact(folder / "report.json", SCHEMA, SCHEMA_VERSION, error=DatasetError)
    page = (folder / "report.html").read_text()
    for text in (
        f"{numbers['dataset']['input_psnr_db']['mean']:.2f}",
        f"{numbers['likeness']['mean']:.3f}",
        f"{numbers['residual_px']['median']:.3f}",
        numbers["dataset"]["content_hash"],
        "session-1",
    ):
        assert text in page
    assert numbers["dataset"]["content_hash"] == dataset.content_hash
    assert len(numbers["pairs"]) == len(dataset)
    psnrs = [pair["psnr_db"] for pair in numbers["pairs"]]
    assert min(psnrs) == pytest.approx(numbers["psnr_db"]["minimum"])


def test_a_card_answers_in_gebrus_order_and_says_what_it_does_not_know(folder: Path) -> None:
    card = (folder / "README.md").read_text()
    assert card.startswith("---\n")
    header = card.split("---\n")[1]
    assert "license: cc-by-4.0\n" in header
    assert "size_categories:\n- n<1K\n" in header
    assert re.findall(r"^## (.*)$", card, re.MULTILINE) == GEBRU
    assert "## Motivation\n\nUnknown: the file does not say." in card
    assert "Citation: unknown" in card
    assert "from camera B, target from camera A laid onto B's pixels" in card
    assert "Two cameras took each pair" in card
    assert "| coma \\| 0.5 | 10 |" in card
    assert "ab" * 32 in card


def test_croissant_describes_one_file_and_the_splits(folder: Path, dataset: PairedDataset) -> None:
    found: dict[str, Any] = json.loads((folder / "croissant.json").read_text())
    for name in ("@context", "@type", "conformsTo", "name", "description", "license", "version", "distribution"):
        assert found[name], name
    assert found["@context"]["cr"] == "http://mlcommons.org/croissant/"
    assert found["conformsTo"].startswith("http://mlcommons.org/croissant/1.")
    assert "citeAs" not in found
    (file,) = found["distribution"]
    assert file["@type"] == "cr:FileObject"
    assert file["encodingFormat"] == "application/x-hdf5"
    assert not Path(file["contentUrl"]).is_absolute()
    assert (folder / file["contentUrl"]).resolve() == dataset.path.resolve()
    assert file["contentSize"] == f"{dataset.path.stat().st_size} B"
    assert file["sha256"] == hashlib.sha256(dataset.path.read_bytes()).hexdigest()
    (splits,) = found["recordSet"]
    assert splits["dataType"] == "cr:Split"
    assert {row["splits/name"]: row["splits/pairs"] for row in splits["data"]} == {
        count.split: count.pairs for count in dataset.summary().splits
    }
    assert "source" not in json.dumps(splits)


def test_a_network_must_beat_the_mean_over_test(tmp_path: Path) -> None:
    made = pairs()
    # The last scene is much harder, and is the one that is tested.
    hard = [dataclasses.replace(pair, input=(pair.target // 8).astype(np.uint8)) for pair in made[8:]]
    splits = SplitSettings(assignment={"scene <4>": "test"})
    settings = DatasetSettings(find_duplicates=False, splits=splits, grid="a")
    build_dataset([*made[:8], *hard], tmp_path / "hard.h5", settings=settings)
    dataset = PairedDataset(tmp_path / "hard.h5")
    write_dataset_report(dataset, tmp_path / "out")
    mean = np.mean([pair.psnr_db for pair in dataset.split("test")])
    assert mean < dataset.summary().input_psnr_db.mean - 1
    card = (tmp_path / "out" / "README.md").read_text()
    assert f"Doing nothing scores {mean:.2f} dB in the mean over test" in card
    for text in (card, (tmp_path / "out" / "croissant.json").read_text()):
        assert "input from camera B laid onto A's pixels, target from camera A" in text


@pytest.mark.parametrize(
    ("name", "text"),
    [("README.md", "# My campaign"), ("report.json", '{"schema": "twinlens.report"}'), ("report.json", "notes")],
)
def test_what_somebody_else_wrote_is_never_replaced(
    dataset: PairedDataset, tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DatasetError, match=name):
        write_dataset_report(dataset, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == text


def test_a_report_of_ours_is_written_again(dataset: PairedDataset, folder: Path) -> None:
    before = (folder / "README.md").read_text()
    write_dataset_report(dataset, folder)
    assert (folder / "README.md").read_text() == before
    assert before.startswith("---\n")


def test_info_writes_the_report_of_a_dataset_and_of_nothing_else(
    dataset: PairedDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["info", str(dataset.path), "--report", str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["content_hash"] == dataset.content_hash
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == FILES
    assert run(["info", str(tmp_path), "--report", str(tmp_path / "other")]) == 2
    assert run(["info", str(tmp_path / "out" / "report.json"), "--report", str(tmp_path / "other")]) == 1
    assert not (tmp_path / "other").exists()
