"""`twinlens restore`."""

from pathlib import Path

import click

from twinlens import console
from twinlens.verbs.options import as_json, existing


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
    from twinlens.degraded_pictures import degraded_pictures, sessions_among
    from twinlens.errors import RestoreError
    from twinlens.picture_files import require_new, save_picture
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
            written.append(str(save_picture(apply(picture.load()), out / picture.name, like=picture.file)))
            bar.move(done, picture.name)
    if json:
        console.report_json({"written": written})
    else:
        console.say(f"wrote {len(written)} pictures to {out}")
