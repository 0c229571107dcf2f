"""One scene under two names is found, and what was not looked at is counted."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage import data

from twinlens.dataset.duplicates import (
    BLOCK_ROWS,
    DuplicateReport,
    DuplicateSettings,
    find_same_scenes,
    near_duplicates,
    phash,
)
from twinlens.dataset.groups import Member
from twinlens.dataset.schemes import SplitSettings, divide
from twinlens.errors import SettingsError
from twinlens.pixels import Mono

NAMES = ["camera", "brick", "gravel", "grass", "coins", "page", "moon", "text"]


def pictures() -> dict[str, Mono]:
    return {name: getattr(data, name)() for name in NAMES}


def altered(picture: Mono, *, sigma_px: float = 0.0, gain: float = 1.0, offset: float = 0.0) -> Mono:
    noise = np.random.default_rng(5).normal(0, 6, picture.shape)
    blurred = picture if sigma_px == 0 else cv2.GaussianBlur(picture, (0, 0), sigma_px)
    return np.clip(gain * blurred + offset + noise, 0, 255).astype(np.uint8)


def searched(frames: list[tuple[str, Mono]], **settings: int) -> DuplicateReport:
    hashes = np.array([phash(frame) for _, frame in frames], np.uint64)
    return find_same_scenes(
        [scene for scene, _ in frames],
        [f"pair {row:03}" for row in range(len(frames))],
        hashes,
        frame_of=lambda row: frames[row][1],
        settings=DuplicateSettings(**settings),
    )


def bits(a: int, b: int) -> int:
    return (a ^ b).bit_count()


@pytest.mark.parametrize(
    "changes", [{"sigma_px": 4.0}, {"gain": 0.6}, {"offset": 30.0}, {"sigma_px": 2.0, "gain": 0.8, "offset": 20.0}]
)
def test_a_blurred_dimmed_noisy_picture_keeps_its_hash(changes: dict[str, float]) -> None:
    assert bits(phash(altered(data.camera(), **changes)), phash(data.camera())) <= 4


def test_unrelated_pictures_differ_in_more_bits_than_are_allowed() -> None:
    hashes = [phash(picture) for picture in pictures().values()]
    nearest = min(bits(a, b) for k, a in enumerate(hashes) for b in hashes[:k])
    assert nearest > DuplicateSettings().max_distance


def test_bit_depth_leaves_the_hash_alone() -> None:
    assert phash(data.coins().astype(np.uint16) * 4) == phash(data.coins())


@pytest.mark.parametrize("level", [0, 90, 255])
def test_a_picture_without_structure_has_hash_zero(level: int) -> None:
    assert phash(np.full((40, 56), level, np.uint8)) == 0


@given(
    rows=st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 3)), max_size=12),
    flips=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 2**9 - 1)), max_size=4),
)
def test_near_rows_are_those_that_comparing_all_would_find(
    rows: list[tuple[int, int]], flips: list[tuple[int, int]]
) -> None:
    rows += [(rows[k][0] ^ flipped, 4) for k, flipped in flips if k < len(rows)]
    hashes = np.array([one for one, _ in rows], np.uint64)
    found = near_duplicates(hashes, np.array([scene for _, scene in rows], np.int64), max_distance=5)
    nearest: dict[tuple[int, int], int] = {}  # bits between every two scenes
    for i in range(len(rows)):
        for j in range(i + 1, len(rows)):
            distance = bits(rows[i][0], rows[j][0])
            if rows[i][1] != rows[j][1] and rows[i][0] and rows[j][0] and distance <= 5:
                scenes = (rows[i][1], rows[j][1])
                nearest[scenes] = min(distance, nearest.get(scenes, 64))
    assert found.tolist() == sorted(found.tolist())
    assert {(rows[i][1], rows[j][1]): bits(rows[i][0], rows[j][0]) for i, j in found.tolist()} == nearest


def test_near_rows_are_found_across_blocks() -> None:
    count = 2 * BLOCK_ROWS + 3
    hashes = np.random.default_rng(2).integers(1, 2**63, count).astype(np.uint64)
    hashes[-1] = hashes[3] ^ np.uint64(5)
    assert near_duplicates(hashes, np.arange(count), max_distance=3).tolist() == [[3, count - 1]]


def test_a_planted_duplicate_across_scenes_is_caught_and_merges_their_groups() -> None:
    frames = [(name, picture) for name, picture in pictures().items() for _ in range(2)]
    frames[9] = ("copied", altered(data.camera(), sigma_px=2.0, gain=0.8, offset=20.0))
    report = searched(frames)
    assert [(same.scene_a, same.scene_b, same.row_a, same.row_b) for same in report.found] == [
        ("camera", "copied", 0, 9)
    ]
    assert "of 64 bits" in report.found[0].why
    assert (report.compared, report.skipped) == (9 * 8 // 2 - 1, 0)
    members = [Member(f"pair {row:03}", scene, "s", row, "flat") for row, (scene, _) in enumerate(frames)]
    for seed in range(5):
        scheme = divide(members, SplitSettings(seed=seed), same=[(s.scene_a, s.scene_b) for s in report.found])
        assert sum({0, 9} <= set(rows) for rows in scheme.rows.values()) == 1


def test_a_shifted_view_that_hashes_miss_is_found_by_its_features() -> None:
    picture = data.camera()
    frames = [("left", picture[:, :380]), ("right", altered(picture[:, 132:])), ("wall", data.brick())]
    report = searched(frames, max_distance=0)
    assert [(same.scene_a, same.scene_b) for same in report.found] == [("left", "right")]
    assert "features agree on one view" in report.found[0].why


def test_a_scene_with_two_views_is_compared_by_both() -> None:
    frames = [("tour", data.coins()), ("tour", data.camera()), ("yard", altered(data.camera()[:, 100:]))]
    assert [(same.row_a, same.row_b) for same in searched(frames, max_distance=0).found] == [(1, 2)]


def test_the_order_of_rows_does_not_matter() -> None:
    frames = [(f"{name} {k}", altered(p[:, 40 * k :])) for name, p in pictures().items() for k in range(2)]
    order = np.random.default_rng(3).permutation(len(frames))
    hashes = np.array([phash(frame) for _, frame in frames], np.uint64)

    def found(rows: NDArray[np.int64]) -> list[tuple[str, str, int, int, str]]:
        report = find_same_scenes(
            [frames[row][0] for row in rows],
            [f"pair {row:03}" for row in rows],
            hashes[rows],
            frame_of=lambda k: frames[rows[k]][1],
        )
        return [(s.scene_a, s.scene_b, int(rows[s.row_a]), int(rows[s.row_b]), s.why) for s in report.found]

    straight = found(np.arange(len(frames)))
    assert len(straight) >= 6
    assert found(order) == straight


def test_a_bound_on_comparisons_takes_the_nearest_and_counts_the_rest() -> None:
    frames = [*pictures().items(), ("copied", altered(data.camera()[8:, 8:]))]
    report = searched(frames, max_distance=0, max_comparisons=1)
    assert [(same.scene_a, same.scene_b) for same in report.found] == [("camera", "copied")]
    assert (report.compared, report.skipped) == (1, 35)


def test_every_pair_of_scenes_is_compared_or_counted_as_skipped() -> None:
    count = BLOCK_ROWS + 40
    scenes = [f"scene {k:03}" for k in range(count)]
    hashes = np.random.default_rng(4).integers(1, 2**63, count).astype(np.uint64)
    asked: set[int] = set()

    def flat(row: int) -> Mono:
        asked.add(row)
        return np.zeros((40, 56), np.uint8)

    settings = DuplicateSettings(max_distance=0, max_comparisons=7)
    report = find_same_scenes(scenes, scenes, hashes, frame_of=flat, settings=settings)
    assert (report.compared, report.skipped) == (7, count * (count - 1) // 2 - 7)
    every = sorted((bits(int(hashes[i]), int(hashes[j])), i, j) for j in range(count) for i in range(j))
    assert asked == {row for _, *rows in every[:7] for row in rows}


def test_at_most_two_frames_of_a_scene_are_asked_for() -> None:
    asked: list[int] = []
    frames = [(name, picture) for name, picture in list(pictures().items())[:3] for _ in range(9)]

    def frame_of(row: int) -> Mono:
        asked.append(row)
        return frames[row][1]

    hashes = np.array([phash(frame) for _, frame in frames], np.uint64)
    find_same_scenes([s for s, _ in frames], [f"{k:02}" for k in range(27)], hashes, frame_of=frame_of)
    assert sorted(asked) == [0, 9, 18]


@pytest.mark.parametrize("scenes", [[], ["alone"]])
def test_fewer_than_two_scenes_have_no_duplicates(scenes: list[str]) -> None:
    hashes = np.ones(len(scenes), np.uint64)
    report = find_same_scenes(scenes, scenes, hashes, frame_of=lambda _: data.camera())
    assert report == DuplicateReport((), 0, 0)


def test_flat_scenes_are_not_one_scene() -> None:
    frames = [(f"dark {k}", np.full((40, 56), k, np.uint8)) for k in range(3)]
    assert searched(frames).found == ()


def test_a_distance_at_which_unrelated_pictures_meet_is_refused() -> None:
    with pytest.raises(SettingsError, match="max_distance is 18"):
        DuplicateSettings(max_distance=18)
