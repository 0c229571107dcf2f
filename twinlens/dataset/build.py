"""Building a paired dataset: a stream of pairs in, one sealed file out."""

import json
import platform
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import h5py
import numpy as np

from twinlens import __version__
from twinlens.calibrate.align import AlignedPair
from twinlens.corrections import RigCorrections
from twinlens.dataset.corrections import correction_bytes, write_corrections
from twinlens.dataset.duplicates import DuplicateReport, find_same_scenes
from twinlens.dataset.entry import Entry
from twinlens.dataset.groups import Member
from twinlens.dataset.layout import LAYOUTS, Layout
from twinlens.dataset.limits import PassportLimits, gated
from twinlens.dataset.measure import entry_of
from twinlens.dataset.paired import PairedDataset
from twinlens.dataset.schema import (
    DEFAULT_SCHEME,
    LIBVER,
    SCHEMA,
    SCHEMA_VERSION,
    SOURCE_COLUMNS,
    Provenance,
    Reject,
)
from twinlens.dataset.schemes import SplitSettings, divide
from twinlens.dataset.seal import seal
from twinlens.dataset.stored_schemes import StoredScheme, drawn
from twinlens.dataset.summary import DatasetReport
from twinlens.dataset.text import fixed, fixed_attributes, table_of
from twinlens.dataset.writer import PairWriter
from twinlens.errors import DatasetError, SettingsError, SplitLeakError
from twinlens.settings import Settings
from twinlens.storage import reserve_disk, sealed

PAGE_BYTES = 4096


@dataclass(frozen=True, kw_only=True)
class DatasetSettings(Settings):
    """How pairs become a dataset."""

    name: str = ""
    """Name of the dataset; empty takes the file's."""
    version: str = "1.0.0"
    """Semantic version: other pixels or splits are a new major version, more pairs or schemes a minor one."""
    description: str = ""
    license: str = ""
    """Under which others may use it, such as CC-BY-4.0; empty where nobody decided."""
    citation: str = ""
    layout: Layout = "contiguous"
    """contiguous is fastest on a local disk, tiles reads least over a network and is smaller."""
    grid: Literal["a", "b"] = "b"
    """Whose pixels a pair is laid on: B's leaves the input as the camera sent it, A's the target."""
    scenes: tuple[str, ...] = ()
    """Only these; empty takes all that the sessions show."""
    splits: SplitSettings = field(default_factory=SplitSettings)
    limits: PassportLimits = field(default_factory=PassportLimits)
    find_duplicates: bool = True
    """Look at the pictures for scenes that are one under two names, and keep them in one split."""

    def check(self) -> None:
        """Raise `SettingsError` where a value cannot work."""
        if not re.fullmatch(r"\d+\.\d+\.\d+", self.version):
            raise SettingsError(
                f"DatasetSettings.version is {self.version!r}; three numbers are needed", hint="such as 1.0.0"
            )
        for name, choices in (("grid", ("a", "b")), ("layout", LAYOUTS)):
            if getattr(self, name) not in choices:
                raise SettingsError(
                    f"DatasetSettings.{name} is {getattr(self, name)!r}", hint=f"choose from {', '.join(choices)}"
                )


@dataclass(frozen=True, slots=True)
class Division:
    """Who goes where."""

    schemes: Mapping[str, StoredScheme]
    group_of: Mapping[str, str]
    """Scene to group."""
    places: Mapping[str, str] = field(default_factory=dict)
    """Scene to place, where known."""


Divider = Callable[[Sequence[Member], DuplicateReport], Division]
"""Divides the pairs of a finished file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything but pairs."""

    settings: DatasetSettings = field(default_factory=DatasetSettings)
    provenance: Provenance = field(default_factory=Provenance)
    corrections: RigCorrections | None = None
    divider: Divider | None = None
    """None divides into one scheme, `default`, by the settings."""


def build_dataset(
    pairs: Iterable[AlignedPair],
    out: Path,
    *,
    settings: DatasetSettings | None = None,
    provenance: Provenance | None = None,
    corrections: RigCorrections | None = None,
    overwrite: bool = False,
) -> DatasetReport:
    """Write `pairs` to `out` as they come, divide them by group, and read the file back before it gets its name.

    `corrections` are those that the pairs' frames have had; they are recorded, to be repeated on new frames.

    Raises:
        DatasetError: there are no pairs, they do not match, `out` exists, or it cannot be written.
        SplitLeakError: there are too few groups for three splits.
    """
    settings = settings or DatasetSettings()
    recipe = Recipe(settings=settings, provenance=provenance or Provenance(), corrections=corrections)
    return assemble(gated(map(entry_of, pairs), settings.limits), out, recipe, overwrite=overwrite)


def assemble(
    found: Iterable[Entry | Reject], out: Path, recipe: Recipe, *, overwrite: bool = False
) -> DatasetReport:
    """Write entries to `out` as they come, list the rejects, divide the pairs, and seal the file.

    Raises:
        DatasetError, SplitLeakError: as `build_dataset`.
    """
    if out.exists() and not overwrite:
        raise DatasetError(
            f"{out} exists, and datasets never change", hint="give another name or version, or ask to overwrite"
        )
    try:
        with sealed(out) as part:
            _write(part, found, recipe, out=out)
            return PairedDataset(part).summary()
    except OSError as cause:
        raise DatasetError(
            f"{out} was not written: {cause}", hint="check that the folder is writable and its disk has room"
        ) from cause


