"""Whole or in tiles: what a picture's restoration needs, and what there is."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from twinlens.errors import RestoreError
from twinlens.restore.memory import GIB
from twinlens.restore.tiling import Tile, plan_tiles

LARGEST_TILE_PX = 1024
TILE_STEP_PX = 64
_ENOUGH_OVERLAP_PX = 32
_COSTS = ((256, "at most 0.01 dB"), (128, "up to 0.1 dB"))
"""What MPRNet loses by the shorter side of a tile, measured on three photographs with a network of 16 channels
trained for two minutes; smaller tiles, and overlaps below 32 px, lose more."""


@dataclass(frozen=True)
class RestorePlan:
    """How one size of picture is restored."""

    shape_hw: tuple[int, int]
    """Of the picture, filled up to what the network takes."""
    tiles: tuple[Tile, ...]
    """One where it is restored whole."""
    overlap_px: int
    """What neighbouring tiles share at least."""
    need_bytes: int
    """What the largest tile takes, and the picture's float32 copies with it."""
    whole_bytes: int
    """What the whole picture would take."""
    free_bytes: int
    """What may be taken."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is cut."""
        return len(self.tiles) == 1

    @property
    def tile_hw(self) -> tuple[int, int]:
        """Size of a tile; all are alike."""
        first = self.tiles[0]
        return first.bottom - first.top, first.right - first.left

    def __str__(self) -> str:
        """One or two sentences for the person who waits."""
        free = f"{self.free_bytes / GIB:.1f} GiB may be taken"
        if self.is_whole:
            return f"whole pictures: {self.need_bytes / GIB:.1f} GiB needed, {free}"
        height, width = self.tile_hw
        enough = min(height, width) if self.overlap_px >= _ENOUGH_OVERLAP_PX else 0
        cost = next((cost for side, cost in _COSTS if enough >= side), "more than 0.1 dB")
        return (
            f"{len(self.tiles)} tiles of {width}x{height} px: {self.need_bytes / GIB:.1f} GiB needed, {free}, "
            f"whole it would be {self.whole_bytes / GIB:.1f} GiB. Tiles change the result, with MPRNet by {cost}"
        )


@dataclass(frozen=True, kw_only=True)
class Planner:
    """Plans for pictures of one network and one precision."""

    piece_bytes: Callable[[tuple[int, int]], int]
    """What a piece of (h, w) takes."""
    multiple: int
    """Sides of a piece are multiples of this many px."""
    channels: int
    overlap_px: int

    def plan(self, shape_hw: tuple[int, int], *, tile_px: int | None, free_bytes: int) -> RestorePlan:
        """Whole where it fits or `tile_px` says so, otherwise tiles of `tile_px`, or the largest that fit.

        Args:
            shape_hw: of a picture whose sides are multiples of `multiple`.
            tile_px: None = choose.
            free_bytes: what may be taken.

        Raises:
            RestoreError: what `tile_px` asks for, or even the smallest tile, takes more than there is.
        """
        self._require_tile(shape_hw, tile_px)
        whole = self._planned(shape_hw, max(shape_hw), free_bytes)
        wanted = whole if tile_px is None else self._planned(shape_hw, tile_px, free_bytes)
        if wanted.need_bytes <= free_bytes:
            return wanted
        fitting = self.largest_tile_px(shape_hw, free_bytes=free_bytes, below_px=tile_px)
        if tile_px is None and fitting is not None:
            return self._planned(shape_hw, fitting, free_bytes)
        height, width = wanted.tile_hw
        raise RestoreError(
            f"restoring pieces of {width}x{height} px takes {wanted.need_bytes / GIB:.2f} GiB, "
            f"{free_bytes / GIB:.2f} GiB may be taken",
            hint=advice(fitting),
        )

    def largest_tile_px(
        self, shape_hw: tuple[int, int], *, free_bytes: int, below_px: int | None = None
    ) -> int | None:
        """The largest tile that fits in `free_bytes`; None where none does."""
        top = min(LARGEST_TILE_PX + 1, max(shape_hw), below_px or LARGEST_TILE_PX + 1)
        step = math.lcm(TILE_STEP_PX, self.multiple)
        smallest = math.ceil((self.overlap_px + 2 * self.multiple + 1) / step) * step
        fitting, sizes = None, list(range(smallest, top, step))
        while sizes:
            middle = len(sizes) // 2
            if self._planned(shape_hw, sizes[middle], free_bytes).need_bytes <= free_bytes:
                fitting, sizes = sizes[middle], sizes[middle + 1 :]
            else:
                sizes = sizes[:middle]
        return fitting

    def _require_tile(self, shape_hw: tuple[int, int], tile_px: int | None) -> None:
        overlap_px = math.ceil(self.overlap_px / self.multiple) * self.multiple
        smallest = overlap_px + self.multiple
        if tile_px is not None and tile_px < smallest and tile_px // self.multiple * self.multiple < max(shape_hw):
            raise RestoreError(
                f"tiles of {tile_px} px cannot overlap by {self.overlap_px} px: "
                f"this network needs sides that are multiples of {self.multiple} px",
                hint=f"give tiles of {smallest} px or more, or a smaller overlap (--overlap)",
            )

    def _planned(self, shape_hw: tuple[int, int], tile_px: int, free_bytes: int) -> RestorePlan:
        tiles = plan_tiles(shape_hw, tile_px=tile_px, overlap_px=self.overlap_px, multiple=self.multiple)
        first = tiles[0]
        # The picture in float32, and in tiles the sum and its weights too.
        plane = 4 * shape_hw[0] * shape_hw[1]
        copies = plane * (self.channels if len(tiles) == 1 else 2 * self.channels + 1)
        return RestorePlan(
            shape_hw=shape_hw,
            tiles=tuple(tiles),
            overlap_px=self.overlap_px,
            need_bytes=copies + self.piece_bytes((first.bottom - first.top, first.right - first.left)),
            whole_bytes=copies + self.piece_bytes(shape_hw),
            free_bytes=free_bytes,
        )


def advice(tile_px: int | None) -> str:
    """What to do where memory does not suffice."""
    if tile_px is None:
        return "no tile is small enough: free memory, lower the overlap, or restore on another machine"
    return f"tiles of {tile_px} px fit: set tile_px to that (--tile {tile_px})"
