"""Section `real`: photographs of one place from two viewpoints, where only a rough map exists, or none.

`../shared/realpairs/README.md` says what each pair is. Reference: a SIFT + MAGSAC homography of the same frames at
half size. How far that of quarter size lies from it is printed too: the reference is no truth. Looked for in the
folder `--scenes` and in `realpairs` beside it.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from registration_pictures import pictured
from registration_run import Run
from registration_truth import FloatArray, project

from twinlens.calibrate import register
from twinlens.errors import CalibrationError
from twinlens.report.street import RegistrationPictures

PAIRS = (
    ("realpairs/DJI_0025.JPG", "realpairs/DJI_0026.JPG", "coarse"),
    ("scenes/skimage_pano_DFM_4209.jpg", "scenes/skimage_pano_DFM_4210.jpg", "coarse"),
    ("scenes/skimage_pano_DFM_4210.jpg", "scenes/skimage_pano_DFM_4211.jpg", "coarse"),
    ("scenes/panoramax_larochelle_1.jpg", "scenes/panoramax_larochelle_2.jpg", "refused"),
)
BAR_PX = 3.0
SIFT_FEATURES = 20_000
SIFT_SCALES = (0.5, 0.25)
"""Sizes of the reference and of its repeat; at full size grain leaves it 41 inliers on DJI."""
RATIO = 0.8
MAGSAC_PX = 3.0


@dataclass(frozen=True)
class Task:
    """Files of A and B."""

    a: Path
    b: Path


@dataclass(frozen=True)
class Finding:
    """What became of one pair."""

    verdict: str
    distance_px: float
    """Mean end-point error against the reference over the overlap; infinite where refused."""
    spread_px: float
    """The same of the reference's repeat."""
    inliers: int
    """Of the reference."""
    cpu_s: float
    pictures: RegistrationPictures
    """For the page."""
    reason: str = ""


def run_real(run: Run) -> None:
    folders = {"scenes": run.scenes, "realpairs": run.scenes.parent / "realpairs"}
    named = [
        (*(folders[Path(name).parent.name] / Path(name).name for name in (a, b)), told) for a, b, told in PAIRS
    ]
    pairs = [(Task(a, b), told) for a, b, told in named if a.exists() and b.exists()]
    if not pairs:
        print(f"\nreal pairs: none in {folders['scenes']} and {folders['realpairs']}; left out")
        return
    print("\nreal pairs; distance: mean end-point error against a SIFT + MAGSAC homography over the overlap; "
          "repeat: the same of that of half its size")  # fmt: skip
    print(
        f"{'A':26} {'expected':8} {'verdict':8} {'distance px':>11} {'repeat px':>9} {'inliers':>7} {'cpu s':>6}",
        flush=True,
    )
    for (task, expected), found in zip(pairs, run.map(attempt, [task for task, _ in pairs]), strict=True):
        print(f"{task.a.stem:26} {expected:8} {found.verdict:8} {found.distance_px:11.2f} {found.spread_px:9.2f} "
              f"{found.inliers:7} {found.cpu_s:6.2f}  {found.reason}", flush=True)  # fmt: skip
        run.pictures.append(found.pictures)
        run.bar(f"real {task.a.stem}: verdict other than {expected}", found.verdict != expected, 0, "pairs")
        if expected != "refused":
            run.bar(f"real {task.a.stem}: distance", found.distance_px, BAR_PX)


def attempt(task: Task) -> Finding:
    a, b = (np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.uint8) for path in (task.a, task.b))
    (reference, inliers), (repeat, _) = (sift_homography(a, b, scale) for scale in SIFT_SCALES)
    points = overlap_xy(reference, (a.shape[0], a.shape[1]))
    spread_px = mean_px(project(repeat, points) - project(reference, points))
    name = f"{task.a.stem} → {task.b.stem}"
    began = time.process_time()
    try:
        found = register(a, b)
    except CalibrationError as refusal:
        cpu_s = time.process_time() - began
        reason = f"{type(refusal).__name__}: {refusal}"
        return Finding("refused", np.inf, spread_px, inliers, cpu_s, pictured(name, a, b, refusal), reason)
    cpu_s = time.process_time() - began
    distance_px = mean_px(found.map_b_from_a(points) - project(reference, points))
    shown = pictured(name, a, b, found)
    return Finding(found.verdict, distance_px, spread_px, inliers, cpu_s, shown, "; ".join(found.reasons))


def mean_px(apart_xy: FloatArray) -> float:
    """Mean length of (n, 2) px."""
    return float(np.hypot(*apart_xy.T).mean())


def sift_homography(a: NDArray[np.uint8], b: NDArray[np.uint8], scale: float) -> tuple[FloatArray, int]:
    """The reference, and how many matches agree with it.

    Raises:
        CalibrationError: there are too few matches for one.
    """
    detector = cv2.SIFT.create(nfeatures=SIFT_FEATURES)
    (points_a, words_a), (points_b, words_b) = (
        detector.detectAndCompute(cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), None)
        for frame in (a, b)
    )
    if min(len(points_a), len(points_b)) < 2:
        raise CalibrationError("fewer than 2 SIFT features")
    both = cv2.BFMatcher(cv2.NORM_L2).knnMatch(words_a, words_b, k=2)
    kept = [first for first, second in both if first.distance < RATIO * second.distance]
    if len(kept) < 4:
        raise CalibrationError(f"{len(kept)} SIFT matches")
    # Pixel centres are integers at either size.
    from_a = (np.array([points_a[match.queryIdx].pt for match in kept]) + 0.5) / scale - 0.5
    to_b = (np.array([points_b[match.trainIdx].pt for match in kept]) + 0.5) / scale - 0.5
    found, agree = cv2.findHomography(from_a, to_b, cv2.USAC_MAGSAC, MAGSAC_PX, maxIters=10_000, confidence=0.9999)
    if found is None:
        raise CalibrationError("SIFT matches that agree on nothing")
    return np.asarray(found, np.float64), int(agree.sum())


def overlap_xy(b_from_a: FloatArray, shape_hw: tuple[int, int]) -> FloatArray:
    """Those points (n, 2) of a grid on A that B sees."""
    height, width = shape_hw
    y, x = np.meshgrid(np.linspace(0, height - 1, 33), np.linspace(0, width - 1, 33), indexing="ij")
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    seen = project(b_from_a, points)
    inside: FloatArray = points[np.all((seen >= 0) & (seen <= np.array([width - 1, height - 1])), axis=1)]
    return inside
