"""`croissant.json`: a dataset described for search engines and loaders, after MLCommons Croissant 1.0.

Croissant cannot address what lies inside an HDF5 file, so the file is one object, and no record points into it;
splits are listed with their sizes. http://mlcommons.org/croissant/1.0
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from twinlens.dataset.paired import PairedDataset

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
MEDIA_TYPE = "application/x-hdf5"
_READ_BYTES = 2**20

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""As the specification prints it, section "Context"."""


def croissant(dataset: PairedDataset, folder: Path) -> str:
    """The JSON-LD text for a file in `folder`; what nobody said of the dataset is left out, not made up."""
    head = dataset.contents.head
    said = {
        "license": head.get("license"),
        "citeAs": head.get("citation"),
        "dateCreated": head.get("created"),
        "description": head.get("description") or plain_description(dataset),
    }
    text = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": dataset.name,
        "version": dataset.version,
        **{name: value for name, value in said.items() if value},
        "isLiveDataset": False,
        "keywords": ["image restoration", "paired images", "image-to-image", colour_word(dataset)],
        "distribution": [_file(dataset.path, folder)],
        "recordSet": [_splits(dataset)],
    }
    return json.dumps(text, indent=2, ensure_ascii=False) + "\n"


def plain_description(dataset: PairedDataset) -> str:
    """One sentence that follows from the file alone."""
    height, width = dataset.shape_hw
    imported = dataset.imported_from()
    if imported is not None:
        origin = f"imported from files ({imported.source.path}, format {imported.format})"
    elif dataset.contents.grid == "a":
        origin = "input from camera B laid onto A's pixels, target from camera A"
    else:
        origin = "input from camera B, target from camera A laid onto B's pixels"
    return (
        f"{len(dataset)} pairs of {colour_word(dataset)} pictures of {width} x {height} px "
        f"at {dataset.bit_depth} bit of {len(dataset.scenes)} scenes: {origin}."
    )


def colour_word(dataset: PairedDataset) -> str:
    """What kind of pictures it holds."""
    return "monochrome" if dataset.channels == 1 else "RGB"


def _file(path: Path, folder: Path) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "description": "HDF5 of schema twinlens.pairs: pixels in /pairs, splits in /splits.",
        "contentUrl": _address(path.resolve(), folder.resolve()),
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": MEDIA_TYPE,
        "sha256": _sha256(path),
    }


def _address(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # on another drive of Windows
        return path.as_uri()


def _splits(dataset: PairedDataset) -> dict[str, Any]:
    fields = (("name", "sc:Text"), ("pairs", "sc:Integer"), ("scenes", "sc:Integer"))
    rows = [(count.split, count.pairs, count.scenes) for count in dataset.summary().splits]
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "description": "The parts of the default scheme and their sizes; rows of each are in /splits/default.",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [
            {"@type": "cr:Field", "@id": f"splits/{name}", "name": f"splits/{name}", "dataType": kind}
            for name, kind in fields
        ],
        "data": [{f"splits/{name}": value for (name, _), value in zip(fields, row, strict=True)} for row in rows],
    }


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_READ_BYTES):
            digest.update(part)
    return digest.hexdigest()
