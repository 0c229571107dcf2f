"""`twinlens restore`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from twinlens import console
from twinlens.verbs.options import as_json, existing

if TYPE_CHECKING:
    from twinlens.degraded_pictures import DegradedPicture
    from twinlens.restore.restorer import Restorer
    from twinlens.video_files import Video
else:
    DegradedPicture = Restorer = Video = Any  # importing them would make --help slow


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
@click.option(
    "--to",
    type=click.Choice(["files", "h5"]),
    default="files",
    show_default=True,
    help="h5: one restored.h5 with all frames of sessions and datasets.",
)
@click.option("--split", type=click.Choice(["train", "val", "test"]), default="test", show_default=True,
              help="Of datasets.")  # fmt: skip
@click.option("--scheme", default="default", show_default=True, help="Split scheme of datasets.")
@click.option(
    "--tile",
    "tile_px",
    type=click.IntRange(min=1),
    help="Restore in tiles up to this many px high and wide.  [default: whole where memory allows]",
)
@click.option("--overlap", "overlap_px", type=click.IntRange(min=0), default=64, show_default=True,
              help="What neighbouring tiles share at least, in px.")  # fmt: skip
@click.option("--memory", "memory_gib", type=click.FloatRange(min=0, min_open=True),
              help="GiB that restoring may take.  [default: what is free]")  # fmt: skip
@click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16"]),
    default="auto",
    show_default=True,
    help="auto: bfloat16 where the device is faster in it; at most 0.01 dB worse.",
)
@click.option("--pool", type=click.Choice(["global", "local"]), default="global", show_default=True,
              help="local: attention gates average over areas as large as in training.")  # fmt: skip
@click.option(
    "--ensemble", is_flag=True, help="Mean over 8 turned and mirrored versions; for symmetric blur only."
)
@as_json
def restore(
    *,
    sources: tuple[Path, ...],
    checkpoint: Path,
    out: Path,
    correct: bool | None,
    to: str,
    split: str,
    scheme: str,
    json: bool,
    **settings: Any,
) -> None:
    """Restore image files, folders of them, videos, camera B's frames of sessions, or the inputs of datasets.

    A session's frames are raw: they are corrected as the training frames were. Image files and videos are taken as
    they are; where they are raw whole frames of camera B, say --correct. Depth, EXIF, profiles and tags are kept;
    videos lose their sound. Folders within folders are not looked into.
    """
    from twinlens.capture.corrected import warn_of_other_gain
    from twinlens.degraded_pictures import degraded_pictures, sessions_among
    from twinlens.errors import RestoreError
    from twinlens.picture_files import require_new
    from twinlens.restore.checkpoint import load_checkpoint
    from twinlens.restore.restorer import Restorer, RestoreSettings
    from twinlens.restoring import require_video
    from twinlens.video_files import open_video, result_of

    restorer = Restorer.from_checkpoint(load_checkpoint(checkpoint), settings=RestoreSettings(**settings))
    if restorer.correction is not None and correct is not False:
        warn_of_other_gain(sessions_among(sources), restorer.correction)
    if correct and restorer.correction is None:
        raise RestoreError(
            f"{checkpoint} holds no correction: its training frames were raw",
            hint="leave out --correct, or train on a dataset whose calibration had a dark series",
        )
    videos, others = _videos_among(sources)
    pictures = degraded_pictures(others, split=split, scheme=scheme) if others or not videos else []
    if to == "h5":
        if videos or any(picture.file for picture in pictures):
            raise click.UsageError("--to h5 is for sessions and datasets; image files and videos go into files")
        written = _restore_h5(restorer, pictures, out, checkpoint=checkpoint, correct=correct)
    else:
        opened = [open_video(video) for video in videos]
        for video in opened:
            require_video(restorer, video)
        require_new([*(out / picture.name for picture in pictures), *(out / result_of(video) for video in videos)])
        written = _restore_files(restorer, pictures, out, correct=correct) if pictures else []
        written += [
            _restore_video(restorer, video, out / result_of(video.path), correct=correct) for video in opened
        ]
    if json:
        console.report_json({"written": [str(path) for path in written]})
    else:
        console.say(f"wrote {len(pictures) + len(videos)} pictures and videos to {out}")


def _videos_among(sources: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Videos, those in folders with them; and the sources in which something else is to be looked for."""
    from twinlens.capture.session import MANIFEST
    from twinlens.picture_files import SUFFIXES
    from twinlens.video_files import VIDEO_SUFFIXES

    videos, others = list[Path](), list[Path]()
    for source in sources:
        if not source.is_dir() or (source / MANIFEST).is_file():
            (videos if source.suffix.lower() in VIDEO_SUFFIXES else others).append(source)
            continue
        files = sorted(path for path in source.iterdir() if path.is_file())
        inside = [path for path in files if path.suffix.lower() in VIDEO_SUFFIXES]
        videos += inside
        if not inside or any(path.suffix.lower() in SUFFIXES for path in files):
            others.append(source)
    return videos, others


def _restore_files(
    restorer: Restorer, pictures: Sequence[DegradedPicture], out: Path, *, correct: bool | None
) -> list[Path]:
    from twinlens.restoring import restore_into_folder

    _tell_plans(restorer, pictures, correct=correct)
    with console.bar("restoring", len(pictures)) as bar:
        return restore_into_folder(restorer, pictures, out, correct=correct, on_picture=bar.move)


def _restore_h5(
    restorer: Restorer, pictures: Sequence[DegradedPicture], out: Path, *, checkpoint: Path, correct: bool | None
) -> list[Path]:
    from twinlens.picture_files import require_new
    from twinlens.restoring import restore_into_file

    path = out if out.suffix == ".h5" else out / "restored.h5"
    require_new([path])
    _tell_plans(restorer, pictures, correct=correct)
    with console.bar("restoring", len(pictures)) as bar:
        restore_into_file(restorer, pictures, path, checkpoint=checkpoint, correct=correct, on_picture=bar.move)
    return [path]


def _restore_video(restorer: Restorer, video: Video, path: Path, *, correct: bool | None) -> Path:
    from twinlens.restoring import restore_video

    console.note(f"{video.path}, {restorer.settings_used.precision}: {restorer.plan(video.shape_hw)}")
    with console.bar(f"restoring {video.path.name}", video.frame_count or None) as bar:
        count = restore_video(restorer, video, path, correct=correct, on_picture=bar.move)
    if video.frame_count not in (0, count):
        console.note(f"{video.path} says it has {video.frame_count} frames; {count} could be read")
    return path


def _tell_plans(restorer: Restorer, pictures: Sequence[DegradedPicture], *, correct: bool | None) -> None:
    from twinlens.restoring import plans_for

    for plan in plans_for(restorer, pictures, correct=correct):
        height, width = plan.shape_hw
        console.note(f"{width}x{height} px, {restorer.settings_used.precision}: {plan}")
