"""`twinlens-export.json`: what an export of ours tells of itself, so that an import gets back the same dataset."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from twinlens.corrections import RigCorrections
from twinlens.dataset.corrections import read_corrections, write_corrections
from twinlens.dataset.exchange.piece import ExportSettings
from twinlens.dataset.paired import PairedDataset
from twinlens.dataset.schema import MirrorStateRecord, Reject, Source
from twinlens.dataset.stored_schemes import PARTS, StoredScheme
from twinlens.errors import FormatError
from twinlens.storage import read_artefact, write_artefact

MANIFEST = "twinlens-export.json"
CORRECTIONS = "twinlens-corrections.h5"
"""Dark, gain and defect maps of both cameras, which the exported frames have had."""
SCHEMA = "twinlens.export"
SCHEMA_VERSION = "2.0.0"
TEXTS = ("description", "license", "citation")
PLAIN = (
    "format",
    "name",
    "version",
    "content_hash",
    "parent",
    "bit_depth",
    "shift_bits",
    "patch_px",
    "grid",
    "texts",
    "group_of",
    "places",
    "left_out",
    "pairs",
)
"""Fields that lie in the file as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an export holds."""

    format: str
    name: str
    version: str
    content_hash: str
    """Of the dataset that was exported."""
    parent: str
    """Content hash of the dataset that that one was derived from."""
    bit_depth: int
    """Grey levels go up to 2**bit_depth - 1, whatever the picture files could hold."""
    shift_bits: int
    """By which pictures are brighter than the dataset's frames."""
    patch_px: int
    """Side of the patches that training frames were cut into; 0 = whole frames."""
    grid: Literal["a", "b"]
    """Whose pixels pairs are laid on."""
    texts: Mapping[str, str]
    """Description, license and citation."""
    group_of: Mapping[str, str]
    """Scene to group, which no split divides."""
    places: Mapping[str, str]
    """Scene to place, where known."""
    schemes: Mapping[str, StoredScheme]
    """Of the dataset, by its rows; the folders show one of them."""
    left_out: int
    """Pairs of the dataset that lie in none of that scheme's splits, and so were not exported."""
    rejects: tuple[Reject, ...]
    mirror_states: tuple[MirrorStateRecord, ...]
    sources: tuple[Source, ...]
    """The sessions that pairs were taken from."""
    pairs: Mapping[str, Mapping[str, Any]]
    """"SPLIT/NAME" to what is known of it."""
    corrections: RigCorrections | None = None


def write_manifest(
    folder: Path,
    dataset: PairedDataset,
    *,
    to: str,
    settings: ExportSettings,
    pairs: Mapping[str, Mapping[str, Any]],
) -> None:
    """Write `folder`/twinlens-export.json, and corrections beside it where frames were corrected."""
    contents = dataset.contents
    fields = {
        "format": to,
        "name": dataset.name,
        "version": dataset.version,
        "content_hash": dataset.content_hash,
        "parent": dataset.provenance().parent,
        "bit_depth": dataset.bit_depth,
        "full_scale": 2**dataset.bit_depth - 1,
        "shape_hw": dataset.shape_hw,
        "scheme": settings.scheme,
        "shift_bits": settings.shift_bits(dataset.bit_depth),
        "patch_px": settings.patch_px,
        "grid": contents.grid,
        "texts": {name: contents.head.get(name, "") for name in TEXTS},
        "group_of": contents.group_of,
        "places": contents.places,
        "schemes": {name: _plain(scheme) for name, scheme in contents.schemes.items()},
        "left_out": left_out(dataset, pairs),
        "rejects": [asdict(reject) for reject in dataset.rejects],
        "mirror_states": [asdict(state) for state in dataset.mirror_states],
        "sources": [asdict(source) for source in dataset.provenance().sources],
        "pairs": pairs,
    }
    write_artefact(folder / MANIFEST, SCHEMA, SCHEMA_VERSION, fields)
    corrections = dataset.corrections()
    if corrections is not None:
        with h5py.File(folder / CORRECTIONS, "w") as file:
            write_corrections(file, corrections)


def left_out(dataset: PairedDataset, pairs: Mapping[str, Mapping[str, Any]]) -> int:
    """How many pairs of the dataset were not exported."""
    return len(dataset) - len({facts["row"] for facts in pairs.values()})


def read_manifest(folder: Path) -> Manifest | None:
    """What an export of ours tells of itself; None for a folder of somebody else's.

    Raises:
        FormatError: it is damaged or newer.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    found = read_artefact(path, SCHEMA, SCHEMA_VERSION, error=FormatError)
    try:
        return Manifest(
            **{name: found[name] for name in PLAIN},
            mirror_states=tuple(
                MirrorStateRecord(state["label"], tuple(state["values"]), state["unit"])
                for state in found["mirror_states"]
            ),
            sources=tuple(Source(**source) for source in found["sources"]),
            schemes={name: _scheme(scheme) for name, scheme in found["schemes"].items()},
            rejects=tuple(Reject(**reject) for reject in found["rejects"]),
            corrections=_corrections(folder),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as cause:
        raise FormatError(f"{path} is damaged: {cause!r}", hint="export the dataset again") from cause


def _plain(scheme: StoredScheme) -> dict[str, Any]:
    about = {
        name: value.item() if isinstance(value, np.generic) else value for name, value in scheme.about.items()
    }
    rows = {part: scheme.rows[part].tolist() for part in PARTS}
    return {"is_leaky": scheme.is_leaky, "about": about, "rows": rows}


def _scheme(plain: Mapping[str, Any]) -> StoredScheme:
    rows = {part: np.array(plain["rows"][part], np.int64) for part in PARTS}
    return StoredScheme(rows, bool(plain["is_leaky"]), dict(plain["about"]))


def _corrections(folder: Path) -> RigCorrections | None:
    path = folder / CORRECTIONS
    if not path.is_file():
        return None
    with h5py.File(path, "r") as file:
        return read_corrections(file)
