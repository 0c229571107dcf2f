"""The parts MPRNet is made of. None has a bias or a normalisation layer.

Attribute names inside the modules follow the published state-dict keys, so that weights travel both ways.
Additions work in place where the backward pass does not need what they overwrite.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from twinlens.restore.networks.pooling import Mean
from twinlens.restore.networks.recompute import RecomputedBlock


def conv(width_in: int, width_out: int, size: int = 3) -> nn.Conv2d:
    """A convolution that keeps height and width."""
    return nn.Conv2d(width_in, width_out, size, padding=size // 2, bias=False)


class ChannelGate(nn.Module):
    """One factor in (0, 1) per channel, from the channels' means over the whole map or around each pixel."""

    def __init__(self, width: int, reduction: int) -> None:
        super().__init__()
        narrow = width // reduction
        self.conv_du = nn.Sequential(conv(width, narrow, 1), nn.ReLU(), conv(narrow, width, 1))
        self.mean = Mean()

    def forward(self, features: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, c, 1, 1), or (b, c, h, w) where the mean is local."""
        means = self.mean(features)
        if means.shape[2:] != (1, 1):
            return torch.sigmoid(self.conv_du(means))
        # On a 1x1 map a convolution is a matrix product, and matmul is the faster way to say so.
        squeeze, excite = (weight.flatten(1) for weight in self.conv_du.parameters())
        squeezed = functional.relu(functional.linear(means.flatten(1), squeeze))
        return torch.sigmoid(functional.linear(squeezed, excite))[:, :, None, None]


class ChannelAttentionBlock(RecomputedBlock):
    """CAB: two convolutions, a channel gate, and the input added."""

    def __init__(self, width: int, activation: nn.Module, *, reduction: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(width, width), activation, conv(width, width))
        self.CA = ChannelGate(width, reduction)

    def forward(self, features: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, c, h, w)."""
        change = self.body(features)
        return torch.addcmul(features, change, self.CA(change))


class BlockMaker:
    """Makes CABs that share one PReLU: the published network has a single slope for all of its blocks."""

    def __init__(self, *, reduction: int) -> None:
        self.activation = nn.PReLU()
        self.reduction = reduction

    def block(self, width: int) -> ChannelAttentionBlock:
        """One CAB."""
        return ChannelAttentionBlock(width, self.activation, reduction=self.reduction)

    def blocks(self, width: int, count: int) -> nn.Sequential:
        """`count` CABs in a row."""
        return nn.Sequential(*(self.block(width) for _ in range(count)))


class Down(nn.Module):
    """Half the resolution, more channels."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        # Bilinear x0.5 without aligned corners is the mean of 2x2 px when both sides are even.
        self.down = nn.Sequential(nn.AvgPool2d(2), conv(width_in, width_out, 1))

    def forward(self, features: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, c', h/2, w/2)."""
        halved: Tensor = self.down(features)
        return halved


class Up(nn.Module):
    """Twice the resolution, fewer channels."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.up = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False), conv(width_in, width_out, 1)
        )

    @property
    def mixing(self) -> Tensor:
        """(c', c): what the 1x1 convolution does to a pixel."""
        last: Any = self.up[1]
        mixing: Tensor = last.weight.flatten(1)
        return mixing

    def forward(self, features: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, c', 2h, 2w)."""
        # A 1x1 convolution and an interpolation commute; this order takes a quarter of the products.
        return double(self.up[1](features))


def double(features: Tensor) -> Tensor:
    """Bilinear x2: (b, c, h, w) -> (b, c, 2h, 2w)."""
    return functional.interpolate(features, scale_factor=2.0, mode="bilinear", align_corners=False)


def mix(features: Tensor, mixing: Tensor) -> Tensor:
    """Channels mixed pixel by pixel: (b, c, h, w) by (c', c) -> (b, c', h, w)."""
    return functional.conv2d(features, mixing[:, :, None, None])


class SupervisedAttention(nn.Module):
    """SAM: a stage's restored image, and its features weighted by that image."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.conv1 = conv(width, width, 1)
        self.conv2 = conv(width, channels, 1)
        self.conv3 = conv(channels, width, 1)

    def forward(self, features: Tensor, degraded: Tensor) -> tuple[Tensor, Tensor]:
        """(attended features, restored image); `degraded` is the input at the same place."""
        restored = self.conv2(features) + degraded
        attention = torch.sigmoid(self.conv3(restored.to(features.dtype)))
        return torch.addcmul(features, self.conv1(features), attention), restored


def conv_of_two(fused: nn.Conv2d, first: Tensor, second: Tensor) -> Tensor:
    """`fused` of both maps side by side, without laying them side by side."""
    width = first.shape[1]
    half = functional.conv2d(first, fused.weight[:, :width], padding=fused.padding)
    return half.add_(functional.conv2d(second, fused.weight[:, width:], padding=fused.padding))
