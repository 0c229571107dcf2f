"""Reads every byte of a dataset again: hashes, splits, leaks, times and where it comes from."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xxhash
from numpy.typing import NDArray

from twinlens.dataset.contents import READ_ERRORS, opened
from twinlens.dataset.duplicates import phash
from twinlens.dataset.heaps import unreadable, uses_heaps
from twinlens.dataset.identity import content_hash, pair_hash, pair_id
from twinlens.dataset.layout import load_codec
from twinlens.dataset.leaks import leaks, scheme_faults
from twinlens.dataset.measure import valid_rectangle
from twinlens.dataset.origins import calibration_findings, source_findings
from twinlens.dataset.packed import is_packed, misstated_tile
from twinlens.dataset.schema import DEFAULT_SCHEME, SCHEMA, SCHEMA_VERSION
from twinlens.dataset.seal import PIXELS, broken_seal, stored_seal
from twinlens.dataset.tables import Tables, read_tables
from twinlens.dataset.text import text_of
from twinlens.errors import CorruptError, FormatError
from twinlens.storage import check_schema_version

OTHER_ROUNDING_BITS = 4
"""By which a perceptual hash may differ where another release of OpenCV rounded."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it was written, or not as it must be."""

    where: str
    what: str
    is_leak: bool = False
    """Whether splits are not kept apart; the file itself may then be whole."""
    is_outside: bool = False
    """Whether it is about what the dataset was made from; the file itself may then be whole."""


@dataclass(frozen=True, slots=True)
class DatasetCheck:
    """What reading a dataset again found."""

    path: str
    content_hash: str
    pairs: int
    """How many were read and compared."""
    trigger_gaps: int
    """Triggers between the first and the last of each session that no pair answers: rejects and losses."""
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    """What its makers allowed: a group in two splits of a scheme that is marked leaky, a split without pairs."""
    unchecked: tuple[Problem, ...]
    """What could not be compared, and why."""
    seconds: float

    @property
    def is_intact(self) -> bool:
        """Whether everything that could be compared is as it was written, and splits are kept apart."""
        return not self.problems


def verify_dataset(
    path: Path, *, sources: Sequence[Path] = (), on_pair: Callable[[int, int], None] = lambda _done, _of: None
) -> DatasetCheck:
    """Check the dataset at `path`, with one pair in memory at a time.

    `sources` are folders in which to look for its sessions, beside those next to the file; what is found nowhere
    is a problem where they are given, else not compared. `on_pair` is told how many pairs of how many are read.

    Raises:
        FormatError: it is missing, no dataset, or of a newer schema.
    """
    started_s = time.monotonic()
    check = _Check(path)
    try:
        with opened(path) as file:
            check.read(file, sources, on_pair)
    except CorruptError as error:
        check.note(path.name, error.message)
    return DatasetCheck(
        path=str(path),
        content_hash=check.content_hash,
        pairs=check.pairs,
        trigger_gaps=check.trigger_gaps,
        problems=tuple(check.problems),
        warnings=tuple(check.warnings),
        unchecked=tuple(check.unchecked),
        seconds=time.monotonic() - started_s,
    )