def divided_by_settings(members: Sequence[Member], duplicates: DuplicateReport, splits: SplitSettings) -> Division:
    """One scheme, `default`.

    Raises:
        SplitLeakError: there are too few groups.
    """
    scheme = divide(members, splits, same=duplicates.ties)
    return Division({DEFAULT_SCHEME: drawn(scheme, splits)}, scheme.group_of, splits.places)


def _write(part: Path, found: Iterable[Entry | Reject], recipe: Recipe, *, out: Path) -> None:
    settings, provenance = recipe.settings, recipe.provenance
    # Frames begin at a page, so that a 16-bit view of them is aligned; tiles would only grow by 18 %.
    page_bytes = PAGE_BYTES if settings.layout == "contiguous" else 1
    with h5py.File(
        part, "w", libver=LIBVER, alignment_threshold=page_bytes, alignment_interval=page_bytes
    ) as file:
        reserve_disk(file, 0)
        file.attrs["complete"] = np.uint8(0)
        writer = PairWriter(file, layout=settings.layout)
        rejects = writer.append_all(found)
        if not len(writer):
            raise _no_pairs(out, rejects)
        duplicates = _same_scenes(file, writer) if settings.find_duplicates else DuplicateReport((), 0, 0)
        divide_them = recipe.divider or (lambda who, same: divided_by_settings(who, same, settings.splits))
        try:
            division = divide_them(writer.members, duplicates)
        except SplitLeakError as error:
            raise _after_rejects(error, rejects) from error
        texts_bytes = len(provenance.config_json) + len(provenance.calibration_json)
        reserve_disk(file, texts_bytes + correction_bytes(recipe.corrections))
        writer.write_groups(division.group_of, division.places)
        writer.write_mirror_states(provenance.mirror_states)
        writer.write_rejects(rejects)
        content_hash = writer.write_schemes(division.schemes)
        _write_provenance(file, provenance, duplicates)
        write_corrections(file, recipe.corrections)
        _write_head(file, settings, content_hash, parent=provenance.parent, name=settings.name or _name_in(out))
        file.flush()


def _no_pairs(out: Path, rejects: Sequence[Reject]) -> DatasetError:
    if not rejects:
        return DatasetError(
            f"no pairs for {out}: the sessions hold none that could be aligned",
            hint="look at the sessions with `twinlens info`",
        )
    return DatasetError(
        f"no pairs for {out}: all {len(rejects)} were left out, the first because {rejects[0].text}",
        hint="look at the limits with `twinlens build --dry-run`",
    )


def _after_rejects(error: SplitLeakError, rejects: Sequence[Reject]) -> SplitLeakError:
    if not rejects:
        return error
    first = rejects[0]
    return SplitLeakError(
        f"{error.message}; {len(rejects)} pairs were left out before, the first being trigger "
        f"{first.trigger_index} ({first.scene}): {first.text}",
        hint=error.hint,
    )


def _same_scenes(file: h5py.File, writer: PairWriter) -> DuplicateReport:
    targets, table = file["/pairs/target"], file["/pairs/table"]
    return find_same_scenes(
        [member.scene for member in writer.members],
        [member.pair_id for member in writer.members],
        table["phash_tg"],
        frame_of=lambda row: np.asarray(targets[row]),
    )


_VERSION = re.compile(r"-v(\d+\.\d+\.\d+)$")


def version_in(out: Path) -> str:
    """The version that a name such as street-v1.2.0.h5 tells; empty where it tells none."""
    found = _VERSION.search(out.stem)
    return found.group(1) if found else ""


def _name_in(out: Path) -> str:
    return _VERSION.sub("", out.stem)


def _write_head(file: h5py.File, settings: DatasetSettings, content_hash: str, *, parent: str, name: str) -> None:
    texts = fixed_attributes(
        {
            "schema": SCHEMA,
            "schema_version": SCHEMA_VERSION,
            "name": name,
            "version": settings.version,
            "description": settings.description,
            "license": settings.license,
            "citation": settings.citation,
            "layout": settings.layout,
            "grid": settings.grid,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "twinlens_version": __version__,
            "content_hash": content_hash,
            "parent": parent,
        }
    )
    file.attrs.update(texts)
    file.attrs["complete"] = np.uint8(1)
    seal(file)


def _write_provenance(file: h5py.File, provenance: Provenance, duplicates: DuplicateReport) -> None:
    group = file.create_group("/provenance")
    software = json.dumps(
        {
            "twinlens": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "h5py": h5py.version.version,
            "hdf5": h5py.version.hdf5_version,
        }
    )
    texts = {
        "config_json": provenance.config_json,
        "calibration": provenance.calibration_json,
        "duplicates": json.dumps(asdict(duplicates)),
        "software": software,
    }
    for name, text in texts.items():
        group[name] = fixed(text)
    columns = {name: [getattr(source, name) for source in provenance.sources] for name in SOURCE_COLUMNS}
    group["sources"] = table_of(columns)
