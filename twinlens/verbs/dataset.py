"""`twinlens build`."""

from pathlib import Path
from typing import Any

import click

from twinlens import console
from twinlens.verbs.options import as_json, existing, folder


@click.command()
@click.argument("sessions", nargs=-1, required=True, type=folder)
@click.option("--calibration", "-c", type=existing, required=True, help="calibration.json of the same rig.")
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="NAME.h5 to write.")
@click.option(
    "--ratios", nargs=3, type=float, default=(0.8, 0.1, 0.1), show_default=True, help="Train, val, test."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the split.")
@click.option(
    "--assign", multiple=True, metavar="SCENE=SPLIT", help="Pin a scene to train, val or test; repeatable."
)
@click.option(
    "--grid",
    type=click.Choice(["b", "a"]),
    default="b",
    show_default=True,
    help="Whose pixels pairs are laid on: b resamples A, a resamples B.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
@as_json
def build(
    *,
    sessions: tuple[Path, ...],
    calibration: Path,
    out: Path,
    ratios: tuple[float, float, float],
    seed: int,
    assign: tuple[str, ...],
    grid: Any,
    overwrite: bool,
    json: bool,
) -> None:
    """Align the pairs of SESSIONS and write them as one dataset with honest splits."""
    from twinlens.capture.session import Session
    from twinlens.dataset.build import DatasetSettings
    from twinlens.handover import build_from_sessions

    assignment = dict(_scene_and_split(text) for text in assign)
    settings = DatasetSettings(ratios=ratios, seed=seed, assignment=assignment, grid=grid)
    opened = [Session(path) for path in sessions]
    left_out: list[str] = []
    with console.bar("building", sum(len(session.pairs()) for session in opened)) as bar:
        report = build_from_sessions(
            opened,
            calibration,
            out,
            settings=settings,
            overwrite=overwrite,
            on_pair=bar.move,
            on_reject=left_out.append,
        )
    for reason in left_out:
        console.note(reason)
    if json:
        console.report_json(report)
        return
    console.figures(
        f"Dataset {out}",
        {
            "pairs": f"{report.pairs}, {len(left_out)} left out",
            "size": f"{report.shape_hw[1]}x{report.shape_hw[0]} px, {report.bit_depth} bit",
            **{count.split: f"{count.pairs} pairs of {count.scenes} scenes" for count in report.splits},
            "residual median / p95": f"{report.residual_px.median:.3f} / {report.residual_px.p95:.3f} px",
            "input PSNR mean": f"{report.input_psnr_db.mean:.2f} dB",
            "content hash": report.content_hash,
        },
    )


def _scene_and_split(text: str) -> tuple[str, str]:
    scene, equals, split = text.rpartition("=")
    if not equals or split not in ("train", "val", "test"):
        raise click.BadParameter(f"{text!r} is not SCENE=train, SCENE=val or SCENE=test", param_hint="--assign")
    return scene, split
