"""The registration section: what calibration measured, what became of each pair, and what is not known."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twinlens.calibrate.reports import CalibrationReport, StateReport
from twinlens.report.pages import write_report
from twinlens.report.street import PairVerdict, RegistrationPictures, Street, registration_street


def judged(street: Street, *verdicts: str) -> tuple[RegistrationPictures, ...]:
    """One pair per verdict; a refused one has no registered A."""
    shown = street.registration[0]
    return tuple(
        dataclasses.replace(
            shown,
            mirror_state="",
            kernel_zones=(),
            a_registered=None if verdict == "refused" else shown.a_registered,
            verdict=PairVerdict(
                f"pair-{place}",
                verdict,
                f"reason {place}",
                None if verdict == "refused" else 0.1 + place / 100,
                None if verdict == "refused" else 0.9 - place / 100,
            ),
        )
        for place, verdict in enumerate(verdicts)
    )


def written(street: Street, out: Path) -> tuple[str, dict[str, Any]]:
    path = write_report(street, out)
    return path.read_text(), json.loads(path.with_suffix(".json").read_text())


def assert_numbers_are_known(page: str, numbers: dict[str, Any]) -> None:
    known = re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", json.dumps(numbers))
    values = np.array([float(text) for text in known])
    shown = set(re.findall(r'<span class="n">([^<]*)</span>', page))
    assert shown
    for text in shown:
        digits = len(text.partition(".")[2])
        assert np.abs(values - float(text)).min() <= 0.5001 * 10**-digits, f"{text} is on the page only"


def test_a_calibration_alone_is_a_whole_page(street: Street, state: StateReport, tmp_path: Path) -> None:
    alone = registration_street(
        CalibrationReport((state,)), street.registration, title="Bench 2", drift_limit_px=0.25
    )
    page, numbers = written(alone, tmp_path)
    assert re.findall(r'<section id="(\w+)">', page) == ["registration", "guide"]
    assert "<title>Bench 2</title>" in page
    for words in ("Score ceiling", "38.61", "distortion", "0.217", "roofs 4", "Blur in zones", "Flicker after"):
        assert words in page
    assert page.count('class="card"><figure class="plot">') == 4
    assert "training of a network" not in page
    assert_numbers_are_known(page, numbers)
    assert numbers["registration"]["states"][0]["flagged"] == [
        {"name": "roofs 4", "departure_px": 0.71, "residual_px": 0.041, "gain": 1.004, "flagged": True}
    ]


def test_a_flagged_pair_is_named_and_counted_and_an_unflagged_one_is_not(report: Path) -> None:
    page = report.read_text()
    left = page[page.index("Pairs that left their session</h3>") :]
    assert "roofs 4" in left
    assert "roofs 3" not in page
    assert '<span class="n">1</span> of <span class="n">6</span>' in page


def test_the_ceiling_stands_beside_the_scores(street: Street, state: StateReport, tmp_path: Path) -> None:
    page, _ = written(street, tmp_path / "one")
    results = page[page.index('<section id="results">') : page.index('<section id="guide">')]
    assert '<th scope="row">Ceiling</th><td></td><td><span class="n">38.61</span>' in results
    states = [dataclasses.replace(state, mirror_state=f"m{i}", ceiling_db=30.0 + i) for i in range(5)]
    many = dataclasses.replace(street, calibration=CalibrationReport(tuple(states)))
    page, _ = written(many, tmp_path / "many")
    assert 'Lowest ceiling</th><td></td><td><span class="n">30.00' in page
    assert 'Highest ceiling</th><td></td><td><span class="n">34.00' in page
    unknown = dataclasses.replace(
        street, calibration=CalibrationReport((dataclasses.replace(state, ceiling_db=None),))
    )
    page, _ = written(unknown, tmp_path / "none")
    assert "Ceiling</th>" not in page
    assert "Score ceiling</dt>" not in page


def test_a_bare_calibration_of_one_pair_is_a_page_without_holes(state: StateReport, tmp_path: Path) -> None:
    bare = dataclasses.replace(
        state,
        pairs_used=1,
        zones=(),
        tiles=(),
        brightness=(),
        drift=state.drift[:1],
        ceiling_db=None,
        field="none",
    )
    page, numbers = written(registration_street(CalibrationReport((bare,)), (), title="one pair"), tmp_path)
    assert "<img" not in page
    for absent in ("Blur in zones", "Overlay", "PNG files", "limit is"):
        assert absent not in page
    assert 'All <span class="n">1</span> pairs agree' in page
    assert_numbers_are_known(page, numbers)


@pytest.mark.parametrize("report_of", [CalibrationReport(()), None])
def test_no_calibrated_state_at_all_is_a_page(report_of: CalibrationReport | None, tmp_path: Path) -> None:
    page, _ = written(Street("empty", calibration=report_of), tmp_path)
    assert "What calibration found" not in page


def test_several_mirror_states_each_have_their_figures_up_to_a_limit(
    street: Street, state: StateReport, tmp_path: Path
) -> None:
    states = tuple(dataclasses.replace(state, mirror_state=f"m{i}") for i in range(3))
    shown = [dataclasses.replace(street.registration[0], mirror_state=f"m{i}") for i in range(3)]
    page, numbers = written(registration_street(CalibrationReport(states), shown, title="three"), tmp_path)
    assert page.count("<h3>Figures, mirror state") == 2
    assert "the first 2 of 3 mirror states" in page
    assert page.count("Map of what") == 2
    assert len(list((tmp_path / "registration").glob("residuals_m*.png"))) == 3
    assert_numbers_are_known(page, numbers)


def test_each_pair_has_its_verdict_and_the_reason(street: Street, tmp_path: Path) -> None:
    pairs = judged(street, "good", "refused", "coarse")
    page, numbers = written(registration_street(CalibrationReport(()), pairs, title="photographs"), tmp_path)
    for place, verdict in enumerate(("good", "refused", "coarse")):
        assert f'pair-{place} <span class="badge {verdict}">{verdict}</span>' in page
        assert page.count(f"reason {place}") == 2
    assert [pair["verdict"]["name"] for pair in numbers["registration"]["pairs"]] == ["pair-0", "pair-1", "pair-2"]
    assert numbers["headline"]["verdicts"] == {"good": 1, "refused": 1, "coarse": 1}
    assert_numbers_are_known(page, numbers)


def test_a_refused_pair_shows_only_how_it_was_before(street: Street, tmp_path: Path) -> None:
    page, _ = written(Street("refused", registration=judged(street, "refused")), tmp_path)
    assert "Before registration: A red, B cyan" in page
    assert "Flicker before registration" in page
    assert "After registration" not in page
    assert "Flicker after" not in page
    assert 'class="compare"' not in page


def test_of_many_judged_pairs_the_worst_and_the_best_of_each_verdict_are_shown(
    street: Street, tmp_path: Path
) -> None:
    pairs = judged(street, *["good"] * 6, "coarse", "refused")
    page, _ = written(Street("many", registration=pairs), tmp_path)
    assert "Shown are 4 of 8 pairs" in page
    assert re.findall(r"<h3>Overlay: (pair-\d)", page) == ["pair-7", "pair-6", "pair-5", "pair-0"]


def test_few_judged_pairs_are_all_shown_and_of_no_mirror(street: Street, tmp_path: Path) -> None:
    pairs = judged(street, *["coarse"] * 5, "refused")
    page, _ = written(registration_street(CalibrationReport(()), pairs, title="photographs"), tmp_path)
    assert re.findall(r"<h3>Overlay: (pair-\d)", page)[0] == "pair-5"
    assert page.count("<h3>Overlay: pair-") == 6
    assert "Shown are" not in page
    assert "deformable" not in page.split("<nav")[1].split("</header>")[0]


def test_a_verdict_from_outside_is_text_and_never_markup(street: Street, tmp_path: Path) -> None:
    attack = '"><script>alert(1)</script>'
    verdict = PairVerdict(attack, attack, attack, 0.1, 0.9)
    pair = dataclasses.replace(street.registration[0], mirror_state=attack, verdict=verdict)
    page, _ = written(Street("x", registration=(pair,)), tmp_path)
    assert "<script>alert" not in page


def test_a_of_another_size_is_laid_on_b_as_far_as_it_reaches(street: Street, tmp_path: Path) -> None:
    shown = street.registration[0]
    for rows, columns in ((500, 1200), (900, 400)):
        pair = dataclasses.replace(shown, a_unregistered=np.full((rows, columns), 90, np.uint8), a_registered=None)
        page, _ = written(Street("sizes", registration=(pair,)), tmp_path)
        assert "Flicker before" in page


def test_sixteen_bit_photographs_without_a_calibration_keep_their_range(street: Street) -> None:
    shown = street.registration[0]
    b = shown.b.astype(np.uint16) * 16
    assert Street("x", registration=(dataclasses.replace(shown, b=b),)).bit_depth == 12
    assert Street("x", registration=(shown,)).bit_depth == 8
