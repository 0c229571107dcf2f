"""How much memory a network's maps take at once, found without computing: shapes and lifetimes say it all."""

import copy
import weakref
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def live_peak_bytes(
    network: nn.Module, shape_bchw: tuple[int, int, int, int], *, dtype: torch.dtype = torch.float32
) -> int:
    """The most bytes that tensors other than the weights hold at any time of one inference.

    The network runs on the meta device, where tensors have shapes and lifetimes but no values. What a backend
    takes beside them (copies in its own layout) is not in it.

    Args:
        network: stays as it is.
        shape_bchw: of the images.
        dtype: of the weights and maps; images are float32 as always.
    """
    rehearsal = copy.deepcopy(network).to(device="meta", dtype=dtype).eval()
    with torch.inference_mode():
        images = torch.empty(shape_bchw, device="meta").contiguous(memory_format=torch.channels_last)
        ledger = _Ledger()
        ledger.enter(images)
        with ledger:
            rehearsal(images)
    return ledger.peak


class _Ledger(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of storages that some tensor still holds."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self._now = 0
        self._holders: dict[int, int] = {}

    def enter(self, tensor: Tensor) -> None:
        """Count a tensor until it is let go."""
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()  # noqa: SLF001 - the address that views of one storage share
        if not self._holders.get(key):
            self._holders[key] = 0
            self._now += size
            self.peak = max(self.peak, self._now)
        self._holders[key] += 1
        weakref.finalize(tensor, self._leave, key, size)

    def _leave(self, key: int, size: int) -> None:
        self._holders[key] -= 1
        if not self._holders[key]:
            self._now -= size

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, Tensor):
                self.enter(leaf)
        return made
