"""`twinlens train`."""

import json as json_text
import os
import signal
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from twinlens import console
from twinlens.errors import SettingsError
from twinlens.verbs.options import as_json, existing


@click.command()
@click.argument("dataset", type=existing)
@click.option("-o", "--out", type=click.Path(path_type=Path), default=Path("training"), show_default=True)
@click.option("--preset", "recipe", default=None, help="Network, size and recipe, by name.  [default: demo]")
@click.option("--steps", type=click.IntRange(min=1), default=None, help="Override the recipe.")
@click.option("--batch-size", type=click.IntRange(min=1), default=None, help="Override the recipe.")
@click.option("--crop-px", type=click.IntRange(min=8), default=None, help="Override the recipe.")
@click.option("--learning-rate", type=float, default=None, help="Override the recipe.")
@click.option("--loss", default=None, help="Override the recipe: charbonnier-edge, l1, fft ...")
@click.option("--precision", default=None, help="Override the recipe: float32, bfloat16.")
@click.option("--scheme", default=None, help="Split scheme of the dataset.  [default: default]")
@click.option("--seed", type=int, default=None, help="Override the recipe.")
@click.option(
    "--set",
    "others",
    metavar="NAME=VALUE",
    multiple=True,
    help="Any other setting of TrainSettings, the value as in JSON: ema_decay=0.999, later_crops=[[0.5,96,4]].",
)
@click.option("--init", type=existing, default=None, help="Begin with the weights of this checkpoint: fine-tune.")
@click.option("--resume", is_flag=True, help="Go on with the stopped training in --out.")
@click.option("--device", default="cpu", show_default=True, help="torch device, such as cuda.")
@click.option(
    "--threads", type=click.IntRange(min=1), default=None, help="CPU threads; 1 is best for small crops."
)
@as_json
def train(
    *,
    dataset: Path,
    out: Path,
    recipe: str | None,
    others: tuple[str, ...],
    init: Path | None,
    resume: bool,
    device: str,
    threads: int | None,
    json: bool,
    **chosen: Any,
) -> None:
    """Train a network on the train split, choosing the best checkpoint on the val split.

    Under torchrun, several processes or machines train together: torchrun --nproc-per-node 4 -m twinlens train ...
    """
    import torch

    from twinlens.dataset.paired import PairedDataset
    from twinlens.restore.checkpoint import load_checkpoint
    from twinlens.restore.train import train as learn

    if resume and (recipe or init):
        raise click.UsageError(
            "--resume goes on with the network and the weights there are: leave out --preset, --init"
        )
    if threads is not None:
        torch.set_num_threads(threads)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # batch systems stop a job so; it keeps its state
    begun = None if init is None else load_checkpoint(init)
    changes = {name: value for name, value in chosen.items() if value is not None} | _named(others)
    settings = _resumed(out, changes) if resume else _settings(recipe or "demo", changes, begun)
    training = learn(PairedDataset(dataset), settings, out=out, device=device, init=begun, resume=resume)
    if os.environ.get("RANK", "0") != "0":
        for _ in training:
            pass
        return
    reports = []
    with console.bar("training", settings.steps) as bar, closing(training) as steps:
        for report in steps:
            if report.went_back_from is not None:
                console.note(
                    f"step {report.went_back_from}: not a finite number; went back and on with other crops"
                )
            psnr = f", validation {report.psnr_db:.2f} dB" if report.psnr_db is not None else ""
            bar.move(report.step, f"loss {report.loss:.4f}{psnr}")
            reports.append(report)
    if json:
        console.report_json({"out": str(out), "steps": [asdict(report) for report in reports]})
        return
    best_psnr_db, step = max(((r.psnr_db, r.step) for r in reports if r.psnr_db is not None), default=(None, 0))
    console.figures(
        f"Training {out}",
        {
            "steps": settings.steps,
            "best validation": "as before" if best_psnr_db is None else f"{best_psnr_db:.2f} dB at step {step}",
            "checkpoints": f"{out / 'best.safetensors'}, {out / 'last.safetensors'}",
            "time": f"{reports[-1].elapsed_s:.0f} s" if reports else "none: it was finished",
        },
    )


def _named(others: tuple[str, ...]) -> dict[str, Any]:
    found = {}
    for other in others:
        name, equals, text = other.partition("=")
        if not equals:
            raise click.BadParameter(f"{other!r} has no '='", param_hint="--set")
        try:
            found[name] = json_text.loads(text)
        except ValueError:
            found[name] = text
    return found


def _settings(recipe: str, changes: Mapping[str, Any], begun: Any) -> Any:
    """The recipe with the changes; of the architecture that the first weights have, where there are such."""
    from twinlens.restore.train import RECIPES, TrainSettings

    if recipe not in RECIPES:
        raise SettingsError(f"no recipe is named {recipe!r}", hint=f"known are: {', '.join(RECIPES)}")
    if begun is not None:
        changes = {"network": begun.card.network, "hyper_parameters": begun.card.hyper_parameters, **changes}
    return TrainSettings.from_dict({**RECIPES[recipe].as_dict(), **changes})


def _resumed(out: Path, changes: Mapping[str, Any]) -> Any:
    """The settings that the training in `out` began with."""
    from twinlens.restore.resume import facts_of
    from twinlens.restore.train import STATE, TrainSettings

    return TrainSettings.from_dict({**facts_of(out / STATE)["settings"], **changes})
