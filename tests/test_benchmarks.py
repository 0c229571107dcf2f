"""The long runs in `benchmarks/` work, at a small fraction of their scale."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import skimage

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def run(script, *options):
    command = [sys.executable, str(BENCHMARKS / script), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_capture_makes_a_pair_of_every_pulse_beside_aravis(tmp_path):
    told = run("capture.py", "--seconds", "3", "--rates", "20", "30", "--size", "640x512", "--out", str(tmp_path))
    assert "20 Hz: 60 of 60 pairs, 0 frames lost, 0 incomplete" in told
    assert "twinlens / Aravis: frames" in told or "no reference" in told
    assert "missing packets 0" in told or "not installed" in told
    assert not list(tmp_path.iterdir())


def test_faults_make_no_wrong_pair_and_no_false_account():
    cases = ("drop 1 %", "late trigger", "whole frame lost")
    told = run("faults.py", "--frames", "20", "--rates", "20", "--cases", *cases)
    rows = {line[:22].strip() for line in told.splitlines()[2:]}
    assert rows == {"none", *cases}


def test_registration_alone_in_a_minute_is_nearer_the_truth_than_orb(tmp_path):
    before = os.times()
    told = run("registration.py", "--quick", "--scenes", str(tmp_path))
    after = os.times()
    # Of both workers together: what else the machine does must not count.
    assert after.children_user + after.children_system - before.children_user - before.children_system < 60
    for level in ("g2", "z0.5"):
        ours, orb = (row(told, level, method) for method in ("ours", "ORB"))
        assert float(ours[3]) < float(orb[3])
        assert float(ours[5]) < float(orb[5]) / 2
        assert int(ours[7]) == 0


def test_real_pairs_that_are_not_there_are_left_out(tmp_path):
    told = run(
        "registration.py", "--sections", "real", "--scenes", str(tmp_path), "--report", str(tmp_path / "page")
    )
    assert "real pairs: none in" in told
    assert "left out" in told
    assert not (tmp_path / "page").exists()


def test_a_folder_of_refocused_photographs_is_judged_and_shown(tmp_path):
    folder = tmp_path / "bracket"
    folder.mkdir()
    sharp = cv2.imread(str(Path(skimage.__file__).parent / "data" / "motorcycle_left.png"), cv2.IMREAD_GRAYSCALE)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 2)
    # The blurred one comes first: which of the two is A is for the benchmark to find out.
    cv2.imwrite(str(folder / "1.png"), np.roll(blurred, 2, axis=1))
    cv2.imwrite(str(folder / "2.png"), sharp)
    told = run(
        "registration.py", "--sections", "defocus", "--defocus", str(folder), "--report", str(tmp_path / "page")
    )
    assert "1 pairs: photographs" in told
    ours, unmoved = (row(told, "2", "→", "1", method=method) for method in ("ours", "none"))
    assert float(ours[0]) < 0.1 < float(unmoved[0])
    page = (tmp_path / "page" / "report.html").read_text(encoding="utf-8")
    assert '2 → 1 <span class="badge good">good</span>' in page


def test_metrics_are_timed_beside_scikit_image_and_agree_with_it():
    told = run("metrics.py", "--rounds", "1", "--size", "192x160")
    differences = [float(line.split()[-1]) for line in told.splitlines() if "scikit-image's time" in line]
    assert len(differences) == 4
    assert max(differences) < 1e-6
    assert "total variation, 30 steps" in told


def row(told, *first, method=None):
    """The words of the first line that begins with these words; those after `method`, if it is given."""
    for words in map(str.split, told.splitlines()):
        if words[: len(first)] == list(first) and (method is None or method in words):
            return words if method is None else words[words.index(method) + 1 :]
    raise AssertionError(f"no row {first}, {method} in:\n{told}")


def test_what_a_restoring_process_takes_is_measured_against_its_bar():
    told = run("restore_memory.py", "--networks", "demo", "--size", "320x256", "--precisions", "auto").splitlines()
    assert [line.split()[:2] for line in told] == [["demo", "uint8"], ["demo", "uint16"]]
    assert all("whole" in line and 0.1 < float(line.split(": ")[1].split()[0]) < 2 for line in told)
