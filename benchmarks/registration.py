"""How exactly, how fast and how carefully A is registered to B, by the truth of a simulated rig.

Photographs from `../shared/scenes` (where it is there) and from scikit-image's wheel are taken by two simulated
cameras (`registration_twin.py`). References in the same run: ORB + RANSAC, `cv2.findTransformECC`, mean and
standard deviation, SIFT + MAGSAC. Ends with exit code 1 if a bar is missed.
Run: python benchmarks/registration.py [--quick] [--sections NAME ...] [--seeds N] [--images N] [--width PX]
     [--sections real --report FOLDER] [--sections defocus --defocus FOLDER ...]
"""

import argparse
import sys
import time
from pathlib import Path

from registration_defocus import run_defocus
from registration_gates import run_gates
from registration_photometric import run_photometric
from registration_real import run_real
from registration_run import SHARED, Run
from registration_sessions import run_sessions
from registration_single import run_single
from registration_speed import run_speed

from twinlens.calibrate import CalibrationReport
from twinlens.report.pages import write_report
from twinlens.report.street import registration_street

SECTIONS = {
    "single": run_single,
    "sessions": run_sessions,
    "speed": run_speed,
    "gates": run_gates,
    "photometric": run_photometric,
    "real": run_real,
    "defocus": run_defocus,
}
QUICK = ("single", "sessions", "gates")
QUICK_IMAGES = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=None)
    parser.add_argument("--seeds", type=int, default=1, help="repeats of everything that is drawn at random")
    parser.add_argument("--images", type=int, default=None, help="photographs for single pairs, spread over all")
    parser.add_argument("--width", type=int, default=1200, help="largest width of single pairs' frames, px")
    parser.add_argument("--jobs", type=int, default=2, help="processes, one thread each")
    parser.add_argument("--scenes", type=Path, default=SHARED / "scenes", help="folder of photographs")
    parser.add_argument(
        "--defocus", type=Path, nargs="+", default=(), help="refocused photographs, see that section"
    )
    parser.add_argument("--report", type=Path, default=None, help="folder for a page about the real pairs")
    parser.add_argument("--smallest-mp", type=float, default=0.2, help="frames below count for no bar, megapixels")
    parser.add_argument("--quick", action="store_true", help="a minute's worth of each accuracy section")
    asked = parser.parse_args()
    run = Run(
        scenes=asked.scenes,
        seeds=asked.seeds,
        images=asked.images or (QUICK_IMAGES if asked.quick else 1000),
        width=asked.width,
        jobs=asked.jobs,
        quick=asked.quick,
        smallest_mp=asked.smallest_mp,
        defocus=tuple(asked.defocus),
    )
    began = time.perf_counter()
    for name in asked.sections or (QUICK if asked.quick else SECTIONS):
        SECTIONS[name](run)
    if asked.report and run.pictures:
        street = registration_street(
            CalibrationReport(()), run.pictures, title="Photographs of no rig, registered"
        )
        print(f"\npage: {write_report(street, asked.report)}")
    print(f"\nall bars, after {time.perf_counter() - began:.0f} s")
    for bar in run.bars:
        print(bar)
    missed = sum(not bar.passed for bar in run.bars)
    print(f"{missed} of {len(run.bars)} bars missed")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
