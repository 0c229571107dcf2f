"""Files that appear whole or not at all, and JSON artefacts that say what they are."""

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twinlens import __version__
from twinlens.errors import TwinlensError


@contextmanager
def sealed(path: Path) -> Iterator[Path]:
    """Yield a name beside `path` to write to; rename it to `path` on success, remove it on failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)


HDF5_METADATA_BYTES = 2**20
"""More than the tables, indices and alignment of one frame or pair take: a chunk of rows is 0.3 MB."""


def reserve_disk(file: Any, payload_bytes: int) -> None:
    """Claim room on the disk behind the end of an open `h5py.File`, for payload and the tables that come with it.

    A disk that is full must be noticed here. HDF5 keeps writes back and retries them while it closes, where h5py
    can only ignore the error; what is left then crashes the process when it exits.

    Raises:
        OSError: there is no room; the file can still be closed properly.
    """
    end = file.id.get_filesize()
    os.posix_fallocate(file.id.get_vfd_handle(), end, payload_bytes + HDF5_METADATA_BYTES)


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_artefact(path: Path, schema: str, schema_version: str, fields: Mapping[str, Any]) -> None:
    """Write a JSON artefact of ours: `schema`, versions and date first, then `fields`."""
    head = {
        "schema": schema,
        "schema_version": schema_version,
        "twinlens_version": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with sealed(path) as part:
        part.write_text(json.dumps({**head, **fields}, indent=2, allow_nan=False) + "\n")


def read_artefact(path: Path, schema: str, schema_version: str, *, error: type[TwinlensError]) -> dict[str, Any]:
    """Read a JSON artefact of ours, or raise `error` if it is missing, foreign, cut short or newer."""
    hint = f"give a file that twinlens wrote as {schema}"
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError as cause:
        raise error(f"{path} does not exist", hint=hint) from cause
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as cause:
        raise error(f"{path} cannot be read as JSON: {cause}", hint=hint) from cause
    if not isinstance(found, dict) or found.get("schema") != schema:
        seen = found.get("schema") if isinstance(found, dict) else type(found).__name__
        raise error(f"{path} holds {seen!r}, {schema!r} is needed", hint=hint)
    check_schema_version(str(found.get("schema_version")), schema_version, path=path, error=error)
    return found


def check_schema_version(found: str, known: str, *, path: Path, error: type[TwinlensError]) -> None:
    """Raise `error` if a file's major schema version differs from the one this release knows."""
    if found.partition(".")[0] != known.partition(".")[0]:
        raise error(
            f"{path} has schema version {found}, this twinlens {__version__} reads {known}",
            hint="use the twinlens release that wrote it, or a newer one",
        )
