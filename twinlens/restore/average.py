"""A running mean of a network's weights, which is less noisy than the weights of any one step."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """Exponential moving average: each step moves it by 1 - decay towards the weights.

    Early on the memory is shorter, (1 + n) / (10 + n) after n steps, so that the first weights are soon forgotten.
    With a decay of 0 it holds nothing, and stands for the weights themselves.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._slots = [tensor for tensor in network.parameters() if decay]
        self._names = [name for name, _ in network.named_parameters() if decay]
        self._means = [tensor.detach().clone() for tensor in self._slots]
        self._decay = decay

    @torch.no_grad()
    def update(self, steps_taken: int) -> None:
        """Move towards the weights after `steps_taken` steps."""
        if self._means:
            decay = min(self._decay, (1 + steps_taken) / (10 + steps_taken))
            torch._foreach_lerp_(self._means, [slot.detach() for slot in self._slots], 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The mean in the place of the network's weights."""
        own = [slot.detach().clone() for slot in self._slots]
        self._fill(self._means)
        try:
            yield
        finally:
            self._fill(own)

    def state(self) -> dict[str, Tensor]:
        """The means by the weights' names."""
        return dict(zip(self._names, self._means, strict=True))

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` gave."""
        for name, mean in zip(self._names, self._means, strict=True):
            mean.copy_(state[name])

    @torch.no_grad()
    def _fill(self, values: list[Tensor]) -> None:
        for slot, value in zip(self._slots, values, strict=True):
            slot.copy_(value)
