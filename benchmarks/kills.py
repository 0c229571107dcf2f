"""SIGKILLs at random moments while recording: what is lost, how old it was, whether anything false is believed.

`--capture` records from the virtual rig through harvesters and our producer (pairs are judged by the trigger
number in their pixels); without it, processes like the rig's feed recorders at 20 fps. The time at which a frame
was handed to the recorder is written to a side file; a lost frame's age is the time of the kill minus that.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from twinlens.capture.repair import repair_session
from twinlens.capture.rows import DETECTOR, read_rows
from twinlens.capture.session import Session
from twinlens.capture.session_mend import mend_session
from twinlens.capture.session_verify import verify_session
from twinlens.capture.virtual.loop import LoopSettings
from twinlens.capture.virtual.rehearse import virtual_rig
from twinlens.capture.virtual.stamp import read_trigger

RATE_HZ = 20.0
SHAPE_HW = (256, 512)
VICTIMS = ("worker", "parent", "both")
"""A camera's process; the process that started it; both at once, as the kernel does when memory runs out."""
ADDRESSES, SERIALS = ("127.0.3.52", "127.0.3.53"), ("KA", "KB")


@dataclass(frozen=True)
class Outcome:
    """What one kill did."""

    victim: str
    frames: int
    """Recorded, and whole after the repair."""
    lost: int
    oldest_lost_s: float
    """Age at the kill of the oldest frame that is not there; 0 if none is missing."""
    false: int
    """Frames or pairs that are believed and are not what was recorded."""


def pixels_of(index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 256, SHAPE_HW, dtype=np.uint8)


WORKER = """
import os, sys, time
from pathlib import Path
import numpy as np
from twinlens.capture.frame import Frame, FrameRecord
from twinlens.capture.recorder import Recorder

folder, put = Path(sys.argv[1]), Path(sys.argv[2])
shape_hw, rate_hz = (int(sys.argv[3]), int(sys.argv[4])), float(sys.argv[5])
recorder = Recorder(folder / "a", "a", attributes={"serial": "K"}, on_written=lambda _: None)
told = os.open(put, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.set_blocking(0, False)
started_s = time.monotonic()
for index in range(100_000):
    pixels = np.random.default_rng(index).integers(0, 256, shape_hw, dtype=np.uint8)
    record = FrameRecord("a", index, index + 1, index * 50_000_000, time.monotonic_ns(), 1.0, 0.0, True, 0, 0)
    if recorder.put(Frame(pixels, record)) == "queued":
        os.write(told, f"{index} {record.host_time_ns}\\n".encode())
    time.sleep(max(0.0, started_s + (index + 1) / rate_hz - time.monotonic()))
    if sys.stdin.buffer.read() == b"":
        break  # the parent is gone
recorder.close()
"""
PARENT = """
import subprocess, sys
with subprocess.Popen([sys.executable, "-c", *sys.argv[1:]], stdin=subprocess.PIPE) as worker:
    print(worker.pid, flush=True)
    worker.wait()
"""


