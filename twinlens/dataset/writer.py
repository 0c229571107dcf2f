"""The growing part of a `twinlens.pairs` file: pairs are appended one by one, and one is in memory at a time."""

from collections.abc import Iterable, Mapping, Sequence

import h5py
import numpy as np

from twinlens.dataset.entry import Entry
from twinlens.dataset.groups import Member
from twinlens.dataset.identity import content_hash
from twinlens.dataset.layout import Layout, append_frame, create_stack
from twinlens.dataset.schema import (
    GROUP_COLUMNS,
    MIRROR_COLUMNS,
    PAIR_ROW,
    REJECT_COLUMNS,
    REJECTS,
    MirrorStateRecord,
    Reject,
)
from twinlens.dataset.stored_schemes import StoredScheme, ids_of_parts, write_schemes
from twinlens.dataset.text import table_of
from twinlens.errors import DatasetError
from twinlens.storage import reserve_disk

ROWS_PER_CHUNK = 1024
_STACKS = ("input", "target", "mask")
_COLUMNS = {"table": (PAIR_ROW, ()), "b_from_a": ("<f8", (3, 3)), "photometric": ("<f4", (2,))}


class PairWriter:
    """Appends pairs to `/pairs`, and remembers of each no more than its names and digest."""

    def __init__(self, file: h5py.File, *, layout: Layout = "contiguous") -> None:
        self._file = file
        self._layout = layout
        self._stacks: dict[str, h5py.Dataset] = {}
        self._columns: dict[str, h5py.Dataset] = {}
        self._like = ""
        self._digest_of: dict[str, bytes] = {}
        self._sessions_of: dict[str, set[str]] = {}
        self._mirror_states: list[str] = []
        self.members: list[Member] = []
        """Who was written, in the order of rows."""

    def __len__(self) -> int:
        return len(self.members)

    def append_all(self, found: Iterable[Entry | Reject]) -> list[Reject]:
        """Store every entry as it comes; the rejects among them.

        Raises:
            DatasetError: as `append`.
        """
        rejects = []
        for one in found:
            if isinstance(one, Entry):
                self.append(one)
            else:
                rejects.append(one)
        return rejects

    def append(self, entry: Entry) -> None:
        """Store one pair.

        Raises:
            DatasetError: its frames are not like the first pair's, or it was stored before.
        """
        self._require_fitting(entry)
        if not self._stacks:
            self._create(entry)
        member = entry.member
        self._sessions_of.setdefault(entry.scene, set()).add(member.session_id)
        if entry.mirror_state not in self._mirror_states:
            self._mirror_states.append(entry.mirror_state)
        row = entry.row.copy()
        row["group_id"] = list(self._sessions_of).index(entry.scene)
        row["mirror_state"] = self._mirror_states.index(entry.mirror_state)

        reserve_disk(self._file, entry.input.nbytes + entry.target.nbytes + entry.mask.nbytes)
        place = len(self)
        for name, frame in zip(_STACKS, (entry.input, entry.target, entry.mask.view(np.uint8)), strict=True):
            append_frame(self._stacks[name], place, frame)
        for name, value in (("table", row), ("b_from_a", entry.b_from_a), ("photometric", entry.photometric)):
            column = self._columns[name]
            column.resize(place + 1, axis=0)
            column[place] = value
        self._file.flush()
        self._digest_of[member.pair_id] = row["pair_hash"].tobytes()
        self.members.append(member)

    def write_groups(self, group_of: Mapping[str, str], places: Mapping[str, str]) -> None:
        """Write `/groups/table`: every scene, the group it belongs to, and the sessions that saw it."""
        scenes = list(self._sessions_of)
        columns = (
            np.arange(len(scenes), dtype=np.int32),
            [group_of[scene] for scene in scenes],
            scenes,
            ["\n".join(sorted(self._sessions_of[scene])) for scene in scenes],
            [places.get(scene, "") for scene in scenes],
        )
        self._file["/groups/table"] = table_of(dict(zip(GROUP_COLUMNS, columns, strict=True)))

    def write_mirror_states(self, known: tuple[MirrorStateRecord, ...]) -> None:
        """Write `/mirror_states`, with the drive values of those that are `known`."""
        known_by_label = {state.label: state for state in known}
        states = [known_by_label.get(label, MirrorStateRecord(label)) for label in self._mirror_states]
        values = np.full((len(states), max((len(state.values) for state in states), default=0) or 1), np.nan)
        for place, state in zip(values, states, strict=True):
            place[: len(state.values)] = state.values
        columns = ([state.label for state in states], values, [state.unit for state in states])
        self._file["/mirror_states"] = table_of(dict(zip(MIRROR_COLUMNS, columns, strict=True)))

    def write_rejects(self, rejects: Sequence[Reject]) -> None:
        """Write `/rejects/table`."""
        triggers = np.array([reject.trigger_index for reject in rejects], np.uint64)
        texts = {name: [str(getattr(reject, name)) for reject in rejects] for name in REJECT_COLUMNS}
        self._file[REJECTS] = table_of({**texts, "trigger_index": triggers})

    def write_schemes(self, schemes: Mapping[str, StoredScheme]) -> str:
        """Write the rows of every part of every scheme; return the dataset's content hash."""
        write_schemes(self._file, schemes)
        ids = [member.pair_id for member in self.members]
        return content_hash(list(self._digest_of.values()), ids_of_parts(schemes, ids))

    def _require_fitting(self, entry: Entry) -> None:
        if entry.row["pair_id"].decode() in self._digest_of:
            raise DatasetError(f"{entry.where} comes twice", hint="name every session once")
        self._like = self._like or entry.likeness
        if entry.likeness != self._like:
            mixed = ("colour" in entry.likeness) != ("colour" in self._like)
            raise DatasetError(
                f"{entry.where} has frames of {entry.likeness}; the pairs before it have {self._like}",
                hint="import all of them with --rgb, or all with --mono"
                if mixed
                else "build sessions of different size or bit depth into datasets of their own",
            )

    def _create(self, entry: Entry) -> None:
        frames = (entry.input, entry.target, entry.mask.view(np.uint8))
        for name, frame in zip(_STACKS, frames, strict=True):
            self._stacks[name] = create_stack(
                self._file, f"/pairs/{name}", shape=frame.shape, dtype=frame.dtype, layout=self._layout
            )
        for name, (kind, shape) in _COLUMNS.items():
            self._columns[name] = self._file.create_dataset(
                f"/pairs/{name}",
                shape=(0, *shape),
                maxshape=(None, *shape),
                chunks=(ROWS_PER_CHUNK, *shape),
                dtype=kind,
            )
