"""MPRNet written down plainly, as the paper draws it: the reference that the package's fast form is held against.

Four patches and two halves one after another, every map at the size the drawing shows it, nothing merged or
freed early. Its state-dict keys are the published ones, so weights travel both ways.
"""

import torch
from torch import Tensor, nn


def conv(width_in: int, width_out: int, size: int = 3) -> nn.Conv2d:
    return nn.Conv2d(width_in, width_out, size, padding=size // 2, bias=False)


class Gate(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_du = nn.Sequential(
            conv(width, width // 4, 1), nn.ReLU(), conv(width // 4, width, 1), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.conv_du(nn.functional.adaptive_avg_pool2d(x, 1))


class CAB(nn.Module):
    def __init__(self, width: int, slope: nn.PReLU) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(width, width), slope, conv(width, width))
        self.CA = Gate(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.CA(self.body(x)) + x


class Down(nn.Module):
    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Upsample(scale_factor=0.5, mode="bilinear"), conv(width_in, width_out, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.down(x)


class Up(nn.Module):
    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.up = nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), conv(width_in, width_out, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.up(x)


class Encoder(nn.Module):
    def __init__(self, widths: list[int], slope: nn.PReLU, *, fuses: bool) -> None:
        super().__init__()
        self.fuses = fuses
        for level, width in enumerate(widths, 1):
            setattr(self, f"encoder_level{level}", nn.Sequential(CAB(width, slope), CAB(width, slope)))
            if fuses:
                setattr(self, f"csff_enc{level}", conv(width, width, 1))
                setattr(self, f"csff_dec{level}", conv(width, width, 1))
        self.down12, self.down23 = Down(*widths[:2]), Down(*widths[1:])

    def forward(self, x: Tensor, encoded: list[Tensor] | None = None, decoded: list[Tensor] | None = None):
        levels = []
        for level, down in enumerate((None, self.down12, self.down23), 1):
            x = getattr(self, f"encoder_level{level}")(x if down is None else down(x))
            if self.fuses:
                fused = getattr(self, f"csff_enc{level}")(encoded[level - 1])
                x = x + fused + getattr(self, f"csff_dec{level}")(decoded[level - 1])
            levels.append(x)
        return levels


class Decoder(nn.Module):
    def __init__(self, widths: list[int], slope: nn.PReLU) -> None:
        super().__init__()
        for level, width in enumerate(widths, 1):
            setattr(self, f"decoder_level{level}", nn.Sequential(CAB(width, slope), CAB(width, slope)))
        self.skip_attn1, self.skip_attn2 = CAB(widths[0], slope), CAB(widths[1], slope)
        self.up21, self.up32 = Up(widths[1], widths[0]), Up(widths[2], widths[1])

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        third = self.decoder_level3(levels[2])
        second = self.decoder_level2(self.up32(third) + self.skip_attn2(levels[1]))
        first = self.decoder_level1(self.up21(second) + self.skip_attn1(levels[0]))
        return [first, second, third]


class ORB(nn.Module):
    def __init__(self, width: int, cab_count: int, slope: nn.PReLU) -> None:
        super().__init__()
        self.body = nn.Sequential(*(CAB(width, slope) for _ in range(cab_count)), conv(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + x


class ORSNet(nn.Module):
    def __init__(self, widths: list[int], full: int, cab_count: int, slope: nn.PReLU) -> None:
        super().__init__()
        first, second, third = widths
        for number in (1, 2, 3):
            setattr(self, f"orb{number}", ORB(full, cab_count, slope))
            setattr(self, f"conv_enc{number}", conv(first, full, 1))
            setattr(self, f"conv_dec{number}", conv(first, full, 1))
        self.up_enc1, self.up_dec1 = Up(second, first), Up(second, first)
        self.up_enc2 = nn.Sequential(Up(third, second), Up(second, first))
        self.up_dec2 = nn.Sequential(Up(third, second), Up(second, first))

    def forward(self, x: Tensor, encoded: list[Tensor], decoded: list[Tensor]) -> Tensor:
        x = self.orb1(x) + self.conv_enc1(encoded[0]) + self.conv_dec1(decoded[0])
        x = self.orb2(x) + self.conv_enc2(self.up_enc1(encoded[1])) + self.conv_dec2(self.up_dec1(decoded[1]))
        return self.orb3(x) + self.conv_enc3(self.up_enc2(encoded[2])) + self.conv_dec3(self.up_dec2(decoded[2]))


class SAM(nn.Module):
    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = (
            conv(width, width, 1),
            conv(width, channels, 1),
            conv(channels, width, 1),
        )

    def forward(self, x: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        restored = self.conv2(x) + image
        return self.conv1(x) * torch.sigmoid(self.conv3(restored)) + x, restored


class PlainMPRNet(nn.Module):
    def __init__(self, channels: int, width: int, level_step: int, stage3_step: int, cab_count: int) -> None:
        super().__init__()
        slope, full = nn.PReLU(), width + stage3_step
        widths = [width, width + level_step, width + 2 * level_step]
        for number in (1, 2, 3):
            setattr(self, f"shallow_feat{number}", nn.Sequential(conv(channels, width), CAB(width, slope)))
        self.stage1_encoder = Encoder(widths, slope, fuses=False)
        self.stage1_decoder = Decoder(widths, slope)
        self.stage2_encoder = Encoder(widths, slope, fuses=True)
        self.stage2_decoder = Decoder(widths, slope)
        self.stage3_orsnet = ORSNet(widths, full, cab_count, slope)
        self.sam12, self.sam23 = SAM(width, channels), SAM(width, channels)
        self.concat12, self.concat23 = conv(2 * width, width), conv(2 * width, full)
        self.tail = conv(full, channels)

    def forward(self, image: Tensor) -> list[Tensor]:
        top, bottom = image.chunk(2, 2)
        quarters = [half.chunk(2, 3) for half in (top, bottom)]

        encoded = []
        for left, right in quarters:
            lefts = self.stage1_encoder(self.shallow_feat1(left))
            rights = self.stage1_encoder(self.shallow_feat1(right))
            encoded.append([torch.cat(two, 3) for two in zip(lefts, rights, strict=True)])
        decoded = [self.stage1_decoder(levels) for levels in encoded]
        attended = [self.sam12(levels[0], half) for levels, half in zip(decoded, (top, bottom), strict=True)]
        stage1_image = torch.cat([restored for _, restored in attended], 2)

        levels = []
        for half, (features, _), enc, dec in zip((top, bottom), attended, encoded, decoded, strict=True):
            x = self.concat12(torch.cat([self.shallow_feat2(half), features], 1))
            levels.append(self.stage2_encoder(x, enc, dec))
        encoded = [torch.cat(two, 2) for two in zip(*levels, strict=True)]
        decoded = self.stage2_decoder(encoded)
        features, stage2_image = self.sam23(decoded[0], image)

        x = self.concat23(torch.cat([self.shallow_feat3(image), features], 1))
        x = self.stage3_orsnet(x, encoded, decoded)
        return [self.tail(x) + image, stage2_image, stage1_image]
