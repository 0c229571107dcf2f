"""What an import needs to be told."""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from twinlens.dataset.exchange.pictures import Colour
from twinlens.dataset.layout import Layout
from twinlens.dataset.splits import DEFAULT_RATIOS
from twinlens.errors import SettingsError
from twinlens.settings import Settings

ImportFormat = Literal["gopro", "list", "basicsr", "hdf5", "folders", "imagefolder", "webdataset", "zarr"]
FORMATS: tuple[ImportFormat, ...] = get_args(ImportFormat)


@dataclass(frozen=True, kw_only=True)
class ImportSettings(Settings):
    """How somebody else's pairs become a dataset of ours."""

    format: ImportFormat
    """What the source is."""
    input: str = ""
    """The degraded side: pattern (folders), dataset (hdf5), folder (basicsr) or extension (webdataset)."""
    target: str = ""
    """The sharp side, likewise."""
    mask: str = ""
    """Pattern or dataset of masks, not 0 where pixels count; "" = the format's own, or everywhere."""
    lists: tuple[tuple[str, str], ...] = ()
    """Split (or "") and file of every list."""
    columns: tuple[str, ...] = ("target", "input")
    """Columns of a list; RealBlur and DPDD name the sharp picture first."""
    blur: Literal["", "blur", "blur_gamma"] = ""
    """Which of GOPRO_Large's blurs: made with a linear response, or with a gamma curve."""
    scene_pattern: str = ""
    """Regular expression found in a pair's name with its split; its first group, or all of it, is the scene."""
    scenes: str = ""
    """hdf5: name of the dataset with the scene of every row."""
    bit_depth: int = 0
    """Of 16-bit pictures; 0 = what an export of ours tells, else 16."""
    colour: Colour = "keep"
    """What becomes of colour pictures."""
    crop_to_common: bool = False
    """Cut pictures of different sizes to the middle that all have."""
    find_duplicates: bool = True
    """Look at the pictures for scenes that are one under two names; an export's groups are kept."""
    layout: Layout = "contiguous"
    """Of the dataset's frames."""
    split_again: bool = False
    """Forget the source's splits and draw new ones by whole scenes."""
    ratios: tuple[float, float, float] = DEFAULT_RATIOS
    """Shares of train, val and test, for splits that the source does not have."""
    allow_leaky: bool = False
    """Divide within scenes where there are too few of them; the file says so."""
    seed: int = 0
    """Draws which scenes go where."""
    name: str = ""
    """Of the dataset; empty takes an export's own, else the file's."""
    version: str = ""
    """Of the dataset; empty takes an export's own (its next, where something changed), else 1.0.0."""
    session_id: str = ""
    """What the pairs' session is called; empty takes the source's name."""

    def check(self) -> None:
        """Raise `SettingsError` where a value cannot work."""
        if self.format not in FORMATS:
            raise SettingsError(f"no format is called {self.format!r}", hint=f"known are {', '.join(FORMATS)}")
        if self.bit_depth:
            self.require("bit_depth", minimum=9, maximum=16)
        if self.format == "folders" and not (self.input and self.target):
            raise SettingsError(
                "which files are pairs?", hint="give --input 'blur/{name}.png' --target 'sharp/{name}.png'"
            )
        try:
            re.compile(self.scene_pattern)
        except re.error as cause:
            raise SettingsError(
                f"the scene pattern {self.scene_pattern!r} is no regular expression: {cause}",
                hint=r"such as '(.*)/' or '^(\w+)_\d+$'",
            ) from cause

    def sides(self, input: str, target: str) -> tuple[str, str]:  # noqa: A002 -- the role's name
        """Input and target as named, else these.

        Raises:
            SettingsError: {split} stands in some names and is missing where it must not.
        """
        sides = (self.input or input, self.target or target)
        by_split = ["{split}" in side for side in sides]
        others = [name for name in (self.mask, self.scenes) if "{split}" in name]
        if any(by_split) != all(by_split) or (others and not all(by_split)):
            with_split = [side for side in sides if "{split}" in side] + others
            raise SettingsError(
                f"{{split}} stands in {' and '.join(with_split)}; the sides are {' and '.join(sides)}",
                hint="write {split} into both --input and --target, or into no name",
            )
        return sides
