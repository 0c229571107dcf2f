"""The frames of an import: one size, grey or RGB, one bit depth, whatever the source's pictures are."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from twinlens.dataset.exchange.found import FoundPair, PictureSource
from twinlens.dataset.exchange.import_settings import ImportSettings
from twinlens.dataset.exchange.manifest import Manifest
from twinlens.dataset.exchange.pictures import Colour, centre_crop, in_channels
from twinlens.errors import DatasetError, FormatError
from twinlens.pixels import Mask, Picture

DEEPEST = 16


@dataclass(frozen=True, slots=True)
class FrameRule:
    """What every frame of an import is brought to."""

    shape_hw: tuple[int, int]
    bit_depth: int
    """Of 16-bit pictures."""
    shift_bits: int
    """By which they are brighter than what they show."""
    colour: Colour


def frame_rule(settings: ImportSettings, manifest: Manifest | None, *, shape_hw: tuple[int, int]) -> FrameRule:
    """The rule that the settings and an export's own words make."""
    told, shift_bits = (DEEPEST, 0) if manifest is None else (manifest.bit_depth, manifest.shift_bits)
    return FrameRule(shape_hw, settings.bit_depth or told, shift_bits, settings.colour)


def common_shape_hw(found: Sequence[FoundPair], *, is_cropped: bool) -> tuple[int, int]:
    """The size of all pictures, or where they differ and `is_cropped`, the largest that fits into each.

    Raises:
        DatasetError: sizes differ.
    """
    sizes: Counter[tuple[int, int]] = Counter()
    for pair in found:
        sizes.update((pair.input.shape_hw(), pair.target.shape_hw()))
    if len(sizes) > 1 and not is_cropped:
        told = ", ".join(f"{width}x{height} px ({count})" for (height, width), count in sizes.most_common(6))
        raise DatasetError(
            f"pictures are of {len(sizes)} sizes: {told}; a dataset has one",
            hint="cut all to the middle they have in common with --crop-to-common, or import each size on its own",
        )
    return min(height for height, _ in sizes), min(width for _, width in sizes)


def frames_of(pair: FoundPair, rule: FrameRule) -> tuple[Picture, Picture, Mask]:
    """Input, target and mask of one pair, read now.

    Raises:
        FormatError: one picture is in colour and the other is not, one is brighter than its bit depth allows, or
            the two differ in type.
    """
    pictures = pair.input.read(), pair.target.read()
    is_colour = rule.colour == "keep" and pair.facts.get("channels") == 3
    one, other = in_channels(pictures, colour="rgb" if is_colour else rule.colour)
    first, second = (_frame(p, side, rule) for p, side in ((one, pair.input), (other, pair.target)))
    if first.shape != second.shape:
        coloured, grey = (pair.input, pair.target) if first.ndim == 3 else (pair.target, pair.input)
        raise FormatError(
            f"{coloured.where} is in colour, {grey.where} is not",
            hint="make both grey with --mono (Rec. 601 luma) or --channel r, g or b, or keep colour with --rgb",
        )
    if first.dtype != second.dtype:
        raise FormatError(
            f"{pair.input.where} is {first.dtype}, {pair.target.where} is {second.dtype}",
            hint="save both in one type",
        )
    if pair.mask is None:
        return first, second, np.ones(rule.shape_hw, np.bool_)
    mask = pair.mask.read()
    if mask.ndim != 2 or mask.shape[0] < rule.shape_hw[0] or mask.shape[1] < rule.shape_hw[1]:
        raise FormatError(
            f"{pair.mask.where} is {mask.shape}; a mask is grey, and as large as its pair", hint="save it again"
        )
    return first, second, cast("Mask", centre_crop(mask, rule.shape_hw) != 0)


def _frame(seen: Picture, side: PictureSource, rule: FrameRule) -> Picture:
    picture = cast("Picture", seen >> rule.shift_bits)
    brightest = int(picture.max(initial=0))
    if picture.dtype == np.uint16 and brightest >= 2**rule.bit_depth:
        raise FormatError(
            f"{side.where} has a grey level of {brightest}, beyond {rule.bit_depth} bit",
            hint="say how deep 16-bit pictures are with --bit-depth",
        )
    return cast("Picture", np.ascontiguousarray(centre_crop(picture, rule.shape_hw)))
