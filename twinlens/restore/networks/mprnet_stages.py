"""The stages of MPRNet. Every map is let go as soon as nothing needs it.

Plain methods do the work, as a module's call would hold on to its arguments. Maps travel in lists; who takes a map
out of a list is the last to need it.
"""

from typing import cast

from torch import Tensor, nn

from twinlens.restore.networks.blocks import BlockMaker, Down, Up, conv, double, mix

Levels = list[Tensor]
"""Feature maps at full, half and quarter resolution."""


class Encoder(nn.Module):
    """Two CABs at each of three resolutions."""

    def __init__(self, widths: tuple[int, int, int], make: BlockMaker) -> None:
        super().__init__()
        self.encoder_level1 = make.blocks(widths[0], 2)
        self.encoder_level2 = make.blocks(widths[1], 2)
        self.encoder_level3 = make.blocks(widths[2], 2)
        self.down12 = Down(widths[0], widths[1])
        self.down23 = Down(widths[1], widths[2])

    def encode(self, features: Tensor, fusions: Levels | None = None) -> Levels:
        """Features (b, c, h, w) at three resolutions; `fusions` are added where given, and used up."""
        levels = []
        for blocks, down in (
            (self.encoder_level1, None),
            (self.encoder_level2, self.down12),
            (self.encoder_level3, self.down23),
        ):
            features = features if down is None else down(features)
            for block in blocks:
                features = block(features)
            if fusions:
                features = features.add_(fusions.pop(0))
            levels.append(features)
        return levels


class FusingEncoder(Encoder):
    """An encoder that adds the previous stage's features at every level (CSFF)."""

    def __init__(self, widths: tuple[int, int, int], make: BlockMaker) -> None:
        super().__init__(widths, make)
        self.csff_enc1, self.csff_enc2, self.csff_enc3 = (conv(width, width, 1) for width in widths)
        self.csff_dec1, self.csff_dec2, self.csff_dec3 = (conv(width, width, 1) for width in widths)

    def fuse(self, encoded: Levels, decoded: Levels) -> Levels:
        """What the stage before adds at each level: all that is left of it."""
        from_encoder = (self.csff_enc1, self.csff_enc2, self.csff_enc3)
        from_decoder = (self.csff_dec1, self.csff_dec2, self.csff_dec3)
        return [
            enc(encoded[level]).add_(dec(decoded[level]))
            for level, (enc, dec) in enumerate(zip(from_encoder, from_decoder, strict=True))
        ]


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

    def decode(self, encoded: Levels) -> Levels:
        """Decoded features at three resolutions."""
        features, levels = encoded[2], list[Tensor]()
        for blocks, up, skip in (
            (self.decoder_level3, None, None),
            (self.decoder_level2, self.up32, self.skip_attn2),
            (self.decoder_level1, self.up21, self.skip_attn1),
        ):
            if up is not None and skip is not None:
                features = up(features).add_(skip(encoded[2 - len(levels)]))
            for block in blocks:
                features = block(features)
            levels.append(features)
        return levels[::-1]


class OriginalResolutionBlock(nn.Module):
    """ORB: CABs and a closing convolution, to whose result the block's input is added."""

    def __init__(self, width: int, cab_count: int, make: BlockMaker) -> None:
        super().__init__()
        self.body = nn.Sequential(*make.blocks(width, cab_count), conv(width, width))


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

    def laterals(self, encoded: Levels, decoded: Levels) -> Levels:
        """What stage 2 adds after each ORB, still at the resolution of its level.

        A lateral is 1x1 convolutions and interpolations in turn; they commute, so one matrix does it all.
        """
        from_encoder = (
            _mixing(self.conv_enc1),
            _mixing(self.conv_enc2, self.up_enc1),
            _mixing(self.conv_enc3, *self.up_enc2),
        )
        from_decoder = (
            _mixing(self.conv_dec1),
            _mixing(self.conv_dec2, self.up_dec1),
            _mixing(self.conv_dec3, *self.up_dec2),
        )
        return [
            mix(encoded[level], enc).add_(mix(decoded[level], dec))
            for level, (enc, dec) in enumerate(zip(from_encoder, from_decoder, strict=True))
        ]

    def refine(self, features: Tensor, laterals: Levels) -> Tensor:
        """(b, full_width, h, w) from features of that shape; the laterals are used up."""
        for level, orb in enumerate((self.orb1, self.orb2, self.orb3)):
            added = laterals.pop(0)
            for _ in range(level):
                added = double(added)
            # Lateral and residual are one map from here on.
            added = added.add_(features)
            for block in orb.body:
                features = block(features)
            features = features.add_(added)
        return features


def _mixing(last: nn.Conv2d, *ups: nn.Module) -> Tensor:
    """(c', c): what the 1x1 convolutions of a lateral, `last` the last of them, do to a pixel."""
    mixing = last.weight.flatten(1)
    for up in reversed(ups):
        mixing = mixing @ cast("Up", up).mixing
    return mixing
