"""Section `gates`: how many right pairs are refused, and how many wrong ones are accepted.

Accepted means: no exception, and the verdict is "good". A pair is wrong when A and B show different scenes, or
when the calibration that it is held against is not that of its rig: half a pixel, a pixel, a tenth of a degree,
or a period of a facade off. What such a call finds may lie near the truth all the same: the column `near` tells.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from registration_methods import Outcome, ours
from registration_run import Run, scene_set, session_scenes
from registration_sessions import calibrated, named_level
from registration_truth import FloatArray
from registration_twin import Photograph, SimPair, expose, frame_shape, simulate, simulate_session

from twinlens.calibrate import RigCalibration

ALONE_LEVELS = ("s0", "g1", "g2", "g4", "g6", "z0.2", "z0.5", "z1.0")
RIG_LEVELS = ("g4", "z0.5", "z1.0", "g2d")
QUICK_LEVELS = ("z0.5",)
ALONE_RIGHT, ALONE_WRONG = 60, 20
CALIBRATION_FRAMES = 6
TURN = "0.1 deg"
FAULTS = ("0.5 px", "1 px", TURN)
RIGHT = "right"
FACADE_ALONE = "facade, alone"
NEAR_PX = 0.5
PERIODS_PX = (40, 56, 40, 56, 28)
SHIFTS_PX = (40, 56, 80, 40, 28)
"""A facade's period and how far the calibration is off; 40 px is no period of 56 px."""


@dataclass(frozen=True)
class Alone:
    """One pair without a prior: A of one photograph, B of the same or another."""

    scenes: Path
    image_a: int
    image_b: int
    level: str
    seed: int
    size_wh: tuple[int, int]


@dataclass(frozen=True)
class Rig:
    """One session: calibrated on some frames, judged on others. Wrong pairs: 3 + 5 + 3 * 4 = 20."""

    scenes: Path
    level: str
    seed: int
    held: int = 10
    """Right pairs."""
    others: int = 3
    """Wrong scenes."""
    facades: int = 5
    per_fault: int = 4


@dataclass(frozen=True)
class Case:
    """One pair that was let in or kept out."""

    kind: str
    outcome: Outcome
    period_off: bool = False
    """Whether the map found lies nearer to another window of a facade than to the true one."""

    @property
    def right(self) -> bool:
        """Whether it must be let in."""
        return self.kind.startswith(RIGHT)

    @property
    def wrong(self) -> bool:
        """Whether it must be kept out."""
        return not self.right and self.kind != FACADE_ALONE


def run_gates(run: Run) -> None:
    alone_right, alone_wrong, levels = (
        (4, 2, QUICK_LEVELS) if run.quick else (ALONE_RIGHT, ALONE_WRONG, RIG_LEVELS)
    )
    print("\ngates: accepted is a good verdict; near: of those, map within 0.5 px of the truth")
    cases = list(run.map(attempt_alone, list(lone_pairs(run, alone_right, alone_wrong))))
    counts = {"held": 4, "others": 1, "facades": 1, "per_fault": 1} if run.quick else {}
    rigs = [Rig(run.scenes, level, seed, **counts) for level in levels for seed in range(run.seeds)]
    for found in run.map(attempt_rig, rigs):
        cases += found
    print(f"{'kind':28} {'n':>4} {'accepted':>8} {'near':>5} {'coarse':>6} {'refused':>7}")
    for kind in dict.fromkeys(case.kind for case in cases):
        print_kind(kind, [case.outcome for case in cases if case.kind == kind])
    if not run.counts(session_scenes(run.scenes)[1]):  # so small a turn moves a small frame by a fraction of a px
        cases = [case for case in cases if TURN not in case.kind]
    right = [case.outcome for case in cases if case.right]
    wrong = [case.outcome for case in cases if case.wrong]
    refused = sum(not outcome.accepted for outcome in right)
    run.bar(f"gates: of {len(right)} right pairs, not accepted", refused, 0.02 * len(right), "pairs")
    run.bar(f"gates: of {len(wrong)} wrong pairs, accepted", sum(o.accepted for o in wrong), 0, "pairs")
    run.bar("gates: crashes", sum(case.outcome.verdict == "crashed" for case in cases), 0, "pairs")
    facades = [case for case in cases if case.kind == FACADE_ALONE]
    off = sum(case.period_off for case in facades)
    run.bar(f"gates: of {len(facades)} facades alone, accepted a period off", off, 0, "pairs")


