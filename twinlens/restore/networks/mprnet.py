"""MPRNet: three stages, on quarters, halves and the whole image.

Zamir et al., Multi-Stage Progressive Image Restoration, CVPR 2021; written from the paper and from published
state dicts. The number of image channels is free: mono or RGB run through every stage.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from twinlens.restore.networks.blocks import (
    BlockMaker,
    Down,
    FeatureLevels,
    SupervisedAttention,
    Up,
    conv,
    double,
)
from twinlens.restore.networks.network import Network


class MPRNet(Network):
    """Restores in three stages; `forward` returns the images of stages 3, 2 and 1."""

    # Two halvings, and the image is cut in halves before them.
    size_multiple: ClassVar[int] = 8
    presets: ClassVar[Mapping[str, Mapping[str, int]]] = {
        "deblur": {"width": 96, "level_step": 48, "stage3_step": 32, "cab_count": 8},
        "denoise": {"width": 80, "level_step": 48, "stage3_step": 32, "cab_count": 8},
        "derain": {"width": 40, "level_step": 20, "stage3_step": 16, "cab_count": 8},
        "demo": {"width": 16, "level_step": 8, "stage3_step": 8, "cab_count": 2},
        "tiny": {"width": 8, "level_step": 4, "stage3_step": 4, "cab_count": 1},
    }

    def __init__(
        self, channels: int, *, width: int, level_step: int, stage3_step: int, cab_count: int, reduction: int = 4
    ) -> None:
        """Build with default weights.

        Args:
            channels: image channels, 1 mono or 3 RGB.
            width: feature channels at full resolution.
            level_step: channels added at half, and again at quarter resolution.
            stage3_step: channels added in stage 3, which runs at full resolution.
            cab_count: attention blocks in each of stage 3's three groups.
            reduction: how many times the channel gate squeezes its channels.
        """
        super().__init__(
            channels,
            width=width,
            level_step=level_step,
            stage3_step=stage3_step,
            cab_count=cab_count,
            reduction=reduction,
        )
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

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Restored images of stages 3, 2, 1, each (b, channels, h, w); h and w are multiples of 8."""
        self.require_shape(images)
        halves = cut_rows(images)
        quarter_features = self.stage1_encoder(self.shallow_feat1(cut_columns(halves)))
        stage1_encoded = _each(join_columns, quarter_features)
        stage1_decoded = self.stage1_decoder(stage1_encoded)
        attended, stage1_halves = self.sam12(stage1_decoded[0], halves)

        features = self.concat12(torch.cat((self.shallow_feat2(halves), attended), 1))
        stage2_encoded = _each(join_rows, self.stage2_encoder(features, stage1_encoded, stage1_decoded))
        stage2_decoded = self.stage2_decoder(stage2_encoded)
        attended, stage2_image = self.sam23(stage2_decoded[0], images)

        features = self.concat23(torch.cat((self.shallow_feat3(images), attended), 1))
        features = self.stage3_orsnet(features, stage2_encoded, stage2_decoded)
        return self.tail(features) + images, stage2_image, join_rows(stage1_halves)


class Encoder(nn.Module):
    """Two CABs at each of three resolutions."""

    def __init__(self, widths: tuple[int, int, int], make: BlockMaker) -> None:
        super().__init__()
        self.encoder_level1 = make.blocks(widths[0], 2)
        self.encoder_level2 = make.blocks(widths[1], 2)
        self.encoder_level3 = make.blocks(widths[2], 2)
        self.down12 = Down(widths[0], widths[1])
        self.down23 = Down(widths[1], widths[2])

    def forward(self, features: Tensor) -> FeatureLevels:
        """Features (b, c, h, w) at three resolutions."""
        level1 = self.encoder_level1(features)
        level2 = self.encoder_level2(self.down12(level1))
        return level1, level2, self.encoder_level3(self.down23(level2))


class FusingEncoder(Encoder):
    """An encoder that adds the previous stage's features at every level (CSFF)."""

    def __init__(self, widths: tuple[int, int, int], make: BlockMaker) -> None:
        super().__init__(widths, make)
        self.csff_enc1, self.csff_enc2, self.csff_enc3 = (conv(width, width, 1) for width in widths)
        self.csff_dec1, self.csff_dec2, self.csff_dec3 = (conv(width, width, 1) for width in widths)

    def forward(self, features: Tensor, encoded: FeatureLevels, decoded: FeatureLevels) -> FeatureLevels:  # type: ignore[override]
        """Features at three resolutions; `encoded` and `decoded` come from the stage before."""
        level1 = self.encoder_level1(features)
        level1 = level1 + self.csff_enc1(encoded[0]) + self.csff_dec1(decoded[0])
        level2 = self.encoder_level2(self.down12(level1))
        level2 = level2 + self.csff_enc2(encoded[1]) + self.csff_dec2(decoded[1])
        level3 = self.encoder_level3(self.down23(level2))
        return level1, level2, level3 + self.csff_enc3(encoded[2]) + self.csff_dec3(decoded[2])


