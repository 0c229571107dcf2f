"""Gates: a limit keeps out what misses it, says by how much, and lets nothing unknown through."""

import dataclasses
from collections.abc import Callable

import pytest

from twinlens.calibrate.align import AlignedPair
from twinlens.dataset.limits import PassportLimits
from twinlens.dataset.measure import entry_of

PairMaker = Callable[..., AlignedPair]


@pytest.mark.parametrize(
    ("limit", "figure", "reason"),
    [
        ({"max_residual_px": 0.1}, {"residual_px": 0.2}, "residual_px"),
        ({"max_residual_p95_px": 0.1}, {"residual_p95_px": 0.2}, "residual_p95_px"),
        ({"max_departure_px": 0.1}, {"departure_px": 0.2}, "departure_px"),
        ({"min_ncc": 0.9}, {"ncc": 0.8}, "ncc"),
        ({"max_saturated_fraction": 0.1}, {"saturated_fraction": 0.2}, "saturated_fraction"),
        ({"min_overlap": 0.9}, {"overlap": 0.8}, "overlap"),
        ({"max_moving_share": 0.1}, {"moving_share": 0.2}, "moving_share"),
        ({"min_ceiling_db": 40.0}, {"ceiling_db": 35.0}, "ceiling_db"),
        ({"min_ceiling_db": 40.0}, {"ceiling_db": None}, "ceiling_db"),
        ({"max_residual_px": 0.1}, {"residual_px": float("nan")}, "residual_px"),
        ({}, {"verdict": "coarse"}, "coarse"),
    ],
)
def test_a_figure_beyond_its_limit_keeps_a_pair_out(
    pair: PairMaker, limit: dict[str, float], figure: dict[str, object], reason: str
) -> None:
    good = pair(3, passport=dataclasses.replace(pair(3).passport, ceiling_db=50.0))
    bad = dataclasses.replace(good, passport=dataclasses.replace(good.passport, **figure))  # type: ignore[arg-type]
    limits = PassportLimits(**limit)  # type: ignore[arg-type]
    assert limits.missed_by(entry_of(good)) is None
    reject = limits.missed_by(entry_of(bad))
    assert reject is not None
    assert (reject.reason, reject.trigger_index, reject.scene) == (reason, 3, "scene-1")


@pytest.mark.parametrize("skew_ns", [-2500, 2500])
def test_skew_counts_either_way(pair: PairMaker, skew_ns: int) -> None:
    entry = entry_of(pair(0, skew_ns=skew_ns))
    assert PassportLimits(max_skew_us=3).missed_by(entry) is None
    reject = PassportLimits(max_skew_us=2).missed_by(entry)
    assert reject is not None
    assert reject.text == "skew_us is 2.5 us, at most 2 is asked for"


def test_coarse_pairs_are_let_in_when_asked(pair: PairMaker) -> None:
    coarse = pair(0, passport=dataclasses.replace(pair(0).passport, verdict="coarse"))
    assert PassportLimits(allow_coarse=True).missed_by(entry_of(coarse)) is None
