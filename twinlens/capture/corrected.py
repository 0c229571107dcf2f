"""Recorded pairs after both cameras' corrections, and sessions to which a correction does not quite belong."""

import logging
from collections.abc import Iterable

from twinlens.capture.frame import FramePair
from twinlens.capture.session import Session
from twinlens.corrections import CameraCorrection, RigCorrections
from twinlens.pixels import Mono

log = logging.getLogger(__name__)

SAME_GAIN_DB = 0.05
"""Gains that differ by less are one setting."""


def corrected(pair: FramePair, maps: RigCorrections | None) -> tuple[Mono, Mono]:
    """A's and B's pixels of a pair, corrected where there are maps.

    Raises:
        CorrectionError: the maps are of another frame size or bit depth.
    """
    if maps is None:
        return pair.a.pixels, pair.b.pixels
    return (
        maps.a.apply(pair.a.pixels, bit_depth=pair.a.bit_depth),
        maps.b.apply(pair.b.pixels, bit_depth=pair.b.bit_depth),
    )


def warn_of_other_gain(sessions: Iterable[Session], correction: CameraCorrection) -> None:
    """Log each session whose scenes B took at another gain than its dark series: dark levels are others there."""
    for session in sessions:
        pairs = session.pairs()
        if len(pairs) and abs(pairs[0].b.record.gain_db - correction.gain_db) > SAME_GAIN_DB:
            log.warning(
                "%s was recorded at %.1f dB, the dark series at %.1f dB: dark levels differ",
                session.id,
                pairs[0].b.record.gain_db,
                correction.gain_db,
            )
