"""One HDF5 appears whole, with every picture that was named, or not at all."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from twinlens.errors import RestoreError
from twinlens.restore.restore_settings import RestoreSettings
from twinlens.restored_file import restored_file

FRAMES = np.arange(2 * 6 * 5, dtype=np.uint16).reshape(2, 6, 5)


def write(folder: Path, frames: list[np.ndarray]) -> Path:
    (folder / "c.safetensors").write_bytes(b"weights")
    path, settings = folder / "all.h5", RestoreSettings()
    with restored_file(
        path, ["x", "y"], like=FRAMES[0], checkpoint=folder / "c.safetensors", settings=settings
    ) as put:
        for frame in frames:
            put(frame)
    return path


def test_pictures_and_their_ids_come_back(tmp_path: Path) -> None:
    with h5py.File(write(tmp_path, list(FRAMES))) as file:
        np.testing.assert_array_equal(file["restored"], FRAMES)
        assert file["ids"][()].tolist() == [b"x", b"y"]
        assert file.attrs["schema_version"] == "1.0.0"
        assert len(file.attrs["checkpoint_hash"]) == 32


@pytest.mark.parametrize(
    ("frames", "words"),
    [([FRAMES[0]], "1 of 2"), ([FRAMES[0], FRAMES[0, :3]], "y is"), ([FRAMES[0].astype(np.uint8)], "x is")],
)
def test_what_is_missing_or_of_another_kind_leaves_nothing(
    frames: list[np.ndarray], words: str, tmp_path: Path
) -> None:
    with pytest.raises(RestoreError, match=words):
        write(tmp_path, frames)
    assert [path.name for path in tmp_path.iterdir()] == ["c.safetensors"]
