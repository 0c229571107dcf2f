"""Registration's figures and overlays lie beside the page as PNG files that a reader can open."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from twinlens.report.overlays import laid
from twinlens.report.pages import PICTURE_FOLDER, write_report
from twinlens.report.picture_files import file_label
from twinlens.report.street import PairVerdict, RegistrationPictures, Street

STATE = "state0-0.50waves"
PLOTS = ("brightness", "drift", "error", "kernel_zones", "kernels", "residuals")
OVERLAYS = ("checkerboard", "flicker", "red_cyan")


def names_in(folder: Path) -> set[str]:
    return {path.name for path in (folder / PICTURE_FOLDER).iterdir()}


def small(mirror_state: str, value: int = 0) -> RegistrationPictures:
    b = (np.indices((60, 80)).sum(axis=0) + value).astype(np.uint8)
    return RegistrationPictures(mirror_state, b, b // 2, b)


def test_every_figure_and_overlay_of_registration_is_a_png(report: Path) -> None:
    overlays = {f"{kind}_{when}_{STATE}.png" for kind in OVERLAYS for when in ("before", "after")}
    assert names_in(report.parent) == {f"{kind}_{STATE}.png" for kind in PLOTS} | overlays
    for name in names_in(report.parent):
        shape = np.asarray(cv2.imread(str(report.parent / PICTURE_FOLDER / name))).shape
        if name in overlays:
            assert shape[:2] == (700, 900), name
        else:
            assert shape[1] in {488, 976}, name  # one or two columns of 3.05 in at 160 dpi


def test_the_overlays_hold_whole_frames_pixel_for_pixel(report: Path, street: Street) -> None:
    folder = report.parent / PICTURE_FOLDER
    for one in laid(street.registration[0], 8):
        fields = np.asarray(cv2.imread(str(folder / f"checkerboard_{one.when}_{STATE}.png"), cv2.IMREAD_UNCHANGED))
        assert np.array_equal(fields, one.checkerboard)
        bgr = np.asarray(cv2.imread(str(folder / f"red_cyan_{one.when}_{STATE}.png")))
        assert np.array_equal(bgr[..., ::-1], one.red_cyan)


def test_the_flicker_is_an_animation_of_a_and_b_that_never_ends(report: Path, street: Street) -> None:
    one = next(laid(street.registration[0], 8))
    with Image.open(report.parent / PICTURE_FOLDER / f"flicker_before_{STATE}.png") as animation:
        assert animation.n_frames == 2
        assert animation.info["loop"] == 0
        assert animation.info["duration"] >= 334  # at most three flashes a second
        frames = []
        for place in range(2):
            animation.seek(place)
            frames.append(np.asarray(animation.convert("L")))
    assert np.array_equal(frames[0], one.a)
    assert np.array_equal(frames[1], one.b)


@pytest.mark.parametrize(
    ("label", "safe"),
    [
        (STATE, STATE),
        ("", ""),
        ("+0.8 waves / astig", "0.8-waves-astig"),
        ("../../etc/passwd", "etc-passwd"),
        ("C:\\mirror\n*?", "C-mirror"),
        (".hidden", "hidden"),
        ("///", "unnamed"),
        ("离焦 1", "离焦-1"),
        ("x" * 500, "x" * 48),
    ],
)
def test_any_label_becomes_a_safe_part_of_a_file_name(label: str, safe: str) -> None:
    assert file_label(label) == safe


def test_labels_that_read_the_same_as_names_keep_their_own_files(tmp_path: Path) -> None:
    street = Street("alike", registration=(small("a/b"), small("A:B", 20), small("a b", 40)))
    write_report(street, tmp_path)
    wanted = {f"checkerboard_after_{name}.png" for name in ("a-b", "A-B-2", "a-b-3")}
    assert wanted <= names_in(tmp_path)
    assert len(names_in(tmp_path)) == 18


def test_a_refused_pair_has_files_of_before_only_named_after_it(tmp_path: Path) -> None:
    verdict = PairVerdict("IMG 7", "refused", "18 matches, 40 needed", None, None)
    refused = dataclasses.replace(small(""), a_registered=None, verdict=verdict)
    write_report(Street("photographs", registration=(refused,)), tmp_path)
    assert names_in(tmp_path) == {f"{kind}_before_IMG-7.png" for kind in OVERLAYS}


def test_a_street_without_registration_makes_no_folder(tmp_path: Path) -> None:
    write_report(Street("nothing"), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]
