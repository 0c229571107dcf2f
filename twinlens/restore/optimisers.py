"""Optimisers by name, and their memory as plain named tensors."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from twinlens.restore.train_settings import TrainSettings

_KINDS: Mapping[str, type[torch.optim.Adam]] = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}


def make_optimiser(network: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """The optimiser that the settings name."""
    weights = list(network.parameters())
    return _KINDS[settings.optimiser](
        weights,
        lr=settings.learning_rate,
        betas=(settings.beta1, settings.beta2),
        weight_decay=settings.weight_decay,
        fused=weights[0].is_cuda,
    )


def memory_of(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What the optimiser remembers of each weight, as "number.name"."""
    memory = optimiser.state_dict()["state"]
    return {f"{number}.{name}": t for number, kept in memory.items() for name, t in kept.items()}


def load_memory(optimiser: torch.optim.Optimizer, memory: Mapping[str, Tensor]) -> None:
    """Take over what `memory_of` gave; nothing of it is shared afterwards."""
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in memory.items():
        number, name = key.split(".")
        # In the weight's own layout, so that sums run in the same order as before the stop.
        own = torch.empty_like(weights[int(number)]) if tensor.ndim else torch.empty_like(tensor)
        state.setdefault(int(number), {})[name] = own.copy_(tensor)
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
