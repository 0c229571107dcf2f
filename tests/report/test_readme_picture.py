"""The README's picture is made of native pixels."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from twinlens.report.pictures import busiest_window
from twinlens.report.readme_picture import write_readme_picture
from twinlens.report.street import Street


def holds(picture: np.ndarray, part: np.ndarray) -> bool:
    """Whether `part` is in `picture`, pixel for pixel."""
    _, _, (left, top), _ = cv2.minMaxLoc(cv2.matchTemplate(picture, part, cv2.TM_SQDIFF))
    return np.array_equal(picture[top : top + part.shape[0], left : left + part.shape[1]], part)


def test_it_shows_native_pixels_of_a_b_and_restored(street: Street, tmp_path: Path) -> None:
    path = write_readme_picture(street, tmp_path / "docs" / "rig.png")
    picture = np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
    assert picture.shape[1] == 1600
    assert 600 <= picture.shape[0] <= 900
    triple = street.triples[0]
    window = busiest_window(triple.target, (560, 380))
    for pixels in (triple.target, triple.input, triple.restored):
        assert holds(picture, window.of(pixels)[100:200, 100:200])


def test_without_a_restored_frame_it_shows_the_registration(street: Street, tmp_path: Path) -> None:
    path = write_readme_picture(dataclasses.replace(street, triples=()), tmp_path / "rig.png")
    assert np.asarray(cv2.imread(str(path))).shape[1] == 1204


def test_a_street_without_frames_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="neither"):
        write_readme_picture(Street(title="nothing"), tmp_path / "rig.png")
    assert list(tmp_path.iterdir()) == []
