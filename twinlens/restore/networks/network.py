"""What every restoration network promises: its size rule, its channels, and how to build it again."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn


class Network(nn.Module):
    """Base of all networks.

    `forward` takes degraded images (b, c, h, w) in [0, 1], h and w multiples of `size_multiple`, and returns
    a tuple of restored images of the same shape, finest first; only the first is the result, the others are
    trained with it.
    """

    size_multiple: ClassVar[int] = 1
    """Height and width must be multiples of this many px."""
    presets: ClassVar[Mapping[str, Mapping[str, int]]] = {}
    """Hyper-parameters by name."""

    channels: int
    """Image channels: 1 mono, 3 RGB; input and output have the same."""
    hyper_parameters: dict[str, int]
    """Plain numbers that, with `channels`, build this network again."""

    def __init__(self, channels: int, **hyper_parameters: int) -> None:
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
            head.weight.mul_(scale)

    def placed(self, device: torch.device) -> Self:
        """This network on `device`, its weights in the layout that convolutions run fastest in."""
        self.to(device)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self

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
