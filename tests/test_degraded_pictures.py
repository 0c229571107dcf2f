"""What there is to restore is found, and named so that no result meets another."""

from pathlib import Path

import numpy as np
import pytest

from twinlens.degraded_pictures import degraded_pictures
from twinlens.errors import RestoreError
from twinlens.picture_files import require_new, save_picture

GREY = np.arange(64, dtype=np.uint8).reshape(8, 8)


def test_a_folder_gives_its_pictures_in_order_and_nothing_else(tmp_path: Path) -> None:
    for name in ("b.png", "a.tif"):
        save_picture(GREY, tmp_path / name)
    (tmp_path / "notes.txt").write_text("none")
    (tmp_path / "deeper.png").mkdir()
    found = degraded_pictures([tmp_path])
    assert [picture.name for picture in found] == ["a.tif", "b.png"]
    assert [picture.id for picture in found] == ["a", "b"]
    assert [picture.file for picture in found] == [tmp_path / "a.tif", tmp_path / "b.png"]
    assert not any(picture.is_raw for picture in found)
    np.testing.assert_array_equal(found[0].load(), GREY)


def test_two_pictures_of_one_name_are_refused(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        save_picture(GREY, tmp_path / folder / "a.png")
    with pytest.raises(RestoreError, match=r"two pictures are named a\.png"):
        degraded_pictures([tmp_path / "one", tmp_path / "two"])
    with pytest.raises(RestoreError, match=r"two results are named a\.mkv"):
        require_new([tmp_path / "a.mkv", tmp_path / "a.mkv"])
