"""Pairs at the edge of what can be registered, alone."""

import numpy as np

from twinlens.calibrate import register


def test_a_picture_registers_onto_itself() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (500, 700)).astype(np.uint8)
    found = register(noise, noise)
    assert found.verdict == "good"
    assert np.abs(found.b_from_a - np.eye(3)).max() < 1e-3
    assert found.kernel.shape == (1, 1)
