"""Section `sessions`: ten frames of one rig pooled, beside ORB's matches of all frames pooled."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from registration_methods import Found, Outcome, judged, orb_homography, ours
from registration_run import Run, median, session_scenes
from registration_single import HEADER, summary
from registration_truth import LEVELS, Level, project
from registration_twin import SimPair, simulate_session

from twinlens.calibrate import RigCalibration, calibrate_session
from twinlens.errors import CalibrationError

FRAMES = 10
RIGS = 4
"""Rigs per variant and seed."""
METHODS = ("session", "pair", "ORB")


@dataclass(frozen=True)
class Variant:
    """One kind of rig, and its bars in px (median over rigs)."""

    name: str
    level: str
    error_px: float | None = None
    shape_px: float | None = None
    parallax_px: float = 0.0
    field_dependent: bool = False


VARIANTS = (
    Variant("g4", "g4", error_px=0.015),
    Variant("z0.5", "z0.5", error_px=0.15, shape_px=0.03),
    Variant("g2d", "g2d", error_px=0.02),
    Variant("field", "z0.5", error_px=0.2, field_dependent=True),
    Variant("ground", "g2", error_px=0.1, parallax_px=3.0),
)


@dataclass(frozen=True)
class Task:
    """One session to simulate and to calibrate."""

    scenes: Path
    variant: Variant
    seed: int
    frames: int


def run_sessions(run: Run) -> None:
    variants = VARIANTS[:1] if run.quick else VARIANTS
    rigs, frames = (1, FRAMES // 2) if run.quick else (RIGS * run.seeds, FRAMES)
    _, size_wh = session_scenes(run.scenes)
    print(f"\nsessions of {frames} frames {size_wh[0]}x{size_wh[1]}, {rigs} rigs each; field: PSF varies from "
          f"left to right, ground: parallax 0 to 3 px; pair: a frame against its calibration")  # fmt: skip
    print(HEADER, flush=True)
    tasks = [Task(run.scenes, variant, seed, frames) for variant in variants for seed in range(rigs)]
    results = run.map(attempt, tasks)
    for variant in variants:
        outcomes = [next(results) for task in tasks if task.variant == variant]
        print_variant(variant, outcomes)
        if run.counts(size_wh):
            set_bars(run, variant, outcomes)


def attempt(task: Task) -> dict[str, list[Outcome]]:
    """What the pooled calibration, single frames held against it, and pooled ORB matches make of one rig."""
    pairs = simulated(task)
    frames = [(pair.a, pair.b) for pair in pairs]
    calibrations: list[RigCalibration] = []

    def calibrate() -> Found:
        calibrations.append(calibrate_session(frames))
        return calibrations[0].map_b_from_a, "good"

    def match() -> Found:
        b_from_a = orb_homography(frames)
        return lambda points_xy: project(b_from_a, points_xy), "good"

    session = judged(pairs[0], calibrate)
    if session.reason:
        print(f"  {task.variant.name} seed {task.seed}: {session.reason}", flush=True)
    held = [ours(pair, prior) for prior in calibrations for pair in pairs]
    return {"session": [session], "pair": held, "ORB": [judged(pairs[0], match)]}


def simulated(task: Task) -> list[SimPair]:
    images, size_wh = session_scenes(task.scenes)
    level = named_level(task.variant.level)
    return simulate_session(
        images,
        level,
        count=task.frames,
        size_wh=size_wh,
        seed=7000 + 100 * LEVELS.index(level) + task.seed,
        parallax_px=task.variant.parallax_px,
        field_dependent=task.variant.field_dependent,
    )


def named_level(name: str) -> Level:
    """The level of a name."""
    return next(level for level in LEVELS if level.name == name)


def print_variant(variant: Variant, outcomes: Sequence[dict[str, list[Outcome]]]) -> None:
    for method in METHODS:
        rows = [row for outcome in outcomes for row in outcome[method]]
        print(f"{variant.name:6} {method:7}{summary(rows)}" if rows else f"{variant.name:6} {method}", flush=True)


def set_bars(run: Run, variant: Variant, outcomes: Sequence[dict[str, list[Outcome]]]) -> None:
    sessions = [outcome["session"][0] for outcome in outcomes]
    if variant.error_px is not None:
        run.bar(f"session {variant.name}: median error", median([o.error_px for o in sessions]), variant.error_px)
    if variant.shape_px is not None:
        run.bar(
            f"session {variant.name}: median shape error", median([o.shape_px for o in sessions]), variant.shape_px
        )


def calibrated(pairs: Sequence[SimPair]) -> RigCalibration | None:
    """The calibration of simulated pairs, or None where it is refused."""
    try:
        return calibrate_session([(pair.a, pair.b) for pair in pairs])
    except CalibrationError as refusal:
        print(f"  calibration refused: {refusal}", flush=True)
        return None
