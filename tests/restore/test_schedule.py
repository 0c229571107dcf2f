"""The learning rate rises, then falls along a cosine."""

import itertools

import pytest

from twinlens.restore.schedule import learning_rate_factor


def factors(steps: int, warmup_steps: int) -> list[float]:
    return [
        learning_rate_factor(step, steps=steps, warmup_steps=warmup_steps, final_fraction=0.02)
        for step in range(steps)
    ]


def test_it_warms_up_to_one_and_ends_at_the_final_fraction() -> None:
    rates = factors(101, 20)
    assert rates[:3] == pytest.approx([0.05, 0.10, 0.15])
    assert rates[19] == rates[20] == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(0.02)
    assert rates[60] == pytest.approx(0.51)
    assert all(later <= earlier for earlier, later in itertools.pairwise(rates[20:]))


@pytest.mark.parametrize(("steps", "warmup_steps"), [(1, 0), (1, 20), (5, 20), (2, 1)])
def test_trainings_shorter_than_the_warm_up_have_a_rate_too(steps: int, warmup_steps: int) -> None:
    assert all(0 < rate <= 1 for rate in factors(steps, warmup_steps))
