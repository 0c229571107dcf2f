"""`twinlens export` and `import`."""

from json import loads as parse_json  # `json` is an option here
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from twinlens import console
from twinlens.verbs.dataset_options import out_file, show_dataset
from twinlens.verbs.models import MODELS, OFFICIAL, export_model, import_model
from twinlens.verbs.options import as_json, existing
from twinlens.verbs.sections import SectionedCommand, options_of

if TYPE_CHECKING:
    from twinlens.dataset.exchange.export import ExportReport
else:
    ExportReport = Any  # importing it would make --help slow

PICTURE_TYPES = ("png", "tiff")
LAYOUTS = ("gopro", "basicsr", "imagefolder", "webdataset", "zarr")
SOURCES = ("gopro", "list", "basicsr", "hdf5", "folders", "imagefolder", "webdataset", "zarr", OFFICIAL)

of_session = options_of("A session")
of_dataset = options_of("A dataset")
pairs_of = options_of("Which pictures are pairs")
pixels_of = options_of("Pixels")
splits_of = options_of("Scenes and splits")
what = options_of("The dataset")


@click.command(cls=SectionedCommand)
@click.argument("source", type=existing)
@click.option(
    "--to",
    "to",
    type=click.Choice([*PICTURE_TYPES, *LAYOUTS, *MODELS]),
    help="png (as is) or tiff: a session. onnx, torch-export or official: a network. Else a dataset.",
)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, help="New folder; a network's new file."
)
@of_session(
    "--pairs", default="all", show_default=True, metavar="all|A:B", help="Which, counted from 0; B not included."
)
@of_session(
    "--kind",
    type=click.Choice(["scene", "dark", "flat", "reference"]),
    default="scene",
    show_default=True,
    help="Scenes, or one of the correction series.",
)
@of_dataset("--scheme", default="default", show_default=True, help="Which of its split schemes.")
@of_dataset("--rgb", is_flag=True, help="Write grey in three equal channels, for tools that know no other.")
@of_dataset(
    "--patches", "patch_px", type=click.IntRange(min=1), metavar="PX", help="Cut training frames to patches."
)
@of_dataset(
    "--stride", "stride_px", type=click.IntRange(min=1), metavar="PX", help="Between patches; half of one."
)
@of_dataset("--full-range", is_flag=True, help="Spread 10 bit over 16, for tools that look at the upper byte.")
@of_dataset("--lmdb", is_flag=True, help="basicsr: one LMDB per folder of pictures.")
@of_dataset(
    "--shard-mb",
    type=click.FloatRange(min=0, min_open=True),
    default=300,
    show_default=True,
    metavar="MB",
    help="webdataset: largest shard.",
)
@as_json
def export(*, source: Path, to: str | None, out: Path, json: bool, **options: Any) -> None:
    """Write SOURCE for other tools: a session's pairs or a dataset as pictures, or a checkpoint's network.

    Values stay as they are: 10-bit frames become 16-bit pictures of 0 to 1023.

    A network goes to onnx or torch-export for images of any size, and the file is run against torch before it is
    handed over; or to official, the weights of an MPRNet under their published names. Those of three channels open
    in chaiNNer and spandrel, those of one do not.
    """
    if source.suffix == ".safetensors":
        if to not in MODELS:
            raise click.BadParameter(f"a network goes to {', '.join(MODELS)}, not {to}", param_hint="--to")
        export_model(source, out, to, json=json)
        return
    if out.is_file():
        raise click.BadParameter(f"{out} is a file; a new folder is needed", param_hint="-o")
    if source.is_dir():
        if to is not None and to not in PICTURE_TYPES:
            raise click.BadParameter(
                f"a session goes to {' or '.join(PICTURE_TYPES)}, not {to}", param_hint="--to"
            )
        _export_session(source, out, to or "png", options, json=json)
        return
    if to not in LAYOUTS:
        raise click.BadParameter(f"a dataset goes to {', '.join(LAYOUTS)}, not {to}", param_hint="--to")
    _export_dataset(source, out, to, options, json=json)


