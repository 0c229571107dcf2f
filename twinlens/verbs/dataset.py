"""`twinlens build`, `append`, `derive` and `split`."""

from pathlib import Path
from typing import Any

import click

from twinlens import console
from twinlens.verbs.dataset_options import (
    chosen_split_options,
    engine,
    group_options,
    group_settings,
    limit_options,
    limits,
    out_file,
    run_options,
    show_dataset,
    split_options,
    split_settings,
)
from twinlens.verbs.options import as_json, existing, folder
from twinlens.verbs.sections import SectionedCommand

calibration_file = click.option(
    "--calibration", "-c", type=existing, required=True, help="calibration.json of the same rig."
)
_LAYOUTS = click.Choice(["contiguous", "tiles"])
_LAYOUT_HELP = "contiguous is fastest from a local disk, tiles smallest and best over a network."

next_out = click.option(
    "-o", "--out", type=out_file, help="The new version to write.  [default: beside DATASET, by its version]"
)


@click.command(cls=SectionedCommand)
@click.argument("sessions", nargs=-1, required=True, type=folder)
@calibration_file
@click.option(
    "-o",
    "--out",
    type=out_file,
    default=Path("dataset-v1.0.0.h5"),
    show_default=True,
    help="File to write; its name tells name and version.",
)
@click.option("--layout", type=_LAYOUTS, default="contiguous", show_default=True, help=_LAYOUT_HELP)
@click.option(
    "--grid",
    type=click.Choice(["b", "a"]),
    default="b",
    show_default=True,
    help="Whose pixels pairs are laid on: b resamples A, a resamples B.",
)
@click.option("--scene", "scenes", multiple=True, help="Only this scene; repeatable.")
@click.option("--license", default="", help="Under which others may use it, such as CC-BY-4.0.")
@click.option("--description", default="", help="What it shows, in a sentence.")
@click.option(
    "--find-duplicates/--no-find-duplicates",
    default=True,
    show_default=True,
    help="Look at pictures for scenes under two names, and keep them together.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
@split_options
@limit_options
@run_options
@click.option("--dry-run", is_flag=True, help="Count what would be kept and left out; write no dataset.")
@as_json
def build(*, sessions: tuple[Path, ...], out: Path, dry_run: bool, json: bool, **given: Any) -> None:
    """Align the pairs of SESSIONS and write them as one dataset with honest splits.

    A build that was killed goes on where it stopped when the same command is given again.
    """
    from twinlens.building import build_from_sessions, try_build
    from twinlens.capture.session import Session
    from twinlens.dataset.build import DatasetSettings, version_in
    from twinlens.errors import SplitLeakError

    opened = [Session(path) for path in sessions]
    where, calibration, overwrite = engine(given), given.pop("calibration"), given.pop("overwrite")
    splits, gates = split_settings(given), limits(given)
    settings = DatasetSettings(**given, version=version_in(out) or "1.0.0", splits=splits, limits=gates)
    with console.bar("aligning", sum(len(session.pairs()) for session in opened)) as bar:
        if dry_run:
            tried = try_build(opened, calibration, out, settings=settings, engine=where, on_pair=bar.move)
        else:
            report = build_from_sessions(
                opened,
                calibration,
                out,
                settings=settings,
                engine=where,
                overwrite=overwrite,
                on_pair=bar.move,
            )
    if json:
        console.report_json(tried if dry_run else report)
    elif dry_run:
        counts = {count.split: f"{count.pairs} pairs of {count.scenes} scenes" for count in tried.splits}
        left_out = {f"left out for {count.reason}": count.pairs for count in tried.rejects}
        console.figures("Dry run", {"pairs": tried.pairs, **counts, **left_out})
        console.note("aligned pairs are kept for the build itself")
    else:
        show_dataset(out, report)
    if dry_run and tried.split_problem:
        raise SplitLeakError(tried.split_problem)


@click.command(cls=SectionedCommand)
@click.argument("dataset", type=existing)
@click.argument("sessions", nargs=-1, required=True, type=folder)
@calibration_file
@next_out
@group_options
@limit_options
@run_options
@as_json
def append(*, dataset: Path, sessions: tuple[Path, ...], out: Path | None, json: bool, **given: Any) -> None:
    """Write a new version of DATASET with the pairs of SESSIONS too.

    What was in a split stays in it, so that nothing a network has trained on is ever tested on. New scenes are
    divided by the rule that DATASET was.
    """
    from twinlens.building import append_sessions
    from twinlens.capture.session import Session
    from twinlens.dataset.build import DatasetSettings
    from twinlens.dataset.derive import next_file
    from twinlens.dataset.paired import PairedDataset

    opened = [Session(path) for path in sessions]
    parent = PairedDataset(dataset)
    out = out or next_file(parent, part=1)
    where, calibration = engine(given), given.pop("calibration")
    settings = DatasetSettings(
        splits=group_settings(given),
        limits=limits(given),
        layout=parent.contents.layout,
        grid=parent.contents.grid,
    )
    with console.bar("aligning", sum(len(session.pairs()) for session in opened)) as bar:
        report = append_sessions(
            parent, opened, calibration, out, settings=settings, engine=where, on_pair=bar.move
        )
    console.report_json(report) if json else show_dataset(out, report)


@click.command(cls=SectionedCommand)
@click.argument("dataset", type=existing)
@next_out
@click.option("--scene", "scenes", multiple=True, help="Keep this scene only; repeatable.")
@click.option("--mirror-state", "mirror_states", multiple=True, help="Keep this mirror state only; repeatable.")
@click.option(
    "--crop", nargs=4, type=int, default=None, metavar="LEFT TOP WIDTH HEIGHT", help="Part of every frame."
)
@click.option("--new-splits", is_flag=True, help="Draw the splits anew; otherwise every pair stays where it is.")
@click.option("--layout", type=_LAYOUTS, help=f"{_LAYOUT_HELP}  [default: as DATASET]")
@split_options
@limit_options
@as_json
def derive(*, dataset: Path, out: Path | None, json: bool, **given: Any) -> None:
    """Write a new version of DATASET with fewer pairs, a crop, other splits or another layout."""
    from twinlens.calibrate import Box
    from twinlens.dataset.derive import DeriveSettings, derive_dataset, next_file
    from twinlens.dataset.paired import PairedDataset

    parent = PairedDataset(dataset)
    out = out or next_file(parent, part=0)
    anew, crop, asked = given.pop("new_splits"), given.pop("crop"), chosen_split_options()
    if asked and not anew:
        raise click.UsageError(f"{asked[0]} draws splits, and every pair stays where it is without --new-splits")
    splits, gates = split_settings(given), limits(given, allow_coarse=True)
    box = None if crop is None else Box(crop[0], crop[1], crop[0] + crop[2], crop[1] + crop[3])
    settings = DeriveSettings(**given, crop=box, limits=gates, splits=splits if anew else None)
    report = derive_dataset(parent, out, settings=settings)
    console.report_json(report) if json else show_dataset(out, report)


@click.command(cls=SectionedCommand)
@click.argument("dataset", type=existing)
@click.option("--scheme", required=True, help="Name of the split scheme.")
@next_out
@split_options
@as_json
def split(*, dataset: Path, scheme: str, out: Path | None, json: bool, **given: Any) -> None:
    """Write a new version of DATASET with one more way to split it, beside those it has."""
    from twinlens.dataset.derive import add_scheme, next_file
    from twinlens.dataset.paired import PairedDataset

    parent = PairedDataset(dataset)
    out = out or next_file(parent, part=0 if scheme in parent.schemes else 1)
    report = add_scheme(parent, out, name=scheme, splits=split_settings(given))
    if json:
        console.report_json(report)
        return
    made = PairedDataset(out)
    counts = {part: len(made.split(part, scheme=scheme)) for part in ("train", "val", "test", "unused")}
    console.figures(f"Dataset {out}, scheme {scheme}", {**counts, "schemes": ", ".join(made.schemes)})
