"""The growing part of a `twinlens.pairs` file: pairs are appended one by one, and one is in memory at a time."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
import xxhash

from twinlens.calibrate.align import AlignedPair
from twinlens.dataset.identity import content_hash, pair_hash, pair_id
from twinlens.dataset.layout import Layout, append_frame, create_stack
from twinlens.dataset.measure import laplacian_variance, psnr_db
from twinlens.dataset.schema import GROUP_ROW, ID_BYTES, MIRROR_ROW, PAIR_ROW, SPLITS, MirrorStateRecord, SplitName
from twinlens.errors import DatasetError
from twinlens.storage import reserve_disk

ROWS_PER_CHUNK = 1024


class PairWriter:
    """Appends pairs to `/pairs`, and remembers of each no more than its name, digest and scene."""

    def __init__(self, file: h5py.File, *, layout: Layout = "contiguous") -> None:
        self._file = file
        self._layout = layout
        self._columns: dict[str, h5py.Dataset] = {}
        self._like: str | None = None
        self._digest_of: dict[str, bytes] = {}
        self._scene_of: list[str] = []
        self._sessions_of: dict[str, set[str]] = {}
        self._mirror_states: list[str] = []

    def __len__(self) -> int:
        return len(self._scene_of)

    @property
    def pairs_per_scene(self) -> dict[str, int]:
        """How many pairs show each scene, in the order in which scenes were met."""
        return dict(Counter(self._scene_of))

    def append(self, pair: AlignedPair) -> None:
        """Store one pair.

        Raises:
            DatasetError: its frames do not match each other or the first pair's, or it was stored before.
        """
        name = pair_id(pair.session_id, pair.trigger_index)
        self._check(pair, name)
        if not self._columns:
            self._columns = _create_columns(self._file, pair, self._layout)
        self._sessions_of.setdefault(pair.scene, set()).add(pair.session_id)
        if pair.mirror_state not in self._mirror_states:
            self._mirror_states.append(pair.mirror_state)

        row = self._row(pair, name)
        photometric = (float(pair.passport.gain), float(pair.passport.offset))
        reserve_disk(self._file, 3 * pair.input.nbytes)
        for column, frame in (("input", pair.input), ("target", pair.target), ("mask", pair.mask)):
            append_frame(self._columns[column], len(self), frame)
        for column, value in (("table", row), ("b_from_a", pair.b_from_a), ("photometric", photometric)):
            self._columns[column].resize(len(self) + 1, axis=0)
            self._columns[column][len(self)] = value
        self._file.flush()
        self._digest_of[name] = pair_hash(
            row,
            frames=(pair.input, pair.target, pair.mask),
            labels=(pair.scene, pair.mirror_state),
            b_from_a=pair.b_from_a,
            photometric=photometric,
        )
        self._scene_of.append(pair.scene)

    def write_groups(self) -> None:
        """Write `/groups/table`: a group is a scene, whichever sessions saw it."""
        rows = [
            (group_id, scene, scene, "\n".join(sorted(sessions)))
            for group_id, (scene, sessions) in enumerate(self._sessions_of.items())
        ]
        self._file["/groups/table"] = np.array(rows, GROUP_ROW)

    def write_mirror_states(self, known: tuple[MirrorStateRecord, ...]) -> None:
        """Write `/mirror_states`, with the drive values of those that are `known`."""
        known_by_label = {state.label: state for state in known}
        rows = np.empty(len(self._mirror_states), MIRROR_ROW)
        for place, label in enumerate(self._mirror_states):
            state = known_by_label.get(label, MirrorStateRecord(label))
            rows[place] = (state.label, np.array(state.values, np.float64), state.unit)
        self._file["/mirror_states"] = rows

    def write_splits(self, scheme: str, split_of: Mapping[str, SplitName]) -> str:
        """Write the rows of every split under the group `scheme`; return the dataset's content hash."""
        ids = list(self._digest_of)
        ids_of = {}
        for split in SPLITS:
            rows = [row for row, scene in enumerate(self._scene_of) if split_of[scene] == split]
            self._file[f"{scheme}/{split}"] = np.array(rows, np.int64)
            ids_of[split] = [ids[row] for row in rows]
        return content_hash(list(self._digest_of.values()), ids_of)

    def _check(self, pair: AlignedPair, name: str) -> None:
        where = f"trigger {pair.trigger_index} of session {pair.session_id}"
        if name in self._digest_of:
            raise DatasetError(f"{where} comes twice", hint="name every session once")
        if len(pair.session_id.encode()) > ID_BYTES:
            raise DatasetError(
                f"the session id {pair.session_id!r} is longer than {ID_BYTES} bytes", hint="shorten it"
            )
        like = _likeness(pair, where)
        self._like = self._like or like
        if like != self._like:
            raise DatasetError(
                f"{where} has frames of {like}; the pairs before it have {self._like}",
                hint="build sessions of different size or bit depth into datasets of their own",
            )

    def _row(self, pair: AlignedPair, name: str) -> np.void:
        passport = pair.passport
        row = np.zeros(1, PAIR_ROW)
        values: dict[str, Any] = {
            "pair_id": name,
            "group_id": list(self._sessions_of).index(pair.scene),
            "session_id": pair.session_id.encode(),
            "trigger_index": pair.trigger_index,
            "skew_ns": pair.skew_ns,
            "mirror_state": self._mirror_states.index(pair.mirror_state),
            "bit_depth": pair.bit_depth,
            "exposure_us": pair.exposure_us,
            "gain_db": pair.gain_db,
            "residual_px": passport.residual_px,
            "residual_p95_px": passport.residual_p95_px,
            "ncc": passport.ncc,
            "kernel_sigma_px": passport.kernel_sigma_px,
            "overlap": passport.overlap,
            "sat_frac": passport.saturated_fraction,
            "psnr_db": psnr_db(pair.input, pair.target, pair.mask, bit_depth=pair.bit_depth),
            "lapvar_in": laplacian_variance(pair.input, pair.mask),
            "lapvar_tg": laplacian_variance(pair.target, pair.mask),
            "xxh_in": xxhash.xxh3_64_intdigest(np.ascontiguousarray(pair.input).data),
            "xxh_tg": xxhash.xxh3_64_intdigest(np.ascontiguousarray(pair.target).data),
        }
        for column, value in values.items():
            row[0][column] = value
        found: np.void = row[0]
        return found


