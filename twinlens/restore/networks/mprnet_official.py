"""Reading the published form of MPRNet's weights: sizes from shapes, and one PReLU under many names."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from twinlens.errors import CheckpointError

_PREFIX = "module."
"""What torch's DataParallel puts before every name."""
_HINT = "give the weights of an MPRNet as published: deblurring, denoising, deraining, or one trained like them"


def without_prefix(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights under the names that a network knows.

    Raises:
        CheckpointError: a name comes twice, or a weight is not finite.
    """
    found = {name.removeprefix(_PREFIX): tensor for name, tensor in state_dict.items()}
    if len(found) < len(state_dict):
        raise CheckpointError(f"some of {len(state_dict)} names stand with and without {_PREFIX!r}", hint=_HINT)
    spoilt = [name for name, tensor in found.items() if not tensor.isfinite().all()]
    if spoilt:
        raise CheckpointError(f"{spoilt[0]} holds numbers that are not finite", hint=_HINT)
    return found


def official_hyper_parameters(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """What builds the network that these weights are of, the number of channels with it.

    Raises:
        CheckpointError: a tensor that says a size is missing, or sizes contradict each other.
    """
    width, channels = _sides(weights, "shallow_feat1.0.weight")
    half_width, _ = _sides(weights, "stage1_encoder.down12.down.1.weight")
    image_channels, full_width = _sides(weights, "tail.weight")
    gates = [_sides(weights, f"stage1_encoder.encoder_level{n}.0.CA.conv_du.0.weight") for n in (1, 2, 3)]
    if image_channels != channels:
        raise CheckpointError(
            f"the network takes {channels} channel(s) and gives {image_channels}; both must be the same",
            hint=_HINT,
        )
    blocks = [re.fullmatch(r"stage3_orsnet\.orb1\.body\.(\d+)\.body\.0\.weight", name) for name in weights]
    return {
        "channels": channels,
        "width": width,
        "level_step": half_width - width,
        "stage3_step": full_width - width,
        "cab_count": sum(block is not None for block in blocks),
        "reduction": _reduction(gates),
    }


def require_aliases(
    weights: Mapping[str, Tensor], slots: Mapping[str, Tensor], *, hyper_parameters: Mapping[str, int | str]
) -> None:
    """Raise `CheckpointError` unless the weights fill the slots, and names of one slot hold one tensor."""
    needed = {name: tuple(tensor.shape) for name, tensor in slots.items()}
    seen = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    wrong = sorted(set(seen.items()) ^ set(needed.items()))
    if wrong:
        name, shape = wrong[0]
        what = f"holds {name} {shape}" if name in seen and seen[name] == shape else f"lacks {name} {shape}"
        raise CheckpointError(
            f"the state dict {what}, unlike an MPRNet of {dict(hyper_parameters)}; {len(seen)} tensors, "
            f"{len(needed)} needed",
            hint=_HINT,
        )
    first_name: dict[int, str] = {}
    for name, slot in slots.items():
        first = first_name.setdefault(slot.data_ptr(), name)
        if name != first and not torch.equal(weights[first], weights[name]):
            raise CheckpointError(
                f"{name} differs from {first}: an MPRNet has one PReLU for all of its blocks", hint=_HINT
            )


def _reduction(gates: Sequence[tuple[int, int]]) -> int:
    """By how much gates of (narrow, wide) channels squeeze: the published 4 where it fits them all."""
    candidates: list[int] = [4, *range(1, gates[0][1] + 1)]
    for reduction in candidates:
        if all(wide // reduction == narrow for narrow, wide in gates):
            return reduction
    raise CheckpointError(f"gates of {gates} channels have no reduction in common", hint=_HINT)


def _sides(weights: Mapping[str, Tensor], name: str) -> tuple[int, int]:
    """Output and input channels of a convolution."""
    if name not in weights or weights[name].ndim != 4:
        raise CheckpointError(f"the state dict of {len(weights)} tensors has no convolution {name}", hint=_HINT)
    return weights[name].shape[0], weights[name].shape[1]