@dataclass
class _Check:
    path: Path
    content_hash: str = ""
    pairs: int = 0
    trigger_gaps: int = 0
    target_hashes: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    """Perceptual hash of every target that could be read, from its pixels: a table may say what it likes."""
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    unchecked: list[Problem] = field(default_factory=list)

    def note(self, where: str, what: str) -> None:
        self.problems.append(Problem(where, what))

    def read(self, file: h5py.File, sources: Sequence[Path], on_pair: Callable[[int, int], None]) -> None:
        reason = unreadable(self.path) if uses_heaps(file) else None
        if reason is not None:
            self.note(self.path.name, f"its tables cannot be read: {reason}")
            return
        self._head(file)
        tables = read_tables(file)
        self.content_hash = tables.attributes.get("content_hash", "")
        if not self._shapes(file, tables):
            return
        hashes = self._pairs(file, tables, on_pair)
        self._identity(tables, hashes)
        self._splits(tables)
        self._times(tables)
        for finding in (*source_findings(tables, self.path, sources), *calibration_findings(tables)):
            seen = Problem(finding.where, finding.what, is_outside=finding.is_outside)
            (self.problems if finding.is_fault else self.unchecked).append(seen)

    def _head(self, file: h5py.File) -> None:
        schema = text_of(file.attrs.get("schema", "nothing"))
        if schema != SCHEMA:
            raise FormatError(
                f"{self.path} holds {schema!r}, {SCHEMA!r} is needed", hint="give a file that twinlens built"
            )
        version = text_of(file.attrs["schema_version"])
        check_schema_version(version, SCHEMA_VERSION, path=self.path, error=FormatError)
        if int(file.attrs["complete"]) != 1:
            self.note("/", "was never finished (complete = 0)")
        if stored_seal(file) is None and version.startswith(("1.0.", "1.1.")):
            self.unchecked.append(Problem("/", "no seal over its tables: written by an older release"))
        elif broken_seal(file):
            self.note("/", "its tables and attributes do not have their seal")

    def _shapes(self, file: h5py.File, tables: Tables) -> bool:
        """Whether pairs can be read at all; what is wrong with their shape is noted."""
        before, count = len(self.problems), len(tables)
        found = [file[name] for name in PIXELS]
        frame = found[0].shape[1:]
        is_picture = len(frame) == 2 or (len(frame) == 3 and frame[2] == 3)
        for dataset, shape in zip(found, (frame, frame, frame[:2]), strict=True):
            if not is_picture or dataset.shape != (count, *shape):
                self.note(dataset.name, f"is {dataset.shape}, for {count} rows and inputs of {found[0].shape}")
        depths = set(tables.table["bit_depth"].tolist())
        wanted = {"uint8" if depth <= 8 else "uint16" for depth in depths}
        for dataset in found[:2]:
            if {str(dataset.dtype)} != wanted:
                self.note(dataset.name, f"is {dataset.dtype}; its rows say {' and '.join(sorted(wanted))}")
        if found[2].dtype != np.uint8:
            self.note(found[2].name, f"is {found[2].dtype}; uint8 is needed")
        for name, array, shape in (
            ("/pairs/b_from_a", tables.b_from_a, (count, 3, 3)),
            ("/pairs/photometric", tables.photometric, (count, 2)),
        ):
            if array.shape != shape:
                self.note(name, f"is {array.shape}; {shape} is needed")
        for column, most in (("group_id", len(tables.scenes)), ("mirror_state", len(tables.mirror_states))):
            values = tables.table[column]
            if count and (values.min() < 0 or values.max() >= most):
                self.note("/pairs/table", f"{column} is {values.min()} to {values.max()}, of {most} known")
        if not count:
            self.note("/pairs/table", "holds no pair")
        return len(self.problems) == before

    def _pairs(self, file: h5py.File, tables: Tables, on_pair: Callable[[int, int], None]) -> list[bytes]:
        """Compare pixels with the table; the hash of each pair, recomputed."""
        hashes, found = [], [file[name] for name in PIXELS]
        self.target_hashes = np.zeros(len(tables), np.uint64)
        if any(map(is_packed, found)):
            load_codec()
        for row in range(len(tables)):
            try:
                crash = next(filter(None, (misstated_tile(one, row) for one in found if is_packed(one))), None)
                frames = () if crash else tuple(one[row] for one in found)
            except READ_ERRORS as cause:
                crash = str(cause)
            if crash:
                self.note(f"pair {row}", f"its pixels cannot be read: {crash}")
                continue
            if tables.column("pair_hash") is not None:
                hashes.append(_pair_hash(tables, row, frames))
            self.target_hashes[row] = phash(frames[1][valid_rectangle(frames[2] != 0)])
            for problem in (
                *_pair_faults(tables, row, frames, hashes),
                *_hash_faults(tables.column("phash_tg"), row, self.target_hashes),
            ):
                self.note(f"pair {row}", problem)
            self.pairs += 1
            on_pair(row + 1, len(tables))
        if tables.column("pair_hash") is None:
            why = "no hashes of whole pairs, masks included: written by an older release"
            self.unchecked.append(Problem("/pairs/table", why))
        return hashes

    def _identity(self, tables: Tables, hashes: list[bytes]) -> None:
        ids = [value.decode("ascii", "replace") for value in tables.table["pair_id"].tolist()]
        (most, times), *_ = Counter(ids).most_common(1)
        if times > 1:
            self.note("/pairs/table", f"pair {most} is there {times} times")
        if len(hashes) < len(ids):
            return
        count = len(ids)
        schemes: Any = {
            scheme.name: {part: [ids[k] for k in rows if 0 <= k < count] for part, rows in scheme.rows_of.items()}
            for scheme in tables.schemes
        }
        if content_hash(hashes, schemes) != self.content_hash:
            self.note("/", "its pairs and splits do not have its content hash")

    def _splits(self, tables: Tables) -> None:
        if DEFAULT_SCHEME not in {scheme.name for scheme in tables.schemes}:
            self.note("/splits", f"has no scheme {DEFAULT_SCHEME!r}")
        for scheme in tables.schemes:
            where = f"splits/{scheme.name}"
            for fault in scheme_faults(scheme, len(tables)):
                self.note(where, fault)
            kept = self.warnings if scheme.is_leaky else self.problems
            kept.extend(Problem(where, leak, is_leak=True) for leak in leaks(scheme, tables, self.target_hashes))
            empty = [split for split, rows in scheme.splits().items() if not rows.size]
            if empty and scheme.name == DEFAULT_SCHEME:
                self.warnings.append(Problem(where, f"no pair in {' and '.join(empty)}"))

    def _times(self, tables: Tables) -> None:
        sessions = tables.table["session_id"]
        host_ns = tables.column("host_time_ns")
        for session in np.unique(sessions):
            rows = np.flatnonzero(sessions == session)
            triggers = tables.table["trigger_index"][rows]
            order = np.argsort(triggers, kind="stable")
            self.trigger_gaps += int(triggers.max()) - int(triggers.min()) + 1 - len(np.unique(triggers))
            times_ns = host_ns[rows[order]] if host_ns is not None else np.zeros(0, np.int64)
            known = times_ns != 0
            back = np.flatnonzero(np.diff(times_ns[known]) <= 0)
            if back.size:
                trigger = triggers[order][known][back[0] + 1]
                self.note(f"session {session.decode()}", f"trigger {trigger} was not later than the one before")
        if host_ns is None or not host_ns.any():
            self.unchecked.append(Problem("/pairs/table", "no times of the host: order in time is not known"))


