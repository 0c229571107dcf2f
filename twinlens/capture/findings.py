"""What a look at the rig found: one judged line each, with the command that mends it."""

from dataclasses import dataclass
from typing import Literal

from twinlens.errors import HostLimitError

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


def require_ready(findings: tuple[Finding, ...]) -> None:
    """Raise `HostLimitError` if anything failed."""
    failed = list(dict.fromkeys(found.subject for found in findings if found.verdict == "FAIL"))
    if failed:
        raise HostLimitError(
            f"this rig is not ready to capture: {', '.join(failed)}",
            hint="mend the lines marked FAIL, from the top",
        )
