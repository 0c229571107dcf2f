"""Pictures as bytes and back: lossless PNG out; PNG, TIFF, JPEG and BMP in; one channel or three as asked."""

from io import BufferedIOBase
from typing import IO, Literal, cast

import cv2
import numpy as np
from PIL import Image

from twinlens.dataset.luma import luma
from twinlens.errors import FormatError
from twinlens.pixels import Mask, Mono, Picture

SUFFIXES = {".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp"}
PNG_LEVEL = 1
"""Noise does not compress: level 9 takes many times as long for a few percent."""
Colour = Literal["keep", "rgb", "luma", "r", "g", "b"]
"""What becomes of colour: it stays, as grey where all channels agree; three channels even there; Rec. 601 luma
(0.299 R + 0.587 G + 0.114 B, rounded); or one channel."""


def png(picture: Picture | Mask) -> bytes:
    """A PNG of the same values: 8 or 16 bit, grey or RGB; a mask becomes 0 and 255."""
    plain = picture.view(np.uint8) * np.uint8(255) if picture.dtype == np.bool_ else picture
    bgr = plain if plain.ndim == 2 else np.ascontiguousarray(plain[..., ::-1])
    encoded, data = cv2.imencode(".png", cast("Picture", bgr), [cv2.IMWRITE_PNG_COMPRESSION, PNG_LEVEL])
    if not encoded:
        raise ValueError(f"{picture.shape} {picture.dtype} is no picture")
    return data.tobytes()


def decoded(data: bytes, *, where: str) -> Picture:
    """(h, w) or (h, w, 3) RGB, uint8 or uint16.

    Raises:
        FormatError: it is no such picture, cut short, or has an alpha channel.
    """
    found = np.frombuffer(data, np.uint8)
    image = cast("Picture | None", cv2.imdecode(found, cv2.IMREAD_UNCHANGED) if found.size else None)
    if image is None or image.dtype not in (np.uint8, np.uint16):
        raise FormatError(
            f"{where} is no 8 or 16 bit picture, or is cut short", hint=f"give {', '.join(sorted(SUFFIXES))}"
        )
    if image.ndim == 3 and image.shape[2] != 3:
        raise FormatError(f"{where} has {image.shape[2]} channels", hint="save it in grey or RGB without alpha")
    return image if image.ndim == 2 else cast("Picture", np.ascontiguousarray(image[..., ::-1]))


def picture_size(file: BufferedIOBase, *, where: str) -> tuple[int, int]:
    """Height and width that a picture's head tells, without decoding it.

    Raises:
        FormatError: it is no picture.
    """
    try:
        with Image.open(cast("IO[bytes]", file)) as head:
            return head.height, head.width
    except OSError as cause:
        raise FormatError(f"{where} is no picture: {cause}", hint="remove it, or save it again") from cause


def in_channels(pictures: tuple[Picture, Picture], *, colour: Colour) -> tuple[Picture, Picture]:
    """Input and target in the channels that `colour` asks for; kept, a pair is grey where both of it are."""
    if colour == "keep" and not all(is_grey(picture) for picture in pictures):
        return pictures
    first, second = (_in_channels(picture, colour) for picture in pictures)
    return first, second


def is_grey(picture: Picture) -> bool:
    """Whether it has one channel, or three that agree everywhere."""
    return picture.ndim == 2 or bool((picture[..., :1] == picture[..., 1:]).all())


def _in_channels(picture: Picture, colour: Colour) -> Picture:
    if colour == "rgb":
        return grey_as_rgb(picture) if picture.ndim == 2 else picture
    if picture.ndim == 2:
        return picture
    if colour == "luma" and not is_grey(picture):
        return luma(picture)
    channel = "rgb".index(colour) if colour in ("r", "g", "b") else 0
    return cast("Picture", np.ascontiguousarray(picture[..., channel]))


def grey_as_rgb(picture: Mono) -> Picture:
    """The same picture in three equal channels."""
    return cast("Picture", np.repeat(picture[..., None], 3, axis=2))


def centre_crop(picture: Picture | Mask, shape_hw: tuple[int, int]) -> Picture | Mask:
    """The middle `shape_hw` of a picture that is at least as large."""
    top, left = ((have - want) // 2 for have, want in zip(picture.shape[:2], shape_hw, strict=True))
    return picture[top : top + shape_hw[0], left : left + shape_hw[1]]
