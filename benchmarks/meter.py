"""CPU seconds of several processes, told apart, and what only writing would take; for benchmarks/capture.py."""

import multiprocessing
import os
import time
from pathlib import Path

PLAIN_S = 3.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Meter:
    """CPU seconds of this process and its children, by name, between two moments."""

    def __init__(self) -> None:
        self._pids = {"parent": os.getpid()}
        self._pids |= {str(child.name): child.pid or 0 for child in multiprocessing.active_children()}
        self._began_s, self._before = time.monotonic(), self._read()
        self.loads: dict[str, float] = {}

    def read(self) -> None:
        """Take the present moment for the end, unless a process has ended already."""
        wall_s, now = time.monotonic() - self._began_s, self._read()
        if now.keys() == self._before.keys():
            self.loads = {name: (now[name] - self._before[name]) / wall_s for name in now}

    def _read(self) -> dict[str, float]:
        seconds = {}
        for name, pid in self._pids.items():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:  # it ended
                continue
            if fields[0] != "Z":
                seconds[name] = (int(fields[11]) + int(fields[12])) / TICKS_PER_S  # utime, stime: proc(5)
        return seconds


def plain_write(folder: Path, frame_bytes: int, rate_hz: float) -> tuple[float, float]:
    """CPU seconds per second of only writing two cameras' frames, synced every second; the bytes/s it reaches."""
    frame = os.urandom(frame_bytes)
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    with (folder / "plain").open("wb", buffering=0) as file:
        for count in range(1, 1 + round(2 * rate_hz * PLAIN_S)):
            file.write(frame)
            if count % round(2 * rate_hz) == 0:
                os.fdatasync(file.fileno())
        written = file.tell()
    return (time.process_time() - began_cpu_s) / PLAIN_S, written / (time.monotonic() - began_s)
