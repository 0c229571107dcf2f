"""`twinlens verify`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from twinlens import console
from twinlens.verbs.options import as_json, folder

if TYPE_CHECKING:
    from twinlens.capture.session_verify import SessionCheck
else:
    SessionCheck = Any  # importing it would make --help slow

SHOWN = 20


@click.command()
@click.argument("session", type=folder)
@click.option("--repair", is_flag=True, help="Seal what a killed recording left open; leave out damaged frames.")
@as_json
def verify(*, session: Path, repair: bool, json: bool) -> None:
    """Read SESSION again: every frame and row against its hash, every trigger against the account."""
    from twinlens.capture.session_mend import mend_session
    from twinlens.errors import SessionError

    check = _check(session)
    mended = None
    if repair and not check.is_intact:
        mended = mend_session(session, damaged=tuple(problem.where for problem in check.problems))
        check = _check(Path(mended.folder))
    if json:
        console.report_json(check if mended is None else {"check": check, "mended": mended})
    else:
        _show(check)
        if mended is not None:
            console.say(
                f"repaired {len(mended.segments)} segments, {mended.dropped_frames} frames were not whole; "
                f"the session is {mended.folder}"
            )
    if not check.is_intact:
        raise SessionError(
            f"{check.folder}: {len(check.problems)} problems, {check.problems[0].what} "
            f"({check.problems[0].where})",
            hint="restore it from a copy"
            if mended is not None
            else f"restore it from a copy, or keep what is whole: twinlens verify --repair {session}",
        )


def _check(session: Path) -> "SessionCheck":
    from twinlens.capture.session_verify import verify_session

    with console.bar("reading") as bar:
        return verify_session(session, on_segment=lambda done, total: bar.move(done, total=total))


def _show(check: "SessionCheck") -> None:
    console.figures(
        f"Session {check.folder}",
        {
            "frames whole": ", ".join(f"{role.upper()} {count}" for role, count in check.frames.items()),
            "pairs": check.pairs,
            "gaps in the ledger": check.gaps,
            "problems": len(check.problems) or "none",
        },
    )
    if check.problems:
        console.table("Problems", ["where", "what"], [(p.where, p.what) for p in check.problems[:SHOWN]])
    if len(check.problems) > SHOWN:
        console.note(f"and {len(check.problems) - SHOWN} more; --json lists all")
