"""Reading a `twinlens.pairs` file: pairs by split, as views of the file itself. Needs numpy and h5py only."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from twinlens.corrections import RigCorrections
from twinlens.dataset.contents import opened, read_contents
from twinlens.dataset.corrections import read_corrections
from twinlens.dataset.schema import SPLITS, MirrorStateRecord, Provenance, SplitName
from twinlens.dataset.summary import DatasetReport, MirrorCount, SceneCount, SplitCount, spread
from twinlens.dataset.tiled import Stack
from twinlens.pixels import Homography, Mask, Mono


@dataclass(frozen=True, slots=True)
class StoredPair:
    """One aligned pair as it lies in the file; the pixels are read-only."""

    input: Mono
    """Camera B, (h, w)."""
    target: Mono
    """Camera A on B's grid and in B's brightness, (h, w)."""
    mask: Mask
    """Where both saw the scene and neither is saturated, (h, w)."""
    bit_depth: int
    pair_id: str
    scene: str
    split: SplitName
    session_id: str
    trigger_index: int
    skew_ns: int
    mirror_state: str
    exposure_us: float
    gain_db: float
    b_from_a: Homography
    residual_px: float
    """Median over the pair's tiles."""
    residual_p95_px: float
    ncc: float
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
        SplitLeakError: a scene lies in two splits.
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
    def residual_px(self) -> NDArray[np.float32]:
        """(n,) misregistration of every pair, the median over its tiles."""
        found: NDArray[np.float32] = self._contents.table["residual_px"]
        return found

    def split(self, name: str) -> "PairSplit":
        """The pairs of "train", "val" or "test"."""
        for known in SPLITS:
            if known == name:
                return PairSplit(self, known, indices=self._contents.splits[known], scenes=self._scenes_of(known))
        raise ValueError(f"no split is called {name!r}; the splits are {', '.join(SPLITS)}")

    def _scenes_of(self, split: SplitName) -> tuple[str, ...]:
        return tuple(scene for scene in self.scenes if self._contents.split_of[scene] == split)

    @property
    def stacks(self) -> tuple[Stack, Stack, Stack]:
        """Input, target and mask of every pair, whose `window` reads a part of a frame."""
        return self._contents.input, self._contents.target, self._contents.mask

    def frames(self, index: int) -> tuple[Mono, Mono, Mask]:
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
        scene = found.scenes[row["group_id"]]
        pixels = self.frames(index)
        return StoredPair(
            input=pixels[0],
            target=pixels[1],
            mask=pixels[2],
            bit_depth=found.bit_depth,
            pair_id=row["pair_id"].decode(),
            scene=scene,
            split=found.split_of[scene],
            session_id=row["session_id"].decode(),
            trigger_index=int(row["trigger_index"]),
            skew_ns=int(row["skew_ns"]),
            mirror_state=found.mirror_states[row["mirror_state"]].label,
            exposure_us=float(row["exposure_us"]),
            gain_db=float(row["gain_db"]),
            b_from_a=found.b_from_a[index].copy(),
            residual_px=float(row["residual_px"]),
            residual_p95_px=float(row["residual_p95_px"]),
            ncc=float(row["ncc"]),
            gain=float(found.photometric[index, 0]),
            offset=float(found.photometric[index, 1]),
            kernel_sigma_px=float(row["kernel_sigma_px"]),
            overlap=float(row["overlap"]),
            saturated_fraction=float(row["sat_frac"]),
            psnr_db=float(row["psnr_db"]),
        )

    def summary(self) -> DatasetReport:
        """The dataset in numbers."""
        table = self._contents.table
        states = np.bincount(table["mirror_state"], minlength=len(self.mirror_states))
        return DatasetReport(
            name=self.name,
            version=self.version,
            content_hash=self.content_hash,
            pairs=len(self),
            scenes=len(self.scenes),
            sessions=len(self.session_ids),
            shape_hw=self.shape_hw,
            bit_depth=self.bit_depth,
            splits=tuple(SplitCount(s, len(self._scenes_of(s)), len(self.split(s))) for s in SPLITS),
            scene_counts=tuple(self._scene_count(k) for k in range(len(self.scenes))),
            mirror_states=tuple(
                MirrorCount(state.label, int(count))
                for state, count in zip(self.mirror_states, states, strict=True)
            ),
            residual_px=spread(table["residual_px"]),
            ncc=spread(table["ncc"]),
            input_psnr_db=spread(table["psnr_db"]),
            saturated_fraction_mean=float(table["sat_frac"].mean()),
            overlap_mean=float(table["overlap"].mean()),
            bytes_on_disk=self._contents.input.file.size,
            is_corrected=self.is_corrected,
        )

    def _scene_count(self, group_id: int) -> SceneCount:
        table = self._contents.table
        psnrs_db = table["psnr_db"][table["group_id"] == group_id]
        scene = self.scenes[group_id]
        return SceneCount(scene, self._contents.split_of[scene], psnrs_db.size, float(psnrs_db.mean()))

    def provenance(self) -> Provenance:
        """Settings, calibration and sessions the dataset was made with."""
        return self._contents.provenance

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
        self, dataset: PairedDataset, name: SplitName, *, indices: NDArray[np.int64], scenes: tuple[str, ...]
    ) -> None:
        self.dataset = dataset
        self.name = name
        self.indices = indices
        """(n,) rows of the dataset."""
        self.scenes = scenes
        """No other split has one of them."""
        self.bit_depth = dataset.bit_depth
        self.shape_hw = dataset.shape_hw

    def frames(self, index: int) -> tuple[Mono, Mono, Mask]:
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
