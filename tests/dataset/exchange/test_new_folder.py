"""Exports appear whole under their name, and leave nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest

from twinlens.dataset import PairedDataset, export_dataset
from twinlens.errors import DatasetError

Built = Callable[..., PairedDataset]


def test_an_existing_folder_is_never_written_into(built: Built, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(DatasetError, match="exists already"):
        export_dataset(built(), tmp_path / "out", to="gopro")
    assert list((tmp_path / "out").iterdir()) == []


def test_what_a_killed_export_left_is_swept_by_the_next(built: Built, tmp_path: Path) -> None:
    names = (".out.0123abcd.part", ".out.more.0123abcd.part", ".out.notes.part")
    for name in names:
        (tmp_path / name / "train").mkdir(parents=True)
    seen: list[int] = []

    def look(_: int) -> None:
        seen.append(sum(path.name.startswith(".out.") for path in tmp_path.iterdir()))
        if len(seen) == 1:  # another export to the same name, while this one is at work
            export_dataset(PairedDataset(tmp_path / "street-v1.0.0.h5"), tmp_path / "out", to="gopro")
            (tmp_path / "out").rename(tmp_path / "first")

    export_dataset(built(), tmp_path / "out", to="gopro", on_pair=look)
    assert not (tmp_path / names[0]).exists()
    assert all((tmp_path / name).exists() for name in names[1:])
    assert set(seen) == {3}
    assert len([path for path in (tmp_path / "out").rglob("*") if path.is_file()]) == 31
