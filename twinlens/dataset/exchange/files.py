"""The files of somebody else's folder, also those behind links."""

import os
from pathlib import Path, PureWindowsPath

from twinlens.errors import FormatError


def files_under(folder: Path) -> list[Path]:
    """Every file in `folder` and below, sorted; hidden ones and those in hidden folders are left out.

    Raises:
        FormatError: a folder cannot be read, or a link leads back to a folder that it lies in.
    """
    found: list[Path] = []
    try:
        for here, folders, files in os.walk(folder, followlinks=True, onerror=_raised):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in folders:
                _require_onward(Path(here, name))
            found += [Path(here, name) for name in files if not name.startswith(".")]
    except OSError as cause:
        raise FormatError(f"{folder} cannot be read: {cause}", hint="make all its folders readable") from cause
    return sorted(found)


def file_inside(folder: Path, name: str, *, told_by: Path) -> Path:
    """The file in `folder` that a list or table calls `name`.

    Raises:
        FormatError: the name is empty, or leads out of the folder.
    """
    path = PureWindowsPath(name)  # knows the separators, roots and drives of all systems
    if not path.parts or path.anchor or ".." in path.parts:
        raise FormatError(
            f"{told_by} names {name!r}, which is no file inside {folder}",
            hint="let paths begin in that folder, without '..'",
        )
    return folder / name


def _raised(error: OSError) -> None:
    raise error


def _require_onward(folder: Path) -> None:
    if folder.is_symlink() and any(folder.samefile(above) for above in folder.parents):
        raise FormatError(f"{folder} leads back to a folder that it lies in", hint="remove the link")
