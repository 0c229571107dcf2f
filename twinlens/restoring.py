"""Restoring everything that lies somewhere: checked before the work starts, written picture by picture."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from twinlens.degraded_pictures import DegradedPicture
from twinlens.errors import RestoreError
from twinlens.picture_files import save_picture
from twinlens.pixels import Picture, PictureFloat
from twinlens.restore.restore_plan import RestorePlan
from twinlens.restore.restorer import Restorer
from twinlens.restored_file import restored_file
from twinlens.video_files import Video, read_frames, video_writer

OnPicture = Callable[[float, str], None]
"""Told how many pictures are done, parts of one counted by tiles, and which one is at work."""


def plans_for(
    restorer: Restorer, pictures: Sequence[DegradedPicture], *, correct: bool | None = None
) -> tuple[RestorePlan, ...]:
    """How each size among the pictures is restored; finds out before the work starts what cannot be.

    Every image file is read once, which takes far less than restoring it; of a session or dataset one frame.

    Args:
        restorer: of the pictures.
        pictures: to restore.
        correct: apply camera B's correction; None = to raw frames only.

    Raises:
        RestoreError: a file is damaged, of another kind than the network was trained on, or too large for memory.
        CorrectionError: a frame is not of the size that the correction was measured at.
    """
    plans: dict[tuple[int, ...], RestorePlan] = {}
    seen: set[Path] = set()
    for picture in pictures:
        if picture.source in seen:
            continue
        seen.add(picture.source)
        pixels = picture.load()
        try:
            restorer.require(pixels, bit_depth=picture.bit_depth)
        except RestoreError as cause:
            raise RestoreError(f"{picture.source}: {cause.message}", hint=cause.hint) from cause
        if _is_raw(picture, correct):
            restorer.corrected(pixels)
        plans[pixels.shape[:2]] = restorer.plan((pixels.shape[0], pixels.shape[1]))
    return tuple(plans.values())


def restore_into_folder(
    restorer: Restorer,
    pictures: Sequence[DegradedPicture],
    folder: Path,
    *,
    correct: bool | None = None,
    on_picture: OnPicture | None = None,
) -> list[Path]:
    """The files written, one for each picture, with its depth and what its file said beside the pixels."""
    written = []
    for done, picture in enumerate(pictures):
        restored = _restored(restorer, picture, correct, _told(on_picture, done, picture.name))
        written.append(save_picture(restored, folder / picture.name, like=picture.file))
        if on_picture is not None:
            on_picture(done + 1, picture.name)
    return written


def restore_into_file(
    restorer: Restorer,
    pictures: Sequence[DegradedPicture],
    path: Path,
    *,
    checkpoint: Path,
    correct: bool | None = None,
    on_picture: OnPicture | None = None,
) -> Path:
    """One HDF5 with every picture and its id, of sessions and datasets.

    Raises:
        RestoreError: pictures are of several sizes or types.
    """
    ids = [picture.id for picture in pictures]
    with restored_file(
        path, ids, like=pictures[0].load(), checkpoint=checkpoint, settings=restorer.settings_used
    ) as write:
        for done, picture in enumerate(pictures):
            write(_restored(restorer, picture, correct, _told(on_picture, done, picture.name)))
            if on_picture is not None:
                on_picture(done + 1, picture.name)
    return path


def require_video(restorer: Restorer, video: Video) -> None:
    """Raise `RestoreError` unless the video's first frame can be read and is one the network was trained on."""
    for frame in read_frames(video, channels=restorer.channels):
        try:
            restorer.require(frame)
        except RestoreError as cause:
            raise RestoreError(f"{video.path}: {cause.message}", hint=cause.hint) from cause
        return


def restore_video(
    restorer: Restorer,
    video: Video,
    path: Path,
    *,
    correct: bool | None = None,
    on_picture: OnPicture | None = None,
) -> int:
    """How many frames were restored and written, at the video's own rate and without loss.

    Raises:
        RestoreError: the video's frames are of another kind than the network was trained on.
    """
    done, apply = 0, restorer.restore_raw if correct else restorer
    with ExitStack() as writing:
        for frame in read_frames(video, channels=restorer.channels):
            restored = apply(frame, on_tile=_told(on_picture, done, path.name))
            if done == 0:
                write = writing.enter_context(video_writer(path, rate_hz=video.rate_hz, like=restored))
            write(restored)
            done += 1
            if on_picture is not None:
                on_picture(done, path.name)
    return done


def _restored(
    restorer: Restorer,
    picture: DegradedPicture,
    correct: bool | None,  # noqa: FBT001 - passed on by its three callers
    on_tile: Callable[[int, int], None],
) -> Picture | PictureFloat:
    apply = restorer.restore_raw if _is_raw(picture, correct) else restorer
    return apply(picture.load(), on_tile=on_tile)


def _is_raw(picture: DegradedPicture, correct: bool | None) -> bool:  # noqa: FBT001
    return picture.is_raw if correct is None else correct


def _told(on_picture: OnPicture | None, done: int, name: str) -> Callable[[int, int], None]:
    def tell(tile: int, tiles: int) -> None:
        if on_picture is not None:
            on_picture(done + tile / tiles, name if tiles == 1 else f"{name}, tile {tile} of {tiles}")

    return tell