def _export_session(source: Path, out: Path, picture_type: Any, options: dict[str, Any], *, json: bool) -> None:
    from twinlens.capture.session import Session
    from twinlens.capture.session_export import export_session

    opened = Session(source)
    chosen = opened.pairs(kind=options["kind"])[_slice(options["pairs"])]
    with console.bar("exporting", len(chosen)) as bar:
        report = export_session(opened, out, picture_type=picture_type, pairs=chosen, on_pair=bar.move)
    if json:
        console.report_json(report)
    else:
        console.say(f"wrote {report.pairs} pairs ({report.bytes / 1e6:.0f} MB) and {report.table}")


def _export_dataset(source: Path, out: Path, to: Any, options: dict[str, Any], *, json: bool) -> None:
    from twinlens.dataset.exchange.export import export_dataset
    from twinlens.dataset.exchange.piece import ExportSettings
    from twinlens.dataset.paired import PairedDataset

    dataset = PairedDataset(source)
    settings = ExportSettings(
        scheme=options["scheme"],
        rgb=options["rgb"],
        full_range=options["full_range"],
        patch_px=options["patch_px"] or 0,
        stride_px=options["stride_px"] or 0,
        lmdb=options["lmdb"],
        shard_bytes=max(1, round(1e6 * options["shard_mb"])),
    )
    with console.bar("exporting", len(dataset)) as bar:
        report: ExportReport = export_dataset(dataset, out, to=to, settings=settings, on_pair=bar.move)
    if json:
        console.report_json(report)
        return
    console.figures(
        f"Export {report.folder}",
        {
            "layout": report.format,
            **{split: f"{count} pictures a side" for split, count in report.pictures.items()},
            **({"left out": f"{report.left_out} pairs in no split"} if report.left_out else {}),
            "files": f"{report.files} ({report.bytes / 1e6:.1f} MB)",
            "content hash": report.content_hash,
        },
    )


