"""What the page says of registration beyond the reports themselves: extremes, counts, verdicts."""

import math
from collections import Counter
from typing import Any

import numpy as np

from twinlens.calibrate.reports import StateReport
from twinlens.report.figures_session import brightness_residual
from twinlens.report.plain import plain
from twinlens.report.street import Street


def registration_numbers(street: Street) -> dict[str, Any]:
    """Per pair given its verdict, and per mirror state what its figures show."""
    states = street.calibration.states if street.calibration else ()
    pairs = [{"mirror_state": shown.mirror_state, "verdict": shown.verdict} for shown in street.registration]
    return {
        "pairs": plain(pairs),
        "states": [_state(state) for state in states],
        "drift_limit_px": plain(street.drift_limit_px),
    }


def registration_headline(street: Street) -> dict[str, Any]:
    """What a reader asks first about registration; what is not known is left out."""
    found: dict[str, Any] = {}
    states = street.calibration.states if street.calibration else ()
    if street.truth is not None:
        found["shape_error_px"] = street.truth.shape_error_px
    elif states:
        found["residual_px"] = max(state.residual_px for state in states)
    if street.ceilings:
        found["ceiling_db"] = min(ceiling.psnr_db for ceiling in street.ceilings)
    if drifts := [pair for state in states for pair in state.drift]:
        found |= {"pairs_watched": len(drifts), "pairs_flagged": sum(pair.flagged for pair in drifts)}
    if verdicts := Counter(shown.verdict.verdict for shown in street.registration if shown.verdict):
        found["verdicts"] = dict(verdicts)
    return found


def _state(state: StateReport) -> dict[str, Any]:
    lengths = [math.hypot(x, y) for _, _, x, y in state.tiles]
    rest = brightness_residual(state)
    return {
        "mirror_state": state.mirror_state,
        "tiles": len(lengths),
        "largest_residual_px": plain(max(lengths, default=None)),
        "brightness_tiles": len(rest),
        "brightness_rms": plain(float(np.sqrt(np.mean(rest**2)))) if len(rest) else None,
        "flagged": [plain(pair) for pair in state.drift if pair.flagged],
    }