def _likeness(pair: AlignedPair, where: str) -> str:
    """What all pairs of a dataset share, in words.

    Raises:
        DatasetError: the pair's own frames differ from each other.
    """
    seen = {f"{frame.shape[1]}x{frame.shape[0]} px" for frame in (pair.input, pair.target, pair.mask)}
    types = {str(pair.input.dtype), str(pair.target.dtype)}
    needed = "uint8" if pair.bit_depth <= 8 else "uint16"
    if len(seen) != 1 or types != {needed}:
        raise DatasetError(
            f"{where}: input, target and mask are {', '.join(sorted(seen))} of {', '.join(sorted(types))} "
            f"at {pair.bit_depth} bit; one size of {needed} is needed",
            hint="align the pair again with the calibration of its own session",
        )
    return f"{seen.pop()}, {needed}, {pair.bit_depth} bit"


def _create_columns(file: h5py.File, pair: AlignedPair, layout: Layout) -> dict[str, h5py.Dataset]:
    def column(name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> h5py.Dataset:
        return file.create_dataset(
            f"/pairs/{name}",
            shape=(0, *shape),
            maxshape=(None, *shape),
            chunks=(ROWS_PER_CHUNK, *shape),
            dtype=dtype,
        )

    shape_hw = (pair.input.shape[0], pair.input.shape[1])
    return {
        "input": create_stack(file, "/pairs/input", shape_hw, pair.input.dtype, layout),
        "target": create_stack(file, "/pairs/target", shape_hw, pair.target.dtype, layout),
        "mask": create_stack(file, "/pairs/mask", shape_hw, np.dtype(np.uint8), layout),
        "table": column("table", PAIR_ROW, ()),
        "b_from_a": column("b_from_a", np.dtype(np.float64), (3, 3)),
        "photometric": column("photometric", np.dtype(np.float32), (2,)),
    }
