"""A recording from the virtual rig onto a small disk until it is full: what is told, what is left. Needs root."""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from loop_disk import mounted, new_image, why_not

from twinlens.capture.capture import Take, capture
from twinlens.capture.rig_file import RigSettings
from twinlens.capture.session import Session
from twinlens.capture.session_verify import verify_session
from twinlens.capture.virtual.loop import LoopSettings
from twinlens.capture.virtual.rehearse import virtual_rig
from twinlens.capture.virtual.stamp import read_trigger
from twinlens.errors import HostLimitError

ADDRESSES, SERIALS = ("127.0.3.62", "127.0.3.63"), ("FA", "FB")


def fill(out: Path, shape_hw: tuple[int, int]) -> dict[str, object]:
    """Record until the disk is full."""
    rig = RigSettings(a=SERIALS[0], b=SERIALS[1], trigger="hardware", exposure_us=1000.0)
    seen, ended = 0, None
    with virtual_rig(
        LoopSettings(shape_hw=shape_hw, frames=2), addresses=ADDRESSES, serials=SERIALS, pulses_hz=20.0
    ):
        try:
            for report in capture(rig, [Take("x", 100_000)], out=out):
                seen = report.pairs
        except HostLimitError as error:
            ended = error
    (session,) = out.glob("session_*")
    check = verify_session(session)
    pairs = Session(session).pairs()
    return {
        "told": ended.message if ended else None,
        "hint": ended.hint if ended else None,
        "folder": session.name,
        "pairs told": seen,
        "pairs left": len(pairs),
        "wrong pairs": sum(read_trigger(pair.a.pixels) != read_trigger(pair.b.pixels) for pair in pairs),
        "problems": [f"{problem.where}: {problem.what}" for problem in check.problems],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size-mb", type=int, default=128)
    parser.add_argument("--shape-hw", type=int, nargs=2, default=(480, 640))
    asked = parser.parse_args()
    if reason := why_not():
        sys.exit(reason)
    with tempfile.TemporaryDirectory(prefix="disk_full_") as folder:
        image = new_image(Path(folder) / "image", size_mb=asked.size_mb)
        with mounted(image, Path(folder) / "disk") as disk:
            found = fill(disk / "sessions", tuple(asked.shape_hw))
            print(json.dumps(found, indent=2))
            print(subprocess.run(["df", "-k", str(disk)], capture_output=True, text=True, check=True).stdout)
    good = found["told"] and found["pairs left"] and not found["wrong pairs"] and not found["problems"]
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
