"""Section `single`: one pair alone, on every photograph and level, beside naive ORB and ECC on the same frames."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from registration_methods import METHODS, Outcome
from registration_run import Run, median, p95, scene_set
from registration_truth import LEVELS
from registration_twin import simulate

ERROR_BARS = {"s0": 0.02, "g1": 0.02, "g2": 0.03, "g4": 0.06, "g6": 0.15, "g2d": 0.05}
"""Median distance from the truth in px: blur is symmetric, its centroid is no question."""
SHAPE_BARS = {"z0.2": 0.03, "z0.5": 0.03, "z1.0": 0.06, "z1.5": 0.3}
"""Median distance in px after the mean shift is removed."""
FEWEST = 3
"""Pairs without which a median decides nothing."""
MAY_FAIL = ("z1.5",)
QUICK_LEVELS = ("g2", "z0.5")
HEADER = (
    f"{'level':6} {'method':6} {'n':>4} {'error px':>9} {'95 %':>8} {'shape px':>9} {'95 %':>8} "
    f"{'failed':>6} {'refused':>7} {'coarse':>6} {'cpu s':>6}"
)


@dataclass(frozen=True)
class Task:
    """One pair to simulate and to register."""

    scenes: Path
    image: int
    level: int
    seed: int
    size_wh: tuple[int, int]


def run_single(run: Run) -> None:
    print(f"\nsingle pairs, frames up to {run.size_wh[0]}x{run.size_wh[1]}; error: to the PSF's centroid, "
          f"shape: without the mean shift, failed: refused or shape > 1 px")  # fmt: skip
    print(HEADER, flush=True)
    levels = [i for i, level in enumerate(LEVELS) if not run.quick or level.name in QUICK_LEVELS]
    failures = 0
    for level, outcomes in results(run, levels, run.chosen()):
        print_level(level, outcomes)
        if len(outcomes) >= FEWEST:
            set_bars(run, level, [outcome["ours"] for outcome in outcomes])
        failures += sum(outcome["ours"].failed for outcome in outcomes) * (level not in MAY_FAIL)
    run.bar("single: failures up to 1.0 waves", failures, 0, "pairs")
    small = [] if run.quick else run.chosen(small=True)
    if small:
        print(f"\nphotographs too small for {run.smallest_mp:g} megapixels; no bars")
        for level, outcomes in results(run, levels, small):
            print_level(level, outcomes)


def results(
    run: Run, levels: Sequence[int], images: Sequence[int]
) -> Iterator[tuple[str, list[dict[str, Outcome]]]]:
    """A level's name and what every method made of each photograph, level by level."""
    tasks = [
        Task(run.scenes, image, level, seed, run.size_wh)
        for level in levels
        for image in images
        for seed in range(run.seeds)
    ]
    found = run.map(attempt, tasks)
    for level in levels:
        yield LEVELS[level].name, [next(found) for task in tasks if task.level == level]


def attempt(task: Task) -> dict[str, Outcome]:
    """Every method on the pair of a task."""
    name, image = scene_set(task.scenes)[task.image]
    seed = 100_000 * task.seed + 1000 * task.level + task.image
    pair = simulate(image, LEVELS[task.level], size_wh=task.size_wh, seed=seed)
    outcomes = {method: attempted(pair) for method, attempted in METHODS.items()}
    mine = outcomes["ours"]
    if mine.failed:
        print(f"  {LEVELS[task.level].name} {name} {pair.a.shape[1]}x{pair.a.shape[0]} seed {seed}: "
              f"{mine.reason or f'shape {mine.shape_px:.2f} px'}", flush=True)  # fmt: skip
    return outcomes


def print_level(level: str, outcomes: Sequence[dict[str, Outcome]]) -> None:
    for method in METHODS:
        print(f"{level:6} {method:6} {summary([outcome[method] for outcome in outcomes])}", flush=True)


def set_bars(run: Run, level: str, outcomes: Sequence[Outcome]) -> None:
    if level in ERROR_BARS:
        run.bar(f"single {level}: median error", median([o.error_px for o in outcomes]), ERROR_BARS[level])
    if level in SHAPE_BARS:
        run.bar(f"single {level}: median shape error", median([o.shape_px for o in outcomes]), SHAPE_BARS[level])


def summary(outcomes: Sequence[Outcome]) -> str:
    """The columns of `HEADER` from `n` on."""
    errors, shapes = [o.error_px for o in outcomes], [o.shape_px for o in outcomes]
    refused = sum(o.verdict == "refused" for o in outcomes)
    coarse = sum(o.verdict == "coarse" for o in outcomes)
    return (
        f"{len(outcomes):4} {median(errors):9.4f} {p95(errors):8.3f} {median(shapes):9.4f} {p95(shapes):8.3f} "
        f"{sum(o.failed for o in outcomes):6} {refused:7} {coarse:6} {median([o.cpu_s for o in outcomes]):6.2f}"
    )
