"""A recorded session: a folder with `session.json` and one folder of HDF5 segments per camera.

Nothing here talks to a camera. Pairs are not stored: A and B are joined on the trigger index when read.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, overload

import h5py

from twinlens.capture.clock import clock_offset_ns
from twinlens.capture.frame import CameraRole, Frame, FramePair, FrameRecord, MirrorState
from twinlens.capture.pairing import Gap, pair_records
from twinlens.capture.recorder import DETECTOR, read_rows
from twinlens.errors import CaptureError, SessionError
from twinlens.pixels import Mono
from twinlens.storage import read_artefact, write_artefact

SCHEMA = "twinlens.session"
SCHEMA_VERSION = "1.0.0"
MANIFEST = "session.json"


@dataclass(frozen=True, slots=True)
class RecordedTake:
    """Consecutive triggers of one scene under one mirror state."""

    scene: str
    mirror_state: MirrorState
    first_trigger: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything `session.json` says."""

    id: str
    complete: bool
    """Whether every pair that was asked for is there."""
    cameras: dict[str, dict[str, str]]
    """"a" and "b": serial, vendor, model, user_name."""
    settings: dict[str, Any]
    producer: str
    shape_hw: tuple[int, int]
    bit_depth: int
    takes: tuple[RecordedTake, ...]
    triggers: int
    """How many were fired."""
    ledger: tuple[Gap, ...]
    stream: dict[str, dict[str, int]]
    """Per camera: the producer's counters at the end."""

    def write(self, folder: Path) -> None:
        """Write `session.json` into `folder`."""
        write_artefact(folder / MANIFEST, SCHEMA, SCHEMA_VERSION, asdict(self))


class Session:
    """A session opened for reading."""

    def __init__(self, folder: Path) -> None:
        """Open the session in `folder`.

        Raises:
            SessionError: it is missing, foreign, or lacks frames of a camera.
        """
        self.folder = folder
        self.manifest = _read_manifest(folder)
        self._records = {role: _read_records(folder, role) for role in ("a", "b")}

    @property
    def id(self) -> str:
        """The session's identity."""
        return self.manifest.id

    @property
    def ledger(self) -> tuple[Gap, ...]:
        """Every gap, with its reason."""
        return self.manifest.ledger

    def pairs(self, mirror_state: str | None = None) -> "SessionPairs":
        """Every complete pair, in trigger order, read when asked for; optionally of one mirror state only."""
        a, b = self._records["a"], self._records["b"]
        place_a = {entry.record.trigger_index: entry for entry in a}
        place_b = {entry.record.trigger_index: entry for entry in b}
        paired = pair_records((e.record for e in a), (e.record for e in b))
        offset_ns = clock_offset_ns(paired)
        indices = [
            record_a.trigger_index
            for record_a, _ in paired
            if mirror_state is None or self._take(record_a.trigger_index).mirror_state.label == mirror_state
        ]
        places = [_PairPlace(place_a[i], place_b[i], self._take(i), offset_ns) for i in indices]
        return SessionPairs(places)

    def mirror_states(self) -> tuple[MirrorState, ...]:
        """The mirror states of the session, in order of first use."""
        return tuple(dict.fromkeys(take.mirror_state for take in self.manifest.takes))

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
        return FramePair(
            _read_frame(place.a), _read_frame(place.b), take.scene, take.mirror_state, place.clock_offset_ns
        )

    def __iter__(self) -> Iterator[FramePair]:
        return (self[i] for i in range(len(self)))

    def __add__(self, other: "SessionPairs") -> "SessionPairs":
        return SessionPairs([*self._places, *other._places])

    @property
    def scenes(self) -> tuple[str, ...]:
        """The scene of each pair, without reading frames."""
        return tuple(place.take.scene for place in self._places)

    def spread(self, count: int) -> "SessionPairs":
        """At most `count` pairs, as many different scenes as possible."""
        seen: Counter[str] = Counter()
        ranked = []
        for position, scene in enumerate(self.scenes):
            ranked.append((seen[scene], position))
            seen[scene] += 1
        return SessionPairs([self._places[position] for _, position in sorted(ranked)[:count]])


def _read_frame(place: _Place) -> Frame:
    try:
        with h5py.File(place.segment, "r", locking=False) as file:
            pixels: Mono = file[f"{DETECTOR}/data"][place.row]
    except (OSError, KeyError, ValueError, IndexError) as cause:
        raise SessionError(
            f"frame {place.row} of {place.segment} cannot be read: {cause}",
            hint="restore the session from a copy",
        ) from cause
    return Frame(pixels, place.record)


def _read_manifest(folder: Path) -> Manifest:
    if not (folder / MANIFEST).is_file():
        raise SessionError(
            f"{folder} holds no {MANIFEST}", hint="give a session folder that 'twinlens capture' wrote"
        )
    values = read_artefact(folder / MANIFEST, SCHEMA, SCHEMA_VERSION, error=SessionError)
    if not values.get("takes"):
        raise SessionError(f"{folder / MANIFEST} lists no take", hint="restore the session from a copy")
    try:
        return Manifest(
            id=values["id"],
            complete=values["complete"],
            cameras={role: dict(values["cameras"][role]) for role in ("a", "b")},
            settings=dict(values["settings"]),
            producer=values["producer"],
            shape_hw=(values["shape_hw"][0], values["shape_hw"][1]),
            bit_depth=values["bit_depth"],
            takes=tuple(_take(take) for take in values["takes"]),
            triggers=values["triggers"],
            ledger=tuple(Gap(**gap) for gap in values["ledger"]),
            stream=values["stream"],
        )
    except (KeyError, TypeError, IndexError, ValueError) as cause:
        raise SessionError(
            f"{folder / MANIFEST} lacks or misstates {cause}", hint="restore the session from a copy"
        ) from cause


def _take(values: dict[str, Any]) -> RecordedTake:
    state = values["mirror_state"]
    mirror_state = MirrorState(state["label"], tuple(state["values"]), state["unit"])
    return RecordedTake(values["scene"], mirror_state, values["first_trigger"])


def sealed_records(folder: Path) -> list[FrameRecord]:
    """The record of every frame in the sealed segments below `folder`."""
    roles: tuple[CameraRole, CameraRole] = ("a", "b")
    return [place.record for role in roles for place in _sealed_places(folder, role)]


def _read_records(folder: Path, role: CameraRole) -> list[_Place]:
    places = _sealed_places(folder, role)
    if not places:
        raise SessionError(
            f"session {folder} has no frames of camera {role.upper()}", hint="record the session again"
        )
    return places


def _sealed_places(folder: Path, role: CameraRole) -> list[_Place]:
    places: list[_Place] = []
    with ExitStack() as stack:
        for path in sorted((folder / role).glob("seg_*.h5")):
            try:
                segment = stack.enter_context(h5py.File(path, "r", locking=False))
                rows = read_rows(segment, role)
            except (OSError, KeyError, ValueError, CaptureError) as cause:
                raise SessionError(
                    f"{path} cannot be read: {cause}", hint="restore the segment from a copy, or move it away"
                ) from cause
            places += [_Place(record, path, row) for row, record in enumerate(rows)]
    return places