class Decoder(nn.Module):
    """From quarter resolution back to full, with gated skips."""

    def __init__(self, widths: tuple[int, int, int], make: BlockMaker) -> None:
        super().__init__()
        self.decoder_level1 = make.blocks(widths[0], 2)
        self.decoder_level2 = make.blocks(widths[1], 2)
        self.decoder_level3 = make.blocks(widths[2], 2)
        self.skip_attn1 = make.block(widths[0])
        self.skip_attn2 = make.block(widths[1])
        self.up21 = Up(widths[1], widths[0])
        self.up32 = Up(widths[2], widths[1])

    def forward(self, encoded: FeatureLevels) -> FeatureLevels:
        """Decoded features at three resolutions."""
        level3 = self.decoder_level3(encoded[2])
        level2 = self.decoder_level2(self.up32(level3) + self.skip_attn2(encoded[1]))
        level1 = self.decoder_level1(self.up21(level2) + self.skip_attn1(encoded[0]))
        return level1, level2, level3


class OriginalResolutionBlock(nn.Module):
    """ORB: CABs and a closing convolution, with the input added."""

    def __init__(self, width: int, cab_count: int, make: BlockMaker) -> None:
        super().__init__()
        self.body = nn.Sequential(*make.blocks(width, cab_count), conv(width, width))

    def forward(self, features: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, c, h, w)."""
        change: Tensor = self.body(features)
        return change + features


class FullResolutionStage(nn.Module):
    """ORSNet: three ORBs at full resolution, each followed by one level of stage 2's features."""

    def __init__(self, widths: tuple[int, int, int], full_width: int, cab_count: int, make: BlockMaker) -> None:
        super().__init__()
        full, half, quarter = widths
        self.orb1, self.orb2, self.orb3 = (OriginalResolutionBlock(full_width, cab_count, make) for _ in range(3))
        self.up_enc1, self.up_dec1 = Up(half, full), Up(half, full)
        self.up_enc2, self.up_dec2 = (nn.Sequential(Up(quarter, half), Up(half, full)) for _ in range(2))
        self.conv_enc1, self.conv_enc2, self.conv_enc3 = (conv(full, full_width, 1) for _ in range(3))
        self.conv_dec1, self.conv_dec2, self.conv_dec3 = (conv(full, full_width, 1) for _ in range(3))

    def forward(self, features: Tensor, encoded: FeatureLevels, decoded: FeatureLevels) -> Tensor:
        """(b, full_width, h, w); every 1x1 convolution runs before the upsampling it commutes with."""
        features = self.orb1(features) + self.conv_enc1(encoded[0]) + self.conv_dec1(decoded[0])
        half = self.conv_enc2(self.up_enc1.mix(encoded[1])) + self.conv_dec2(self.up_dec1.mix(decoded[1]))
        features = self.orb2(features) + double(half)
        quarter = self.conv_enc3(_mix_all(self.up_enc2, encoded[2]))
        quarter = quarter + self.conv_dec3(_mix_all(self.up_dec2, decoded[2]))
        restored: Tensor = self.orb3(features) + double(double(quarter))
        return restored


def _mix_all(ups: nn.Sequential, features: Tensor) -> Tensor:
    for up in ups.children():
        if isinstance(up, Up):
            features = up.mix(features)
    return features


def cut_rows(maps: Tensor) -> Tensor:
    """Top and bottom halves, one after the other along the batch: (b, c, h, w) -> (2b, c, h/2, w)."""
    return torch.cat(maps.chunk(2, 2))


def join_rows(halves: Tensor) -> Tensor:
    """The inverse of `cut_rows`."""
    return torch.cat(halves.chunk(2), 2)


def cut_columns(maps: Tensor) -> Tensor:
    """Left and right halves, one after the other along the batch: (b, c, h, w) -> (2b, c, h, w/2)."""
    return torch.cat(maps.chunk(2, 3))


def join_columns(halves: Tensor) -> Tensor:
    """The inverse of `cut_columns`."""
    return torch.cat(halves.chunk(2), 3)


def _each(join: Callable[[Tensor], Tensor], levels: FeatureLevels) -> FeatureLevels:
    return join(levels[0]), join(levels[1]), join(levels[2])