def kill_recorder(folder: Path, victim: str, rng: random.Random) -> Outcome:
    """One kill of a process that feeds a recorder, or of its parent."""
    arguments = [str(folder), str(folder / "put.txt"), *map(str, SHAPE_HW), str(RATE_HZ)]
    command = [sys.executable, "-c", PARENT, WORKER, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        while not (folder / "put.txt").exists():
            time.sleep(0.01)
        time.sleep(rng.uniform(0.1, 2.5))
        killed_ns = kill(victim, parent=parent.pid, worker=worker)
    while Path(f"/proc/{worker}").exists():  # an orphan seals and leaves
        time.sleep(0.02)
    return judge(victim, folder, folder / "put.txt", killed_ns)


def judge(victim: str, folder: Path, put: Path, ended_ns: int) -> Outcome:
    """Repair what is left in `folder`, and compare it with what was put into the recorder until `ended_ns`."""
    put_ns = dict(map(int, line.split()) for line in put.read_text().splitlines())
    repair_session(folder)
    found, false = set(), 0
    for path in sorted((folder / "a").glob("seg_*.h5")):
        with h5py.File(path, "r") as file:
            for row, pixels in zip(read_rows(file, "a"), file[f"{DETECTOR}/data"], strict=True):
                found.add(row.trigger_index)
                false += not np.array_equal(pixels, pixels_of(row.trigger_index))
    ages = [(ended_ns - at_ns) * 1e-9 for index, at_ns in put_ns.items() if index not in found]
    return Outcome(victim, len(found), len(ages), max(ages, default=0.0), false)


def kill(victim: str, *, parent: int, worker: int) -> int:
    """SIGKILL; the monotonic time just before."""
    killed_ns = time.monotonic_ns()
    for pid in {"worker": (worker,), "parent": (parent,), "both": (parent, worker)}[victim]:
        os.kill(pid, signal.SIGKILL)
    return killed_ns


CAPTURING = """
import sys, time
from pathlib import Path
from twinlens.capture.capture import Take, capture
from twinlens.capture.rig_file import RigSettings
from twinlens.errors import CameraLostError, CaptureError

if __name__ == "__main__":
    rig = RigSettings(a=sys.argv[2], b=sys.argv[3], trigger="hardware", exposure_us=1000.0)
    for attempt in range(20):
        try:
            for report in capture(rig, [Take("x", 100_000)], out=Path(sys.argv[1])):
                print(report.pairs, time.monotonic_ns(), flush=True)
        except CameraLostError:
            sys.exit(1)
        except CaptureError as error:  # a killed owner's cameras are free again after its heartbeat timeout
            print(0, error, file=sys.stderr)
            time.sleep(1.0)
"""


def kill_capture(folder: Path, victim: str, rng: random.Random) -> Outcome:
    """One kill of a camera's process or of the recording itself, on the virtual rig."""
    script, out = folder / "record.py", folder / "out"
    script.write_text(CAPTURING)
    errors = (folder / "errors.txt").open("w")
    command = [sys.executable, str(script), str(out), *SERIALS]
    with errors, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as parent:
        assert parent.stdout is not None
        told = [tuple(map(int, parent.stdout.readline().split()))]
        workers = camera_processes(parent.pid)
        until_s = time.monotonic() + rng.uniform(0.3, 2.5)
        while time.monotonic() < until_s:
            told.append(tuple(map(int, parent.stdout.readline().split())))
        killed_ns = kill(victim, parent=parent.pid, worker=rng.choice(workers))
        told += [tuple(map(int, line.split())) for line in parent.stdout]
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        time.sleep(0.05)
    (session,) = [path for path in out.iterdir() if any(path.glob("[ab]/seg_*"))]
    if session.suffix == ".part":
        session = Path(mend_session(session).folder)
    check = verify_session(session)
    pairs = Session(session).pairs()
    false = sum(read_trigger(pair.a.pixels) != read_trigger(pair.b.pixels) for pair in pairs)
    before = [(count, at_ns) for count, at_ns in told if at_ns <= killed_ns]
    lost = max(0, max(count for count, _ in before) - len(pairs))
    missing_since = [at_ns for count, at_ns in before if count > len(pairs)]
    age_s = (killed_ns - min(missing_since)) * 1e-9 if missing_since else 0.0
    return Outcome(victim, sum(check.frames.values()), lost, age_s, false + len(check.problems))


def camera_processes(parent: int) -> list[int]:
    """The processes that a recording started for its cameras."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@contextmanager
def rig(*, capture: bool) -> Iterator[None]:
    if not capture:
        yield
        return
    loop = LoopSettings(shape_hw=(480, 640), frames=2)
    with virtual_rig(loop, addresses=ADDRESSES, serials=SERIALS, pulses_hz=RATE_HZ):
        yield


def run_kills(count: int, *, capture: bool, seed: int) -> Iterator[Outcome]:
    """Kill each kind of victim `count` times."""
    rng = random.Random(seed)
    base = Path(tempfile.mkdtemp(prefix="kills_"))
    try:
        with rig(capture=capture):
            for number in range(count):
                for victim in VICTIMS:
                    folder = base / f"{number}_{victim}"
                    folder.mkdir()
                    yield (kill_capture if capture else kill_recorder)(folder, victim, rng)
                    shutil.rmtree(folder)
    finally:
        shutil.rmtree(base)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50, help="kills of each kind of victim")
    parser.add_argument("--capture", action="store_true", help="record from the virtual rig")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    outcomes = list(run_kills(asked.count, capture=asked.capture, seed=asked.seed))
    unit = "pairs" if asked.capture else "frames"
    print(f"killed    times  opened  frames whole  {unit} lost (mean, max)  oldest lost  false")
    for victim in VICTIMS:
        of = [outcome for outcome in outcomes if outcome.victim == victim]
        lost = [outcome.lost for outcome in of]
        oldest_s = max(outcome.oldest_lost_s for outcome in of)
        print(
            f"{victim:8} {len(of):6} {len(of):7} {sum(o.frames for o in of):13} {sum(lost) / len(of):15.1f} "
            f"{max(lost):6} {oldest_s:10.2f} s {sum(o.false for o in of):6}"
        )
    failed = [outcome for outcome in outcomes if outcome.oldest_lost_s > 1.0 or outcome.false]
    for outcome in failed:
        print("FAILED", json.dumps(outcome.__dict__))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
