"""Files that appear whole or not at all, room on the disk, and JSON artefacts that say what they are."""

import ctypes
import errno
import hashlib
import json
import os
import re
import shutil
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twinlens import __version__
from twinlens.errors import TwinlensError


def part_beside(path: Path) -> Path:
    """A hidden name beside `path` for what is to become it, another one at every call."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")


def parts_beside(path: Path) -> list[Path]:
    """What writers of `path` have left beside it, killed ones and those still at work."""
    left = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{8}}\.part")
    return [part for part in path.parent.iterdir() if left.fullmatch(part.name)]


@contextmanager
def sealed(path: Path) -> Iterator[Path]:
    """Yield a name beside `path` to write to; rename it to `path` on success, remove it on failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_beside(path)
    try:
        yield part
        release_disk(part)
        with part.open("r+b") as file:
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)


HDF5_METADATA_BYTES = 2**20
"""More than the tables, indices and alignment of one frame or pair take: a chunk of rows is 0.1 MB."""
_KEEP_SIZE = 1
"""FALLOC_FL_KEEP_SIZE of fallocate(2): blocks are claimed, the length of the file stays."""


def reserve_disk(file: Any, payload_bytes: int) -> None:
    """Claim room on the disk behind the end of an open `h5py.File`, for payload and the tables that come with it.

    A disk that is full must be noticed here. HDF5 keeps writes back and retries them while it closes, where h5py
    can only ignore the error; what is left then crashes the process when it exits. The file grows no longer by
    this: what a killed process leaves ends where its last write ended. `release_disk` gives unused room back.

    Raises:
        OSError: there is no room; the file can still be closed properly.
    """
    end, descriptor = file.id.get_filesize(), file.id.get_vfd_handle()
    wanted = payload_bytes + HDF5_METADATA_BYTES
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - POSIX only

        limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        if limit != resource.RLIM_INFINITY and end + wanted > limit:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), file.filename)
    if not _claim(descriptor, end, wanted):
        require_free(Path(file.filename).parent, wanted)


def require_free(folder: Path, wanted_bytes: int) -> None:
    """Raise `OSError` (ENOSPC) unless the disk that `folder` lies on has so much room."""
    if shutil.disk_usage(folder).free < wanted_bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def release_disk(path: Path) -> None:
    """Give back what was claimed behind the end of a file that is not being written any more."""
    os.truncate(path, path.stat().st_size)


def _claim(descriptor: int, start: int, length: int) -> bool:
    """Claim blocks of a file; False where the file system or this platform cannot."""
    if sys.platform != "linux":
        return False
    # os.posix_fallocate would lengthen the file, and write zeros where the file system cannot claim blocks.
    fallocate = ctypes.CDLL(None, use_errno=True).fallocate
    fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    while fallocate(descriptor, _KEEP_SIZE, start, length) != 0:
        code = ctypes.get_errno()
        if code in (errno.EOPNOTSUPP, errno.ENOSYS):
            return False
        if code != errno.EINTR:
            raise OSError(code, os.strerror(code))
    return True


def sync_data(descriptor: int) -> None:
    """Make what was written to an open file survive a power cut."""
    if sys.platform == "darwin":
        import fcntl  # noqa: PLC0415 - POSIX only

        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # fsync alone stops at the disk's own cache there
    elif sys.platform == "win32":
        os.fsync(descriptor)
    else:
        os.fdatasync(descriptor)


def sync_folder(folder: Path) -> None:
    """Make new names and renames in `folder` survive a power cut."""
    if sys.platform == "win32":
        return  # a folder cannot be opened there; NTFS journals its names
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def hold_folder(folder: Path) -> ExitStack:
    """Claim `folder` for one writer, until the returned context is closed or this process ends.

    Raises:
        BlockingIOError: another writer holds it.
    """
    with ExitStack() as held:
        if sys.platform != "win32":  # no advisory locks on folders there
            import fcntl  # noqa: PLC0415 - POSIX only

            descriptor = os.open(folder, os.O_RDONLY)
            held.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return held.pop_all()


def write_artefact(path: Path, schema: str, schema_version: str, fields: Mapping[str, Any]) -> None:
    """Write a JSON artefact of ours: `schema`, versions and date first, then `fields`."""
    head = {
        "schema": schema,
        "schema_version": schema_version,
        "twinlens_version": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    plain = json.loads(json.dumps({**head, **fields}, allow_nan=False))
    with sealed(path) as part:
        part.write_text(json.dumps({**plain, _HASH: _content_hash(plain)}, indent=2, allow_nan=False) + "\n")


def artefact_is_intact(path: Path) -> bool:
    """Whether a JSON artefact still says what was written into it; one without a hash is believed."""
    return text_is_intact(path.read_text())


def text_is_intact(text: str) -> bool:
    """Like `artefact_is_intact`, of an artefact's text wherever it is kept."""
    found = json.loads(text)
    stored = found.pop(_HASH, None)
    return stored is None or stored == _content_hash(found)


_HASH = "fields_hash"


def _content_hash(fields: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(fields, sort_keys=True).encode(), digest_size=16).hexdigest()


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
