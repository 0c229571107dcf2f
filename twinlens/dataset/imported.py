"""Whether a dataset came from files of somebody else, and which: then nothing is known of cameras and sessions."""

import json
from dataclasses import dataclass
from typing import Any

from twinlens.dataset.schema import Source


@dataclass(frozen=True, slots=True)
class ImportedFrom:
    """The files that a dataset, or the first of its ancestors, was imported from."""

    source: Source
    """Name of the file or folder, and its fingerprint."""
    format: str
    exported_from: str
    """Name and version of the dataset of ours that the files are an export of; empty where they are none."""


def imported_from(config_json: str, sources: tuple[Source, ...]) -> ImportedFrom | None:
    """What the provenance of a dataset tells of an import; None where it was built from sessions."""
    try:
        config = json.loads(config_json)
    except ValueError:
        return None
    while isinstance(config, dict) and "import" not in config:
        config = _entry(config, "parent").get("config")
    if not isinstance(config, dict) or not sources:
        return None
    told, parent = _entry(config, "import"), _entry(config, "exported_from")
    # An import names its own files first, and every version made from it keeps the order.
    return ImportedFrom(
        sources[0],
        str(told.get("format", "unknown")),
        " ".join(str(parent[k]) for k in ("name", "version") if k in parent),
    )


def _entry(values: dict[str, Any], name: str) -> dict[str, Any]:
    found = values.get(name)
    return found if isinstance(found, dict) else {}
