"""A recorded session: a folder with `session.json` and one folder of HDF5 segments per camera.

Nothing here talks to a camera. Pairs are not stored: A and B are joined on the trigger index when read.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

import h5py

from twinlens.capture.clock import clock_offsets_ns
from twinlens.capture.frame import CameraRole, Frame, FramePair, FrameRecord, MirrorState
from twinlens.capture.ledger import ROLES
from twinlens.capture.manifest import MANIFEST, Manifest, RecordedTake, SeriesKind, read_manifest
from twinlens.capture.pairing import Gap, Run, pair_records
from twinlens.capture.recorder import DETECTOR, read_rows
from twinlens.errors import CaptureError, SessionError
from twinlens.pixels import Mono

__all__ = ["MANIFEST", "Manifest", "RecordedTake", "Session", "SessionPairs", "sealed_records"]


class Session:
    """A session opened for reading."""

    def __init__(self, folder: Path) -> None:
        """Open the session in `folder`.

        Raises:
            SessionError: it is missing, foreign, or lacks frames of a camera.
        """
        self.folder = folder
        self.manifest = read_manifest(folder)
        self._records = {role: _read_records(folder, role, self.manifest.runs) for role in ROLES}

    @property
    def id(self) -> str:
        """The session's identity."""
        return self.manifest.id

    @property
    def ledger(self) -> tuple[Gap, ...]:
        """Every gap, with its reason."""
        return self.manifest.ledger

    def pairs(self, mirror_state: str | None = None, *, kind: SeriesKind = "scene") -> "SessionPairs":
        """Every complete pair, in trigger order, read when asked for; optionally of one mirror state only.

        Pairs of takes that were taken again are left out; `kind` chooses between scenes and correction series.
        """
        a, b = self._records["a"], self._records["b"]
        place_a = {entry.record.trigger_index: entry for entry in a}
        place_b = {entry.record.trigger_index: entry for entry in b}
        paired = pair_records((e.record for e in a), (e.record for e in b))
        places = [
            _PairPlace(place_a[i], place_b[i], self._take(i), offset_ns, self.manifest.bit_depth)
            for i, offset_ns in zip((r.trigger_index for r, _ in paired), clock_offsets_ns(paired), strict=True)
        ]
        return SessionPairs([place for place in places if place.take.answers(mirror_state, kind)])

    def mirror_states(self) -> tuple[MirrorState, ...]:
        """The mirror states of the session, in order of first use."""
        takes = [take for take in self.manifest.takes if take.kind == "scene" and not take.rejected]
        return tuple(dict.fromkeys(take.mirror_state for take in takes))

    def _take(self, trigger_index: int) -> RecordedTake:
        starts = [take.first_trigger for take in self.manifest.takes]
        return self.manifest.takes[max(0, bisect_right(starts, trigger_index) - 1)]


@dataclass(frozen=True, slots=True)
class _Place:
    record: FrameRecord
    segment: Path
    row: int


@dataclass(frozen=True, slots=True)
class _PairPlace:
    a: _Place
    b: _Place
    take: RecordedTake
    clock_offset_ns: int
    bit_depth: int


class SessionPairs(Sequence[FramePair]):
    """The pairs of a session; indexing reads two frames from disk, nothing is kept."""

    def __init__(self, places: Sequence[_PairPlace]) -> None:
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> FramePair: ...
    @overload
    def __getitem__(self, index: slice) -> "SessionPairs": ...
    def __getitem__(self, index: int | slice) -> "FramePair | SessionPairs":
        if isinstance(index, slice):
            return SessionPairs(self._places[index])
        place = self._places[index]
        take = place.take
        a, b = (_read_frame(half, place.bit_depth) for half in (place.a, place.b))
        return FramePair(a, b, take.scene, take.mirror_state, place.clock_offset_ns)

    def __iter__(self) -> Iterator[FramePair]:
        return (self[i] for i in range(len(self)))

    def __add__(self, other: "SessionPairs") -> "SessionPairs":
        return SessionPairs([*self._places, *other._places])

    @property
    def scenes(self) -> tuple[str, ...]:
        """The scene of each pair, without reading frames."""
        return tuple(place.take.scene for place in self._places)

    @property
    def labels(self) -> tuple[tuple[str, int, str], ...]:
        """Scene, trigger and mirror state of each pair, without reading frames."""
        return tuple(
            (place.take.scene, place.a.record.trigger_index, place.take.mirror_state.label)
            for place in self._places
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Scene and trigger of each pair, without reading frames."""
        return tuple(f"{place.take.scene} {place.a.record.trigger_index}" for place in self._places)

    def spread(self, count: int) -> "SessionPairs":
        """At most `count` pairs, as many different scenes as possible."""
        seen: Counter[str] = Counter()
        ranked = []
        for position, scene in enumerate(self.scenes):
            ranked.append((seen[scene], position))
            seen[scene] += 1
        return SessionPairs([self._places[position] for _, position in sorted(ranked)[:count]])


def _read_frame(place: _Place, bit_depth: int) -> Frame:
    try:
        with h5py.File(place.segment, "r", locking=False) as file:
            pixels: Mono = file[f"{DETECTOR}/data"][place.row]
    except (OSError, KeyError, ValueError, IndexError) as cause:
        raise SessionError(
            f"frame {place.row} of {place.segment} cannot be read: {cause}",
            hint="restore the session from a copy",
        ) from cause
    return Frame(pixels, place.record, bit_depth)


def sealed_records(folder: Path, runs: Sequence[Run] = ()) -> list[FrameRecord]:
    """The record of every frame in the sealed segments below `folder`, with its trigger where `runs` tell it."""
    return [place.record for role in ROLES for place in _numbered(_sealed_places(folder, role), runs)]


def _read_records(folder: Path, role: CameraRole, runs: Sequence[Run]) -> list[_Place]:
    places = _sealed_places(folder, role)
    if not places:
        raise SessionError(
            f"session {folder} has no frames of camera {role.upper()}", hint="record the session again"
        )
    return _numbered(places, runs)


def _numbered(places: list[_Place], runs: Sequence[Run]) -> list[_Place]:
    """The places whose frames answer a trigger, with that trigger; without runs the index in the row is it."""
    if not runs:
        return places
    by_start = defaultdict(list)
    for run in runs:
        by_start[run.camera, run.take, run.arming].append(run)
    found = []
    for place in places:
        record = place.record
        for run in by_start[record.camera, record.take, record.arming]:
            if run.first_index <= record.trigger_index <= run.last_index:
                numbered = replace(record, trigger_index=record.trigger_index + run.shift)
                found.append(replace(place, record=numbered))
    return found


def _sealed_places(folder: Path, role: CameraRole) -> list[_Place]:
    places: list[_Place] = []
    for path in sorted((folder / role).glob("seg_*.h5")):
        try:
            with h5py.File(path, "r", locking=False) as segment:
                rows = read_rows(segment, role)
        except (OSError, KeyError, ValueError, CaptureError) as cause:
            raise SessionError(
                f"{path} cannot be read: {cause}",
                hint="restore the segment from a copy, or mend it with 'twinlens verify --repair'",
            ) from cause
        places += [_Place(record, path, row) for row, record in enumerate(rows)]
    return places
