"""`twinlens evaluate`."""

from pathlib import Path

import click

from twinlens import console
from twinlens.verbs.options import as_json, existing


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
