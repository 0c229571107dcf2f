"""Degraded pictures to restore, wherever they lie: image files, folders of them, or a session's camera B."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from twinlens.capture.session import MANIFEST, Session, SessionPairs
from twinlens.errors import RestoreError
from twinlens.pixels import Picture
from twinlens.storage import sealed

SUFFIXES = {".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp"}


@dataclass(frozen=True)
class DegradedPicture:
    """One picture to restore, and the file name its result gets."""

    name: str
    load: Callable[[], Picture]
    is_raw: bool = False
    """True for a whole frame as camera B sent it."""


def degraded_pictures(sources: Sequence[Path]) -> list[DegradedPicture]:
    """Every picture in `sources`; a session counts with each frame of camera B.

    Raises:
        RestoreError: there is none, or two would get the same name.
    """
    found = [picture for source in sources for picture in _pictures(source)]
    if not found:
        raise RestoreError(
            f"no picture in {', '.join(map(str, sources))}",
            hint=f"give {', '.join(sorted(SUFFIXES))} files, folders of them, or session folders",
        )
    names = [picture.name for picture in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RestoreError(
            f"two pictures are named {twice[0]}", hint="restore them in two runs with different --out"
        )
    return found


def sessions_among(sources: Sequence[Path]) -> list[Session]:
    """Those of the sources that are sessions."""
    return [Session(source) for source in sources if (source / MANIFEST).is_file()]


def require_new(paths: Iterable[Path]) -> None:
    """Raise `RestoreError` if one of the files exists already, a source picture perhaps."""
    there = [path for path in paths if path.exists()]
    if there:
        raise RestoreError(
            f"{there[0]} exists already, and {len(there) - 1} more", hint="choose an empty folder with --out"
        )


def read_picture(path: Path) -> Picture:
    """(h, w) or (h, w, 3) RGB, uint8 or uint16.

    Raises:
        RestoreError: the file is no picture, or of a type that cannot be restored.
    """
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as cause:
        raise RestoreError(f"{path} cannot be read: {cause.strerror}", hint="check its permissions") from cause
    image = cast("Picture | None", cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None)
    if image is None or image.dtype not in (np.uint8, np.uint16):
        raise RestoreError(f"{path} is no 8 or 16 bit picture", hint=f"give one of {', '.join(sorted(SUFFIXES))}")
    if image.ndim == 3 and image.shape[2] == 4:
        raise RestoreError(f"{path} has an alpha channel", hint="save it without transparency")
    return image if image.ndim == 2 else cast("Picture", np.ascontiguousarray(image[..., ::-1]))


def save_picture(picture: Picture, path: Path) -> Path:
    """Write a PNG or TIFF; the file appears whole."""
    bgr = picture if picture.ndim == 2 else picture[..., ::-1]
    encoded, data = cv2.imencode(path.suffix, bgr)
    if not encoded:
        raise RestoreError(f"{path} cannot be encoded", hint="choose a .png or .tif name")
    with sealed(path) as part:
        part.write_bytes(data.tobytes())
    return path


def _pictures(source: Path) -> list[DegradedPicture]:
    if source.is_file():
        return [DegradedPicture(_result_name(source), partial(read_picture, source))]
    if (source / MANIFEST).is_file():
        session = Session(source)
        pairs = session.pairs()
        return [
            DegradedPicture(f"{session.id}_{i:06d}.png", partial(_camera_b, pairs, i), is_raw=True)
            for i in range(len(pairs))
        ]
    files = sorted(path for path in source.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    return [DegradedPicture(_result_name(path), partial(read_picture, path)) for path in files]


def _camera_b(pairs: SessionPairs, index: int) -> Picture:
    return pairs[index].b.pixels


def _result_name(path: Path) -> str:
    # A restored JPEG is written as PNG: restoring should not add compression.
    return path.stem + (path.suffix if path.suffix.lower() in (".tif", ".tiff") else ".png")
