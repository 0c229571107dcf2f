"""What a look at the rig found: one judged line each, with the command that mends it."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["OK", "WARN", "FAIL"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a report."""

    verdict: Verdict
    subject: str
    seen: str
    remedy: str = ""
    """The one command that mends it, or what to do by hand."""


def worst(findings: tuple[Finding, ...]) -> Verdict:
    """The verdict on everything."""
    order: tuple[Verdict, ...] = ("FAIL", "WARN", "OK")
    return next((verdict for verdict in order if any(found.verdict == verdict for found in findings)), "OK")
