"""Drift watch: which pairs say that the rig has moved since the others were taken."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from twinlens.calibrate.own_fit import own_fit
from twinlens.calibrate.photometric import fit_gain_offset
from twinlens.calibrate.refine import Refined
from twinlens.calibrate.reports import DriftReport

Drift = DriftReport | None
"""None for a pair with too few tiles to tell."""


def drifts(
    found: Refined, names: Sequence[str], *, shape_hw: tuple[int, int], bit_depth: int, max_drift_px: float
) -> list[Drift]:
    """How far each pair's own mapping leaves the one that all of them agree on.

    Args:
        found: from all pairs.
        names: of the pairs.
        shape_hw: of the frames.
        bit_depth: of the frames.
        max_drift_px: beyond it a pair is flagged.
    """
    ends = np.cumsum([len(fit.centre_xy) for fit in found.fits])[:-1]
    residuals = np.split(found.correction.residual_xy, ends)
    gains = [fit_gain_offset(fit)[0] for fit in found.fits]
    told: list[Drift] = []
    for fit, residual_xy, name, gain in zip(found.fits, residuals, names, gains, strict=True):
        own = own_fit(replace(fit, shift_xy=residual_xy), shape_hw, overlap=1.0, bit_depth=bit_depth)
        if own.correction is None or not own.fitness.tiles:
            told.append(None)
            continue
        told.append(
            DriftReport(
                name=name,
                departure_px=own.departure_px,
                residual_px=own.fitness.residual_px,
                gain=gain / float(np.median(gains)),
                flagged=own.departure_px > max_drift_px,
            )
        )
    return told


def off_rig(all_pairs: Sequence[Drift], kept: Sequence[Drift]) -> list[Drift]:
    """The account of all pairs, with newer figures of those that were kept."""
    newer = {pair.name: pair for pair in kept if pair is not None}
    return [None if pair is None else newer.get(pair.name, pair) for pair in all_pairs]


def with_gains(drift: Sequence[Drift], gains: Mapping[str, float]) -> tuple[DriftReport, ...]:
    """The pairs that can tell, with gains against the session's brightness, vignette and curvature included."""
    return tuple(replace(pair, gain=gains.get(pair.name, pair.gain)) for pair in drift if pair is not None)
