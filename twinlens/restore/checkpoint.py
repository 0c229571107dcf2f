"""A trained network on disk: its weights, a card that says what they are, and what raw frames need before it."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from twinlens import __version__
from twinlens.corrections import CameraCorrection
from twinlens.errors import CheckpointError
from twinlens.restore.networks import build_network
from twinlens.restore.networks.network import HyperParameters, Network
from twinlens.restore.tensors import read_tensors, write_tensors
from twinlens.storage import check_schema_version

SCHEMA = "twinlens.checkpoint"
SCHEMA_VERSION = "1.2.0"
_CORRECTION = "correction."
"""What the names of the correction's arrays begin with; no network has such a tensor."""


@dataclass(frozen=True, kw_only=True)
class CheckpointCard:
    """What the weights beside it are."""

    network: str
    """A name of `NETWORKS`."""
    hyper_parameters: HyperParameters
    channels: int
    """1 mono, 3 RGB."""
    bit_depth: int
    """Bits per pixel of the frames it was trained on; white is 2**bit_depth - 1."""
    dataset_hash: str
    """Content hash of the dataset it was trained on."""
    settings: Mapping[str, Any]
    """The training settings."""
    step: int
    """Training steps taken."""
    metrics: Mapping[str, float]
    """Scores on the validation split, by name."""
    protocol: str = ""
    """How those scores were taken; empty where an earlier release wrote the card."""
    twinlens_version: str = __version__

    def as_dict(self) -> dict[str, Any]:
        """Plain values, with the schema first."""
        return {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **dataclasses.asdict(self)}


@dataclass(frozen=True)
class Checkpoint:
    """A card and the weights it speaks of; a tensor that several layers share appears once."""

    card: CheckpointCard
    weights: Mapping[str, Tensor]
    correction: CameraCorrection | None = None
    """Camera B's, which the training frames had and raw frames need first; None where they had none."""

    @classmethod
    def of(cls, network: Network, card: CheckpointCard, *, correction: CameraCorrection | None = None) -> Self:
        """A snapshot of a network; later training does not change it."""
        weights = {name: tensor.detach().cpu().clone() for name, tensor in slots_of(network).items()}
        return cls(card, weights, correction)

    def build(self) -> Network:
        """The network with these weights, ready to restore; of float64 where they are.

        Raises:
            CheckpointError: the weights are not those of the network the card names.
            UnknownNetworkError: this release has no such network.
        """
        card = self.card
        network = build_network(card.network, channels=card.channels, hyper_parameters=card.hyper_parameters)
        slots = slots_of(network)
        needed = {name: tuple(tensor.shape) for name, tensor in slots.items()}
        seen = {name: tuple(tensor.shape) for name, tensor in self.weights.items()}
        if seen != needed:
            wrong = sorted(set(seen.items()) ^ set(needed.items()))[0]
            raise CheckpointError(
                f"the weights are not those of {card.network} {dict(card.hyper_parameters)}: "
                f"{len(seen)} tensors, {len(needed)} needed; first difference: {wrong[0]} {wrong[1]}",
                hint="use a checkpoint whose weights and card were written together",
            )
        if not all(tensor.is_floating_point() for tensor in self.weights.values()):
            raise CheckpointError("some weights are no floating-point numbers", hint="copy the checkpoint again")
        if any(tensor.dtype == torch.float64 for tensor in self.weights.values()):
            network = network.double()
        with torch.no_grad():
            for name, tensor in slots_of(network).items():
                tensor.copy_(self.weights[name])
        return network.eval()


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; the file appears whole."""
    arrays: dict[str, NDArray[Any]] = {
        name: tensor.contiguous().numpy() for name, tensor in checkpoint.weights.items()
    }
    metadata = {"format": "pt", "card": json.dumps(checkpoint.card.as_dict(), allow_nan=False)}
    if checkpoint.correction is not None:
        arrays |= {_CORRECTION + name: values for name, values in checkpoint.correction.packed().items()}
        metadata["correction"] = json.dumps(checkpoint.correction.facts(), allow_nan=False)
    write_tensors(path, arrays, metadata)


def load_checkpoint(path: Path, *, network: str | None = None) -> Checkpoint:
    """Read a checkpoint; nothing in the file is ever run.

    Args:
        path: a file written by `write_checkpoint`.
        network: the network that is needed; any by default.

    Raises:
        CheckpointError: the file is missing, foreign, cut short, newer, or of another network.
    """
    arrays, metadata = read_tensors(path)
    card = _read_card(path, metadata)
    if network is not None and card.network != network:
        raise CheckpointError(
            f"{path} holds weights of {card.network}, {network} is needed",
            hint=f"give a checkpoint of {network}, or ask for {card.network}",
        )
    maps = {
        name.removeprefix(_CORRECTION): arrays.pop(name) for name in list(arrays) if name.startswith(_CORRECTION)
    }
    weights = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
    return Checkpoint(card, weights, _read_correction(path, maps, metadata))


def _read_card(path: Path, metadata: Mapping[str, str]) -> CheckpointCard:
    hint = "give a checkpoint that `twinlens train` wrote"
    try:
        fields = json.loads(metadata["card"])
        schema, version = fields.pop("schema"), fields.pop("schema_version")
    except (KeyError, TypeError, ValueError, AttributeError) as cause:
        raise CheckpointError(f"{path} holds arrays, but no twinlens card", hint=hint) from cause
    if schema != SCHEMA:
        raise CheckpointError(f"{path} holds {schema!r}, {SCHEMA!r} is needed", hint=hint)
    check_schema_version(str(version), SCHEMA_VERSION, path=path, error=CheckpointError)
    try:
        card = CheckpointCard(**fields)
    except TypeError as cause:
        raise CheckpointError(f"{path} has an incomplete card: {cause}", hint=hint) from cause
    _require_sound(path, card, hint=hint)
    return card


def _require_sound(path: Path, card: CheckpointCard, *, hint: str) -> None:
    """Raise `CheckpointError` where a field of the card cannot be what it says."""
    is_sound = {
        "network": isinstance(card.network, str),
        "channels": isinstance(card.channels, int) and 1 <= card.channels <= 64,
        "bit_depth": isinstance(card.bit_depth, int) and 1 <= card.bit_depth <= 16,
        "hyper_parameters": isinstance(card.hyper_parameters, dict),
        "settings": isinstance(card.settings, dict),
        "metrics": isinstance(card.metrics, dict),
        "dataset_hash": isinstance(card.dataset_hash, str),
    }
    for name, fine in is_sound.items():
        if not fine:
            raise CheckpointError(f"{path}: {name} of the card is {getattr(card, name)!r}", hint=hint)


def _read_correction(
    path: Path, maps: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]
) -> CameraCorrection | None:
    if not maps and "correction" not in metadata:
        return None
    try:
        return CameraCorrection.unpacked(maps, json.loads(metadata["correction"]))
    except (KeyError, TypeError, ValueError, IndexError) as cause:
        raise CheckpointError(
            f"{path} misstates its camera's correction: {cause!r}",
            hint="copy the checkpoint again, or train again",
        ) from cause


def slots_of(network: nn.Module) -> dict[str, Tensor]:
    """Every tensor of a network once, under its first name."""
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}
