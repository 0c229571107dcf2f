"""Sessions' dark and flat series as both cameras' corrections, on the way from capture to calibrate."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from twinlens.calibrate.corrections import Conditions, Corrections, MeasuredCamera, correction_from
from twinlens.calibrate.series import FrameSeries
from twinlens.capture.corrected import SAME_GAIN_DB
from twinlens.capture.frame import CameraRole, FramePair, FrameRecord
from twinlens.capture.manifest import SeriesKind
from twinlens.capture.session import Session
from twinlens.errors import CorrectionError

log = logging.getLogger(__name__)

_LIKE_EXPOSURE = 2.0
"""Within this factor the dark level of one exposure serves another."""


def corrections_of(
    sessions: Sequence[Session], *, on_step: Callable[[str], None] = lambda _: None
) -> Corrections | None:
    """What the sessions' dark and flat series tell of both cameras; None where there are none.

    Of several exposures the dark series nearest to the scenes' is taken, and of the flats the longest. All must
    have the scenes' gain, because the dark level in grey levels grows with it.

    Raises:
        CorrectionError: there are flats without darks or at another gain, or a series cannot tell.
    """
    darks, flats = _series(sessions, "dark", on_step), _series(sessions, "flat", on_step)
    if not darks and not flats:
        return None
    scenes = _scene_record(sessions)
    dark = min(_at_gain(darks, scenes, "dark"), key=lambda one: one.distance_from(scenes), default=None)
    flat = max(_at_gain(flats, scenes, "flat"), key=lambda one: one.frames["a"].count, default=None)
    if dark is not None and dark.distance_from(scenes) > math.log(_LIKE_EXPOSURE):
        log.warning(
            "the dark series has %.0f us, the scenes %.0f us: dark levels may differ",
            dark.records["a"].exposure_us,
            scenes.exposure_us,
        )
    on_step("measuring dark, gain and defect maps")
    return Corrections(_measured("a", dark, flat), _measured("b", dark, flat))


@dataclass(frozen=True, slots=True)
class _PairSeries:
    """Both cameras' frames of one kind, exposure and gain, in sums."""

    records: dict[CameraRole, FrameRecord]
    """Of its first pair."""
    frames: dict[CameraRole, FrameSeries]

    def distance_from(self, scenes: FrameRecord) -> float:
        """Logarithm of the ratio of exposures."""
        return abs(math.log(max(self.records["a"].exposure_us, 1e-3) / max(scenes.exposure_us, 1e-3)))


def _series(sessions: Sequence[Session], kind: SeriesKind, on_step: Callable[[str], None]) -> list[_PairSeries]:
    found: dict[tuple[float, float], _PairSeries] = {}
    for session in sessions:
        for count, pair in enumerate(session.pairs(kind=kind), start=1):
            key = (pair.a.record.exposure_us, pair.a.record.gain_db)
            one = found[key] if key in found else found.setdefault(key, _begun(pair))
            one.frames["a"].add(pair.a.pixels)
            one.frames["b"].add(pair.b.pixels)
            on_step(f"{kind} pair {count} of {session.id}")
    return list(found.values())


def _begun(pair: FramePair) -> _PairSeries:
    return _PairSeries(
        {"a": pair.a.record, "b": pair.b.record},
        {"a": FrameSeries(pair.a.bit_depth), "b": FrameSeries(pair.b.bit_depth)},
    )


def _scene_record(sessions: Sequence[Session]) -> FrameRecord:
    """Camera A's record of the first pair of a scene, for its settings."""
    for session in sessions:
        pairs = session.pairs()
        if len(pairs):
            return pairs[0].a.record
    raise CorrectionError("the sessions hold no pair of a scene", hint="give a session with scenes, too")


def _at_gain(series: list[_PairSeries], scenes: FrameRecord, kind: SeriesKind) -> list[_PairSeries]:
    found = [one for one in series if abs(one.records["a"].gain_db - scenes.gain_db) <= SAME_GAIN_DB]
    if series and not found:
        seen = ", ".join(sorted({f"{one.records['a'].gain_db:g}" for one in series}))
        raise CorrectionError(
            f"the {kind} series was recorded at {seen} dB, the scenes at {scenes.gain_db:g} dB",
            hint=f"record 'twinlens capture --kind {kind}' with the scenes' gain",
        )
    return found


def _measured(role: CameraRole, dark: _PairSeries | None, flat: _PairSeries | None) -> MeasuredCamera:
    given = [one for one in (dark, flat) if one is not None]
    record, nothing = given[0].records[role], FrameSeries(given[0].frames[role].bit_depth)
    return correction_from(
        dark.frames[role] if dark is not None else nothing,
        flat.frames[role] if flat is not None else nothing,
        taken=Conditions(camera=role, exposure_us=record.exposure_us, gain_db=record.gain_db),
    )
