"""Section `speed`: CPU seconds of one `register` at the sensor's full size, and where they go."""

import cProfile
import pstats
import time
from dataclasses import dataclass
from pathlib import Path

from registration_methods import Outcome, ecc, naive_orb, ours
from registration_run import Run, median, scene_set
from registration_sessions import calibrated, named_level
from registration_twin import Photograph, SimPair, frame_shape, simulate_session

from twinlens.calibrate import RigCalibration, register
from twinlens.errors import CalibrationError

FULL_WH = (2592, 2048)
SYMMETRIC = ("s0", "g2", "g4")
LEVEL_NAMES = (*SYMMETRIC, "z0.5")
CALIBRATION_PAIRS, TIMED_PAIRS = 3, 3
REPEATS = 2
PRIOR_BAR_S, ALONE_BAR_S = 0.7, 1.0
PROFILED = "g4"
TOP = 12


@dataclass(frozen=True)
class Task:
    """One level to time."""

    scenes: Path
    level: str


@dataclass(frozen=True)
class Timing:
    """What one level's calls took."""

    outcomes: dict[str, list[Outcome]]
    profile: str


def run_speed(run: Run) -> None:
    if not large_scenes(run.scenes):
        print(f"\nspeed: no photograph in {run.scenes} is large enough for {FULL_WH[0]}x{FULL_WH[1]}; left out")
        return
    print(
        f"\nspeed at {FULL_WH[0]}x{FULL_WH[1]}, CPU seconds on one thread, median of {TIMED_PAIRS * REPEATS} calls"
    )
    print(
        f"{'level':6} {'method':10} {'cpu s':>6} {'most':>6} {'error px':>9} {'shape px':>9} {'good':>5}",
        flush=True,
    )
    prior_s, alone_s, profile = [], [], ""
    # One job: a second worker would compete for memory bandwidth and caches.
    for level, timing in zip(
        LEVEL_NAMES, run.map(attempt, [Task(run.scenes, name) for name in LEVEL_NAMES], jobs=1), strict=True
    ):
        for method, rows in timing.outcomes.items():
            print_row(level, method, rows)
        profile += timing.profile
        if level in SYMMETRIC:
            prior_s.append(median([o.cpu_s for o in timing.outcomes["with prior"]]))
            alone_s.append(median([o.cpu_s for o in timing.outcomes["alone"]]))
    print(profile)
    # The slowest level counts, so that no level hides behind the others.
    run.bar("speed: register against a calibration, slowest level", max(prior_s), PRIOR_BAR_S, "cpu s")
    run.bar("speed: register alone, slowest symmetric level", max(alone_s), ALONE_BAR_S, "cpu s")


def attempt(task: Task) -> Timing:
    """Every method on pairs of one rig at full size."""
    pairs = simulate_session(
        large_scenes(task.scenes),
        named_level(task.level),
        count=CALIBRATION_PAIRS + TIMED_PAIRS,
        size_wh=FULL_WH,
        seed=41,
    )
    began = time.process_time()
    prior = calibrated(pairs[:CALIBRATION_PAIRS])
    print(
        f"{task.level:6} calibrate_session of {CALIBRATION_PAIRS}: {time.process_time() - began:.2f} s", flush=True
    )
    timed = pairs[CALIBRATION_PAIRS:] * REPEATS
    ours(pairs[0])  # tables and caches are built once per process
    outcomes = {
        "with prior": [ours(pair, prior) for pair in timed] if prior else [],
        "alone": [ours(pair) for pair in timed],
        "ORB": [naive_orb(pair) for pair in pairs[CALIBRATION_PAIRS:]],
        "ECC": [ecc(pair) for pair in pairs[CALIBRATION_PAIRS:]],
    }
    return Timing(outcomes, profiled(timed[0], prior) if task.level == PROFILED else "")


def profiled(pair: SimPair, prior: RigCalibration | None) -> str:
    """The costliest functions of one call with and one without a prior, by their own CPU time."""
    lines = []
    for name, given in (("with prior", prior), ("alone", None)):
        profile = cProfile.Profile(time.process_time)
        try:
            profile.runcall(register, pair.a, pair.b, prior=given)
        except CalibrationError as refusal:
            lines.append(f"{name}: refused, {refusal}")
        stats = pstats.Stats(profile).get_stats_profile()
        lines.append(f"\n{PROFILED} {name}: {stats.total_tt:.2f} s under the profiler; own s, with callees, calls")
        rows = sorted(stats.func_profiles.items(), key=lambda row: -row[1].tottime)[:TOP]
        for function, cost in rows:
            place = f"{Path(cost.file_name).name}:{cost.line_number} " if cost.line_number else ""
            lines.append(f"  {cost.tottime:6.3f} {cost.cumtime:6.3f} {cost.ncalls:>6}  {place}{function}")
    return "\n".join(lines) + "\n"


def print_row(level: str, method: str, rows: list[Outcome]) -> None:
    if not rows:
        return
    seconds = [row.cpu_s for row in rows]
    error_px, shape_px = median([row.error_px for row in rows]), median([row.shape_px for row in rows])
    good = sum(row.accepted for row in rows)
    print(f"{level:6} {method:10} {median(seconds):6.2f} {max(seconds):6.2f} {error_px:9.4f} {shape_px:9.4f} "
          f"{good:2}/{len(rows):2}", flush=True)  # fmt: skip


def large_scenes(folder: Path) -> list[Photograph]:
    """Photographs that a full frame fits on."""
    images = (image for _, image in scene_set(folder, FULL_WH))
    return [image for image in images if frame_shape(image, FULL_WH) == FULL_WH[::-1]]