def lone_pairs(run: Run, right: int, wrong: int) -> Iterator[Alone]:
    """Photographs and levels in turn; every wrong pair is of two different ones."""
    chosen = run.chosen()
    names = [name.rsplit("_", 1)[0] for name, _ in scene_set(run.scenes)]
    for index in range(right + wrong):
        image_a = image_b = chosen[index % len(chosen)]
        if index >= right:  # not the next view of the same place, which may overlap
            others = [i for i in chosen if names[i] != names[image_a]]
            image_b = others[(7 * index) % len(others)]
        level = ALONE_LEVELS[(index + index // len(chosen)) % len(ALONE_LEVELS)]
        yield Alone(run.scenes, image_a, image_b, level, 9000 + index, run.size_wh)


def attempt_alone(task: Alone) -> Case:
    images = scene_set(task.scenes)
    level = named_level(task.level)
    image_a, image_b = images[task.image_a][1], images[task.image_b][1]
    if task.image_a == task.image_b:
        return _told(
            Case(f"{RIGHT}, {task.level}", ours(simulate(image_a, level, size_wh=task.size_wh, seed=task.seed))),
            task,
        )
    height, width = np.minimum(frame_shape(image_a, task.size_wh), frame_shape(image_b, task.size_wh))
    both = [
        simulate(image, level, size_wh=(int(width), int(height)), seed=task.seed) for image in (image_a, image_b)
    ]
    return _told(Case("other scene, alone", ours(replace(both[1], a=both[0].a))), task)


def attempt_rig(task: Rig) -> list[Case]:
    images, size_wh = session_scenes(task.scenes)
    pairs = simulate_session(
        images,
        named_level(task.level),
        count=CALIBRATION_FRAMES + task.held,
        size_wh=size_wh,
        seed=8000 + task.seed,
    )
    prior = calibrated(pairs[:CALIBRATION_FRAMES])
    if prior is None:
        refused = Outcome(np.inf, np.inf, 0.0, "refused", "its session was refused")
        return [Case(f"{RIGHT}, session {task.level}", refused)] * task.held
    rng = np.random.default_rng(task.seed)
    held = pairs[CALIBRATION_FRAMES:]
    cases = [Case(f"{RIGHT}, session {task.level}", ours(pair, prior)) for pair in held]
    cases += [Case("other scene, session", ours(pair, prior)) for pair in swapped(held)[: task.others]]
    for fault in FAULTS:
        wrong = (perturbed(prior, fault, size_wh=size_wh, rng=rng) for _ in range(task.per_fault))
        cases += [Case(f"calibration {fault} off", ours(*case)) for case in zip(held, wrong, strict=False)]
    for period_px, shift_px in list(zip(PERIODS_PX, SHIFTS_PX, strict=True))[: task.facades]:
        pair = expose_facade(held[0], period_px, rng=rng)
        off = shifted(prior, (shift_px, 0) if rng.random() < 0.5 else (0, shift_px))
        cases += [Case("facade, calibration off", ours(pair, off)), lone_facade(pair, period_px)]
    return [_told(case, task) for case in cases]


def lone_facade(pair: SimPair, period_px: int) -> Case:
    """A facade without a prior: to refuse it is right, and so is the right map, but not a period off."""
    outcome = ours(pair)
    return Case(FACADE_ALONE, outcome, period_off=outcome.accepted and outcome.error_px > period_px / 2)


def swapped(pairs: Sequence[SimPair]) -> list[SimPair]:
    """Every A with the next pair's B."""
    return [replace(pair, a=other.a) for pair, other in zip(pairs[1:], pairs, strict=False)]


def shifted(calibration: RigCalibration, by_xy: tuple[float, float]) -> RigCalibration:
    """A calibration that puts everything `by_xy` px off on B."""
    move = np.eye(3)
    move[:2, 2] = by_xy
    return replace(calibration, b_from_a=move @ calibration.b_from_a)


def perturbed(
    calibration: RigCalibration, fault: str, *, size_wh: tuple[int, int], rng: np.random.Generator
) -> RigCalibration:
    """A calibration of a rig that was knocked since: shifted in a random direction, or turned about B's middle."""
    amount, unit = fault.split()
    if unit == "px":
        angle_rad = rng.uniform(0, 2 * math.pi)
        return shifted(calibration, (float(amount) * math.cos(angle_rad), float(amount) * math.sin(angle_rad)))
    angle_rad = math.radians(float(amount)) * rng.choice([-1, 1])
    middle = np.array([(size_wh[0] - 1) / 2, (size_wh[1] - 1) / 2])
    turn = np.eye(3)
    turn[:2, :2] = [[math.cos(angle_rad), -math.sin(angle_rad)], [math.sin(angle_rad), math.cos(angle_rad)]]
    turn[:2, 2] = middle - turn[:2, :2] @ middle
    return replace(calibration, b_from_a=turn @ calibration.b_from_a)


def expose_facade(like: SimPair, period_px: int, *, rng: np.random.Generator) -> SimPair:
    """The pair that the rig of another pair takes of a repeated facade."""
    height, width = like.truth.shape_hw
    corner_xy = width // 5, height // 5
    scene = facade((height + 2 * corner_xy[1], width + 2 * corner_xy[0]), period_px, rng=rng)
    return expose(scene, corner_xy, like.truth, rng=rng)


def facade(shape_hw: tuple[int, int], period_px: int, *, rng: np.random.Generator) -> Photograph:
    """Grey levels (h, w) of windows that repeat exactly, on plaster whose grain is 1 % of them."""
    y, x = np.mgrid[: shape_hw[0], : shape_hw[1]].astype(np.float64)
    u, v = x % period_px / period_px, y % period_px / period_px

    def box(position: FloatArray, begin: float, end: float) -> FloatArray:
        """1 inside, with edges 1 px wide, so that nothing is aliased."""
        edge = 0.5 / period_px
        return np.clip((position - begin) / edge, 0, 1) * np.clip((end - position) / edge, 0, 1)

    pane = box(u, 0.25, 0.75) * box(v, 0.2, 0.8)
    bar = box(u, 0.47, 0.53) + box(v, 0.42, 0.47)
    ledge = box(u, 0.2, 0.8) * box(v, 0.84, 0.9)
    wall = 170 + 1.5 * rng.standard_normal(shape_hw)
    levels = wall - 110 * pane * (1 - 0.8 * np.clip(bar, 0, 1)) - 50 * ledge
    return levels.astype(np.float32)


def print_kind(kind: str, outcomes: Sequence[Outcome]) -> None:
    accepted = [outcome for outcome in outcomes if outcome.accepted]
    near = sum(outcome.error_px <= NEAR_PX for outcome in accepted)
    coarse, refused = (sum(o.verdict == verdict for o in outcomes) for verdict in ("coarse", "refused"))
    print(f"{kind:28} {len(outcomes):4} {len(accepted):8} {near:5} {coarse:6} {refused:7}", flush=True)


def _told(case: Case, task: object) -> Case:
    """Print a case that went the wrong way."""
    if (case.right and not case.outcome.accepted) or (case.wrong and case.outcome.accepted) or case.period_off:
        outcome = case.outcome
        print(f"  {case.kind}: {outcome.verdict} {outcome.reason} (error {outcome.error_px:.2f} px, shape "
              f"{outcome.shape_px:.2f} px) in {task}", flush=True)  # fmt: skip
    return case
