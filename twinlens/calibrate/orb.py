"""A first homography from features: blur-equalised, locally normalised ORB, cross-checked, MAGSAC."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from twinlens.calibrate.equalise import gaussian_blurred, locally_normalised, smaller
from twinlens.calibrate.geometry import corners_xy, enlarged, map_points
from twinlens.errors import DegenerateGeometryError
from twinlens.pixels import Homography, MonoFloat, PointsXY

LONGEST_SIDE_PX = 800
"""Larger frames are reduced first: blurred pictures have features at coarse scales only, and it is far faster."""
_GRID_COLUMNS, _GRID_ROWS = 8, 6
INLIER_PX = 2.5
"""At the reduced scale."""


@dataclass(frozen=True, slots=True)
class CoarseFit:
    """What the features of one pair say."""

    b_from_a: Homography
    """Identity where the features do not agree at all."""
    features: int
    """Key points of the poorer frame."""
    inliers: int
    """Matches that agree with `b_from_a`."""


def orb_fit(a: MonoFloat, b: MonoFloat, *, sigma_px: float, features: int) -> CoarseFit:
    """The homography that most features of a pair agree on, good to a px or so; never raises on a poor pair.

    Args:
        a: grey levels.
        b: grey levels.
        sigma_px: by how much B is blurrier than A.
        features: key points to keep per frame.
    """
    factor = reduction(a)
    small_a = gaussian_blurred(smaller(a, factor), sigma_px / factor)
    small_b = smaller(b, factor)
    points_a, descriptors_a = _describe(small_a, features)
    points_b, descriptors_b = _describe(small_b, features)
    count = min(len(points_a), len(points_b))
    if count < 4:
        return CoarseFit(np.eye(3), count, 0)
    matches = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(descriptors_a, descriptors_b)
    from_a = points_a[[match.queryIdx for match in matches]]
    to_b = points_b[[match.trainIdx for match in matches]]
    found, inliers = matched_homography(from_a, to_b, (small_a.shape[0], small_a.shape[1]), INLIER_PX)
    return CoarseFit(enlarged(found, factor), count, inliers)


def reduction(image: MonoFloat) -> int:
    """By how much a frame is reduced before features are sought."""
    longest_px: int = max(image.shape)
    return max(1, -(-longest_px // LONGEST_SIDE_PX))


def matched_homography(
    from_a: PointsXY, to_b: PointsXY, shape_hw: tuple[int, int], inlier_px: float
) -> tuple[Homography, int]:
    """The homography that most matches (n, 2) agree on, and how many do; identity and 0 where none is sane."""
    if len(from_a) < 4:
        return np.eye(3), 0
    found, inliers = cv2.findHomography(
        from_a, to_b, cv2.USAC_MAGSAC, ransacReprojThreshold=inlier_px, maxIters=5000, confidence=0.9999
    )
    if found is None or not _is_sane(np.asarray(found, np.float64), shape_hw):
        return np.eye(3), 0
    return np.asarray(found, np.float64), int(inliers.sum())


def consensus(fits: Sequence[CoarseFit], shape_hw: tuple[int, int]) -> Homography:
    """The fit whose corners lie nearest to all the others': one rig, one mapping, whatever a poor scene says.

    Raises:
        DegenerateGeometryError: most fits contradict each other.
    """
    corners = np.array([map_points(fit.b_from_a, corners_xy(shape_hw)) for fit in fits])
    apart_px = np.linalg.norm(corners[:, None] - corners[None, :], axis=3).mean(axis=2)
    median_px = np.median(apart_px, axis=1)
    best = int(np.argmin(median_px))
    # Two blurred fits of one rig differ by some px in the corners, two chance fits by hundreds.
    allowed_px = 0.02 * max(shape_hw)
    if median_px[best] > allowed_px:
        raise DegenerateGeometryError(
            f"the {len(fits)} pairs disagree: corners lie {median_px[best]:.0f} px apart (median), "
            f"{allowed_px:.0f} px are allowed",
            hint="calibrate pairs of one rig and one mirror state, recorded without touching the cameras",
        )
    return fits[best].b_from_a


def _describe(image: MonoFloat, features: int) -> tuple[PointsXY, NDArray[Any]]:
    """Key points (n, 2), spread over a grid of cells, and their descriptors (n, 32)."""
    levels = locally_normalised(image)
    orb = cv2.ORB.create(nfeatures=4 * features, nlevels=6, fastThreshold=8, edgeThreshold=20, patchSize=31)
    spread = _strongest_per_cell(orb.detect(levels, None), image.shape, features // (_GRID_COLUMNS * _GRID_ROWS))
    found, descriptors = orb.compute(levels, spread)
    points_xy = np.array([point.pt for point in found], np.float64).reshape(-1, 2)
    # OpenCV returns None in place of no descriptors.
    return points_xy, np.zeros((0, 32), np.uint8) if len(points_xy) == 0 else np.asarray(descriptors)


def _strongest_per_cell(
    points: Sequence[cv2.KeyPoint], shape_hw: tuple[int, ...], per_cell: int
) -> list[cv2.KeyPoint]:
    height, width = shape_hw
    taken = np.zeros((_GRID_ROWS, _GRID_COLUMNS), int)
    kept = []
    for point in sorted(points, key=lambda point: -point.response):
        x, y = point.pt
        cell = int(y * _GRID_ROWS / height), int(x * _GRID_COLUMNS / width)
        if taken[cell] < per_cell:
            taken[cell] += 1
            kept.append(point)
    return kept


def _is_sane(b_from_a: Homography, shape_hw: tuple[int, ...]) -> bool:
    """Whether A's frame stays a convex, upright quadrilateral of similar size on B."""
    height, width = shape_hw
    corners = corners_xy((height, width))
    if np.any(corners @ b_from_a[2, :2] + b_from_a[2, 2] <= 0):
        return False
    seen = map_points(b_from_a, corners)
    edges = np.roll(seen, -1, axis=0) - seen
    following = np.roll(edges, -1, axis=0)
    turns = edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0]
    return bool(np.all(turns > 0.25 * height * width) and np.all(turns < 4 * height * width))
