"""What is known of a pair besides its pixels, as plain values that any format can carry, and back."""

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

import numpy as np

from twinlens.calibrate.align import AlignedPair
from twinlens.calibrate.passport import Passport
from twinlens.dataset.paired import StoredPair
from twinlens.errors import FormatError
from twinlens.pixels import Mask, Mono

PIXELS = ("input", "target", "mask")
UNKNOWN_MIRROR_STATE = "unknown"
UNKNOWN = Passport(
    residual_px=math.nan,
    residual_p95_px=math.nan,
    departure_px=math.nan,
    ncc=math.nan,
    moving_share=math.nan,
    gain=1.0,
    offset=0.0,
    kernel_sigma_px=math.nan,
    overlap=1.0,
    saturated_fraction=0.0,
)
"""Of a pair that somebody else registered: nothing was measured, and nothing was changed."""


def facts_of(pair: StoredPair) -> dict[str, Any]:
    """Every field but pixels, ready for JSON: arrays are lists, and what is no finite number is None."""
    return {field.name: _plain(getattr(pair, field.name)) for field in fields(pair) if field.name not in PIXELS}


def known_pair(facts: Mapping[str, Any], frames: tuple[Mono, Mono, Mask]) -> AlignedPair:
    """The pair that `facts_of` described, with these pixels.

    Raises:
        FormatError: something of it is missing.
    """
    passport = {field.name: _valued(field.type, facts[field.name]) for field in fields(Passport)
                if field.name in facts}  # fmt: skip
    needed = [field for field in fields(AlignedPair) if field.name not in (*PIXELS, "passport")]
    missing = [field.name for field in needed if field.name not in facts and field.default is MISSING]
    if missing:
        raise FormatError(
            f"of {facts.get('pair_id', 'a pair')}, the export does not tell {', '.join(missing)}",
            hint="export it again, or remove twinlens-export.json to import bare pictures",
        )
    values = {field.name: _valued(field.type, facts[field.name]) for field in needed if field.name in facts}
    values["b_from_a"] = np.array(facts["b_from_a"], np.float64)
    return AlignedPair(input=frames[0], target=frames[1], mask=frames[2], passport=Passport(**passport), **values)


def foreign_pair(
    frames: tuple[Mono, Mono, Mask], *, bit_depth: int, scene: str, session_id: str, trigger_index: int
) -> AlignedPair:
    """A pair of which only pixels and scene are known: registered by somebody else, figures unknown."""
    return AlignedPair(
        input=frames[0],
        target=frames[1],
        mask=frames[2],
        bit_depth=bit_depth,
        scene=scene,
        session_id=session_id,
        trigger_index=trigger_index,
        mirror_state=UNKNOWN_MIRROR_STATE,
        skew_ns=0,
        exposure_us=0.0,
        gain_db=0.0,
        b_from_a=np.eye(3),
        passport=UNKNOWN,
    )


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _valued(kind: Any, value: Any) -> Any:
    if value is None and kind is float:
        return math.nan
    return tuple(value) if isinstance(value, list) else value
