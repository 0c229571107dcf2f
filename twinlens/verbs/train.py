"""`twinlens train`."""

from contextlib import closing
from pathlib import Path
from typing import Any

import click

from twinlens import console
from twinlens.verbs.options import as_json, existing


@click.command()
@click.argument("dataset", type=existing)
@click.option("-o", "--out", type=click.Path(path_type=Path), default=Path("training"), show_default=True)
@click.option(
    "--preset", type=click.Choice(["demo", "tiny"]), default="demo", show_default=True, help="Size and recipe."
)
@click.option("--steps", type=click.IntRange(min=1), default=None, help="Override the recipe.")
@click.option("--batch-size", type=click.IntRange(min=1), default=None, help="Override the recipe.")
@click.option("--crop-px", type=click.IntRange(min=16), default=None, help="Override the recipe.")
@click.option("--learning-rate", type=float, default=None, help="Override the recipe.")
@click.option("--scheme", default=None, help="Split scheme of the dataset.  [default: default]")
@click.option("--seed", type=int, default=None, help="Override the recipe.")
@click.option("--device", default="cpu", show_default=True, help="torch device, such as cuda.")
@click.option(
    "--threads", type=click.IntRange(min=1), default=None, help="CPU threads; 1 is best for small crops."
)
@as_json
def train(
    *, dataset: Path, out: Path, preset: str, device: str, threads: int | None, json: bool, **chosen: Any
) -> None:
    """Train MPRNet on the train split, choosing the best checkpoint on the val split."""
    from dataclasses import asdict, replace

    import torch

    from twinlens.dataset.paired import PairedDataset
    from twinlens.restore.train import RECIPES
    from twinlens.restore.train import train as learn

    if threads is not None:
        torch.set_num_threads(threads)
    settings = replace(RECIPES[preset], **{name: value for name, value in chosen.items() if value is not None})
    reports = []
    training = learn(PairedDataset(dataset), settings, out=out, device=device)
    with console.bar("training", settings.steps) as bar, closing(training) as steps:
        for report in steps:
            psnr = f", validation {report.psnr_db:.2f} dB" if report.psnr_db is not None else ""
            bar.move(report.step, f"loss {report.loss:.4f}{psnr}")
            reports.append(report)
    if json:
        console.report_json({"out": str(out), "steps": [asdict(report) for report in reports]})
        return
    best = max((r.psnr_db, r.step) for r in reports if r.psnr_db is not None)
    console.figures(
        f"Training {out}",
        {
            "steps": reports[-1].step,
            "best validation": f"{best[0]:.2f} dB at step {best[1]}",
            "checkpoints": f"{out / 'best.safetensors'}, {out / 'last.safetensors'}",
            "time": f"{reports[-1].elapsed_s:.0f} s",
        },
    )
