"""Section `photometric`: how far the recovered brightness transfer is from the true one, in grey levels of 255.

Judged on noise-free A where B truly sees it, over pixels that A sees and neither camera saturates. Beside it, gain
and offset from mean and standard deviation of the frames as they are, which is what most data sets use.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from registration_run import Run, median, p95, session_scenes
from registration_sessions import FRAMES, calibrated, named_level
from registration_truth import FloatArray
from registration_twin import SimPair, simulate_session

LEVEL_NAMES = ("g4", "z1.0")
BAR_DN = 0.5
RIGS = 3
JUDGED_FRAMES = 3


@dataclass(frozen=True)
class Task:
    """One rig, and how many of its frames may be used."""

    scenes: Path
    level: str
    frames: int
    seed: int


def run_photometric(run: Run) -> None:
    print("\nphotometric: rms error of the transfer on clean A, DN; reference: mean and standard deviation")
    print(f"{'level':6} {'frames':>6} {'n':>4} {'ours':>7} {'95 %':>7} {'reference':>9}", flush=True)
    _, size_wh = session_scenes(run.scenes)
    rows = [(level, frames) for level in LEVEL_NAMES for frames in (FRAMES, 1)]
    tasks = [Task(run.scenes, *row, seed) for row in rows for seed in range(RIGS * run.seeds)]
    results = run.map(attempt, tasks)
    for level, frames in rows:
        found = [next(results) for task in tasks if (task.level, task.frames) == (level, frames)]
        ours, reference = (list(column) for column in zip(*found, strict=True))
        print(f"{level:6} {frames:6} {len(ours):4} {median(ours):7.3f} {p95(ours):7.3f} {median(reference):9.2f}")
        if run.counts(size_wh):
            run.bar(f"photometric {level}, {frames} frames: median error", median(ours), BAR_DN, "DN")


def attempt(task: Task) -> tuple[float, float]:
    """Our error and the reference's in DN; infinite where the calibration is refused."""
    images, size_wh = session_scenes(task.scenes)
    level = named_level(task.level)
    pairs = simulate_session(images, level, count=task.frames, size_wh=size_wh, seed=6000 + task.seed)
    judges = pairs[:JUDGED_FRAMES]
    reference = float(np.median([rms_dn(pairs, [pair], matched(pair)) for pair in judges]))
    calibration = calibrated(pairs)
    if calibration is None:
        return np.inf, reference
    r2 = squared_radius(pairs[0].truth.shape_hw)
    found = [
        calibration.photometric.apply(pair.a_clean_on_b.astype(np.float32), r2).astype(np.float64)
        for pair in judges
    ]
    return rms_dn(pairs, judges, found), reference


def rms_dn(pairs: Sequence[SimPair], judges: Sequence[SimPair], found: Sequence[FloatArray]) -> float:
    """Rms over the judged frames (h, w) of what was found against the mean transfer of the session's frames."""
    squares = []
    for pair, levels in zip(judges, found, strict=True):
        grey = pair.a_clean_on_b
        true = np.mean([other.transfer(grey) for other in pairs], axis=0)
        usable = pair.seen_by_a & (grey < 255) & (true < 255)
        squares.append((levels - true)[usable] ** 2)
    return float(np.sqrt(np.concatenate(squares).mean()))


def matched(pair: SimPair) -> list[FloatArray]:
    """Clean A with the mean and the standard deviation of B."""
    gain = pair.b.std() / pair.a.std()
    return [gain * (pair.a_clean_on_b - pair.a.mean()) + pair.b.mean()]


def squared_radius(shape_hw: tuple[int, int]) -> NDArray[np.float32]:
    """r^2 (h, w) float32: 0 in the middle, 1 in the corners."""
    height, width = shape_hw
    y, x = np.mgrid[:height, :width].astype(np.float64)
    r2: FloatArray = ((y - (height - 1) / 2) ** 2 + (x - (width - 1) / 2) ** 2) / (
        ((height - 1) ** 2 + (width - 1) ** 2) / 4
    )
    return r2.astype(np.float32)
