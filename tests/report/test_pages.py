"""The page stands alone, says nothing that report.json does not hold, and leaves out what was not walked."""

import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twinlens.errors import TwinlensError
from twinlens.report.pages import SCHEMA, SCHEMA_VERSION, write_report
from twinlens.report.street import Street
from twinlens.storage import read_artefact

STAGES = {
    "capture": ("capture",),
    "registration": ("calibration", "registration", "truth"),
    "dataset": ("dataset", "pairs"),
    "training": ("training",),
    "results": ("evaluation", "triples"),
    "settings": ("settings", "versions"),
}


class _Elements(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def numbers_in(value: object) -> list[float]:
    if isinstance(value, dict):
        return [number for item in value.values() for number in numbers_in(item)]
    if isinstance(value, list):
        return [number for item in value for number in numbers_in(item)]
    return [value] if isinstance(value, int | float) else []


def section_ids(page: str) -> list[str]:
    return re.findall(r'<section id="(\w+)">', page)


def test_the_page_asks_nothing_of_a_network(report: Path) -> None:
    page = report.read_text()
    for tag, attributes in _Elements(page).found:
        assert tag not in {"link", "iframe", "object", "embed", "base"}
        for name in ("src", "href", "srcset", "data", "poster"):
            address = attributes.get(name)
            assert address is None or address.startswith(("data:", "#")), f"<{tag} {name}={address[:60]}>"
    style = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_every_number_on_the_page_is_in_report_json(report: Path) -> None:
    shown = re.findall(r'<span class="n">([^<]*)</span>', report.read_text())
    known = numbers_in(json.loads(report.with_suffix(".json").read_text()))
    assert len(shown) > 100
    for text in set(shown):
        digits = len(text.partition(".")[2])
        assert any(f"{round(number, digits) + 0.0:.{digits}f}" == text for number in known), (
            f"{text} is on the page only"
        )


def test_every_picture_says_what_it_shows(report: Path) -> None:
    pictures = [attributes for tag, attributes in _Elements(report.read_text()).found if tag == "img"]
    assert len(pictures) > 20
    assert all(picture["alt"] and picture["width"] and picture["height"] for picture in pictures)


def test_report_json_is_an_artefact_with_the_demo_as_given(report: Path, street: Street) -> None:
    found = read_artefact(report.with_suffix(".json"), SCHEMA, SCHEMA_VERSION, error=TwinlensError)
    assert found["demo"] == street.demo
    assert found["evaluation"]["protocol"] == "wang2003"
    assert found["settings"]["train"]["nested"] == {"rate": 2e-3}
    assert found["truth"]["largest_error_px"] >= found["truth"]["shape_error_px"]


def test_links_lead_to_every_section(report: Path) -> None:
    page = report.read_text()
    assert re.findall(r'<a href="#(\w+)">', page) == section_ids(page)
    assert section_ids(page) == ["capture", "registration", "dataset", "training", "results", "guide", "settings"]


@pytest.mark.parametrize("stage", STAGES)
def test_one_stage_alone_leaves_no_trace_of_the_others(stage: str, street: Street, tmp_path: Path) -> None:
    walked: dict[str, Any] = {name: getattr(street, name) for name in STAGES[stage]}
    page = write_report(Street(title=f"only {stage}", **walked), tmp_path).read_text()
    assert sorted(section_ids(page)) == sorted([stage, "guide"])
    for other in STAGES.keys() - {stage}:
        assert f"#{other}" not in page


def test_an_empty_street_is_a_page_with_a_guide(tmp_path: Path) -> None:
    page = write_report(Street(title="nothing yet"), tmp_path).read_text()
    assert section_ids(page) == ["guide"]
    assert "<img" not in page
    assert 'class="tiles"' not in page


def test_what_a_stage_does_not_know_is_said_or_left_out(street: Street, tmp_path: Path) -> None:
    assert street.capture is not None
    capture = dataclasses.replace(street.capture, ledger=(), skew=None, stream={}, frames_lost=0)
    registration = tuple(dataclasses.replace(shown, kernel=None) for shown in street.registration)
    triple = dataclasses.replace(street.triples[0], wiener=None, wiener_psnr_db=None)
    training = tuple(dataclasses.replace(step, psnr_db=None, input_psnr_db=None) for step in street.training)
    bare = Street("bare", capture=capture, registration=registration, training=training, triples=(triple,))
    page = write_report(bare, tmp_path).read_text()
    assert "no gap" in page
    assert "the skew is unknown" in page
    for absent in ("Stream counters", "Wiener", "Found blur", "dashed line", "were simulated"):
        assert absent not in page


def test_every_mirror_state_shown_has_its_own_kernel(street: Street, tmp_path: Path) -> None:
    kernel = np.full((5, 5), 1 / 25)
    shown = tuple(
        dataclasses.replace(street.registration[0], mirror_state=f"state {i}", kernel=kernel) for i in range(3)
    )
    page = write_report(Street("three states", registration=shown), tmp_path).read_text()
    assert "the first 2 of 3 mirror states" in page
    assert page.count("the cross marks zero shift") == 2


def test_sixteen_bit_frames_are_shown_in_their_own_range(street: Street, tmp_path: Path) -> None:
    pair = street.pairs[0]
    ten_bit = dataclasses.replace(
        pair, input=pair.input.astype(np.uint16) * 4, target=pair.target.astype(np.uint16) * 4
    )
    assert street.dataset is not None
    dataset = dataclasses.replace(street.dataset, bit_depth=10)
    eight = write_report(Street("x", dataset=street.dataset, pairs=(pair,)), tmp_path / "8").read_text()
    ten = write_report(Street("x", dataset=dataset, pairs=(ten_bit,)), tmp_path / "10").read_text()
    assert len(ten) == pytest.approx(len(eight), rel=0.05)


def test_names_from_outside_are_text_and_never_markup(street: Street, tmp_path: Path) -> None:
    attack = "<script>alert('&')</script>\"onload=x"
    pair = dataclasses.replace(street.pairs[0], scene=attack)
    triple = dataclasses.replace(street.triples[0], scene=attack)
    capture = street.capture
    assert capture is not None
    changed = dataclasses.replace(
        street,
        title=attack,
        pairs=(pair,),
        triples=(triple,),
        capture=dataclasses.replace(capture, session_id=attack, producer=attack),
        settings={attack: {attack: attack}},
        versions={attack: attack},
    )
    page = write_report(changed, tmp_path).read_text()
    assert "<script>alert" not in page
    assert page.count("<script>") == 1
    assert page.count("&lt;script&gt;alert") > 10


def test_numbers_that_are_not_finite_become_null_and_a_dash(street: Street, tmp_path: Path) -> None:
    perfect = dataclasses.replace(street.pairs[0], psnr_db=float("inf"), residual_px=float("nan"))
    path = write_report(Street(title="perfect", pairs=(perfect,)), tmp_path)

    def refuse(name: str) -> None:
        pytest.fail(f"report.json holds {name}")

    pairs = json.loads(path.with_suffix(".json").read_text(), parse_constant=refuse)["pairs"]
    assert (pairs[0]["psnr_db"], pairs[0]["residual_px"]) == (None, None)
    assert 'input <span class="none">–</span> dB' in path.read_text()


def test_a_page_that_cannot_be_written_leaves_nothing_half_written(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    (tmp_path / "report.html" / "in the way").touch()
    with pytest.raises(OSError, match=r"report\.html"):
        write_report(Street(title="blocked"), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]
