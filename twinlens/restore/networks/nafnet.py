"""NAFNet: one U-Net of blocks without activation functions; a product of two halves of the channels bends instead.

Chen et al., Simple Baselines for Image Restoration, ECCV 2022; written from the paper. Attribute names follow the
keys of published weights.
"""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from twinlens.errors import UnknownNetworkError
from twinlens.restore.networks.network import HyperParameters, Network
from twinlens.restore.networks.pooling import Mean
from twinlens.restore.networks.recompute import RecomputedBlock

_MOST_LEVELS = 4


class NAFNet(Network):
    """Restores in one stage; `forward` returns one image."""

    # What the deepest allowed U-Net needs; a shallower one would do with less.
    size_multiple: ClassVar[int] = 2**_MOST_LEVELS
    presets: ClassVar[Mapping[str, HyperParameters]] = {
        "gopro32": {"width": 32, "encoder": "1,1,1,28", "middle": 1, "decoder": "1,1,1,1"},
        "gopro64": {"width": 64, "encoder": "1,1,1,28", "middle": 1, "decoder": "1,1,1,1"},
        "demo": {"width": 16, "encoder": "1,1,2", "middle": 1, "decoder": "1,1,1"},
        "tiny": {"width": 8, "encoder": "1,1", "middle": 1, "decoder": "1,1"},
    }

    def __init__(self, channels: int, *, width: int, encoder: str, middle: int, decoder: str) -> None:
        """Build with default weights.

        Args:
            channels: image channels, 1 mono or 3 RGB.
            width: feature channels at full resolution; each level down has twice as many.
            encoder: blocks per level on the way down, finest first, such as "1,1,2".
            middle: blocks at the coarsest resolution.
            decoder: blocks per level on the way up, coarsest first.

        Raises:
            UnknownNetworkError: encoder and decoder are no lists of as many levels, 1 to 4.
        """
        super().__init__(channels, width=width, encoder=encoder, middle=middle, decoder=decoder)
        down_counts, up_counts = _block_counts(encoder), _block_counts(decoder)
        if len(down_counts) != len(up_counts):
            raise UnknownNetworkError(
                f"nafnet has an encoder of {encoder!r} and a decoder of {decoder!r}",
                hint="give both as many levels",
            )
        widths = [width * 2**level for level in range(len(down_counts))]
        self.intro = nn.Conv2d(channels, width, 3, padding=1)
        self.encoders = nn.ModuleList(map(_blocks, widths, down_counts))
        self.downs = nn.ModuleList(nn.Conv2d(wide, 2 * wide, 2, stride=2) for wide in widths)
        self.middle_blks = _blocks(2 * widths[-1], middle)
        self.ups = nn.ModuleList(
            nn.Sequential(nn.Conv2d(2 * wide, 4 * wide, 1, bias=False), nn.PixelShuffle(2))
            for wide in reversed(widths)
        )
        self.decoders = nn.ModuleList(map(_blocks, reversed(widths), up_counts))
        self.ending = nn.Conv2d(width, channels, 3, padding=1)

    def image_heads(self) -> tuple[nn.Conv2d, ...]:
        """The last convolution."""
        return (self.ending,)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """The restored image (b, channels, h, w); h and w are multiples of 16."""
        self.require_shape(images)
        features = self.intro(images.to(self.ending.weight.dtype))
        skips: list[Tensor] = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            skips.append(encoder(features))
            features = down(skips[-1])
        features = self.middle_blks(features)
        for decoder, up in zip(self.decoders, self.ups, strict=True):
            features = decoder(up(features) + skips.pop())
        return (self.ending(features) + images,)


def _block_counts(text: str) -> list[int]:
    counts = [part.strip() for part in text.split(",")]
    if len(counts) > _MOST_LEVELS or not all(count.isdecimal() for count in counts):
        raise UnknownNetworkError(
            f"nafnet has no levels {text!r}", hint=f'give blocks per level, 1 to {_MOST_LEVELS} levels: "1,1,2"'
        )
    return [int(count) for count in counts]


def _blocks(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Block(width) for _ in range(count)))


class Block(RecomputedBlock):
    """Depthwise filtering with channel attention, then a mixing of channels, each added to its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = ChannelNorm(width)
        self.conv1 = nn.Conv2d(width, 2 * width, 1)
        self.conv2 = nn.Conv2d(2 * width, 2 * width, 3, padding=1, groups=2 * width)
        self.sca = nn.Sequential(Mean(), nn.Conv2d(width, width, 1))
        self.conv3 = nn.Conv2d(width, width, 1)
        self.norm2 = ChannelNorm(width)
        self.conv4 = nn.Conv2d(width, 2 * width, 1)
        self.conv5 = nn.Conv2d(width, width, 1)
        # At 0 a deep network starts as the identity, and every block is let in as it learns.
        self.beta = nn.Parameter(torch.zeros(1, width, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, width, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, c, h, w)."""
        filtered = gated(self.conv2(self.conv1(self.norm1(features))))
        filtered = self.conv3(filtered * self.attention(filtered))
        features = torch.addcmul(features, filtered, self.beta)
        mixed = self.conv5(gated(self.conv4(self.norm2(features))))
        return torch.addcmul(features, mixed, self.gamma)

    def attention(self, features: Tensor) -> Tensor:
        """Simplified channel attention, from the channels' means: (b, c, 1, 1), or (b, c, h, w) if local."""
        mean, mix = self.sca.children()
        means: Tensor = mean(features)
        if means.shape[2:] != (1, 1):
            local: Tensor = mix(means)
            return local
        # On a 1x1 map a convolution is a matrix product, and matmul is the faster way to say so.
        weight, bias = mix.parameters()
        return functional.linear(means.flatten(1), weight.flatten(1), bias)[:, :, None, None]


def gated(features: Tensor) -> Tensor:
    """SimpleGate: the product of both halves of the channels, (b, 2c, h, w) -> (b, c, h, w)."""
    first, second = features.chunk(2, 1)
    return first * second


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of each pixel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, features: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, c, h, w)."""
        pixels = features.permute(0, 2, 3, 1)  # a view in channels-last memory
        normal = functional.layer_norm(pixels, (pixels.shape[-1],), self.weight, self.bias, eps=1e-6)
        return normal.permute(0, 3, 1, 2)
