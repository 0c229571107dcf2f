"""What `twinlens export` and `import` do with networks."""

from dataclasses import dataclass
from pathlib import Path

import click

from twinlens import console

OFFICIAL = "official"
MODELS = (OFFICIAL, "onnx", "torch-export")


@dataclass(frozen=True)
class ModelReport:
    """A network that was written in another form."""

    path: str
    network: str
    channels: int
    bytes: int
    largest_difference: float | None
    """From torch, of the [0, 1] range, at two sizes; None where weights alone were written."""


def export_model(source: Path, out: Path, to: str, *, json: bool) -> None:
    """Write a checkpoint's network as `to`, one of `MODELS`."""
    from twinlens.restore.checkpoint import load_checkpoint
    from twinlens.restore.export import export_onnx, export_program
    from twinlens.restore.official import write_official

    _require_new(out)
    checkpoint = load_checkpoint(source)
    difference = None
    if to == OFFICIAL:
        write_official(out, checkpoint)
    else:
        difference = (export_onnx if to == "onnx" else export_program)(checkpoint, out)
    card = checkpoint.card
    report = ModelReport(str(out), card.network, card.channels, out.stat().st_size, difference)
    if json:
        console.report_json(report)
        return
    checked = "" if difference is None else f"; run at two other sizes, it differs from torch by {difference:.1e}"
    console.say(f"wrote {card.network} to {out} ({report.bytes / 1e6:.1f} MB){checked}")
    if to == OFFICIAL and card.channels != 3:
        console.note(f"it has {card.channels} channel(s); chaiNNer and spandrel open MPRNets of three only")


def import_model(source: Path, out: Path, *, overwrite: bool, json: bool) -> None:
    """Write published weights as a checkpoint."""
    from twinlens.artefacts import CHECKPOINT
    from twinlens.restore.checkpoint import write_checkpoint
    from twinlens.restore.official import read_official_checkpoint

    if out.suffix != CHECKPOINT:
        raise click.BadParameter(f"{out} is no checkpoint's name; it ends in {CHECKPOINT}", param_hint="-o")
    if not overwrite:
        _require_new(out)
    checkpoint = read_official_checkpoint(source)
    write_checkpoint(out, checkpoint)
    card = checkpoint.card
    report = ModelReport(str(out), card.network, card.channels, out.stat().st_size, None)
    if json:
        console.report_json(report)
    else:
        sizes = ", ".join(f"{name} {value}" for name, value in card.hyper_parameters.items())
        console.say(f"wrote {card.network} ({sizes}) with {card.channels} channel(s) to {out}")


def _require_new(out: Path) -> None:
    from twinlens.errors import CheckpointError

    if out.exists():
        raise CheckpointError(f"{out} exists already", hint="give another name, or move it away")
