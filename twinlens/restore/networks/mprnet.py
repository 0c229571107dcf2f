"""MPRNet: three stages, on quarters, halves and the whole image.

The quarters and halves lie side by side in the batch.

Zamir et al., Multi-Stage Progressive Image Restoration, CVPR 2021; written from the paper and from published
state dicts. The number of image channels is free: mono or RGB run through every stage.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from twinlens.errors import UnknownNetworkError
from twinlens.restore.networks.blocks import BlockMaker, SupervisedAttention, conv, conv_of_two
from twinlens.restore.networks.mprnet_official import official_hyper_parameters, require_aliases, without_prefix
from twinlens.restore.networks.mprnet_stages import Decoder, Encoder, FullResolutionStage, FusingEncoder
from twinlens.restore.networks.network import HyperParameters, Network

SPLITS = ("patches", "none")


class MPRNet(Network):
    """Restores in three stages; `forward` returns the images of stages 3, 2 and 1."""

    # Two halvings, and the image is cut in halves before them.
    size_multiple: ClassVar[int] = 8
    presets: ClassVar[Mapping[str, HyperParameters]] = {
        "deblur": {"width": 96, "level_step": 48, "stage3_step": 32, "cab_count": 8},
        "denoise": {"width": 80, "level_step": 48, "stage3_step": 32, "cab_count": 8},
        "derain": {"width": 40, "level_step": 20, "stage3_step": 16, "cab_count": 8},
        "demo": {"width": 16, "level_step": 8, "stage3_step": 8, "cab_count": 2},
        "tiny": {"width": 8, "level_step": 4, "stage3_step": 4, "cab_count": 1},
    }

    def __init__(
        self,
        channels: int,
        *,
        width: int,
        level_step: int,
        stage3_step: int,
        cab_count: int,
        reduction: int = 4,
        split: str = "patches",
    ) -> None:
        """Build with default weights.

        Args:
            channels: image channels, 1 mono or 3 RGB.
            width: feature channels at full resolution.
            level_step: channels added at half, and again at quarter resolution.
            stage3_step: channels added in stage 3, which runs at full resolution.
            cab_count: attention blocks in each of stage 3's three groups.
            reduction: how many times the channel gate squeezes its channels.
            split: "patches" gives stages 1 and 2 quarters and halves of the image, as published; with "none" they
                see it whole, and no line between patches is left in the result.

        Raises:
            UnknownNetworkError: the split is neither.
        """
        if split not in SPLITS:
            raise UnknownNetworkError(f"mprnet has no split {split!r}", hint=f"give {' or '.join(SPLITS)}")
        if not 1 <= reduction <= width or cab_count < 1:
            raise UnknownNetworkError(
                f"mprnet has no reduction {reduction} of {width} channels with {cab_count} blocks",
                hint="give a reduction of 1 up to the width, and 1 block or more",
            )
        super().__init__(
            channels,
            width=width,
            level_step=level_step,
            stage3_step=stage3_step,
            cab_count=cab_count,
            reduction=reduction,
            split=split,
        )
        cuts_and_joins: tuple[Callable[[Tensor], Tensor], ...] = (cut_rows, cut_columns, join_columns, join_rows)
        if split == "none":
            cuts_and_joins = (_whole,) * 4
        self._cut_rows, self._cut_columns, self._join_columns, self._join_rows = cuts_and_joins
        make = BlockMaker(reduction=reduction)
        widths = (width, width + level_step, width + 2 * level_step)
        self.shallow_feat1 = nn.Sequential(conv(channels, width), make.block(width))
        self.shallow_feat2 = nn.Sequential(conv(channels, width), make.block(width))
        self.shallow_feat3 = nn.Sequential(conv(channels, width), make.block(width))
        self.stage1_encoder = Encoder(widths, make)
        self.stage1_decoder = Decoder(widths, make)
        self.stage2_encoder = FusingEncoder(widths, make)
        self.stage2_decoder = Decoder(widths, make)
        self.stage3_orsnet = FullResolutionStage(widths, width + stage3_step, cab_count, make)
        self.sam12 = SupervisedAttention(width, channels)
        self.sam23 = SupervisedAttention(width, channels)
        self.concat12 = conv(2 * width, width)
        self.concat23 = conv(2 * width, width + stage3_step)
        self.tail = conv(width + stage3_step, channels)

    def image_heads(self) -> tuple[nn.Conv2d, ...]:
        """The last convolution of each stage."""
        return self.tail, self.sam12.conv2, self.sam23.conv2

    @classmethod
    def from_official_state_dict(cls, state_dict: Mapping[str, Tensor]) -> Self:
        """The network of a published state dict: sizes are read off the shapes.

        Args:
            state_dict: names as published, perhaps behind `module.`; the shared PReLU under all of its names.

        Raises:
            CheckpointError: it is no MPRNet, or its copies of the shared PReLU differ.
        """
        weights = without_prefix(state_dict)
        network = cls(**official_hyper_parameters(weights))
        require_aliases(weights, network.state_dict(), hyper_parameters=network.hyper_parameters)
        network.load_state_dict(weights)
        return network

    def to_official_state_dict(self) -> dict[str, Tensor]:
        """Copies of the weights under every published name, the shared PReLU under all of its own."""
        return {name: tensor.detach().clone() for name, tensor in self.state_dict().items()}

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Restored images of stages 3, 2, 1, each (b, channels, h, w); h and w are multiples of 8."""
        self.require_shape(images)
        halves = self._cut_rows(images)
        dtype = self.tail.weight.dtype
        quarters = self._cut_columns(halves).to(dtype)
        encoded = [self._join_columns(level) for level in self.stage1_encoder.encode(self.shallow_feat1(quarters))]
        decoded = self.stage1_decoder.decode(encoded)
        fusions = self.stage2_encoder.fuse(encoded, decoded)
        del encoded
        attended, stage1_halves = self.sam12(decoded.pop(0), halves)
        del decoded

        features = [conv_of_two(self.concat12, self.shallow_feat2(halves.to(dtype)), attended)]
        del attended
        encoded = [self._join_rows(level) for level in self.stage2_encoder.encode(features.pop(), fusions)]
        decoded = self.stage2_decoder.decode(encoded)
        laterals = self.stage3_orsnet.laterals(encoded, decoded)
        del encoded
        attended, stage2_image = self.sam23(decoded.pop(0), images)
        del decoded

        features = [conv_of_two(self.concat23, self.shallow_feat3(images.to(dtype)), attended)]
        del attended
        restored = self.tail(self.stage3_orsnet.refine(features.pop(), laterals)) + images
        return restored, stage2_image, self._join_rows(stage1_halves)


