"""`twinlens verify`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from twinlens import console
from twinlens.verbs.options import as_json, existing

if TYPE_CHECKING:
    from twinlens.capture.session_verify import SessionCheck
    from twinlens.dataset.verify import DatasetCheck
else:
    SessionCheck = DatasetCheck = Any  # importing them would make --help slow

SHOWN = 20


@click.command()
@click.argument("artefact", type=existing)
@click.option(
    "--repair", is_flag=True, help="Session: seal what a killed recording left open, drop damaged frames."
)
@click.option(
    "--sources",
    multiple=True,
    type=existing,
    help="Where to look, besides beside ARTEFACT, for what it was made from: folders of sessions, imported files, "
    "datasets; repeatable. What is then found nowhere is a problem.",
)
@as_json
def verify(*, artefact: Path, repair: bool, sources: tuple[Path, ...], json: bool) -> None:
    """Read ARTEFACT again: a session or dataset byte by byte, any other file against what it says of itself.

    A dataset's sessions are compared by their session.json, imported files by their fingerprint; `twinlens verify
    SESSION` reads a session's frames. Without --sources, what is not found is not compared.
    """
    import h5py

    if repair and not artefact.is_dir():
        raise click.UsageError("--repair is for session folders; a dataset is built again")
    if artefact.is_dir():
        _verify_session(artefact, repair=repair, json=json)
    elif h5py.is_hdf5(artefact):
        _verify_dataset(artefact, sources, json=json)
    else:
        _verify_other(artefact, sources, json=json)


def _verify_session(session: Path, *, repair: bool, json: bool) -> None:
    from twinlens.capture.session_mend import mend_session
    from twinlens.errors import SessionError

    check = _check_session(session)
    mended = None
    if repair and not check.is_intact:
        mended = mend_session(session, damaged=tuple(problem.where for problem in check.problems))
        check = _check_session(Path(mended.folder))
    if json:
        console.report_json(check if mended is None else {"check": check, "mended": mended})
    else:
        _show_session(check)
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


def _check_session(session: Path) -> "SessionCheck":
    from twinlens.capture.session_verify import verify_session

    with console.bar("reading") as bar:
        return verify_session(session, on_segment=lambda done, total: bar.move(done, total=total))


def _show_session(check: "SessionCheck") -> None:
    console.figures(
        f"Session {check.folder}",
        {
            "frames whole": ", ".join(f"{role.upper()} {count}" for role, count in check.frames.items()),
            "pairs": check.pairs,
            "gaps in the ledger": check.gaps,
            "problems": len(check.problems) or "none",
        },
    )
    _list("Problems", check.problems)


def _verify_dataset(path: Path, sources: Sequence[Path], *, json: bool) -> None:
    from twinlens.dataset.verify import verify_dataset
    from twinlens.errors import CorruptError, DatasetError, SplitLeakError

    with console.bar("reading") as bar:
        check = verify_dataset(path, sources=sources, on_pair=lambda done, of: bar.move(done, total=of))
    if json:
        console.report_json(check)
    else:
        _show_dataset(check)
    if check.is_intact:
        return
    worst = min(check.problems, key=lambda problem: (problem.is_outside, problem.is_leak))
    what = f"{path}: {len(check.problems)} problems, {worst.what} ({worst.where})"
    if worst.is_leak:
        raise SplitLeakError(what, hint="scores on these splits would flatter: split it again by whole groups")
    if worst.is_outside:
        raise DatasetError(what, hint="the file itself is whole: point --sources to what it was made from")
    raise CorruptError(what, hint="copy it again, or build it again")


def _show_dataset(check: "DatasetCheck") -> None:
    console.figures(
        f"Dataset {check.path}",
        {
            "pairs read": check.pairs,
            "triggers without a pair": check.trigger_gaps,
            "content hash": check.content_hash,
            "problems": len(check.problems) or "none",
        },
    )
    _list("Problems", check.problems)
    _list("Warnings", check.warnings)
    _list("Not compared", check.unchecked)


def _verify_other(artefact: Path, sources: Sequence[Path], *, json: bool) -> None:
    from twinlens.artefacts import verify_artefact

    check = verify_artefact(artefact, sources=sources)
    if json:
        console.report_json(check)
        return
    found = check.dataset or "not found; name it with --sources"
    console.figures(
        f"{check.holds} {check.path}",
        {"problems": "none", **({"made with dataset": found} if check.dataset_hash else {})},
    )


def _list(title: str, problems: Sequence[Any]) -> None:
    if problems:
        console.table(title, ["where", "what"], [(p.where, p.what) for p in problems[:SHOWN]])
    if len(problems) > SHOWN:
        console.note(f"and {len(problems) - SHOWN} more; --json lists all")
