"""The worst pairs of a dataset in pictures: input, target and what is between them."""

from dataclasses import dataclass

import cv2
import numpy as np

from twinlens.dataset.analysis import DatasetAnalysis, PairFigures
from twinlens.dataset.paired import PairedDataset
from twinlens.pixels import Picture, Picture8
from twinlens.report.pictures import Shown, eight_bit, reduced

MOST_SHOWN = 20
GAIN = 4
"""How often a grey level of difference is seen."""
_COLUMN_PX = 304
_MIDDLE = 128


@dataclass(frozen=True)
class SheetRow:
    """One pair of the contact sheet."""

    pair: PairFigures
    input: Shown
    target: Shown
    difference: Shown


def contact_sheet(dataset: PairedDataset, analysis: DatasetAnalysis) -> tuple[SheetRow, ...]:
    """The worst pairs, worst first."""
    return tuple(_row(dataset, pair) for pair in analysis.pairs[:MOST_SHOWN])


def _row(dataset: PairedDataset, pair: PairFigures) -> SheetRow:
    stored = dataset[pair.row]
    before, after = (eight_bit(frame, stored.bit_depth) for frame in (stored.input, stored.target))
    difference: Picture8 = np.clip(
        _MIDDLE + GAIN * (before.astype(np.int32) - after.astype(np.int32)), 0, 255
    ).astype(np.uint8)
    seen: Picture8 = np.dstack([difference] * 3) if difference.ndim == 2 else difference
    seen[~stored.mask] = (250, 225, 180)
    name = f"pair {pair.row}, {pair.scene}"
    return SheetRow(
        pair=pair,
        input=reduced(before, f"Input of {name}", width=_COLUMN_PX),
        target=reduced(after, f"Target of {name}", width=_COLUMN_PX),
        difference=reduced(_denoised(seen), f"Input minus target of {name}", width=_COLUMN_PX),
    )


def _denoised(picture: Picture) -> Picture:
    """Averaged over 3x3 px: what is left is not noise of single pixels."""
    return np.asarray(cv2.blur(picture, (3, 3)), np.uint8)
