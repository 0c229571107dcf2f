"""Of pictures that somebody else registered, page, card and croissant.json claim only what the files show."""

import base64
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from twinlens.calibrate import Box
from twinlens.dataset import DeriveSettings, ImportSettings, PairedDataset, derive_dataset, import_dataset
from twinlens.dataset.analysis import analyse
from twinlens.errors import DatasetError
from twinlens.report.dataset_page import SCHEMA, SCHEMA_VERSION, write_dataset_report
from twinlens.report.dataset_sheet import contact_sheet
from twinlens.storage import read_artefact


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> PairedDataset:
    """Ten pairs of five scenes in a folder of PNG files."""
    folder = tmp_path_factory.mktemp("foreign")
    for k in range(10):
        sharp = np.random.default_rng(k).integers(0, 200, (40, 56)).astype(np.uint8)
        for side, pixels in (("sharp", sharp), ("blur", (sharp // 2).astype(np.uint8))):
            path = folder / "pictures" / side / f"street{k // 2}" / f"{k}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(path), pixels)
    settings = ImportSettings(
        format="folders", input="blur/{name}.png", target="sharp/{name}.png", find_duplicates=False
    )
    import_dataset(folder / "pictures", folder / "foreign-v1.0.0.h5", settings=settings)
    return PairedDataset(folder / "foreign-v1.0.0.h5")


@pytest.fixture(scope="module")
def folder(foreign: PairedDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    write_dataset_report(foreign, out)
    return out


def test_what_nobody_measured_is_not_drawn_and_called_unknown(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    assert page.count('class="plot"') == 4
    for title in ("Registration residual", "Time from A to B", "Exposure"):
        assert f"<h3>{title}</h3><p>unknown</p>" in page
    numbers = read_artefact(folder / "report.json", SCHEMA, SCHEMA_VERSION, error=DatasetError)
    for name in ("skew_us", "exposure_us", "residual_px"):
        assert {pair[name] for pair in numbers["pairs"]} == {None}, name


def test_card_and_croissant_name_the_files_and_claim_no_cameras(folder: Path) -> None:
    card = (folder / "README.md").read_text()
    assert "Pairs come from files: `pictures`, read as folders." in card
    for claim in ("camera A", "camera B", "Two cameras", "have not had", "left out", "aligned"):
        assert claim not in card, claim
    assert "Whether frames had their camera's dark, gain and defect correction is unknown." in card
    described = json.loads((folder / "croissant.json").read_text())["description"]
    assert described.endswith("imported from files (pictures, format folders).")
    page = (folder / "report.html").read_text()
    assert described in page
    assert "camera" not in page.replace("As the cameras were set", "").replace("their camera", "")


def test_what_is_made_from_an_import_is_still_told_as_one(foreign: PairedDataset, tmp_path: Path) -> None:
    derive_dataset(foreign, tmp_path / "less.h5", settings=DeriveSettings(crop=Box(0, 0, 32, 32)))
    imported = PairedDataset(tmp_path / "less.h5").imported_from()
    assert imported is not None
    assert (imported.source.path, imported.format, imported.exported_from) == ("pictures", "folders", "")


def test_the_page_of_a_colour_dataset_shows_colour_and_counts_channels(tmp_path: Path) -> None:
    red = np.zeros((64, 64, 3), np.uint8)
    for k in range(6):
        rng = np.random.default_rng(k)
        red[..., 2] = rng.integers(100, 200, (64, 64))
        for side, pixels in (("sharp", red), ("blur", red // 2)):
            path = tmp_path / "red" / side / f"{k}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(path), pixels)
    settings = ImportSettings(
        format="folders", input="blur/{name}.png", target="sharp/{name}.png", find_duplicates=False
    )
    import_dataset(tmp_path / "red", tmp_path / "red.h5", settings=settings)
    dataset = PairedDataset(tmp_path / "red.h5")
    write_dataset_report(dataset, tmp_path / "report")
    page = (tmp_path / "report" / "report.html").read_text()
    assert "3, RGB" in page
    assert "pairs of RGB pictures" in (tmp_path / "report" / "README.md").read_text()
    sheet = contact_sheet(dataset, analyse(dataset))
    shown = cv2.imdecode(np.frombuffer(base64.b64decode(sheet[0].target.source.partition(",")[2]), np.uint8), -1)
    blue, green, red_level = shown.reshape(-1, 3).mean(0)
    assert red_level > 130
    assert max(blue, green) < 40
