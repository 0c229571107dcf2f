"""Which source a dataset was imported from, told by what lies in it."""

import hashlib
from pathlib import Path

from twinlens.dataset.exchange.files import files_under


def fingerprint(source: Path) -> str:
    """SHA-256 of a file's bytes, or of the names and sizes of a folder's files, less hidden ones."""
    if source.is_file():
        with source.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha256()
    for path in (path for path in files_under(source) if path.is_file()):  # a link may lead nowhere
        digest.update(f"{path.relative_to(source).as_posix()}\t{path.stat().st_size}\n".encode())
    return digest.hexdigest()
