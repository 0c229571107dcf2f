"""What a virtual camera really did, trigger by trigger: the truth that recordings are judged by."""

import itertools
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from twinlens.errors import HostLimitError

Event = Literal["sent", "missed", "extra", "lost", "too fast", "not armed", "unplugged"]
"""sent: a frame left the camera, wholly or in part. missed: the camera overlooked the trigger. extra: a frame
without trigger. lost: block id used, no packet sent. too fast: the camera was busy. not armed: a pulse came
outside of acquisition. unplugged: the camera vanished, in the middle of this frame if it has a block id."""
_MEMORY = 100_000
"""Entries kept in memory: 80 minutes at 20 fps."""
_HELD_BACK = 32
"""Entries that wait before they are written to the file, because resends may still change them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One trigger, or one frame nobody triggered, as the camera saw it."""

    trigger: int
    """The number stamped into the pixels; -1 where nothing was triggered and nothing stamped."""
    block_id: int
    """As sent; 0 where no block id was used up."""
    event: Event
    dropped_packets: int = 0
    """Packets of this frame that a fault kept from leaving at first, leader and trailer included."""
    resent_packets: int = 0
    """Packets of this frame that left again because a host asked."""
    time_ns: int = 0
    """Host's monotonic clock when the exposure began (or would have), ns."""
    arming: int = 0
    """Stream starts since power-up before the one this belongs to."""


class CameraLog:
    """Entries in order; safe to use from any thread. The file has one JSON object a line."""

    def __init__(self, path: Path | None = None) -> None:
        """Keep entries in memory and, if `path` is given, in a new file there.

        Raises:
            HostLimitError: the file cannot be written.
        """
        self._lock = threading.Lock()
        self._entries: dict[int, LogEntry] = {}
        self._numbers = itertools.count()
        self._unwritten: list[int] = []
        self._counts: Counter[Event] = Counter()
        self._opened = ExitStack()
        self._file = None
        if path is not None:
            try:
                self._file = self._opened.enter_context(path.open("w", encoding="utf-8"))
            except OSError as cause:
                raise HostLimitError(
                    f"the camera log {path} cannot be written: {cause.strerror}",
                    hint="give a file in a folder that exists and is writable",
                ) from cause

    def __len__(self) -> int:
        """How many entries are in memory."""
        return len(self._entries)

    def __bool__(self) -> bool:
        """True: an empty log is still one, so that `log or ...` keeps it."""
        return True

    def __iter__(self) -> Iterator[LogEntry]:
        """The entries in memory, oldest first, as they are now."""
        return iter(self.entries())

    def entries(self, *events: Event) -> list[LogEntry]:
        """The entries in memory, oldest first; only those of `events` if any are named."""
        with self._lock:
            return [entry for entry in self._entries.values() if not events or entry.event in events]

    def count(self, *events: Event) -> int:
        """How many of `events` there were, forgotten entries included."""
        with self._lock:
            return sum(self._counts[event] for event in events)

    def add(self, entry: LogEntry) -> int:
        """Append; the number by which `add_resent` finds the entry again."""
        with self._lock:
            number = next(self._numbers)
            self._entries[number] = entry
            self._counts[entry.event] += 1
            if self._file is not None:
                self._unwritten.append(number)
                self._write(leave=_HELD_BACK)
            if len(self._entries) > _MEMORY:
                del self._entries[next(iter(self._entries))]
            return number

    def add_resent(self, number: int, packets: int) -> None:
        """Count packets that left again; without effect on an entry that is long past."""
        with self._lock:
            entry = self._entries.get(number)
            if entry is not None:
                self._entries[number] = replace(entry, resent_packets=entry.resent_packets + packets)

    def flush(self) -> None:
        """Write what the file lacks."""
        with self._lock:
            self._write(leave=0)
            if self._file is not None:
                self._file.flush()

    def close(self) -> None:
        """Write what the file lacks and close it; the entries in memory stay readable."""
        self.flush()
        with self._lock:
            self._file = None
            self._opened.close()

    def _write(self, *, leave: int) -> None:
        if self._file is None:
            return
        while len(self._unwritten) > leave:
            self._file.write(json.dumps(asdict(self._entries[self._unwritten.pop(0)])) + "\n")


def read_log(path: Path) -> list[LogEntry]:
    """The entries in a log file."""
    with path.open(encoding="utf-8") as lines:
        return [LogEntry(**json.loads(line)) for line in lines]
