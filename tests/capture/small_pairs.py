"""Tiny aligned pairs with known pixels, for whatever reads or writes datasets."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from twinlens.calibrate.align import AlignedPair, Passport

PASSPORT = Passport(
    residual_px=0.03,
    residual_p95_px=0.07,
    ncc=0.99,
    gain=0.9,
    offset=2.0,
    kernel_sigma_px=1.1,
    overlap=0.98,
    saturated_fraction=0.01,
)


def make_pair(trigger_index: int, **changes: Any) -> AlignedPair:
    """A pair of noise that is the same for the same trigger index; RGB where `colour` is asked for."""
    shape_hw, bit_depth = changes.pop("shape_hw", (40, 56)), changes.get("bit_depth", 8)
    shape = (*shape_hw, 3) if changes.pop("colour", False) else shape_hw
    rng = np.random.default_rng(trigger_index)
    pixels = rng.integers(0, 2**bit_depth, (2, *shape)).astype(np.uint8 if bit_depth <= 8 else np.uint16)
    mask = np.ones(shape_hw, np.bool_)
    mask[:, :4] = False
    fields: dict[str, Any] = {
        "input": pixels[0],
        "target": pixels[1],
        "mask": mask,
        "bit_depth": bit_depth,
        "scene": f"scene-{trigger_index // 2}",
        "session_id": "session-1",
        "trigger_index": trigger_index,
        "mirror_state": "coma 0.5",
        "skew_ns": 120,
        "exposure_us": 5000.0,
        "gain_db": 3.0,
        "b_from_a": np.eye(3) + 0.001 * trigger_index,
        "passport": PASSPORT,
    }
    return AlignedPair(**{**fields, **changes})


def make_pairs(count: int, **changes: Any) -> Iterator[AlignedPair]:
    """Pairs of two per scene, made one at a time."""
    return (make_pair(trigger_index, **changes) for trigger_index in range(count))
