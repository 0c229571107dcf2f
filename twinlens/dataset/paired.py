"""Reading a `twinlens.pairs` file: pairs by split, as views of the file itself. Needs numpy and h5py only."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from twinlens.corrections import RigCorrections
from twinlens.dataset.contents import Contents, opened, read_contents
from twinlens.dataset.corrections import read_corrections
from twinlens.dataset.entry import Entry
from twinlens.dataset.imported import ImportedFrom, imported_from
from twinlens.dataset.schema import DEFAULT_SCHEME, FLAG_COARSE, SPLITS, MirrorStateRecord, Provenance, Reject
from twinlens.dataset.stored_schemes import PARTS
from twinlens.dataset.summary import DatasetReport, summarise
from twinlens.dataset.tiled import Stack
from twinlens.errors import DatasetError
from twinlens.pixels import Homography, Mask, Picture


@dataclass(frozen=True, slots=True)
class StoredPair:
    """One aligned pair as it lies in the file; the pixels are read-only."""

    input: Picture
    """Camera B, (h, w); where imported in colour, (h, w, 3) RGB."""
    target: Picture
    """Camera A on B's grid and in B's brightness, shaped alike."""
    mask: Mask
    """Where both saw the scene and neither is saturated, (h, w)."""
    bit_depth: int
    pair_id: str
    scene: str
    split: str
    """train, val or test, or "unused"; as the file's default scheme has it."""
    session_id: str
    trigger_index: int
    skew_ns: int
    mirror_state: str
    exposure_us: float
    gain_db: float
    host_time_ns: int
    """When A's frame arrived, on the recording host's monotonic clock; 0 = unknown."""
    b_from_a: Homography
    residual_px: float
    """Median over the pair's tiles; nan, as other figures, where nobody measured it."""
    residual_p95_px: float
    departure_px: float
    """By which the pair's own mapping left its session's."""
    ncc: float
    moving_share: float
    """Share of tiles that moved; they are masked."""
    ceiling_db: float
    """PSNR that a perfect restoration could reach, given the residual."""
    is_coarse: bool
    gain: float
    """The pair's own brightness factor against its session's, 1 = the same."""
    offset: float
    """The pair's own brightness offset against its session's, in grey levels."""
    kernel_sigma_px: float
    """Blur from A to B."""
    overlap: float
    """Share of B's whole frame that A sees."""
    saturated_fraction: float
    psnr_db: float
    """Input against target over valid pixels."""


