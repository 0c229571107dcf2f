"""Weights as others publish them: read without running anything, and written for tools that know no other form."""

import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from twinlens.errors import CheckpointError
from twinlens.restore.checkpoint import Checkpoint, CheckpointCard
from twinlens.restore.networks.mprnet import MPRNet
from twinlens.restore.tensors import read_tensors
from twinlens.storage import sealed

_WEIGHTS = "state_dict"
_INSIDE = (_WEIGHTS, "params")
"""Under what names weights lie in a file that holds more."""
_PICKLES = (b"PK", b"\x80")
"""How torch's files begin: a zip since torch 1.6, before that a bare pickle."""
_HINT = "give published weights as a .pth or .safetensors file; ask who made it for the plain state dict"
# What torch's restricted unpickler and zip reader raise on damaged files, beside UnpicklingError.
_DAMAGE = (
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    OSError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)


def read_official(path: Path) -> dict[str, Tensor]:
    """The weights of a published file by name; nothing in the file is ever run.

    Args:
        path: a `.pth` that holds `{"epoch": ..., "state_dict": ..., "optimizer": ...}` or the state dict alone, or
            a safetensors file.

    Raises:
        CheckpointError: the file is missing or damaged, asks for code to be run, or holds anything but weights.
    """
    try:
        with path.open("rb") as file:
            head = file.read(2)
    except OSError as cause:
        raise CheckpointError(f"{path} cannot be read: {cause.strerror}", hint=_HINT) from cause
    found = _unpickled(path) if head.startswith(_PICKLES) else _from_safetensors(path)
    inside = next((name for name in _INSIDE if isinstance(found, Mapping) and name in found), None)
    weights = found if inside is None else found[inside]
    if not isinstance(weights, Mapping) or not weights:
        raise CheckpointError(f"{path} holds a {type(found).__name__} without weights", hint=_HINT)
    for name, tensor in weights.items():
        if not isinstance(name, str) or not _is_plain(tensor):
            raise CheckpointError(f"{path}: {name!r} is no array of floating-point numbers", hint=_HINT)
    return dict(weights)


def read_official_checkpoint(path: Path) -> Checkpoint:
    """A published MPRNet as a checkpoint of ours; its card says where the weights came from.

    Raises:
        CheckpointError: see `read_official`; or the weights are not those of an MPRNet.
    """
    network = MPRNet.from_official_state_dict(read_official(path))
    card = CheckpointCard(
        network="mprnet",
        hyper_parameters=network.hyper_parameters,
        channels=network.channels,
        bit_depth=8,  # published networks were all trained on 8-bit pictures
        dataset_hash="",
        settings={"imported_from": path.name, "crop_px": 128 if network.hyper_parameters["width"] == 80 else 256},
        step=0,
        metrics={},
    )
    return Checkpoint.of(network, card)


def write_official(path: Path, checkpoint: Checkpoint) -> None:
    """Write the weights of an MPRNet under their published names, as torch.save does; the file appears whole.

    Raises:
        CheckpointError: the network is none that was published.
    """
    network = checkpoint.build()
    split = network.hyper_parameters.get("split")
    if not isinstance(network, MPRNet) or split != "patches":
        raise CheckpointError(
            f"the checkpoint holds {checkpoint.card.network} with split {split!r}; "
            "other tools know mprnet with 'patches'",
            hint="export it to onnx, which brings its own network",
        )
    with sealed(path) as part, part.open("wb") as file:
        torch.save({_WEIGHTS: network.to_official_state_dict()}, file)


def _unpickled(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)
            return torch.load(path, weights_only=True, map_location="cpu")
    except pickle.UnpicklingError as cause:
        # torch's own words advise to load such a file in full, which would run what is in it.
        asked = re.search(r"GLOBAL (\S+)", str(cause))
        what = f"asks to run {asked[1]}" if asked else "is no plain file of weights"
        raise CheckpointError(f"{path} {what}, and was refused before anything ran", hint=_HINT) from cause
    except _DAMAGE as cause:
        reason = str(cause).partition(". ")[0] or "it ends too early"
        raise CheckpointError(f"{path} is damaged: {reason}", hint=_HINT) from cause


def _from_safetensors(path: Path) -> dict[str, Tensor]:
    arrays, _ = read_tensors(path)
    return {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}


def _is_plain(tensor: object) -> bool:
    """Whether it is a floating-point tensor whose numbers are all in the file, not repeated by a stride of 0."""
    return (
        isinstance(tensor, Tensor)
        and tensor.layout == torch.strided
        and tensor.is_floating_point()
        and tensor.nbytes <= tensor.untyped_storage().nbytes()
    )
