"""Which of its pictures a report shows: rules, so that nobody picks the flattering ones."""

from collections.abc import Sequence
from typing import TypeVar

from twinlens.report.street import RegistrationPictures, Street, Triple

MOST_STATES = 2
"""Mirror states whose overlays and figures are on the page."""
_MOST_OF_A_VERDICT = 2
_FEW = 6
"""Judged pairs that are all shown."""
_WORST_FIRST = ("refused", "coarse", "good")

_Item = TypeVar("_Item")


def evenly(items: Sequence[_Item], most: int) -> list[_Item]:
    """At most `most` items: the first, the last, and evenly spread ones between."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def middle_triple(triples: Sequence[Triple]) -> Triple:
    """The frame with the median gain: neither the best nor the worst."""
    return sorted(triples, key=lambda triple: triple.restored_psnr_db - triple.input_psnr_db)[len(triples) // 2]


def shown_registrations(street: Street) -> list[RegistrationPictures]:
    """The first pairs without a verdict, judged ones, refused first: all, or the worst and the best of many."""
    shown = [pictures for pictures in street.registration if pictures.verdict is None][:MOST_STATES]
    judged = [(pictures.verdict, pictures) for pictures in street.registration if pictures.verdict is not None]
    given = [verdict.verdict for verdict, _ in judged]
    most = _FEW if len(judged) <= _FEW else _MOST_OF_A_VERDICT
    for word in dict.fromkeys((*(word for word in _WORST_FIRST if word in given), *given)):
        alike = [(verdict.residual_px or 0.0, pictures) for verdict, pictures in judged if verdict.verdict == word]
        alike.sort(key=lambda rated: -rated[0])
        shown += [pictures for _, pictures in evenly(alike, most)]
    return shown


def mirror_states(street: Street) -> list[str]:
    """Every mirror state that there is something to show of, each once, those with pictures first."""
    labels = [pictures.mirror_state for pictures in street.registration]
    if street.calibration is not None:
        labels += [state.mirror_state for state in street.calibration.states]
    if street.truth is not None and not labels:
        labels = [""]
    return list(dict.fromkeys(labels))
