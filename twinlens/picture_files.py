"""Image files: their pixels in the order and depth they have, and what they say beside them."""

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from twinlens.errors import RestoreError
from twinlens.picture_metadata import with_metadata_of
from twinlens.pixels import Picture, PictureFloat
from twinlens.storage import sealed
from twinlens.tiff_tags import is_big_tiff, is_tiff, layout_of, pages_of

SUFFIXES = {".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp"}
_TIFF_SUFFIXES = {".tif", ".tiff"}
_PNG, _ANIMATION = b"\x89PNG\r\n\x1a\n", b"acTL"
_OTHER_COLOURS = {5: "CMYK", 8: "CIE Lab"}
"""By a TIFF's photometric interpretation."""
_LZW = (cv2.IMWRITE_TIFF_COMPRESSION, 5)
"""Lossless. OpenCV would write float32 RGB as SGI LogLuv, which is not."""


def require_new(paths: Iterable[Path]) -> None:
    """Raise `RestoreError` if one of the files exists already, a source picture perhaps, or is named twice."""
    wanted = list(paths)
    there = [path for path in wanted if path.exists()]
    if there:
        raise RestoreError(
            f"{there[0]} exists already, and {len(there) - 1} more", hint="choose an empty folder with --out"
        )
    if len(set(wanted)) < len(wanted):
        twice = next(path for k, path in enumerate(wanted) if path in wanted[:k])
        raise RestoreError(
            f"two results are named {twice.name}", hint="rename one of the files, or give them one by one"
        )


def read_picture(path: Path) -> Picture | PictureFloat:
    """(h, w) or (h, w, 3) RGB, uint8, uint16 or float32, as the pixels lie in the file; a TIFF's turned upright.

    Raises:
        RestoreError: the file is no picture, or of a type that cannot be restored.
    """
    data = _bytes_of(path)
    _require_faithful(path, data)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if image is None or image.dtype not in (np.uint8, np.uint16, np.float32):
        raise RestoreError(
            f"{path} is no 8 or 16 bit or float32 picture", hint=f"give one of {', '.join(sorted(SUFFIXES))}"
        )
    if image.ndim == 3 and image.shape[2] == 4:
        raise RestoreError(f"{path} has an alpha channel", hint="save it without transparency")
    upright = image if image.ndim == 2 else np.ascontiguousarray(image[..., ::-1])
    return cast("Picture | PictureFloat", upright)


def save_picture(picture: Picture | PictureFloat, path: Path, *, like: Path | None = None) -> Path:
    """Write a PNG or TIFF; the file appears whole.

    Args:
        picture: float32 goes into a TIFF only.
        path: says by its suffix which of the two.
        like: the file whose EXIF, ICC profile, XMP and texts it gets.

    Raises:
        RestoreError: the suffix is of another format, or what `like` says is cut short.
    """
    is_float = picture.dtype == np.float32
    if path.suffix.lower() not in (_TIFF_SUFFIXES if is_float else {".png", *_TIFF_SUFFIXES}):
        wanted = ".tif" if is_float else ".png or .tif"
        raise RestoreError(f"{path} cannot be encoded as {picture.dtype}", hint=f"choose a {wanted} name")
    bgr = picture if picture.ndim == 2 else picture[..., ::-1]
    is_png = path.suffix.lower() == ".png"
    _, encoded = cv2.imencode(path.suffix, bgr, () if is_png else _LZW)
    data = encoded.tobytes()
    if like is not None:
        try:
            data = with_metadata_of(_bytes_of(like), data)
        except (struct.error, IndexError) as cause:
            raise RestoreError(
                f"{like}: what it says beside its pixels is cut short ({cause})", hint="save the file again"
            ) from cause
    with sealed(path) as part:
        part.write_bytes(data)
    return path


def result_name(path: Path) -> str:
    """The file name a restored picture gets: PNG but for TIFF, as restoring should not add compression."""
    return path.stem + (path.suffix if path.suffix.lower() in _TIFF_SUFFIXES else ".png")


def _require_faithful(path: Path, data: bytes) -> None:
    """Refuse files that OpenCV would read in part, or otherwise than they are."""
    if data[:8] == _PNG and _ANIMATION in data[8:].partition(b"IDAT")[0]:
        raise RestoreError(f"{path} is an animation, one picture is needed", hint="split it into files first")
    if is_big_tiff(data):
        raise RestoreError(f"{path} is a BigTIFF, of which the first picture would be read without its tags",
                           hint="save it as a plain TIFF, of up to 4 GiB")  # fmt: skip
    if not is_tiff(data):
        return
    try:
        pages, layout = pages_of(data), layout_of(data)
    except (struct.error, IndexError) as cause:
        raise RestoreError(f"{path}: its directories are cut short", hint="save the file again") from cause
    if pages > 1:
        raise RestoreError(f"{path} holds {pages} pictures, 1 is needed", hint="split it into files first")
    if layout.photometric in _OTHER_COLOURS:
        raise RestoreError(f"{path} is in {_OTHER_COLOURS[layout.photometric]}", hint="save it as grey or RGB")
    if layout.bits > 8 and (layout.is_planar or layout.photometric == 0):
        what = "its colours in planes of their own" if layout.is_planar else "white as zero"
        raise RestoreError(f"{path} has {layout.bits} bit with {what}, which would be misread",
                           hint="save it with interleaved colours and black as zero")  # fmt: skip


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as cause:
        raise RestoreError(f"{path} cannot be read: {cause.strerror}", hint="check its permissions") from cause
