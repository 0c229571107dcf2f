"""Videos come and go frame by frame, at their rate, and are written without loss."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from twinlens.errors import RestoreError
from twinlens.pixels import Picture8
from twinlens.video_files import open_video, read_frames, video_writer

RATE_HZ = 24000 / 1001


def frames_of(shape: tuple[int, ...], count: int = 4) -> list[Picture8]:
    return [np.random.default_rng(k).integers(0, 256, shape).astype(np.uint8) for k in range(count)]


def written(path: Path, frames: list[Picture8], *, until: int | None = None) -> Path:
    with video_writer(path, rate_hz=RATE_HZ, like=frames[0]) as write:
        for number, frame in enumerate(frames):
            if number == until:
                raise ValueError(f"frame {number} cannot be had")
            write(frame)
    return path


@pytest.mark.parametrize(("shape", "channels"), [((34, 50), 1), ((34, 50, 3), 3)])
def test_frames_and_rate_come_back_as_they_went(shape: tuple[int, ...], channels: int, tmp_path: Path) -> None:
    frames = frames_of(shape)
    video = open_video(written(tmp_path / "v.mkv", frames))
    assert video.rate_hz == pytest.approx(RATE_HZ, abs=0.01)  # Matroska counts milliseconds
    assert (video.frame_count, video.shape_hw) == (4, (34, 50))
    for seen, given in zip(read_frames(video, channels=channels), frames, strict=True):
        np.testing.assert_array_equal(seen, given)


def test_a_grey_video_is_colour_to_a_network_of_colour_and_colour_stays_colour(tmp_path: Path) -> None:
    grey, colour = frames_of((32, 48), 1), frames_of((32, 48, 3), 1)
    (as_colour,) = read_frames(open_video(written(tmp_path / "g.mkv", grey)), channels=3)
    np.testing.assert_array_equal(as_colour, np.repeat(grey[0][..., None], 3, axis=2))
    (still_colour,) = read_frames(open_video(written(tmp_path / "c.mkv", colour)), channels=1)
    assert still_colour.shape == (32, 48, 3)


def test_a_video_of_more_than_8_bit_is_refused_rather_than_cut_down(tmp_path: Path) -> None:
    deep = [cv2.VIDEOWRITER_PROP_IS_COLOR, 0, cv2.VIDEOWRITER_PROP_DEPTH, cv2.CV_16U]
    code = cv2.VideoWriter.fourcc(*"FFV1")
    writer = cv2.VideoWriter(str(tmp_path / "d.mkv"), cv2.CAP_FFMPEG, code, 25, (48, 32), deep)
    writer.write(np.zeros((32, 48), np.uint16))
    writer.release()
    with pytest.raises(RestoreError, match="16 bit"):
        open_video(tmp_path / "d.mkv")


def test_what_is_no_video_is_refused_and_a_failure_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(b"no video")
    with pytest.raises(RestoreError, match="cannot be read as a video"):
        open_video(tmp_path / "x.mp4")
    with pytest.raises(ValueError, match="frame 2"):
        written(tmp_path / "v.mkv", frames_of((32, 48)), until=2)
    assert [path.name for path in tmp_path.iterdir()] == ["x.mp4"]


def test_a_grey_video_stays_grey_though_its_codec_tints_it(tmp_path: Path) -> None:
    grey = np.repeat(frames_of((48, 64))[0][..., None], 3, axis=2)
    writer = cv2.VideoWriter(str(tmp_path / "lossy.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for _ in range(3):
        writer.write(grey)
    writer.release()
    seen = list(read_frames(open_video(tmp_path / "lossy.avi"), channels=1))
    assert [frame.shape for frame in seen] == [(48, 64)] * 3


def test_a_video_of_odd_sides_is_refused_before_a_row_is_lost(tmp_path: Path) -> None:
    frames = [Image.fromarray(frame) for frame in frames_of((41, 57))]
    frames[0].save(tmp_path / "odd.apng", format="png", save_all=True, append_images=frames[1:])
    (tmp_path / "odd.apng").rename(tmp_path / "odd.mkv")  # FFmpeg looks at the bytes
    with pytest.raises(RestoreError, match="57x41 px; an odd side"):
        open_video(tmp_path / "odd.mkv")
