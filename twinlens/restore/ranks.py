"""Training in several processes: what `torchrun` says in the environment, and what they tell each other."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from twinlens.errors import SettingsError
from twinlens.restore.devices import usable_device

TIMEOUT = timedelta(minutes=30)
"""For the slowest process: rank 0 validates while the others wait."""


@dataclass(frozen=True)
class Ranks:
    """Which of how many processes this is, and where it computes."""

    rank: int
    world_size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process validates, writes and speaks."""
        return self.rank == 0

    def wrap(self, network: nn.Module) -> nn.Module:
        """A network whose gradients are the mean over all processes."""
        if self.world_size == 1:
            return network
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(network, device_ids=ids)

    def mean(self, values: Tensor) -> Tensor:
        """The mean over all processes; not finite on all where it is not on one."""
        if self.world_size > 1:
            distributed.all_reduce(values)
        return values / self.world_size

    def all_agree(self, is_fine: bool) -> bool:  # noqa: FBT001 - the question is its name
        """Whether all processes say so; each has to ask."""
        return float(self.mean(torch.tensor(float(is_fine), device=self.device))) == 1.0


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """The processes that `torchrun` started, or this one alone.

    On GPUs each process takes the one of its `LOCAL_RANK`, whatever index `device` has.

    Raises:
        SettingsError: the device cannot be used.
    """
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    if world_size == 1:
        yield Ranks(0, 1, usable_device(device))
        return
    if "MASTER_ADDR" not in os.environ or "RANK" not in os.environ:
        raise SettingsError(
            f"WORLD_SIZE is {world_size}, but RANK and MASTER_ADDR are not set",
            hint="start the processes with torchrun, or unset WORLD_SIZE",
        )
    on_gpu = device.startswith("cuda")
    own = usable_device(f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if on_gpu else device)
    if on_gpu:
        torch.cuda.set_device(own)
    distributed.init_process_group("nccl" if on_gpu else "gloo", timeout=TIMEOUT)
    try:
        yield Ranks(distributed.get_rank(), world_size, own)
    finally:
        distributed.destroy_process_group()
