"""What every restoration network promises: its size rule, its channels, and how to build it again."""

import copy
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from twinlens.restore.networks.pooling import Mean
from twinlens.restore.networks.recompute import RecomputedBlock

HyperParameters = Mapping[str, int | str]
"""Plain values that, with the number of channels, build a network."""
LOCAL_WINDOW = 1.5
"""Windows of local means, in parts of the map a gate saw in training; the value of Chu et al. 2022."""


class Network(nn.Module):
    """Base of all networks.

    `forward` takes degraded images (b, c, h, w) in [0, 1], h and w multiples of `size_multiple`, and returns
    a tuple of restored images of the same shape, finest first; only the first is the result, the others are
    trained with it. A network of bfloat16 weights takes and returns float32 images: only what it adds to its
    input is computed in bfloat16.
    """

    size_multiple: ClassVar[int] = 1
    """Height and width must be multiples of this many px."""
    presets: ClassVar[Mapping[str, HyperParameters]] = {}
    """Hyper-parameters by name."""

    channels: int
    """Image channels: 1 mono, 3 RGB; input and output have the same."""
    hyper_parameters: dict[str, int | str]
    """Plain values that, with `channels`, build this network again."""

    def __init__(self, channels: int, **hyper_parameters: int | str) -> None:
        super().__init__()
        self.channels = channels
        self.hyper_parameters = dict(hyper_parameters)

    def image_heads(self) -> tuple[nn.Conv2d, ...]:
        """The convolutions whose output is added to the input image; none unless a network names them."""
        return ()

    @torch.no_grad()
    def quieten(self, scale: float) -> None:
        """Scale the image heads, so that an untrained network starts near the identity."""
        for head in self.image_heads():
            for tensor in head.parameters():
                tensor.mul_(scale)

    def placed(self, device: torch.device) -> Self:
        """This network on `device`, its weights in the layout that convolutions run fastest in."""
        self.to(device)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self

    def localise(self, crop_hw: tuple[int, int]) -> Self:
        """Replace global means by means over windows of 1.5 times what each saw in training.

        For a trained network: on frames larger than its crops the means are then like those it knows.

        Args:
            crop_hw: height and width in px of the crops it was trained on.
        """
        rehearsal = copy.deepcopy(self).to("meta")
        seen: dict[str, tuple[int, int]] = {}

        def note(name: str, features: Tensor) -> None:
            seen[name] = (features.shape[2], features.shape[3])

        for name, module in rehearsal.named_modules():
            if isinstance(module, Mean):
                module.window_hw = None
                module.register_forward_pre_hook(lambda _, inputs, name=name: note(name, inputs[0]))
        with torch.inference_mode():
            rehearsal(torch.empty(1, self.channels, *crop_hw, device="meta"))
        for name, (height, width) in seen.items():
            mean: Any = self.get_submodule(name)
            mean.window_hw = (round(LOCAL_WINDOW * height), round(LOCAL_WINDOW * width))
        return self

    def recompute_activations(self) -> None:
        """Keep less for the backward pass and compute it again there; results stay the same."""
        for module in self.modules():
            if isinstance(module, RecomputedBlock):
                module.recompute = True

    def require_shape(self, images: Tensor) -> None:
        """Raise `ValueError` unless `images` are (b, channels, h, w) of an allowed size.

        Broadcasting would otherwise turn a mono image into three wrong colours without a word.
        """
        if images.ndim != 4 or images.shape[1] != self.channels:
            raise ValueError(
                f"{type(self).__name__} was built for {self.channels} channel(s) and got an array of shape "
                f"{tuple(images.shape)}; (b, {self.channels}, h, w) is needed"
            )
        height, width = images.shape[2:]
        if height % self.size_multiple or width % self.size_multiple:
            raise ValueError(
                f"{type(self).__name__} got {height}x{width} px; multiples of {self.size_multiple} are needed"
            )

    def __call__(self, *arguments: Any, **options: Any) -> tuple[Tensor, ...]:
        """Restored images, finest first."""
        images: tuple[Tensor, ...] = super().__call__(*arguments, **options)
        return images
