"""What a file or folder of ours holds; checkpoints are told by their suffix, all else by content."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py

from twinlens.capture.session import Session
from twinlens.errors import FormatError


def describe(artefact: Path) -> tuple[str, Mapping[str, Any]]:
    """A title and named facts of a session, calibration, dataset, checkpoint or report.

    Raises:
        TwinlensError: it is none of them, or damaged.
    """
    if artefact.is_dir():
        return f"session {artefact}", _session(Session(artefact))
    if h5py.is_hdf5(artefact):
        return f"dataset {artefact}", _dataset(artefact)
    if artefact.suffix == ".safetensors":
        return f"checkpoint {artefact}", _checkpoint(artefact)
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


def _checkpoint(path: Path) -> dict[str, Any]:
    from twinlens.restore.checkpoint import load_checkpoint  # noqa: PLC0415 - brings torch

    checkpoint = load_checkpoint(path)
    correction = checkpoint.correction
    return {**checkpoint.card.as_dict(), "correction": None if correction is None else correction.facts()}


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
