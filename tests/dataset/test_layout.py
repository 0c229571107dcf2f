"""Frames lie in a file as the layout says, and say the same whichever it is."""

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from twinlens.dataset.layout import LAYOUTS, Layout, append_frame, create_stack
from twinlens.errors import FormatError


def stored(path: Path, layout: Layout, frames: np.ndarray) -> h5py.File:
    file = h5py.File(path, "w")
    stack = create_stack(file, "/pairs/input", frames.shape[1:], frames.dtype, layout)
    for index, frame in enumerate(frames):
        append_frame(stack, index, frame)
    return file


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape_hw", [(150, 300), (40, 300), (40, 56)], ids=str)
def test_frames_read_back_as_they_were(
    tmp_path: Path, layout: Layout, dtype: type, shape_hw: tuple[int, int]
) -> None:
    frames = np.random.default_rng(0).integers(0, 250, (3, *shape_hw)).astype(dtype)
    with stored(tmp_path / "s.h5", layout, frames) as file:
        np.testing.assert_array_equal(file["/pairs/input"][()], frames)


def test_a_frame_that_is_a_view_is_stored_as_it_looks(tmp_path: Path) -> None:
    frame = np.arange(12, dtype=np.uint8).reshape(4, 3).T[::-1]
    with stored(tmp_path / "s.h5", "contiguous", frame[None]) as file:
        np.testing.assert_array_equal(file["/pairs/input"][0], frame)


def test_tiles_are_128_px_and_packed(tmp_path: Path) -> None:
    even = np.full((2, 300, 400), 7, np.uint8)
    with stored(tmp_path / "s.h5", "tiles", even) as file:
        assert file["/pairs/input"].chunks == (1, 128, 128)
        assert file["/pairs/input"].id.get_storage_size() < even.nbytes / 20


def test_a_contiguous_frame_is_one_raw_chunk(tmp_path: Path) -> None:
    with stored(tmp_path / "s.h5", "contiguous", np.full((2, 300, 400), 7, np.uint8)) as file:
        assert file["/pairs/input"].chunks == (1, 300, 400)
        assert file["/pairs/input"].id.get_chunk_info(1).size == 300 * 400


def test_tiles_without_their_codec_name_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hdf5plugin", None)
    with h5py.File(tmp_path / "s.h5", "w") as file, pytest.raises(FormatError, match="hdf5plugin") as caught:
        create_stack(file, "/pairs/input", (4, 4), np.dtype(np.uint8), "tiles")
    assert "pip install" in caught.value.hint
