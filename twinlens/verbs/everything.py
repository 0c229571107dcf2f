"""`twinlens demo` and `info`."""

from pathlib import Path

import click

from twinlens import console
from twinlens.verbs.dataset_options import show_dataset
from twinlens.verbs.options import as_json, existing, folder


@click.command()
@click.option("-o", "--out", type=click.Path(path_type=Path), default=Path("demo-run"), show_default=True)
@click.option("--scenes", type=folder, help="Folder of photographs to use; each file is a scene.")
@click.option("--seed", type=int, default=None, help="Seed of the virtual rig.")
@as_json
def demo(*, out: Path, scenes: Path | None, seed: int | None, json: bool) -> None:
    """Walk the whole street on the virtual rig and write a report."""
    from twinlens.capture.virtual.twin import TwinSettings
    from twinlens.demo import run_demo
    from twinlens.walk import Voice

    settings = TwinSettings() if seed is None else TwinSettings(seed=seed)
    with console.bar("demo") as bar:
        voice = Voice(stage=console.note, progress=bar.move)
        result = run_demo(out, scenes=scenes, settings=settings, voice=voice)
    if json:
        console.report_json(result.figures)
        return
    console.figures("Demo", {name: _plain(value) for name, value in result.figures.items()})
    console.say(f"report: {result.report}")


@click.command()
@click.argument("artefact", type=existing)
@click.option(
    "--report",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Dataset: write report.html, report.json, its card README.md and croissant.json there. A README.md or "
    "report.json of somebody else is never replaced.",
)
@as_json
def info(*, artefact: Path, report: Path | None, json: bool) -> None:
    """Tell what a session, calibration, dataset, checkpoint or report holds."""
    import h5py

    from twinlens.artefacts import describe

    if report is not None:
        _report_dataset(artefact, report)
    if json or artefact.is_dir() or not h5py.is_hdf5(artefact):
        title, values = describe(artefact)
        console.report_json(values) if json else console.figures(title, values)
        return
    from twinlens.dataset.paired import PairedDataset

    show_dataset(artefact, PairedDataset(artefact).summary())


def _report_dataset(dataset: Path, out: Path) -> None:
    from twinlens.dataset.paired import PairedDataset
    from twinlens.report.dataset_page import write_dataset_report

    if dataset.is_dir():
        raise click.UsageError("--report is for datasets")
    with console.bar("looking") as bar:
        page = write_dataset_report(PairedDataset(dataset), out, on_pair=lambda done, of: bar.move(done, total=of))
    console.note(f"report: {page}")


def _plain(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
