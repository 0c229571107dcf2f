"""Building a paired dataset: a stream of aligned pairs in, one sealed file out."""

import json
import os
import platform
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import h5py
import numpy as np

from twinlens import __version__
from twinlens.calibrate.align import AlignedPair
from twinlens.corrections import RigCorrections
from twinlens.dataset.corrections import correction_bytes, write_corrections
from twinlens.dataset.layout import LAYOUTS, Layout
from twinlens.dataset.paired import PairedDataset
from twinlens.dataset.schema import (
    LIBVER,
    SCHEMA,
    SCHEMA_VERSION,
    SCHEME,
    SOURCE_ROW,
    SPLITS,
    Provenance,
    SplitName,
)
from twinlens.dataset.splits import DEFAULT_RATIOS, split_scenes
from twinlens.dataset.summary import DatasetReport
from twinlens.dataset.writer import PairWriter
from twinlens.errors import DatasetError, SettingsError
from twinlens.settings import Settings
from twinlens.storage import reserve_disk, sealed

PAGE_BYTES = 4096


@dataclass(frozen=True, kw_only=True)
class DatasetSettings(Settings):
    """How pairs become a dataset."""

    name: str = ""
    """Name of the dataset; empty takes the file's."""
    version: str = "1.0.0"
    """Semantic version of the dataset: new pixels or splits are a new major version."""
    ratios: tuple[float, float, float] = DEFAULT_RATIOS
    """Shares of train, validation and test, by number of pairs."""
    seed: int = 0
    """Draws which scenes go where."""
    assignment: Mapping[str, str] = field(default_factory=dict)
    """Scenes whose split is decided by hand: scene to train, val or test."""
    grid: Literal["a", "b"] = "b"
    """Whose pixels a pair is laid on: B's leaves the input as the camera sent it, A's the target."""
    layout: Layout = "contiguous"
    """Whole raw frames, fastest where the file fits into memory, or packed tiles for network disks and sharing."""

    def check(self) -> None:
        """Raise `SettingsError` where a value cannot work."""
        if len(self.ratios) != 3 or min(self.ratios) <= 0:
            raise SettingsError(
                f"DatasetSettings.ratios is {self.ratios}; three positive shares are needed",
                hint="give train, val and test a share each, such as 0.8 0.1 0.1",
            )
        if not re.fullmatch(r"\d+\.\d+\.\d+", self.version):
            raise SettingsError(
                f"DatasetSettings.version is {self.version!r}; three numbers are needed", hint="such as 1.0.0"
            )
        if self.grid not in ("a", "b"):
            raise SettingsError(
                f"DatasetSettings.grid is {self.grid!r}", hint="a pair lies on the grid of a or of b"
            )
        if self.layout not in LAYOUTS:
            raise SettingsError(
                f"DatasetSettings.layout is {self.layout!r}", hint=f"known are: {', '.join(LAYOUTS)}"
            )
        unknown = sorted(set(self.assignment.values()) - set(SPLITS))
        if unknown:
            raise SettingsError(
                f"DatasetSettings.assignment names {', '.join(unknown)}, which is no split",
                hint=f"assign scenes to {', '.join(SPLITS)}",
            )


def build_dataset(
    pairs: Iterable[AlignedPair],
    out: Path,
    *,
    settings: DatasetSettings | None = None,
    provenance: Provenance | None = None,
    corrections: RigCorrections | None = None,
    overwrite: bool = False,
) -> DatasetReport:
    """Write `pairs` to `out` as they come, split them by scene, and read the file back before it gets its name.

    `corrections` are those that the pairs' frames have had; they are recorded, to be repeated on new frames.

    Raises:
        DatasetError: there are no pairs, they do not match, `out` exists, or it cannot be written.
        SplitLeakError: there are too few scenes for three splits.
    """
    if out.exists() and not overwrite:
        raise DatasetError(
            f"{out} exists, and datasets never change", hint="give another name or version, or ask to overwrite"
        )
    try:
        with sealed(out) as part:
            about = _About(settings or DatasetSettings(), provenance or Provenance(), corrections)
            _write(part, pairs, about, out=out)
            return PairedDataset(part).summary()
    except OSError as cause:
        raise DatasetError(
            f"{out} was not written: {cause}", hint="check that the folder is writable and its disk has room"
        ) from cause


@dataclass(frozen=True, slots=True)
class _About:
    """Everything but pairs."""

    settings: DatasetSettings
    provenance: Provenance
    corrections: RigCorrections | None


def _write(part: Path, pairs: Iterable[AlignedPair], about: _About, *, out: Path) -> None:
    settings, provenance = about.settings, about.provenance
    # Frames begin at a page, so that a 16-bit view of them is aligned.
    with h5py.File(
        part, "w", libver=LIBVER, alignment_threshold=PAGE_BYTES, alignment_interval=PAGE_BYTES
    ) as file:
        reserve_disk(file, 0)
        file.attrs["complete"] = np.uint8(0)
        writer = PairWriter(file, layout=settings.layout)
        for pair in pairs:
            writer.append(pair)
        if not len(writer):
            raise DatasetError(
                f"no pairs for {out}: the sessions hold none that could be aligned",
                hint="look at the sessions with `twinlens info`",
            )
        split_of = split_scenes(
            writer.pairs_per_scene, ratios=settings.ratios, seed=settings.seed, assignment=settings.assignment
        )
        texts_bytes = len(provenance.config_json) + len(provenance.calibration_json)
        reserve_disk(file, texts_bytes + correction_bytes(about.corrections))
        writer.write_groups()
        writer.write_mirror_states(provenance.mirror_states)
        content_hash = writer.write_splits(SCHEME, split_of)
        _describe_splits(file, split_of, settings)
        _write_provenance(file, provenance)
        write_corrections(file, about.corrections)
        file.attrs.update(
            {
                "schema": SCHEMA,
                "schema_version": SCHEMA_VERSION,
                "name": settings.name or out.stem,
                "version": settings.version,
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "twinlens_version": __version__,
                "content_hash": content_hash,
            }
        )
        file.flush()
        file.attrs["complete"] = np.uint8(1)
        file.flush()
        used_bytes = file.id.get_filesize()
    os.truncate(part, used_bytes)  # gives back what was reserved and not needed


def _describe_splits(file: h5py.File, split_of: Mapping[str, SplitName], settings: DatasetSettings) -> None:
    scheme = file[SCHEME]
    scheme.attrs["strategy"] = "whole scenes, pair counts as near to the ratios as scenes allow"
    scheme.attrs["group_key"] = "scene"
    scheme.attrs["seed"] = settings.seed
    scheme.attrs["ratios"] = settings.ratios
    scheme.attrs["assignment"] = json.dumps(dict(settings.assignment), sort_keys=True)
    for split in SPLITS:
        scheme[split].attrs["pairs"] = len(scheme[split])
        scheme[split].attrs["scenes"] = sum(where == split for where in split_of.values())


def _write_provenance(file: h5py.File, provenance: Provenance) -> None:
    group = file.create_group("/provenance")
    group["config_json"] = provenance.config_json
    group["calibration"] = provenance.calibration_json
    group["software"] = json.dumps(
        {
            "twinlens": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "h5py": h5py.version.version,
            "hdf5": h5py.version.hdf5_version,
        }
    )
    rows = [(source.session_id, source.path, source.sha256) for source in provenance.sources]
    group["sources"] = np.array(rows, SOURCE_ROW)
