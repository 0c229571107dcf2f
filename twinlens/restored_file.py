"""A `twinlens.restored` file: restored pictures of sessions or datasets in one HDF5, and what restored them.

`/restored` is (n, h, w) or (n, h, w, 3) RGB, one picture a chunk; `/ids` names each picture.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from twinlens import __version__
from twinlens.errors import RestoreError
from twinlens.pixels import Picture, PictureFloat
from twinlens.restore.restore_settings import RestoreSettings
from twinlens.storage import reserve_disk, sealed

SCHEMA = "twinlens.restored"
SCHEMA_VERSION = "1.0.0"
PICTURES, IDS = "/restored", "/ids"
_LIBVER = ("v110", "v110")
"""As in datasets: checksummed metadata that every HDF5 since 1.10 reads."""


@contextmanager
def restored_file(
    path: Path, ids: Sequence[str], *, like: Picture | PictureFloat, checkpoint: Path, settings: RestoreSettings
) -> Iterator[Callable[[Picture | PictureFloat], None]]:
    """Yield what writes the next picture; the file appears whole once all have been written.

    Args:
        path: of the file.
        ids: one for each picture, in the order in which they come.
        like: a picture of the size and type that all have.
        checkpoint: the file whose network restores them; its BLAKE2b hash is noted.
        settings: the restorer's.

    Raises:
        RestoreError: a picture is of another size or type, or fewer came than were named.
    """
    with sealed(path) as part, h5py.File(part, "w", libver=_LIBVER) as file:
        file.attrs.update(
            {
                "schema": SCHEMA,
                "schema_version": SCHEMA_VERSION,
                "twinlens_version": __version__,
                "checkpoint": checkpoint.name,
                "checkpoint_hash": file_hash(checkpoint),
                "settings": json.dumps(settings.as_dict()),
            }
        )
        file.create_dataset(IDS, data=np.array([name.encode() for name in ids]))
        stack = file.create_dataset(
            PICTURES, shape=(len(ids), *like.shape), dtype=like.dtype, chunks=(1, *like.shape)
        )
        written = 0

        def write(picture: Picture | PictureFloat) -> None:
            nonlocal written
            if picture.shape != like.shape or picture.dtype != like.dtype:
                raise RestoreError(
                    f"{ids[written]} is {picture.shape} {picture.dtype}, others are {like.shape} {like.dtype}",
                    hint="restore them in two runs, or into image files",
                )
            reserve_disk(file, picture.nbytes)
            stack[written] = picture
            file.flush()
            written += 1

        yield write
        if written < len(ids):
            raise RestoreError(f"{written} of {len(ids)} pictures were restored", hint="restore them again")


def file_hash(path: Path) -> str:
    """BLAKE2b, 128 bits, of all bytes of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
