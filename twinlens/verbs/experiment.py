"""`twinlens experiment`."""

from pathlib import Path

import click

from twinlens import console
from twinlens.verbs.options import as_json, existing, folder


@click.command()
@click.argument("recipe", type=existing)
@click.option(
    "--scale",
    default="auto",
    show_default=True,
    help="One of the recipe's scales, such as small, medium or full; auto is full on a GPU, else small.",
)
@click.option("-o", "--out", type=click.Path(path_type=Path), default=Path("paper-run"), show_default=True)
@click.option("--device", default="auto", show_default=True, help="torch device; auto is cuda where there is one.")
@click.option(
    "--jobs", "-j", type=click.IntRange(min=1), default=None, help="Processes.  [default: one per core, at most 4]"
)
@click.option("--scenes", type=folder, help="Folder of photographs to use; each file is a scene.")
@as_json
def experiment(
    *, recipe: Path, scale: str, out: Path, device: str, jobs: int | None, scenes: Path | None, json: bool
) -> None:
    """Run a paper's experiment again on the virtual rig, from its recipe to a report."""
    from twinlens.experiment import Bench, run_experiment
    from twinlens.experiment_recipe import read_recipe
    from twinlens.walk import Voice

    bench = Bench(device=device, scenes=scenes) if jobs is None else Bench(device=device, jobs=jobs, scenes=scenes)
    with console.bar("experiment") as bar:
        voice = Voice(stage=console.note, progress=bar.move)
        result = run_experiment(read_recipe(recipe), scale, out=out, bench=bench, voice=voice)
    if json:
        console.report_json(result.figures)
        return
    console.figures("Experiment", {name: _plain(value) for name, value in result.figures.items()})
    console.say(f"report: {result.report}")


def _plain(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