class PairedDataset(Sequence[StoredPair]):
    """All pairs of a file. Holds no open file: it can be pickled, forked and sent to workers.

    Raises:
        FormatError: the file is missing, foreign or newer.
        CorruptError: the file is cut short, damaged or was never finished.
        SplitLeakError: a group lies in two splits.
    """

    def __init__(self, path: Path | str) -> None:
        self._contents = read_contents(Path(path))
        self.path = self._contents.path
        self.name = self._contents.name
        self.version = self._contents.version
        self.twinlens_version = self._contents.twinlens_version
        self.content_hash = self._contents.content_hash
        self.bit_depth = self._contents.bit_depth
        self.shape_hw = self._contents.input.shape_hw
        self.channels = self._contents.channels
        """1, or 3 where pictures are (h, w, 3) RGB."""
        self.dtype = self._contents.input.dtype
        self.is_corrected = self._contents.is_corrected
        """Whether frames have had their camera's dark, gain and defect correction; see `corrections`."""
        self.mirror_states: tuple[MirrorStateRecord, ...] = self._contents.mirror_states

    @property
    def scenes(self) -> tuple[str, ...]:
        """The scenes, in the order in which they were met."""
        return self._contents.scenes

    @property
    def session_ids(self) -> tuple[str, ...]:
        """The sessions pairs come from, sorted."""
        return tuple(sorted({value.decode() for value in self._contents.table["session_id"].tolist()}))

    @property
    def schemes(self) -> tuple[str, ...]:
        """The split schemes it holds, sorted; "default" is always one."""
        return tuple(self._contents.schemes)

    @property
    def rejects(self) -> tuple[Reject, ...]:
        """The pairs that were left out when it was built."""
        return self._contents.rejects

    @property
    def residual_px(self) -> NDArray[np.float32]:
        """(n,) misregistration of every pair, the median over its tiles; nan where unknown."""
        found: NDArray[np.float32] = self._contents.table["residual_px"]
        return found

    @property
    def contents(self) -> Contents:
        """The file's tables and where its frames lie, for those who check or derive it."""
        return self._contents

    def split(self, name: str, *, scheme: str = DEFAULT_SCHEME) -> "PairSplit":
        """The pairs of "train", "val" or "test", or those a scheme leaves "unused".

        Raises:
            DatasetError: it has no such scheme.
        """
        if name not in PARTS:
            raise ValueError(f"no split is called {name!r}; the splits are {', '.join(SPLITS)}")
        found = self._contents.schemes.get(scheme)
        if found is None:
            raise DatasetError(
                f"{self.path} has no split scheme {scheme!r}; it has {', '.join(self.schemes)}",
                hint="make one with `twinlens split`",
            )
        return PairSplit(self, name, indices=found.rows[name], scenes=self._scenes_of(found.rows[name]))

    def _scenes_of(self, rows: NDArray[np.int64]) -> tuple[str, ...]:
        return tuple(self.scenes[k] for k in np.unique(self._contents.table["group_id"][rows]).tolist())

    @property
    def stacks(self) -> tuple[Stack, Stack, Stack]:
        """Input, target and mask of every pair, whose `window` reads a part of a frame."""
        return self._contents.input, self._contents.target, self._contents.mask

    def frames(self, index: int) -> tuple[Picture, Picture, Mask]:
        """Input, target and mask of pair `index`, read-only: views of the file, or copies where it is in tiles."""
        found = self._contents
        return found.input[index], found.target[index], found.mask[index]

    def __len__(self) -> int:
        return len(self._contents.table)

    @overload
    def __getitem__(self, index: int) -> StoredPair: ...
    @overload
    def __getitem__(self, index: slice) -> list[StoredPair]: ...
    def __getitem__(self, index: int | slice) -> StoredPair | list[StoredPair]:
        if isinstance(index, slice):
            return [self._pair(k) for k in range(*index.indices(len(self)))]
        return self._pair(range(len(self))[index])

    def _pair(self, index: int) -> StoredPair:
        found = self._contents
        row = found.table[index]
        pixels = self.frames(index)
        return StoredPair(
            input=pixels[0],
            target=pixels[1],
            mask=pixels[2],
            bit_depth=found.bit_depth,
            pair_id=row["pair_id"].decode(),
            scene=found.scenes[row["group_id"]],
            split=found.part_of(index),
            session_id=row["session_id"].decode(),
            trigger_index=int(row["trigger_index"]),
            skew_ns=int(row["skew_ns"]),
            mirror_state=found.mirror_states[row["mirror_state"]].label,
            exposure_us=float(row["exposure_us"]),
            gain_db=float(row["gain_db"]),
            host_time_ns=int(row["host_time_ns"]),
            b_from_a=found.b_from_a[index].copy(),
            residual_px=float(row["residual_px"]),
            residual_p95_px=float(row["residual_p95_px"]),
            departure_px=float(row["departure_px"]),
            ncc=float(row["ncc"]),
            moving_share=float(row["moving_share"]),
            ceiling_db=float(row["ceiling_db"]),
            is_coarse=bool(row["flags"] & FLAG_COARSE),
            gain=float(found.photometric[index, 0]),
            offset=float(found.photometric[index, 1]),
            kernel_sigma_px=float(row["kernel_sigma_px"]),
            overlap=float(row["overlap"]),
            saturated_fraction=float(row["sat_frac"]),
            psnr_db=float(row["psnr_db"]),
        )

    def entry(self, index: int) -> Entry:
        """Pair `index` as it would be stored again."""
        found = self._contents
        row = found.table[index]
        pixels = self.frames(index)
        return Entry(
            row=row,
            input=pixels[0],
            target=pixels[1],
            mask=pixels[2],
            scene=found.scenes[row["group_id"]],
            mirror_state=found.mirror_states[row["mirror_state"]].label,
            b_from_a=found.b_from_a[index],
            photometric=(float(found.photometric[index, 0]), float(found.photometric[index, 1])),
        )

    def summary(self) -> DatasetReport:
        """The dataset in numbers."""
        return summarise(self._contents)

    def provenance(self) -> Provenance:
        """Settings, calibration and sessions the dataset was made with."""
        return self._contents.provenance

    def imported_from(self) -> ImportedFrom | None:
        """The files its pairs were imported from; None where it was built from sessions."""
        return imported_from(self.provenance().config_json, self.provenance().sources)

    def corrections(self) -> RigCorrections | None:
        """What the frames of both cameras have had, read now; None where they are as the cameras sent them.

        Raises:
            FormatError, CorruptError: the file is gone or damaged.
        """
        with opened(self.path) as file:
            return read_corrections(file)


class PairSplit(Sequence[StoredPair]):
    """The pairs of one split."""

    def __init__(
        self, dataset: PairedDataset, name: str, *, indices: NDArray[np.int64], scenes: tuple[str, ...]
    ) -> None:
        self.dataset = dataset
        self.name = name
        self.indices = indices
        """(n,) rows of the dataset."""
        self.scenes = scenes
        """No other split has one of them, unless its scheme is leaky."""
        self.bit_depth = dataset.bit_depth
        self.shape_hw = dataset.shape_hw

    def frames(self, index: int) -> tuple[Picture, Picture, Mask]:
        """Input, target and mask of this split's pair `index`, read-only."""
        return self.dataset.frames(int(self.indices[index]))

    @property
    def residual_px(self) -> NDArray[np.float32]:
        """(n,) misregistration of every pair, the median over its tiles."""
        return self.dataset.residual_px[self.indices]

    def __len__(self) -> int:
        return len(self.indices)

    @overload
    def __getitem__(self, index: int) -> StoredPair: ...
    @overload
    def __getitem__(self, index: slice) -> list[StoredPair]: ...
    def __getitem__(self, index: int | slice) -> StoredPair | list[StoredPair]:
        if isinstance(index, slice):
            return [self.dataset[int(row)] for row in self.indices[index]]
        return self.dataset[int(self.indices[index])]
