"""`twinlens cameras` and `doctor`."""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from twinlens import console
from twinlens.verbs.options import as_json, rig_file

if TYPE_CHECKING:
    from twinlens.capture.findings import Finding
else:
    Finding = Any  # importing it would make --help slow

WIDTH, INDENT = 80, 25


@click.command()
@rig_file
@click.option(
    "--assign", nargs=2, metavar="SERIAL_A SERIAL_B", help="Write down which camera is A and which is B."
)
@click.option(
    "--give-address",
    "move",
    nargs=2,
    metavar="SERIAL ADDRESS/BITS",
    help="Move a camera to an address that fits, until its power goes off.",
)
@click.option("--producer", default=None, help="GenTL producer (.cti) to use instead of the bundled one.")
@as_json
def cameras(
    *,
    rig: Path,
    assign: tuple[str, str] | None,
    move: tuple[str, str] | None,
    producer: str | None,
    json: bool,
) -> None:
    """List the cameras that answer; with --assign, write rig.toml."""
    from dataclasses import asdict

    from twinlens.capture.assign import assign_cameras, list_cameras
    from twinlens.capture.rig_file import read_rig_file

    if move is not None:
        _move(*move)
    if producer is None and rig.exists():
        producer = read_rig_file(rig).producer or None
    found = list_cameras(producer)
    if assign is not None:
        assign_cameras(rig, found, a=assign[0], b=assign[1], producer=producer)
    if json:
        console.report_json({"cameras": [asdict(info) for info in found]})
        return
    console.table(
        f"{len(found)} cameras",
        ["serial", "vendor", "model", "name"],
        [(info.serial, info.vendor, info.model, info.user_name) for info in found],
    )
    if assign is not None:
        console.say(f"wrote {rig}: A is {assign[0]}, B is {assign[1]}")


def _move(serial: str, address: str) -> None:
    from ipaddress import IPv4Interface

    from twinlens.capture.discovery import give_address
    from twinlens.capture.interfaces import network_interfaces

    try:
        place = IPv4Interface(address)
    except ValueError as cause:
        raise click.BadParameter(
            f"{address!r} is not like 192.168.5.11/24", param_hint="--give-address"
        ) from cause
    moved = give_address(serial, place, network_interfaces())
    console.note(f"camera {serial} answers at {moved.address}")


@click.command()
@rig_file
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("sessions"),
    show_default=True,
    help="Where sessions will be written; its disk is tried.",
)
@as_json
def doctor(*, rig: Path, out: Path, json: bool) -> None:
    """Check network, cameras, producer and disk; exit 1 if something fails."""
    from dataclasses import asdict

    from twinlens.capture.doctor import examine
    from twinlens.capture.findings import require_ready, worst
    from twinlens.capture.rig_file import RigSettings, read_rig_file

    settings = read_rig_file(rig) if rig.exists() else RigSettings()
    findings = []
    for finding in examine(settings, out=out):
        findings.append(finding)
        if not json:
            show_finding(finding)
    verdict = worst(tuple(findings))
    if json:
        console.report_json({"verdict": verdict, "findings": [asdict(finding) for finding in findings]})
    else:
        count = {name: sum(found.verdict == name for found in findings) for name in ("OK", "WARN", "FAIL")}
        console.say(", ".join(f"{number} {name}" for name, number in count.items() if number))
    require_ready(tuple(findings))


def show_finding(finding: Finding) -> None:
    """Print one judged line, at most 80 columns wide, and below it the command that mends it."""
    head = f"{finding.verdict:<5} {finding.subject:<18} "
    lines = textwrap.wrap(
        finding.seen,
        WIDTH,
        initial_indent=head,
        subsequent_indent=" " * INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
    for line in lines:
        console.say(line)
    if finding.remedy:
        # A command stays on one line, to be copied.
        console.say(f"{'':<6}-> {finding.remedy}")
