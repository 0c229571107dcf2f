"""What is known of a pair besides its pixels, as plain values that any format can carry, and back."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from twinlens.calibrate.align import AlignedPair
from twinlens.calibrate.passport import Passport
from twinlens.dataset.entry import Entry
from twinlens.dataset.identity import pair_id
from twinlens.dataset.measure import entry_of, measured
from twinlens.dataset.schema import PAIR_ROW
from twinlens.errors import FormatError
from twinlens.pixels import Mask, Picture

LEFT_OUT = {"group_id", "mirror_state", "phash_in", "phash_tg", "xxh_in", "xxh_tg", "pair_hash"}
"""Columns that number other tables, or are computed again from the pixels and tell a reader nothing."""
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


def facts_of(entry: Entry) -> dict[str, Any]:
    """Everything but pixels, ready for JSON: arrays are lists, and what is no finite number is None."""
    row = {name: _plain(entry.row[name].tolist()) for name in PAIR_ROW.names or () if name not in LEFT_OUT}
    return {
        "scene": entry.scene,
        **row,
        "mirror_state": entry.mirror_state,
        "b_from_a": _plain(entry.b_from_a.tolist()),
        "photometric": list(entry.photometric),
        **({"channels": 3} if entry.input.ndim == 3 else {}),
    }


def known_entry(facts: Mapping[str, Any], frames: tuple[Picture, Picture, Mask], *, scene: str) -> Entry:
    """The entry that `facts_of` described, with these pixels.

    Raises:
        FormatError: something of it is missing, or no such value.
    """
    row = np.zeros(1, PAIR_ROW)[0]
    try:
        for name in PAIR_ROW.names or ():
            if name not in LEFT_OUT:
                row[name] = _valued(PAIR_ROW[name], facts.get(name))
        row["pair_id"] = pair_id(facts["session_id"], facts["trigger_index"])
        gain, offset = facts["photometric"]
        entry = Entry(
            row=row,
            input=frames[0],
            target=frames[1],
            mask=frames[2],
            scene=scene,
            mirror_state=str(facts["mirror_state"]),
            b_from_a=np.array(facts["b_from_a"], np.float64).reshape(3, 3),
            photometric=(float(gain), float(offset)),
        )
    except (KeyError, TypeError, ValueError) as cause:
        raise FormatError(
            f"of {facts.get('pair_id', 'a pair')}, the export does not tell all: {cause!r}",
            hint="export it again, or remove twinlens-export.json to import bare pictures",
        ) from cause
    return measured(entry)


def foreign_entry(
    frames: tuple[Picture, Picture, Mask], *, bit_depth: int, scene: str, session_id: str, trigger_index: int
) -> Entry:
    """A pair of which only pixels and scene are known: registered by somebody else, figures unknown.

    Raises:
        DatasetError: it cannot be stored.
    """
    return entry_of(
        AlignedPair(
            input=frames[0],
            target=frames[1],
            mask=frames[2],
            bit_depth=bit_depth,
            scene=scene,
            session_id=session_id,
            trigger_index=trigger_index,
            mirror_state=UNKNOWN_MIRROR_STATE,
            skew_ns=0,
            exposure_us=math.nan,
            gain_db=math.nan,
            b_from_a=np.eye(3),
            passport=UNKNOWN,
        )
    )


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _valued(kind: np.dtype[Any], value: Any) -> Any:
    """The value of a column; what an older export does not tell is unknown."""
    base = kind.base
    if base.kind == "S":
        return str(value or "").encode()
    unknown = math.nan if base.kind == "f" else 0
    if kind.shape:
        return np.array([unknown if one is None else one for one in value or [None] * kind.shape[0]], base)
    return unknown if value is None else value