def _pair_faults(tables: Tables, row: int, frames: tuple[Any, ...], hashes: Sequence[bytes]) -> Iterator[str]:
    said = tables.table[row]
    for column, what, frame in (("xxh_in", "input", frames[0]), ("xxh_tg", "target", frames[1])):
        if xxhash.xxh3_64_intdigest(np.ascontiguousarray(frame).data) != int(said[column]):
            yield f"its {what} does not have its hash"
    if int(frames[2].max()) > 1:
        yield f"its mask holds {frames[2].max()}; 0 and 1 are needed"
    if hashes and hashes[-1] != said["pair_hash"].tobytes():
        yield "its pixels, mask and passport do not have their hash"
    name = said["pair_id"].decode("ascii", "replace")
    if name != pair_id(said["session_id"].decode("utf-8", "replace"), int(said["trigger_index"])):
        yield f"is called {name}, which is not its session's and trigger's name"


def _hash_faults(stored: NDArray[np.uint64] | None, row: int, found: NDArray[np.uint64]) -> Iterator[str]:
    bits = 0 if stored is None else int(np.bitwise_count(stored[row] ^ found[row]))
    if bits > OTHER_ROUNDING_BITS:
        yield f"its target looks unlike its perceptual hash, by {bits} of 64 bits"


def _pair_hash(tables: Tables, row: int, frames: tuple[Any, ...]) -> bytes:
    said = tables.table[row]
    gain, offset = tables.photometric[row]
    return pair_hash(
        said,
        frames=(frames[0], frames[1], frames[2].view(np.bool_)),
        labels=(tables.scenes[said["group_id"]], tables.mirror_states[said["mirror_state"]]),
        b_from_a=tables.b_from_a[row],
        photometric=(float(gain), float(offset)),
    )
