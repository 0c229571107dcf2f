"""The seal covers what a pair's own hash does not, and nothing that may differ between two readings."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from twinlens.dataset.schema import LIBVER
from twinlens.dataset.seal import broken_seal, census, seal, stored_seal

TEXT = h5py.string_dtype()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """One of everything that a dataset may hold."""
    path = tmp_path / "all.h5"
    with h5py.File(path, "w", libver=LIBVER) as file:
        file.attrs.update({"name": "street", "none": h5py.Empty("f4"), "numbers": np.arange(3)})
        row = np.dtype(
            [("text", TEXT), ("short", "S5"), ("ragged", h5py.vlen_dtype(np.float64)), ("block", "<f4", (2,))]
        )
        file["table"] = np.array([("größer", b"abc", np.arange(2.0), (1, 2)), ("", b"", np.zeros(0), (3, 4))], row)
        file["text"] = "a note"
        file["truth"] = np.array([True, False])
        file.create_dataset("empty", shape=(0, 3), maxshape=(None, 3), chunks=(4, 3), dtype="u1")
        file.create_dataset("packed", data=np.arange(100), chunks=(10,), compression="gzip")
        for name in ("input", "target", "mask"):
            file[f"pairs/{name}"] = np.ones((2, 3, 4), np.uint8)
        file["link"] = h5py.SoftLink("/text")
        file["far"] = h5py.ExternalLink("other.h5", "/there")
        file["twice"] = file["table"]
        file["type"] = np.dtype("<f8")
        seal(file)
    return path


def _again(file: h5py.File, name: str, value: object) -> None:
    del file[name]
    file[name] = value


CHANGES: dict[str, Callable[[h5py.File], object]] = {
    "an attribute": lambda file: file.attrs.modify("numbers", np.array([0, 1, 3])),
    "a new attribute": lambda file: file["pairs"].attrs.create("note", "new"),
    "an attribute of pixels": lambda file: file["pairs/input"].attrs.create("note", "new"),
    "a text in a table": lambda file: file["table"].__setitem__(..., file["table"][()][::-1].copy()),
    "a number": lambda file: file["packed"].__setitem__(3, 4),
    "a truth": lambda file: file["truth"].__setitem__(1, 1),
    "a length": lambda file: file["empty"].resize(1, axis=0),
    "a type": lambda file: _again(file, "packed", np.arange(100, dtype="u1")),
    "a group": lambda file: file.create_group("new"),
    "a link": lambda file: _again(file, "link", h5py.SoftLink("/truth")),
    "a far link": lambda file: _again(file, "far", h5py.ExternalLink("b.h5", "/there")),
    "something missing": lambda file: file.__delitem__("twice"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_breaks_the_seal(path: Path, change: str) -> None:
    with h5py.File(path, "r+", libver=LIBVER) as file:
        assert not broken_seal(file)
        CHANGES[change](file)
    with h5py.File(path) as file:
        assert broken_seal(file)


def test_pixels_are_left_to_the_hashes_of_pairs(path: Path) -> None:
    with h5py.File(path, "r+", libver=LIBVER) as file:
        file["pairs/input"][0, 0, 0] = 7
        assert not broken_seal(file)


def test_a_digest_tells_content_and_not_how_it_came_about(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.h5"
    with h5py.File(path) as file, h5py.File(copy, "w", libver=LIBVER) as other:
        for name in reversed([name for name in file if name not in ("link", "far", "twice")]):
            file.copy(name, other)
        other["twice"] = other["table"]
        other["far"], other["link"] = h5py.ExternalLink("other.h5", "/there"), h5py.SoftLink("/text")
        for name in reversed(list(file.attrs)):
            other.attrs[name] = file.attrs[name]
        assert census(other) == census(file) == stored_seal(file)


def test_a_file_without_a_seal_has_a_broken_one(path: Path) -> None:
    with h5py.File(path, "r+", libver=LIBVER) as file:
        del file.attrs["seal"]
        assert stored_seal(file) is None
        assert broken_seal(file)
