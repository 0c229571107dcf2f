"""Each floor imports without the heavy packages of other floors, and --help needs none of them."""

import subprocess
import sys

import pytest

BLOCKER = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"{{name}} is blocked in this test", name=name)
sys.meta_path.insert(0, Blocked())
{code}
"""


def run_blocked(names: set[str], code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BLOCKER.format(names=names, code=code)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("modules", "blocked"),
    [
        ("twinlens.errors, twinlens.settings, twinlens.storage", {"numpy", "rich", "click", "torch", "h5py"}),
        ("twinlens.pixels", {"jaxtyping", "beartype", "torch"}),
        (
            "twinlens.capture.session, twinlens.capture.rig_file",
            {"torch", "harvesters", "genicam", "matplotlib", "rich"},
        ),
        (
            "twinlens.calibrate",
            {"torch", "harvesters", "genicam", "matplotlib", "h5py", "rich", "click", "jinja2"},
        ),
        ("twinlens.dataset.paired, twinlens.dataset.patches", {"torch", "harvesters", "scipy", "xxhash", "rich"}),
        (
            "twinlens.restore.train, twinlens.restore.evaluate",
            {"harvesters", "scipy", "xxhash", "rich", "skimage"},
        ),
    ],
)
def test_a_floor_imports_without_what_belongs_to_others(modules: str, blocked: set[str]) -> None:
    finished = run_blocked(blocked, f"import {modules}")
    assert finished.returncode == 0, finished.stderr


def test_a_blocked_package_really_is_unfindable() -> None:
    assert "blocked in this test" in run_blocked({"numpy"}, "import numpy").stderr


def test_help_needs_none_of_the_heavy_packages() -> None:
    heavy = {"torch", "harvesters", "genicam", "matplotlib", "numpy", "cv2", "h5py", "scipy", "skimage", "jinja2"}
    finished = run_blocked(heavy, "import sys; from twinlens.cli import run; sys.exit(run(['--help']))")
    assert finished.returncode == 0, finished.stderr
    for section in ("Capture", "Calibrate", "Dataset", "Restore"):
        assert section in finished.stdout
