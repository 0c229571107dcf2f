"""Cameras' corrections inside a `twinlens.pairs` file: what was done to its frames, and what new ones need."""

from typing import Any

import h5py
import numpy as np

from twinlens.corrections import CameraCorrection, RigCorrections
from twinlens.dataset.schema import CORRECTIONS

_MAPS = ("dark", "gain", "defects")


def write_corrections(file: h5py.File, corrections: RigCorrections | None) -> None:
    """Write both cameras' maps and facts; nothing where frames were not corrected."""
    if corrections is None:
        return
    for role, correction in (("a", corrections.a), ("b", corrections.b)):
        group = file.create_group(f"{CORRECTIONS}/{role}")
        for name, values in correction.packed().items():
            group[name] = values
        group.attrs.update(correction.facts())


def correction_bytes(corrections: RigCorrections | None) -> int:
    """What `write_corrections` is about to write."""
    if corrections is None:
        return 0
    both = (corrections.a, corrections.b)
    return sum(4 * correction.dark.size + 4 * int(correction.defects.sum()) for correction in both)


def read_corrections(file: h5py.File) -> RigCorrections | None:
    """Both cameras' corrections; None where frames were not corrected, and in files older than them."""
    if CORRECTIONS not in file:
        return None
    return RigCorrections(*(_correction(file[f"{CORRECTIONS}/{role}"]) for role in ("a", "b")))


def _correction(group: Any) -> CameraCorrection:
    maps = {name: np.asarray(group[name][()]) for name in _MAPS}
    return CameraCorrection.unpacked(maps, dict(group.attrs))
