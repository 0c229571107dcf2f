"""Power cuts: what a disk holds at a random moment of a recording, and what a repair makes of it.

A recorder writes into an ext4 image at 20 fps. It is stopped, the image is copied as it is, with all that the
kernel still keeps back missing, and the copy is mounted, so that the file system replays its journal. Needs root.
(That a cut may also fall between any two pages is tried by tests/capture/test_repair.py.)
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from kills import RATE_HZ, SHAPE_HW, WORKER, Outcome, judge
from loop_disk import mounted, new_image, why_not


def run_cuts(count: int, *, seed: int) -> Iterator[Outcome]:
    """Cut the power `count` times."""
    rng = random.Random(seed)
    for _ in range(count):
        with tempfile.TemporaryDirectory(prefix="powercut_") as folder:
            yield cut(Path(folder), rng)


def cut(base: Path, rng: random.Random) -> Outcome:
    """One power cut."""
    image, copy, put = new_image(base / "image", size_mb=96), base / "copy", base / "put.txt"
    with mounted(image, base / "disk") as disk:
        session = disk / "session"
        session.mkdir()
        command = [sys.executable, "-c", WORKER, str(session), str(put), *map(str, SHAPE_HW), str(RATE_HZ)]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as worker:
            while not put.exists():
                time.sleep(0.01)
            time.sleep(rng.uniform(0.3, 4.0))
            worker.send_signal(signal.SIGSTOP)
            stopped_ns = time.monotonic_ns()
            subprocess.run(["cp", "--sparse=always", str(image), str(copy)], check=True)
            worker.kill()
    with mounted(copy, base / "after") as after:
        os.sync()
        return judge("power", after / "session", put, stopped_ns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    if reason := why_not():
        sys.exit(reason)
    outcomes = list(run_cuts(asked.count, seed=asked.seed))
    lost = [outcome.lost for outcome in outcomes]
    oldest_s = max(outcome.oldest_lost_s for outcome in outcomes)
    false = sum(outcome.false for outcome in outcomes)
    print(f"{len(outcomes)} power cuts, {sum(o.frames for o in outcomes)} frames whole after repair")
    print(f"frames lost: mean {sum(lost) / len(lost):.1f}, max {max(lost)}; the oldest was {oldest_s:.2f} s old")
    print(f"false frames believed: {false}")
    sys.exit(1 if oldest_s > 1.0 or false else 0)


if __name__ == "__main__":
    main()