@click.command(name="import", cls=SectionedCommand)
@click.argument("source", type=existing)
@click.option(
    "-o", "--out", type=out_file, required=True, help="File to write: NAME-v1.0.0.h5; MODEL.safetensors."
)
@click.option("--from", "format", type=click.Choice(SOURCES), required=True, help="What SOURCE is.")
@pairs_of("--input", metavar="NAME", default="", help="Degraded side: pattern with {name}, dataset or folder.")
@pairs_of("--target", metavar="NAME", default="", help="Sharp side, likewise. {split} may stand in both.")
@pairs_of("--mask", metavar="NAME", default="", help="Masks, likewise: not 0 where pixels count.")
@pairs_of("--list", "lists", multiple=True, metavar="[SPLIT=]FILE", help="List or meta-info file; repeatable.")
@pairs_of("--columns", default="target,input", show_default=True, help="What the columns of a list are.")
@pairs_of("--blur", type=click.Choice(["blur", "blur_gamma"]), default=None, help="Which of GOPRO_Large's.")
@pixels_of("--bit-depth", type=click.IntRange(9, 16), help="Of 16-bit pictures; an export's own, else 16.")
@pixels_of("--mono", is_flag=True, help="Turn colour into Rec. 601 luma.")
@pixels_of("--rgb", is_flag=True, help="Keep three channels even where all are equal; grey gets three.")
@pixels_of("--channel", type=click.Choice(["r", "g", "b"]), help="Take one channel of colour.")
@pixels_of("--crop-to-common", is_flag=True, help="Cut different sizes to the middle they share.")
@splits_of("--scene-pattern", default="", metavar="REGEX", help="Finds the scene in SPLIT/NAME: its first group.")
@splits_of("--scenes", default="", metavar="NAME", help="hdf5: dataset with the scene of every row.")
@splits_of(
    "--find-duplicates/--no-find-duplicates",
    default=True,
    show_default=True,
    help="Keep scenes that look the same in one split.",
)
@splits_of("--allow-leaky", is_flag=True, help="Divide within scenes where there are too few of them.")
@splits_of("--split-again", is_flag=True, help="Draw new splits by whole scenes.")
@splits_of(
    "--ratios",
    nargs=3,
    type=float,
    default=(0.8, 0.1, 0.1),
    show_default=True,
    help="Train, val, test, where lacking.",
)
@splits_of("--seed", type=int, default=0, show_default=True, help="Seed of the split.")
@what("--name", default="", help="Of the dataset; an export's own, else the file's.")
@what("--version", default="", help="Of the dataset; an export's own or its next, else 1.0.0.")
@what("--session", "session_id", default="", help="What the pairs' session is called; SOURCE's name.")
@what("--layout", type=click.Choice(["contiguous", "tiles"]), default="contiguous", show_default=True)
@what("--overwrite", is_flag=True, help="Replace an existing file.")
@as_json
def import_(
    *,
    source: Path,
    out: Path,
    lists: tuple[str, ...],
    columns: str,
    blur: Any,
    bit_depth: int | None,
    mono: bool,
    rgb: bool,
    channel: Any,
    overwrite: bool,
    json: bool,
    **options: Any,
) -> None:
    """Make a dataset of pairs in SOURCE that somebody else registered; or a checkpoint of published weights.

    --from official reads an MPRNet's .pth or .safetensors without running anything in it, and takes no option but
    --overwrite.

    Colour stays (h, w, 3) RGB unless --mono or --channel is given; grey in three equal channels becomes grey.

    Pairs are matched by name; a picture without a partner is an error. Splits of SOURCE are kept by whole scenes,
    and one it lacks is taken from train. A scene is what --scene-pattern finds, else a folder, else one picture:
    where many pictures show one place, say so, or they leak. What export wrote comes back with the same pairs,
    splits and content hash; pairs in none of the exported splits do not, and the result is then its next version.
    """
    if options["format"] == OFFICIAL:
        import_model(source, out, overwrite=overwrite, json=json)
        return
    from twinlens.dataset.exchange.import_settings import ImportSettings
    from twinlens.dataset.exchange.importing import import_dataset

    if bool(mono) + bool(rgb) + bool(channel) > 1:
        raise click.BadParameter("they exclude each other", param_hint="--mono, --rgb, --channel")
    settings = ImportSettings(
        lists=tuple(_split_and_file(text) for text in lists),
        columns=tuple(name.strip() for name in columns.split(",")),
        blur=blur or "",
        bit_depth=bit_depth or 0,
        colour="luma" if mono else "rgb" if rgb else channel or "keep",
        **options,
    )
    with console.bar("importing") as bar:
        report = import_dataset(
            source,
            out,
            settings=settings,
            overwrite=overwrite,
            on_pair=lambda done, total: bar.move(done, total=total),
        )
    _note_changes(out, report.content_hash)
    console.report_json(report) if json else show_dataset(out, report)


def _note_changes(out: Path, content_hash: str) -> None:
    """Tell where the import of an export is not the dataset that was exported."""
    from twinlens.dataset.paired import PairedDataset

    told = parse_json(PairedDataset(out).provenance().config_json).get("exported_from")
    if told is None or told["content_hash"] == content_hash:
        return
    left_out = told["left_out"]
    reason = f"{left_out} pairs were in no exported split" if left_out else "pictures or splits were changed"
    console.note(f"{out} differs from {told['name']} {told['version']} ({told['content_hash'][:12]}): {reason}")


def _split_and_file(text: str) -> tuple[str, str]:
    split, equals, file = text.partition("=")
    return (split, file) if equals and split in ("train", "val", "test") else ("", text)


def _slice(text: str) -> slice:
    if text == "all":
        return slice(None)
    first, colon, last = text.partition(":")
    try:
        found = slice(int(first or 0), int(last) if last else None)
    except ValueError:
        colon = ""
    if not colon or found.start < 0 or (found.stop is not None and found.stop <= found.start):
        raise click.BadParameter(f"{text!r} is neither 'all' nor A:B with A below B", param_hint="--pairs")
    return found