def cut_rows(maps: Tensor) -> Tensor:
    """Top and bottom halves, beside each other in the batch: (b, c, h, w) -> (2b, c, h/2, w)."""
    batch, channels, height, width = maps.shape
    # In channels-last memory, which every map here has, this is a view.
    rows = maps.permute(0, 2, 3, 1).reshape(2 * batch, height // 2, width, channels)
    return rows.permute(0, 3, 1, 2)


def join_rows(halves: Tensor) -> Tensor:
    """The inverse of `cut_rows`."""
    batch, channels, height, width = halves.shape
    rows = halves.permute(0, 2, 3, 1).reshape(batch // 2, 2 * height, width, channels)
    return rows.permute(0, 3, 1, 2)


def cut_columns(maps: Tensor) -> Tensor:
    """Left and right halves, one after the other along the batch: (b, c, h, w) -> (2b, c, h, w/2)."""
    middle = maps.shape[3] // 2  # slices, because chunks of unknown size cannot be exported
    return torch.cat((maps[..., :middle], maps[..., middle:]))


def join_columns(halves: Tensor) -> Tensor:
    """The inverse of `cut_columns`."""
    middle = halves.shape[0] // 2
    return torch.cat((halves[:middle], halves[middle:]), 3)


def _whole(maps: Tensor) -> Tensor:
    return maps
