"""Whether a file's text can be read at all: HDF5 keeps text of any length in heaps that carry no checksum.

One flipped bit in a heap's sizes makes HDF5 search it forever (50 of 5120 flips tried, HDF5 2.0), which no
exception ends. Text of fixed length lies among the checksummed rest, so files that hold only such need no care.
"""

import subprocess
import sys
from pathlib import Path

import h5py

PATIENCE_S = 60.0
"""For tables and maps, which are read in well below a second from a local disk."""

_READER = """
import sys
import h5py
from twinlens.dataset.seal import census
with h5py.File(sys.argv[1], "r", locking=False) as file:
    census(file)
"""


def uses_heaps(file: h5py.File) -> bool:
    """Whether anything in `file` has a type of any length; types alone are read, which is safe."""
    holders: list[h5py.Group | h5py.Dataset] = [file]
    file.visititems(lambda _, found: holders.append(found))
    dtypes = [holder.dtype for holder in holders if isinstance(holder, h5py.Dataset)]
    dtypes += [holder.attrs.get_id(name).dtype for holder in holders for name in holder.attrs]
    return any(dtype.hasobject for dtype in dtypes)


def unreadable(path: Path, *, patience_s: float = PATIENCE_S) -> str | None:
    """Why everything but the pixels of `path` cannot be read, as a process of its own found; None where it can."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _READER, str(path)], capture_output=True, timeout=patience_s, check=False
        )
    except subprocess.TimeoutExpired:
        return f"HDF5 did not come to an end within {patience_s:.0f} s"
    if done.returncode == 0:
        return None
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"HDF5 crashed with signal {-done.returncode}"
