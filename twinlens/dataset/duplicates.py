"""Scenes that are one scene under two names, found by what their sharp pictures show.

A perceptual hash finds the same picture again, blurred, noisy or brighter. It cannot tell another view of the same
place from an unrelated picture; features that agree on one homography find that, with less than full recall. What
neither finds must come from the names of places.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from twinlens.dataset.luma import luma
from twinlens.dataset.same_place import MIN_OVERLAP, Features, features_of, shared_view, stretched
from twinlens.pixels import Picture
from twinlens.settings import Settings

HASH_SIDE_PX = 256
MIN_SIDE_PX = 32
"""The hash looks at 32 x 32 pixels; smaller pictures look alike to it."""
NEAR_BITS = 10
"""Of 64: hashes this near are of one view. Shifts up to 3 % and any blur stay below it; of 772 unrelated pairs of
photographs the nearest two were 18 bits apart."""
BLOCK_ROWS = 256
"""Rows that are held against all others at a time: 10 bytes a comparison, 50 MB with 20000 rows."""


@dataclass(frozen=True, kw_only=True)
class DuplicateSettings(Settings):
    """When two scenes are one."""

    max_distance: int = NEAR_BITS
    """Bits of 64 in which the hashes of one picture may differ. Unrelated photographs differ in 18 and more."""
    min_inliers: int = 15
    """ORB features that must agree on one view. At most 10 do between pictures that share nothing (measured, see
    `same_place`)."""
    max_comparisons: int = 2000
    """Pairs of scenes whose features are compared, nearest hashes first; 2000 are all of 63 scenes."""

    def check(self) -> None:
        """Raise `SettingsError` where a value cannot work."""
        self.require("max_distance", minimum=0, maximum=17)
        self.require("min_inliers", minimum=4, maximum=1000)
        self.require("max_comparisons", minimum=0, maximum=10**7)


@dataclass(frozen=True, slots=True)
class SameScenes:
    """Two scenes that show the same thing, and the two pairs that say so."""

    scene_a: str
    scene_b: str
    row_a: int
    row_b: int
    why: str


@dataclass(frozen=True, slots=True)
class DuplicateReport:
    """What was found, and how far was looked."""

    found: tuple[SameScenes, ...]
    """By name of the scenes; at most one for every two scenes."""
    compared: int
    """Pairs of scenes whose features were compared."""
    skipped: int
    """Pairs of scenes that only hashes were compared of, for `max_comparisons` was reached."""

    @property
    def ties(self) -> list[tuple[str, str]]:
        """Every two scenes that are one."""
        return [(same.scene_a, same.scene_b) for same in self.found]


def phash(pixels: Picture) -> int:
    """The 64-bit perceptual hash of a picture; 0 for one without any structure, or of less than 32 px a side.

    The picture's luma is reduced to 256x256 by area and stretched to the full range of 8 bits. The hash compares
    frequencies with their mean and does not change under gain and offset, so bit depth and exposure do not matter.
    """
    if min(pixels.shape[:2]) < MIN_SIDE_PX:
        return 0
    small = stretched(luma(pixels), (HASH_SIDE_PX, HASH_SIDE_PX))
    return int.from_bytes(cv2.img_hash.PHash.create().compute(small).tobytes(), "little")


def near_duplicates(
    hashes: NDArray[np.uint64], scene_ids: NDArray[np.int64], *, max_distance: int = NEAR_BITS
) -> NDArray[np.int64]:
    """Rows (m, 2) of different scenes whose hashes differ in at most `max_distance` bits, in rising order.

    Of every two scenes and `BLOCK_ROWS` rows, the nearest rows only: long bursts of one view cost no square.

    A hash of 0 is of a picture without structure, and like nothing. Memory grows with the number of rows and of
    findings, never with the square of rows.
    """
    found = [np.zeros((0, 2), np.int64)]
    for start in range(0, len(hashes), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        distance = np.bitwise_count(hashes[rows, None] ^ hashes[None, start:])
        near = (distance <= max_distance) & (scene_ids[rows, None] != scene_ids[None, start:])
        near &= (hashes[rows, None] != 0) & (hashes[None, start:] != 0)
        first, second = np.nonzero(np.triu(near, 1))
        scenes = np.stack([scene_ids[first + start], scene_ids[second + start]], axis=1)
        nearest = np.lexsort((second, first, distance[first, second]))
        kept = nearest[np.unique(scenes[nearest], axis=0, return_index=True)[1]]
        found.append(np.stack([first, second], axis=1)[np.sort(kept)] + start)
    return np.concatenate(found)


def find_same_scenes(
    scenes: Sequence[str],
    pair_ids: Sequence[str],
    hashes: NDArray[np.uint64],
    *,
    frame_of: Callable[[int], Picture],
    settings: DuplicateSettings | None = None,
) -> DuplicateReport:
    """Scenes that are one scene under two names; names and pictures decide, never the order of rows.

    Every row's hash is held against every other scene's. Then one picture a scene, or two where its pictures
    differ, is asked for and compared by its features, scenes with near hashes first.

    Args:
        scenes: scene of every row.
        pair_ids: name of every row; of several equally good rows the one with the first name is taken.
        hashes: `phash` of every row's target.
        frame_of: the target of a row; asked at most twice a scene.
        settings: when two scenes are one.
    """
    settings = settings or DuplicateSettings()
    order = sorted(range(len(scenes)), key=lambda row: (scenes[row], pair_ids[row]))
    names = sorted(set(scenes))
    index = {name: k for k, name in enumerate(names)}
    scene_ids = np.array([index[scenes[row]] for row in order], np.int64)
    ordered = hashes[order]
    found = _same_by_hash(ordered, scene_ids, settings.max_distance)
    shown = _representatives(ordered, scene_ids, settings.max_distance)
    open_pairs = len(names) * (len(names) - 1) // 2 - len(found)
    candidates = _nearest_scenes(ordered[shown], set(found), settings.max_comparisons)
    known: dict[int, Features] = {}
    for a, b in candidates:
        for row in {*shown[a].tolist(), *shown[b].tolist()} - known.keys():
            known[row] = features_of(frame_of(order[row]))
        seen = _same_by_view(shown[a], shown[b], known, settings.min_inliers)
        if seen is not None:
            found[a, b] = seen
    return DuplicateReport(
        tuple(
            SameScenes(names[a], names[b], order[row_a], order[row_b], why)
            for (a, b), (row_a, row_b, why) in sorted(found.items())
        ),
        compared=len(candidates),
        skipped=open_pairs - len(candidates),
    )


_Seen = tuple[int, int, str]
"""A row of each scene, and why they show the same."""


def _same_by_hash(
    hashes: NDArray[np.uint64], scene_ids: NDArray[np.int64], max_distance: int
) -> dict[tuple[int, int], _Seen]:
    """The nearest rows of every two scenes with near hashes; rows are sorted by scene."""
    # A burst repeats its hash: one row of each is enough, and a long burst costs no square.
    keys = np.zeros(len(hashes), [("scene", "<i8"), ("hash", "<u8")])
    keys["scene"], keys["hash"] = scene_ids, hashes
    kept = np.sort(np.unique(keys, return_index=True)[1])
    rows = kept[near_duplicates(hashes[kept], scene_ids[kept], max_distance=max_distance)]
    distance = np.bitwise_count(hashes[rows[:, 0]] ^ hashes[rows[:, 1]])
    found: dict[tuple[int, int], _Seen] = {}
    for k in np.lexsort((rows[:, 1], rows[:, 0], distance)):
        a, b = rows[k].tolist()
        why = f"perceptual hashes differ in {distance[k]} of 64 bits"
        found.setdefault((int(scene_ids[a]), int(scene_ids[b])), (a, b, why))
    return found


def _representatives(
    hashes: NDArray[np.uint64], scene_ids: NDArray[np.int64], max_distance: int
) -> NDArray[np.int64]:
    """Two rows (scenes, 2) of every scene: its first with structure, and the one least like it or the first."""
    starts = np.flatnonzero(np.diff(scene_ids, prepend=-1))
    stops = np.append(starts[1:], len(hashes))
    shown = np.zeros((len(starts), 2), np.int64)
    for scene, start in enumerate(starts):
        own = hashes[start : stops[scene]]
        first = int(np.argmax(own != 0))
        distance = np.where(own != 0, np.bitwise_count(own ^ own[first]), 0)
        farthest = int(np.argmax(distance))
        shown[scene] = start + first, start + (farthest if distance[farthest] > max_distance else first)
    return shown


def _nearest_scenes(shown: NDArray[np.uint64], known: set[tuple[int, int]], limit: int) -> list[tuple[int, int]]:
    """At most `limit` pairs of scenes that are not `known` yet, nearest hashes (scenes, 2) first."""
    wanted = limit + len(known)
    ranked = np.zeros((0, 3), np.int64)
    for start in range(0, len(shown), BLOCK_ROWS):
        some, others = shown[start : start + BLOCK_ROWS], shown[start:]
        distance = np.full((len(some), len(others)), 64, np.uint8)
        for k, m in product((0, 1), repeat=2):
            np.minimum(distance, np.bitwise_count(some[:, None, k] ^ others[None, :, m]), out=distance)
        distance[np.tril(np.ones(distance.shape, np.bool_))] = 255
        farthest = np.searchsorted(np.cumsum(np.bincount(distance.ravel(), minlength=65)[:65]), wanted)
        a, b = np.nonzero(distance <= min(int(farthest), 64))
        ranked = np.concatenate(
            [ranked, np.stack([distance[a, b], a + start, b + start], axis=1).astype(np.int64)]
        )
        ranked = ranked[np.lexsort(ranked.T[::-1])][:wanted]
    return [(a, b) for _, a, b in ranked.tolist() if (a, b) not in known][:limit]


def _same_by_view(
    rows_a: NDArray[np.int64], rows_b: NDArray[np.int64], features: dict[int, Features], min_inliers: int
) -> _Seen | None:
    """The first of the rows that show one place, if any do."""
    for a in dict.fromkeys(rows_a.tolist()):
        for b in dict.fromkeys(rows_b.tolist()):
            view = shared_view(features[a], features[b])
            if view.inliers >= min_inliers and view.overlap >= MIN_OVERLAP:
                return a, b, f"{view.inliers} features agree on one view, {view.overlap:.0%} of it shared"
    return None
