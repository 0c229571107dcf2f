"""Zarr v3: one group `SPLIT.zarr` per split with arrays input, target and mask, names and facts as attributes.

A shard is a whole frame, so there is one file per frame; inside it lie tiles, so a crop reads no more than those.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from twinlens.dataset.exchange.found import FoundPair
from twinlens.dataset.exchange.optional import optional
from twinlens.dataset.exchange.piece import ExportSettings, Piece
from twinlens.dataset.schema import SPLITS, SplitName
from twinlens.errors import FormatError
from twinlens.pixels import Picture

SIDES = ("input", "target", "mask")
TILE_PX = 128
"""Reads least per crop of 256 px, measured."""


class ZarrWriter:
    """Writes `SPLIT.zarr`; arrays grow by one frame at a time."""

    def __init__(self, folder: Path, settings: ExportSettings) -> None:  # noqa: ARG002 -- as all writers
        self._zarr = optional("zarr", extra="zarr")
        self._folder = folder
        self._arrays: dict[SplitName, dict[str, Any]] = {}
        self._facts: dict[SplitName, list[dict[str, Any]]] = {}

    def __enter__(self) -> Self:
        self._groups = {
            split: self._zarr.create_group(store=str(self._folder / f"{split}.zarr"), zarr_format=3)
            for split in SPLITS
        }
        return self

    def __exit__(self, *_: object) -> None:
        for split, facts in self._facts.items():
            self._groups[split].attrs.update({"pairs": facts})

    def add(self, piece: Piece) -> None:
        """Write one piece."""
        if piece.split not in self._arrays:
            self._arrays[piece.split] = {side: self._created(piece, side) for side in SIDES}
        facts = self._facts.setdefault(piece.split, [])
        for side, array in self._arrays[piece.split].items():
            frame = getattr(piece, side)
            array.resize((len(facts) + 1, *frame.shape))
            array[len(facts)] = frame.view(np.uint8) if side == "mask" else frame
        facts.append({"name": piece.name, **piece.facts})

    def _created(self, piece: Piece, side: str) -> Any:
        frame = getattr(piece, side)
        height, width, *channels = frame.shape
        tile = (min(TILE_PX, height), min(TILE_PX, width))
        whole = (-(-height // tile[0]) * tile[0], -(-width // tile[1]) * tile[1])
        return self._groups[piece.split].create_array(
            side,
            shape=(0, *frame.shape),
            dtype="uint8" if side == "mask" else frame.dtype.name,
            chunks=(1, *tile, *channels),
            shards=(1, *whole, *channels),
            compressors=self._zarr.codecs.BloscCodec(cname="lz4", shuffle="bitshuffle"),
        )


@dataclass(frozen=True, slots=True)
class ZarrRow:
    """One frame of an array."""

    array: Any
    row: int

    @property
    def where(self) -> str:
        """Its place, for messages."""
        return f"row {self.row} of {self.array.store_path}"

    def shape_hw(self) -> tuple[int, int]:
        """Height and width."""
        _, height, width, *_ = self.array.shape
        return height, width

    def read(self) -> Picture:
        """(h, w) or (h, w, 3)."""
        frame: Picture = np.asarray(self.array[self.row])
        return frame[..., 0] if frame.ndim == 3 and frame.shape[2] == 1 else frame


def find_zarr(source: Path) -> list[FoundPair]:
    """Pairs of `SPLIT.zarr/{input,target,mask}` in `source`.

    Raises:
        FormatError: there are none, or the arrays do not fit.
    """
    zarr = optional("zarr", extra="zarr")
    found = []
    for split in SPLITS:
        path = source / f"{split}.zarr"
        if not path.is_dir():
            continue
        try:
            group = zarr.open_group(str(path), mode="r")
            arrays = {side: group[side] for side in SIDES if side in group}
            names = [str(facts["name"]) for facts in group.attrs.get("pairs", [])]
        except (OSError, ValueError, KeyError, TypeError) as cause:
            raise FormatError(f"{path} cannot be read: {cause}", hint="write it again") from cause
        found += _pairs(path, split, arrays, names)
    if not found:
        raise FormatError(
            f"{source} holds no pairs in train.zarr, val.zarr or test.zarr",
            hint="write them with: twinlens export DATASET.h5 --to zarr -o FOLDER",
        )
    return found


def _pairs(path: Path, split: SplitName, arrays: dict[str, Any], names: list[str]) -> list[FoundPair]:
    if not arrays:
        return []
    shapes = {side: array.shape[:3] for side, array in arrays.items()}
    is_picture = all(array.shape[3:] in ((), (1,), (3,)) for array in arrays.values())
    if not {"input", "target"} <= set(arrays) or len(set(shapes.values())) != 1 or not is_picture:
        raise FormatError(
            f"{path} holds {', '.join(f'{side} {array.shape}' for side, array in arrays.items())}; "
            "input and target of one shape, (n, h, w) or (n, h, w, 3), are needed",
            hint="write it again",
        )
    types = [arrays[side].dtype for side in ("input", "target")]
    if any(kind not in (np.uint8, np.uint16) for kind in types):
        raise FormatError(
            f"{path}: input and target are {' and '.join(map(str, types))}; uint8 or uint16 is needed",
            hint="convert them: floats have no grey levels",
        )
    count = int(arrays["input"].shape[0])
    names = names if len(names) == count else [f"{row:06d}" for row in range(count)]
    rows = {side: [ZarrRow(array, row) for row in range(count)] for side, array in arrays.items()}
    masks: list[ZarrRow] | list[None] = rows.get("mask") or [None] * count
    return [
        FoundPair(name, split, one, other, mask)
        for name, one, other, mask in zip(names, rows["input"], rows["target"], masks, strict=True)
    ]
