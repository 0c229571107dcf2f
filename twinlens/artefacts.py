"""What a file or folder of ours holds; checkpoints are told by their suffix, all else by content."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py

from twinlens.capture.session import Session
from twinlens.errors import CorruptError, DatasetError, FormatError
from twinlens.storage import artefact_is_intact

CHECKPOINT = ".safetensors"


def describe(artefact: Path) -> tuple[str, Mapping[str, Any]]:
    """A title and named facts of a session, calibration, dataset, checkpoint or report.

    Raises:
        TwinlensError: it is none of them, or damaged.
    """
    if artefact.is_dir():
        return f"session {artefact}", _session(Session(artefact))
    if h5py.is_hdf5(artefact):
        restored = _restored(artefact)
        return (
            (f"dataset {artefact}", _dataset(artefact)) if restored is None else (f"restored {artefact}", restored)
        )
    if artefact.suffix == CHECKPOINT:
        return _tensors(artefact)
    return _json(artefact)


def _session(session: Session) -> dict[str, Any]:
    pairs = session.pairs()
    return {
        "id": session.id,
        "complete": session.manifest.complete,
        "pairs": len(pairs),
        "scenes": len(set(pairs.scenes)),
        "mirror states": ", ".join(state.label for state in session.mirror_states()),
        "size": f"{session.manifest.shape_hw[1]}x{session.manifest.shape_hw[0]} px",
        "bit depth": session.manifest.bit_depth,
        "triggers": session.manifest.triggers,
        "gaps": len(session.ledger),
        "camera a": session.manifest.cameras["a"]["serial"],
        "camera b": session.manifest.cameras["b"]["serial"],
        **session.manifest.settings,
    }


def _dataset(path: Path) -> dict[str, Any]:
    from twinlens.dataset.paired import PairedDataset  # noqa: PLC0415 - only for datasets

    return asdict(PairedDataset(path).summary())


def _restored(path: Path) -> dict[str, Any] | None:
    """What a file of restored pictures says of itself; None for other HDF5."""
    with h5py.File(path) as file:
        if file.attrs.get("schema") != "twinlens.restored":
            return None
        pictures = file["/restored"]
        return {"pictures": len(pictures), "shape": pictures.shape[1:], "dtype": str(pictures.dtype), **file.attrs}


def _tensors(path: Path) -> tuple[str, dict[str, Any]]:
    from twinlens.restore.checkpoint import load_checkpoint  # noqa: PLC0415 - brings torch
    from twinlens.restore.resume import facts_of, is_state  # noqa: PLC0415

    if is_state(path):
        return f"stopped training {path}", facts_of(path)
    checkpoint = load_checkpoint(path)
    correction = checkpoint.correction
    facts = {**checkpoint.card.as_dict(), "correction": None if correction is None else correction.facts()}
    return f"checkpoint {path}", facts


def _json(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        values = json.loads(path.read_text())
        schema = values["schema"]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as cause:
        raise FormatError(
            f"{path} is no file that twinlens wrote",
            hint="give a session folder, calibration.json, dataset .h5, checkpoint .safetensors or report.json",
        ) from cause
    if not str(schema).startswith("twinlens."):
        raise FormatError(f"{path} holds {schema!r}", hint="give a file that twinlens wrote")
    return f"{schema} {path}", values


@dataclass(frozen=True, slots=True)
class ArtefactCheck:
    """What reading a checkpoint, calibration or report again found."""

    path: str
    holds: str
    dataset_hash: str
    """Content hash of the dataset it was made with; empty where it names none."""
    dataset: str
    """Where that dataset was found."""


def verify_artefact(artefact: Path, *, sources: Sequence[Path] = ()) -> ArtefactCheck:
    """Check a checkpoint against its own form, a JSON file against its hash, and both against their dataset.

    The dataset is looked for among `sources`, which are datasets or folders of them, and beside `artefact`.

    Raises:
        CorruptError: it was changed, or `sources` names datasets and none is the one it was made with.
        TwinlensError: it is none of ours, or cannot be read.
    """
    if artefact.suffix == CHECKPOINT:
        title, facts = _tensors(artefact)
        holds, dataset_hash = title.removesuffix(f" {artefact}"), str(facts["dataset_hash"])
    else:
        _, values = _json(artefact)
        if not artefact_is_intact(artefact):
            raise CorruptError(
                f"{artefact} was changed after it was written", hint="restore it from a copy, or make it again"
            )
        holds, dataset_hash = values["schema"], _hash_of_dataset(artefact, values)
    hashes = dict(_dataset_hashes([*sources, artefact.parent]))
    found = next((path for path, known in hashes.items() if known == dataset_hash), None)
    given = {path: known for path, known in hashes.items() if path in sources}
    if dataset_hash and found is None and given:
        path, known = next(iter(given.items()))
        raise CorruptError(
            f"{artefact} was made with a dataset of content hash {dataset_hash[:12]}..., "
            f"{path} has {known[:12]}...",
            hint="give the version of the dataset that it was made with",
        )
    return ArtefactCheck(str(artefact), holds, dataset_hash, "" if found is None else str(found))


def _hash_of_dataset(artefact: Path, values: Mapping[str, Any]) -> str:
    """Content hash of the dataset that a report names; empty where it names none."""
    dataset = values.get("dataset") or {}
    if not isinstance(dataset, Mapping):
        raise FormatError(
            f"{artefact} names its dataset as {dataset!r}; its name and content hash are needed",
            hint="give a report.json as twinlens wrote it",
        )
    return str(dataset.get("content_hash", ""))


def _dataset_hashes(places: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    from twinlens.dataset.paired import PairedDataset  # noqa: PLC0415 - only for datasets

    for place in places:
        for path in sorted(place.glob("*.h5")) if place.is_dir() else [place]:
            try:
                yield path, PairedDataset(path).content_hash
            except DatasetError:
                if not place.is_dir():
                    raise
