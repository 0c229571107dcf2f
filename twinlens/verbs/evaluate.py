"""`twinlens evaluate`."""

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from twinlens import console
from twinlens.verbs.evaluation_tables import show_evaluation
from twinlens.verbs.options import as_json, existing

if TYPE_CHECKING:
    from twinlens.dataset.paired import PairSplit
    from twinlens.pixels import Kernel
else:
    PairSplit = Kernel = Any  # importing them would make --help slow

_NOTES = {
    "train": "these scenes were trained on: the scores say nothing of new ones",
    "val": "the best checkpoint was chosen on these scenes: the scores of new ones will be a little lower",
}


@click.command()
@click.argument("dataset", type=existing)
@click.argument("checkpoint", type=existing)
@click.option("--split", type=click.Choice(["train", "val", "test"]), default="test", show_default=True)
@click.option("--scheme", default="default", show_default=True, help="Split scheme of the dataset.")
@click.option(
    "--protocol",
    type=click.Choice(["wang2003", "matlab-rgb3d", "y", "skimage"]),
    default="wang2003",
    show_default=True,
    help="What PSNR and SSIM are; matlab-rgb3d and y score colour only.",
)
@click.option(
    "--realign",
    type=click.Choice(["none", "shift", "homography"]),
    default="none",
    show_default=True,
    help="Also score each picture moved onto its target: by a shift, or by a homography and a brightness.",
)
@click.option(
    "--baseline",
    "names",
    type=click.Choice(["wiener", "richardson-lucy", "tv"]),
    multiple=True,
    help="A classical method to score too, with the calibrated blur; repeatable.",
)
@click.option("--calibration", type=existing, default=None, help="Baselines: calibration.json of the dataset.")
@click.option("--by", type=click.Choice(["scene", "state", "image"]), default="scene", show_default=True,
              help="What the second table has a row for.")  # fmt: skip
@click.option("--limit", type=click.IntRange(min=1), default=None, help="Only the first pairs of the split.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path, dir_okay=False), default=None, metavar="FILE.json",
    help="Keep the scores, with all they depend on; `twinlens verify` reads the file.",
)  # fmt: skip
@click.option("--device", default="cpu", show_default=True, help="torch device, such as cuda.")
@as_json
def evaluate(
    *,
    dataset: Path,
    checkpoint: Path,
    split: str,
    scheme: str,
    names: tuple[str, ...],
    calibration: Path | None,
    by: str,
    limit: int | None,
    out: Path | None,
    device: str,
    json: bool,
    **scoring: str,
) -> None:
    """Score a checkpoint on a split: PSNR and SSIM of input, restored and classical methods, with intervals."""
    if names and calibration is None:
        raise click.UsageError(
            f"--baseline {names[0]} needs to know the blur: give --calibration calibration.json"
        )
    if out is not None and out.suffix != ".json":
        raise click.UsageError(f"-o {out}: the scores are JSON, give a name that ends in .json")
    from twinlens.dataset.paired import PairedDataset
    from twinlens.errors import RestoreError
    from twinlens.handover import sha256_of
    from twinlens.picture_files import require_new
    from twinlens.report.evaluation_file import EvaluationFile
    from twinlens.report.plain import plain
    from twinlens.restore.baselines import BASELINES, baseline
    from twinlens.restore.checkpoint import load_checkpoint
    from twinlens.restore.evaluate import EvaluationSettings, summarise
    from twinlens.restore.evaluate import evaluate as score
    from twinlens.restore.restorer import Restorer, RestoreSettings

    if out is not None:
        require_new([out])
    settings = EvaluationSettings.from_dict(scoring)
    opened, loaded = PairedDataset(dataset), load_checkpoint(checkpoint)
    if loaded.card.bit_depth != opened.bit_depth:
        raise RestoreError(
            f"{dataset} has {opened.bit_depth} bit, {checkpoint} was trained on {loaded.card.bit_depth} bit",
            hint="use a network trained at this bit depth",
        )
    pairs = opened.split(split, scheme=scheme)
    kernels = {} if calibration is None else _kernels(calibration, pairs)
    methods = {name: baseline(name, kernels.__getitem__) for name in dict.fromkeys(names)}
    if loaded.card.dataset_hash != opened.content_hash:
        console.note("the checkpoint was trained on another dataset or split: it may know scenes of this one")
    if split in _NOTES:
        console.note(_NOTES[split])
    restorer = Restorer.from_checkpoint(loaded, settings=RestoreSettings(device=device))
    if len(pairs) and not (plan := restorer.plan(pairs.shape_hw)).is_whole:
        console.note(str(plan))
    wanted = len(pairs) if limit is None else min(limit, len(pairs))
    scores = []
    with console.bar("evaluating", wanted) as bar:
        for one in score(islice(pairs, wanted), restorer, baselines=methods, settings=settings):
            scores.append(one.score)
            bar.move(len(scores), one.score.scene)
    report = summarise(scores, split=split, dataset_hash=opened.content_hash, settings=settings)
    if out is not None:
        EvaluationFile(
            report=report,
            settings=settings,
            dataset=opened,
            scheme=scheme,
            card=loaded.card,
            baselines={name: BASELINES[name].says for name in methods},
            split_pairs=len(pairs),
            files={path.name: sha256_of(path) for path in (checkpoint, calibration) if path is not None},
            restoring=restorer.settings_used,
        ).write(out)
        console.note(f"scores: {out}")
    if json:
        console.report_json(plain(report))
    else:
        show_evaluation(report, by=by, split_pairs=len(pairs))


def _kernels(calibration: Path, pairs: PairSplit) -> dict[str, Kernel]:
    """The blur from A to B, as pairs have it, of every mirror state in a split."""
    from twinlens.calibrate import Calibrations
    from twinlens.errors import RestoreError

    found, dataset = Calibrations.read(calibration), pairs.dataset
    if dataset.contents.grid == "a":
        raise RestoreError(
            f"{dataset.path} is on camera A's grid, the calibrated blur on B's", hint="build it without --grid a"
        )
    states = sorted(set(dataset.contents.table["mirror_state"][pairs.indices].tolist()))
    if set(dataset.session_ids).isdisjoint(name for state in found.states for name in state.session_ids):
        console.note(f"{calibration} is of other sessions than the dataset: its blur may not be that of the pairs")
    if any(state.kernel_zones for state in found.states):
        console.note("the blur varies over the frame; classical methods are given its mean")
    return {label: found.of(label).kernel for label in (dataset.mirror_states[k].label for k in states)}
