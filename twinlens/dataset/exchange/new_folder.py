"""Folders that appear whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from twinlens.errors import DatasetError
from twinlens.storage import hold_folder, part_beside, parts_beside, sync_folder


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a hidden folder beside `path` to fill; it is renamed to `path` on success, removed on failure.

    What a killed process left of the same folder is removed first.

    Raises:
        DatasetError: `path` exists, or cannot be written.
    """
    if path.exists():
        raise DatasetError(f"{path} exists already", hint="give the name of a new folder")
    part = part_beside(path)
    held = ExitStack()
    try:
        part.mkdir(parents=True)
        held = _held(part) or held
        _sweep(path)
        yield part
        if hasattr(os, "sync"):
            os.sync()  # one call: an fsync for each of a hundred thousand small files takes minutes
        part.rename(path)
        sync_folder(path.parent)
    except OSError as cause:
        raise DatasetError(
            f"{path} was not written: {cause}", hint="check that the folder is writable and its disk has room"
        ) from cause
    finally:
        held.close()
        shutil.rmtree(part, ignore_errors=True)


def _sweep(path: Path) -> None:
    """Remove what killed processes left of `path`; a folder that somebody is filling stays."""
    for left in parts_beside(path):
        held = _held(left)
        if held is not None:
            with held:
                shutil.rmtree(left, ignore_errors=True)


def _held(folder: Path) -> ExitStack | None:
    """A claim on `folder`; None where another has it, or where its file system knows no claims."""
    try:
        return hold_folder(folder)
    except OSError:
        return None
