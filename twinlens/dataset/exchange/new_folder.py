"""Folders that appear whole or not at all."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twinlens.errors import DatasetError
from twinlens.storage import sync_folder


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a hidden folder beside `path` to fill; it is renamed to `path` on success, removed on failure.

    Raises:
        DatasetError: `path` exists, or cannot be written.
    """
    if path.exists():
        raise DatasetError(f"{path} exists already", hint="give the name of a new folder")
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        part.mkdir(parents=True)
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
        shutil.rmtree(part, ignore_errors=True)
