"""`twinlens train`, `evaluate` and `restore`."""

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


@click.command()
@click.argument("dataset", type=existing)
@click.argument("checkpoint", type=existing)
@click.option("--split", type=click.Choice(["train", "val", "test"]), default="test", show_default=True)
@click.option("--scheme", default="default", show_default=True, help="Split scheme of the dataset.")
@click.option("--device", default="cpu", show_default=True, help="torch device, such as cuda.")
@as_json
def evaluate(*, dataset: Path, checkpoint: Path, split: str, scheme: str, device: str, json: bool) -> None:
    """Score a checkpoint: PSNR and SSIM of input and restored, per frame and mean."""
    from twinlens.dataset.paired import PairedDataset
    from twinlens.restore.checkpoint import load_checkpoint
    from twinlens.restore.evaluate import evaluate as score
    from twinlens.restore.evaluate import summarise
    from twinlens.restore.restorer import Restorer, RestoreSettings

    opened = PairedDataset(dataset)
    loaded = load_checkpoint(checkpoint)
    if loaded.card.dataset_hash != opened.content_hash:
        console.note("the checkpoint was trained on another dataset or split: it may know scenes of this one")
    restorer = Restorer.from_checkpoint(loaded, settings=RestoreSettings(device=device))
    pairs = opened.split(split, scheme=scheme)
    scores = []
    with console.bar("evaluating", len(pairs)) as bar:
        for scored in score(pairs, restorer):
            scores.append(scored.score)
            bar.move(len(scores), scored.score.scene)
    report = summarise(scores, dataset_hash=opened.content_hash, split=split)
    if json:
        console.report_json(report)
        return
    rows = [
        (s.scene, f"{s.input.psnr_db:.2f}", f"{s.restored.psnr_db:.2f}", f"{s.input.ssim:.4f}",
         f"{s.restored.ssim:.4f}")
        for s in report.images
    ]  # fmt: skip
    mean_in, mean_out = report.mean_input, report.mean_restored
    rows.append(("mean", f"{mean_in.psnr_db:.2f}", f"{mean_out.psnr_db:.2f}", f"{mean_in.ssim:.4f}",
                 f"{mean_out.ssim:.4f}"))  # fmt: skip
    console.table(
        f"{split} split, protocol {report.protocol}",
        ["scene", "input dB", "restored dB", "input SSIM", "restored SSIM"],
        rows,
    )


@click.command()
@click.argument("sources", nargs=-1, required=True, type=existing)
@click.option("--checkpoint", "-c", type=existing, required=True, help="Checkpoint that 'twinlens train' wrote.")
@click.option("-o", "--out", type=click.Path(path_type=Path), default=Path("restored"), show_default=True)
@click.option("--device", default="cpu", show_default=True, help="torch device, such as cuda.")
@click.option(
    "--correct/--no-correct",
    default=None,
    help="Apply camera B's dark, gain and defect maps first.  [default: to sessions' frames, not to image files]",
)
@as_json
def restore(
    *, sources: tuple[Path, ...], checkpoint: Path, out: Path, device: str, correct: bool | None, json: bool
) -> None:
    """Restore image files, folders of them, or camera B's frames of sessions.

    A session's frames are raw: they are corrected as the training frames were. Image files are taken as they are;
    where they are raw whole frames of camera B, say --correct.
    """
    from twinlens.capture.corrected import warn_of_other_gain
    from twinlens.errors import RestoreError
    from twinlens.picture_files import degraded_pictures, require_new, save_picture, sessions_among
    from twinlens.restore.checkpoint import load_checkpoint
    from twinlens.restore.restorer import Restorer, RestoreSettings

    restorer = Restorer.from_checkpoint(load_checkpoint(checkpoint), settings=RestoreSettings(device=device))
    if restorer.correction is not None and correct is not False:
        warn_of_other_gain(sessions_among(sources), restorer.correction)
    if correct and restorer.correction is None:
        raise RestoreError(
            f"{checkpoint} holds no correction: its training frames were raw",
            hint="leave out --correct, or train on a dataset whose calibration had a dark series",
        )
    written = []
    pictures = degraded_pictures(sources)
    require_new(out / picture.name for picture in pictures)
    with console.bar("restoring", len(pictures)) as bar:
        for done, picture in enumerate(pictures, start=1):
            is_raw = picture.is_raw if correct is None else correct
            apply = restorer.restore_raw if is_raw else restorer
            written.append(str(save_picture(apply(picture.load()), out / picture.name)))
            bar.move(done, picture.name)
    if json:
        console.report_json({"written": written})
    else:
        console.say(f"wrote {len(written)} pictures to {out}")
