"""Ways to register a pair, each timed and judged by the truth: ours, and what a user would reach for without it.

Times are process CPU seconds; run with one thread, they are what one core needs.
"""

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from registration_truth import FloatArray, project
from registration_twin import MapPoints, SimPair, error_px

from twinlens.calibrate import RigCalibration, register
from twinlens.errors import CalibrationError

Frame = NDArray[Any]
Found = tuple[MapPoints, str]
"""A map from A's points to B's, and a verdict."""

ORB_FEATURES = 5000
RATIO = 0.75
RANSAC_PX = 3.0
ECC_ITERATIONS = 50
CRASHES = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError, cv2.error)
"""What a refusal must not be; it is told and counted as a failure, and the run goes on."""


@dataclass(frozen=True)
class Outcome:
    """What one method made of one pair."""

    error_px: float
    """Mean distance from the truth, PSF centroid included; infinite where refused."""
    shape_px: float
    """The same without its mean shift."""
    cpu_s: float
    verdict: str
    """good, coarse, refused or crashed."""
    reason: str = ""

    @property
    def failed(self) -> bool:
        """Whether it was refused or the shape is more than 1 px off."""
        return not self.shape_px <= 1

    @property
    def accepted(self) -> bool:
        """Whether a dataset would use it."""
        return self.verdict == "good"


def judged(pair: SimPair, find: Callable[[], Found]) -> Outcome:
    """Time `find` and compare its map with the pair's truth."""
    began = time.process_time()
    try:
        mapped, verdict = find()
    except CalibrationError as refusal:
        reason = f"{type(refusal).__name__}: {refusal}"
        return Outcome(np.inf, np.inf, time.process_time() - began, "refused", reason)
    except CRASHES as crash:
        frames = traceback.extract_tb(crash.__traceback__)
        place = next((frame for frame in reversed(frames) if "twinlens" in Path(frame.filename).parts), frames[-1])
        reason = f"CRASHED: {type(crash).__name__}: {crash} ({Path(place.filename).name}:{place.lineno})"
        print(f"  {reason}", flush=True)
        return Outcome(np.inf, np.inf, time.process_time() - began, "crashed", reason)
    cpu_s = time.process_time() - began
    return Outcome(*error_px(pair, mapped), cpu_s, verdict)


def ours(pair: SimPair, prior: RigCalibration | None = None) -> Outcome:
    """`twinlens.calibrate.register`."""

    def find() -> Found:
        found = register(pair.a, pair.b, prior=prior)
        return found.map_b_from_a, found.verdict

    return judged(pair, find)


def naive_orb(pair: SimPair) -> Outcome:
    """ORB on the frames as they are, ratio test, RANSAC."""

    def find() -> Found:
        return _homography(orb_homography([(pair.a, pair.b)])), "good"

    return judged(pair, find)


def ecc(pair: SimPair) -> Outcome:
    """OpenCV's `findTransformECC` on the frames as they are, started from `naive_orb`."""

    def find() -> Found:
        return _homography(ecc_homography(pair.a, pair.b)), "good"

    return judged(pair, find)


METHODS: dict[str, Callable[[SimPair], Outcome]] = {"ours": ours, "ORB": naive_orb, "ECC": ecc}


def orb_homography(pairs: Sequence[tuple[Frame, Frame]]) -> FloatArray:
    """The homography of all pairs' ORB matches together: ratio test, RANSAC.

    Raises:
        CalibrationError: there are fewer than 4 matches, or RANSAC gives up.
    """
    detector = cv2.ORB.create(nfeatures=ORB_FEATURES)
    from_a, to_b = [np.zeros((0, 2))], [np.zeros((0, 2))]
    for a, b in pairs:
        points_a, words_a = detector.detectAndCompute(a, None)
        points_b, words_b = detector.detectAndCompute(b, None)
        if len(points_a) < 2 or len(points_b) < 2:
            continue
        both = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(words_a, words_b, k=2)
        kept = [match[0] for match in both if len(match) == 2 and match[0].distance < RATIO * match[1].distance]
        from_a.append(np.array([points_a[match.queryIdx].pt for match in kept]).reshape(-1, 2))
        to_b.append(np.array([points_b[match.trainIdx].pt for match in kept]).reshape(-1, 2))
    if sum(map(len, from_a)) < 4:
        raise CalibrationError("fewer than 4 ORB matches")
    found, _ = cv2.findHomography(np.concatenate(from_a), np.concatenate(to_b), cv2.RANSAC, RANSAC_PX)
    if found is None:
        raise CalibrationError("RANSAC found no homography")
    return np.asarray(found, np.float64)


def ecc_homography(a: Frame, b: Frame) -> FloatArray:
    """The homography where enhanced correlation is highest, from `orb_homography` on.

    Raises:
        CalibrationError: ORB failed, or the correlation does not converge.
    """
    start = orb_homography([(a, b)]).astype(np.float32)
    everywhere = np.full(a.shape, 255, np.uint8)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, ECC_ITERATIONS, 1e-6)
    try:
        _, found = cv2.findTransformECC(a, b, start, cv2.MOTION_HOMOGRAPHY, stop, everywhere, 5)
    except cv2.error as cause:
        raise CalibrationError("ECC does not converge") from cause
    return np.asarray(found, np.float64)


def _homography(b_from_a: FloatArray) -> MapPoints:
    return lambda points_xy: project(b_from_a, points_xy)
