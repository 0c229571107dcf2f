"""A small file system in a file, mounted through a loop device: needs root and `mkfs.ext4`."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def why_not() -> str:
    """Why no loop disk can be had here; empty if one can."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "mounting a file system image needs root"
    if shutil.which("mkfs.ext4", path=_path()) is None:
        return "mkfs.ext4 is not installed (Debian package e2fsprogs)"
    with tempfile.TemporaryDirectory() as folder:
        try:
            with mounted(new_image(Path(folder) / "image", size_mb=8), Path(folder) / "mount"):
                return ""
        except subprocess.CalledProcessError as error:
            return f"no loop device can be mounted here: {error.stderr.strip()}"


def new_image(path: Path, *, size_mb: int) -> Path:
    """A new ext4 file system without blocks kept back for root."""
    with path.open("wb") as file:
        file.truncate(size_mb * 2**20)
    _run("mkfs.ext4", "-q", "-m", "0", str(path))
    return path


@contextmanager
def mounted(image: Path, at: Path) -> Iterator[Path]:
    """The image mounted at a new folder; what its journal holds is replayed first."""
    at.mkdir()
    _run("mount", "-o", "loop", str(image), str(at))
    try:
        yield at
    finally:
        _run("umount", str(at))


def _run(*command: str) -> None:
    environment = {**os.environ, "PATH": _path()}
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, env=environment)


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
