"""Where a training stands, on disk: everything that a run which was never stopped would have in memory.

Numbers and names only, like a checkpoint. No random state is among them: crops follow from their numbers, and
nothing else is drawn after the first weights.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from twinlens.errors import CheckpointError
from twinlens.restore.tensors import read_tensors, write_tensors
from twinlens.storage import check_schema_version

SCHEMA = "twinlens.training"
SCHEMA_VERSION = "1.0.0"


@dataclass(frozen=True)
class TrainingState:
    """A training after a step."""

    tensors: Mapping[str, Tensor]
    """Weights, their running mean and the optimiser's memory, each with its own copy."""
    facts: Mapping[str, Any]
    """Plain values: the settings, the data, how far it came and how well."""


def write_state(path: Path, state: TrainingState) -> None:
    """Write a training's state; the file appears whole."""
    arrays = {name: tensor.cpu().contiguous().numpy() for name, tensor in state.tensors.items()}
    facts = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **state.facts}
    write_tensors(path, arrays, {"format": "pt", "training": json.dumps(facts, allow_nan=False)})


def read_state(path: Path, *, settings: Mapping[str, Any], dataset_hash: str, processes: int = 1) -> TrainingState:
    """The state that `write_state` wrote, of a training with these settings on this dataset.

    Raises:
        CheckpointError: the file is missing, damaged or no state, or another training's; the message says whose.
    """
    arrays, facts = _read(path)
    own, own_hash = facts["settings"], facts["dataset_hash"]
    if own_hash != dataset_hash:
        raise CheckpointError(
            f"{path} is of a training on dataset {own_hash[:12]}..., not on {dataset_hash[:12]}...",
            hint="give the version of the dataset that it began with",
        )
    if facts.get("processes", 1) != processes:
        raise CheckpointError(
            f"{path} is of a training in {facts.get('processes', 1)} processes, this is one in {processes}",
            hint="resume with as many processes: another number is another batch size",
        )
    asked = json.loads(json.dumps(settings))
    differing = sorted(name for name in {*own, *asked} if own.get(name) != asked.get(name))
    if differing:
        name = differing[0]
        raise CheckpointError(
            f"{path} is of a training with {name} {own.get(name)!r}, {asked.get(name)!r} was asked for",
            hint="resume with the settings it began with; to go on otherwise, begin anew with --init",
        )
    return TrainingState({name: torch.from_numpy(array.copy()) for name, array in arrays.items()}, facts)


def is_state(path: Path) -> bool:
    """Whether a file of tensors is the state of a training.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    return "training" in read_tensors(path)[1]


def facts_of(path: Path) -> dict[str, Any]:
    """The facts of a training's state: its settings, its data, how far it came.

    Raises:
        CheckpointError: the file is missing, damaged or no state.
    """
    return _read(path)[1]


def _read(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    hint = "give the folder of a stopped training"
    arrays, metadata = read_tensors(path)
    try:
        facts = json.loads(metadata["training"])
        schema, version = facts.pop("schema"), facts.pop("schema_version")
        is_whole = isinstance(facts["settings"], dict) and isinstance(facts["dataset_hash"], str)
    except (KeyError, TypeError, ValueError, AttributeError) as cause:
        raise CheckpointError(f"{path} holds arrays, but no state of a training", hint=hint) from cause
    if schema != SCHEMA or not is_whole:
        raise CheckpointError(f"{path} holds {schema!r}, a whole {SCHEMA!r} is needed", hint=hint)
    check_schema_version(str(version), SCHEMA_VERSION, path=path, error=CheckpointError)
    return arrays, facts
