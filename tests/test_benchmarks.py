"""The long runs in `benchmarks/` work, at a small fraction of their scale."""

import subprocess
import sys
from pathlib import Path

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
