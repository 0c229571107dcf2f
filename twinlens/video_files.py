"""Videos: frames read one by one, and written without loss as FFV1 in Matroska at the same frame rate."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from twinlens.errors import RestoreError
from twinlens.pixels import Picture8
from twinlens.storage import sealed

VIDEO_SUFFIXES = {".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm"}
RESULT_SUFFIX = ".mkv"
_CODEC_TINT = 6
"""Levels between the colours of a grey frame; lossy codecs leave 2 or 3."""
_FFV1 = cv2.VideoWriter.fourcc(*"FFV1")


@dataclass(frozen=True)
class Video:
    """What a video file says of itself."""

    path: Path
    shape_hw: tuple[int, int]
    rate_hz: float
    frame_count: int
    """As its header says; 0 where it does not."""


def open_video(path: Path) -> Video:
    """The video in a file.

    Raises:
        RestoreError: it is none, or has more than 8 bit, which reading would lose.
    """
    with _capture(path) as capture:
        pixel_format = int(capture.get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT))
        # The codes of formats with more than 8 bit, such as "Y1 0 10" of grey, end in the number of bits.
        bits = pixel_format >> 24 if pixel_format > 0 else 8
        if 8 < bits <= 16:
            raise RestoreError(
                f"{path} has {bits} bit, of which 8 would be read", hint="save its frames as 16 bit image files"
            )
        count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        height, width = capture.get(cv2.CAP_PROP_FRAME_HEIGHT), capture.get(cv2.CAP_PROP_FRAME_WIDTH)
        if height % 2 or width % 2:
            raise RestoreError(
                f"{path} is {width:.0f}x{height:.0f} px; an odd side would lose a row or column when written",
                hint="save its frames as image files",
            )
        return Video(path, (int(height), int(width)), capture.get(cv2.CAP_PROP_FPS), max(0, int(count)))


def result_of(path: Path) -> str:
    """The file name a restored video gets."""
    return path.stem + RESULT_SUFFIX


def read_frames(video: Video, *, channels: int) -> Iterator[Picture8]:
    """Its frames in order, as a player shows them: (h, w) for 1 channel where they are grey, or (h, w, 3) RGB.

    Raises:
        RestoreError: it is no video any more, or its first frame cannot be read.
    """
    with _capture(video.path) as capture:
        found, bgr = capture.read()
        if not found:
            raise RestoreError(f"{video.path} holds no frame that can be read", hint="check the file in a player")
        while found:
            frame = cast("Picture8", bgr)
            is_grey = frame.ndim == 2 or (channels == 1 and np.ptp(frame, axis=2).max() <= _CODEC_TINT)
            yield _plane(frame) if is_grey else np.ascontiguousarray(frame[..., ::-1])
            found, bgr = capture.read()


@contextmanager
def video_writer(path: Path, *, rate_hz: float, like: Picture8) -> Iterator[Callable[[Picture8], None]]:
    """Yield what writes the next frame; the file appears whole at the end.

    Args:
        path: ends in .mkv.
        rate_hz: frames per second.
        like: a frame of the size and channels that all have.

    Raises:
        RestoreError: this OpenCV cannot write FFV1.
    """
    with sealed(path) as part:
        named = part.with_name(part.name + RESULT_SUFFIX)  # whose format OpenCV tells by the suffix
        writer = cv2.VideoWriter(
            str(named),
            cv2.CAP_FFMPEG,
            _FFV1,
            rate_hz,
            (like.shape[1], like.shape[0]),
            [cv2.VIDEOWRITER_PROP_IS_COLOR, int(like.ndim == 3)],
        )
        try:
            if not writer.isOpened():
                raise RestoreError(
                    "this OpenCV cannot write FFV1 video",
                    hint="install opencv-contrib-python from PyPI, built with FFmpeg",
                )
            yield partial(_write, writer)
            writer.release()
            named.replace(part)
        finally:
            writer.release()
            named.unlink(missing_ok=True)


@contextmanager
def _capture(path: Path) -> Iterator[cv2.VideoCapture]:
    capture = cv2.VideoCapture(str(path))
    try:
        if not capture.isOpened():
            raise RestoreError(
                f"{path} cannot be read as a video", hint=f"give one of {', '.join(sorted(VIDEO_SUFFIXES))}"
            )
        yield capture
    finally:
        capture.release()


def _write(writer: cv2.VideoWriter, frame: Picture8) -> None:
    writer.write(frame if frame.ndim == 2 else np.ascontiguousarray(frame[..., ::-1]))


def _plane(bgr: Picture8) -> Picture8:
    return bgr if bgr.ndim == 2 else cast("Picture8", np.rint(bgr.mean(axis=2)).astype(np.uint8))
