"""What every export writes piece by piece: a pair, or a patch of one."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from twinlens.dataset.schema import DEFAULT_SCHEME, SplitName
from twinlens.errors import SettingsError
from twinlens.pixels import Mask, Picture
from twinlens.settings import Settings


@dataclass(frozen=True, kw_only=True)
class ExportSettings(Settings):
    """How a dataset is exported."""

    scheme: str = DEFAULT_SCHEME
    """Which of the dataset's split schemes."""
    rgb: bool = False
    """Write grey in three equal channels, for tools that know no other."""
    full_range: bool = False
    """Spread 16-bit pictures over all 16 bits, times 2**(16 - bit depth): tools that look at the upper byte or
    divide by 65535 see 10-bit pictures as black otherwise. An import takes it back."""
    patch_px: int = 0
    """Cut training frames into patches of this side; 0 = whole frames. Val and test stay whole."""
    stride_px: int = 0
    """From patch to patch; 0 = half a patch. The last one ends with the frame."""
    lmdb: bool = False
    """BasicSR: one LMDB per folder of pictures."""
    shard_bytes: int = 300_000_000
    """WebDataset: a shard grows no larger, unless one pair alone is."""

    def check(self) -> None:
        """Raise `SettingsError` where a value cannot work."""
        self.require("patch_px", minimum=0, maximum=65536)
        self.require("stride_px", minimum=0, maximum=65536)
        self.require("shard_bytes", minimum=1, maximum=2**60)
        if self.stride_px and not self.patch_px:
            raise SettingsError("a stride was given, and no patches", hint="give --patches too")

    def shift_bits(self, bit_depth: int) -> int:
        """By how many bits pictures of `bit_depth` are written brighter than they are."""
        return 16 - bit_depth if self.full_range and bit_depth > 8 else 0


@dataclass(frozen=True, slots=True)
class Piece:
    """One pair, or one patch of it, as it is written."""

    name: str
    split: SplitName
    input: Picture
    target: Picture
    mask: Mask
    facts: dict[str, Any]
    """What is known of it, ready for JSON."""


@runtime_checkable
class Writer(Protocol):
    """One format being written."""

    def add(self, piece: Piece) -> None:
        """Write one piece."""
