"""Pairs per minute and peak memory of `twinlens build`, and what of its time is registration.

Sessions of 2592x2048 px are written from the twin (no cameras), calibrated once, and built by the command line in
two processes, first 50 and then 200 pairs. Memory is the proportional set size of the command and its processes
together, read ten times a second, without the page cache. Reference of the time split: the same run's own
registration, and writing alone, per pair. Ends with exit code 1 if a bar is missed.
Run: python benchmarks/build.py [--pairs 50 200] [--jobs 2]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import cv2
from twin_session import write_session

from twinlens.build_plan import plan, run
from twinlens.capture.session import Session
from twinlens.capture.virtual.twin import RigTwin, TwinSettings
from twinlens.dataset.build import DatasetSettings
from twinlens.dataset.parts import read_part, write_part
from twinlens.handover import calibrate_sessions

SCENES, SHAPE_HW = 10, (2048, 2592)
LIMIT_GIB, WANTED_PAIRS, WANTED_MINUTES = 1.5, 1200, 20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, nargs="+", default=[50, 200])
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sessions, calibration = record(Path(folder), sorted(asked.pairs))
        split_time(sessions[0], calibration, Path(folder))
        figures = {}
        for count, upto in zip(sorted(asked.pairs), range(1, 1 + len(sessions)), strict=True):
            figures[count] = build(sessions[:upto], calibration, Path(folder) / f"d{count}.h5", jobs=asked.jobs)
            seconds, peak = figures[count]
            print(
                f"{count:5d} pairs, {asked.jobs} processes: {seconds:6.1f} s, "
                f"{60 * count / seconds:5.1f} pairs/min, peak memory {peak:.2f} GiB",
                flush=True,
            )
    return judge(figures)


def record(folder: Path, counts: list[int]) -> tuple[list[Session], Path]:
    """Sessions whose pairs add up to each of `counts` in turn, and the calibration of the first."""
    twin = RigTwin(TwinSettings(shape_hw=SHAPE_HW))
    scenes = min(SCENES, len(twin.scene_names))
    sessions = []
    for number, count in enumerate(counts):
        new = count - sum(counts[:number][-1:])
        shares = [new // scenes + (k < new % scenes) for k in range(scenes)]
        sessions.append(write_session(folder / f"s{number}", twin, shares))
    began = time.perf_counter()
    calibration = folder / "calibration.json"
    calibrate_sessions(sessions[:1]).write(calibration)
    print(f"{scenes} scenes, {counts[-1]} pairs recorded; calibrated in {time.perf_counter() - began:.1f} s")
    return sessions, calibration


def split_time(session: Session, calibration: Path, folder: Path) -> None:
    """Prints seconds per pair of one task in this process, one thread: whole, and writing its pixels alone."""
    cv2.setNumThreads(1)
    todo = plan([session], calibration, folder / "split.h5", settings=DatasetSettings())
    todo.work.mkdir()
    run(todo.tasks[0])  # files and caches
    task = todo.tasks[1]
    began = time.perf_counter()
    run(task)
    whole_s = (time.perf_counter() - began) / len(task.pairs)
    entries = list(read_part(task.part))
    began = time.perf_counter()
    write_part(entries, folder / "again.h5")
    written_s = (time.perf_counter() - began) / len(task.pairs)
    print(
        f"one process: {whole_s:.2f} s per pair, of which writing {written_s:.2f} s; "
        f"aligning and measuring are {100 * (1 - written_s / whole_s):.0f} %"
    )


def build(sessions: list[Session], calibration: Path, out: Path, *, jobs: int) -> tuple[float, float]:
    """Seconds and peak GiB of one build by the command line."""
    folders = [str(session.folder) for session in sessions]
    began = time.perf_counter()
    command = ["twinlens", "build", *folders, "-c", calibration, "-o", out, "--jobs", str(jobs), "--json"]
    with subprocess.Popen(
        [str(Path(sys.executable).with_name("twinlens")), *map(str, command[1:])],
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        ended, peak = threading.Event(), [0.0]
        watch = threading.Thread(target=_watch, args=(child.pid, ended, peak))
        watch.start()
        told, _ = child.communicate()
        ended.set()
        watch.join()
    if child.returncode:
        sys.exit(f"the build ended with {child.returncode}")
    seconds = time.perf_counter() - began
    if not json.loads(told)["pairs"]:
        sys.exit("the build kept no pair")
    out.unlink()
    return seconds, peak[0]


def _watch(pid: int, ended: threading.Event, peak: list[float]) -> None:
    while not ended.wait(0.1):
        peak[0] = max(peak[0], sum(map(_pss_gib, _family(pid))))


def _family(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        try:
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        except OSError:  # it ended
            continue
        found += [int(child) for child in children]
    return found


def _pss_gib(pid: int) -> float:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().split("\n")
    except OSError:  # it ended
        return 0.0
    return sum(int(line.split()[1]) for line in rollup if line.startswith("Pss_Anon:")) / 2**20


def judge(figures: dict[int, tuple[float, float]]) -> int:
    """Print the bars; the exit code."""
    counts = sorted(figures)
    (few_s, few_gib), (many_s, many_gib) = figures[counts[0]], figures[counts[-1]]
    del few_s
    minutes = WANTED_PAIRS * many_s / counts[-1] / 60
    bars = [
        (f"peak memory {many_gib:.2f} GiB, at most {LIMIT_GIB}", many_gib <= LIMIT_GIB),
        (
            f"memory of {counts[-1]} against {counts[0]} pairs {many_gib / few_gib:.2f}x, at most 1.15x",
            many_gib <= 1.15 * few_gib,
        ),
        (
            f"{WANTED_PAIRS} pairs in {minutes:.1f} min, extrapolated, at most {WANTED_MINUTES}",
            minutes <= WANTED_MINUTES,
        ),
    ]
    for text, holds in bars:
        print(("pass  " if holds else "MISS  ") + text)
    return int(not all(holds for _, holds in bars))


if __name__ == "__main__":
    sys.exit(main())
