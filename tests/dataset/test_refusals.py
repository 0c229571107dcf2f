"""What cannot be built is refused by name, and leaves nothing behind."""

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twinlens.calibrate.align import AlignedPair
from twinlens.dataset import (
    DatasetSettings,
    build_dataset,
)
from twinlens.errors import DatasetError, SettingsError, SplitLeakError

PairMaker = Callable[..., AlignedPair]
PairsMaker = Callable[..., Iterator[AlignedPair]]


def test_an_existing_dataset_is_not_touched_unless_asked(pairs: PairsMaker, dataset_path: Path) -> None:
    before = dataset_path.read_bytes()
    with pytest.raises(DatasetError, match="exists"):
        build_dataset(pairs(6), dataset_path)
    assert dataset_path.read_bytes() == before
    assert build_dataset(pairs(6), dataset_path, overwrite=True).pairs == 6


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ({"shape_hw": (40, 48)}, "48x40 px.*56x40 px"),
        ({"bit_depth": 10}, "uint16, 10 bit.*uint8, 8 bit"),
        ({"bit_depth": 7, "shape_hw": (40, 56)}, "7 bit.*8 bit"),
        ({"trigger_index": 0}, "trigger 0 of session session-1 comes twice"),
        ({"mask": np.ones((40, 40), np.bool_)}, "input, target and mask are 40x40 px, 56x40 px"),
        ({"target": np.zeros((40, 56), np.uint16)}, "uint16, uint8"),
        ({"session_id": "s" * 97}, "longer than 96 bytes"),
    ],
    ids=["size", "depth", "levels", "twice", "mask", "dtype", "name"],
)
def test_pairs_that_do_not_match_are_named_and_leave_nothing(
    pair: PairMaker, pairs: PairsMaker, tmp_path: Path, change: dict[str, Any], seen: str
) -> None:
    odd = pair(8, **{key: value for key, value in change.items() if key != "trigger_index"})
    odd = dataclasses.replace(odd, trigger_index=change.get("trigger_index", 8))
    with pytest.raises(DatasetError, match=seen) as caught:
        build_dataset([*pairs(8), odd], tmp_path / "d.h5")
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_no_pairs_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no pairs"):
        build_dataset([], tmp_path / "d.h5")
    assert list(tmp_path.iterdir()) == []


def test_two_scenes_are_too_few_and_leave_nothing(pairs: PairsMaker, tmp_path: Path) -> None:
    with pytest.raises(SplitLeakError, match="2 scenes make 2 groups"):
        build_dataset(pairs(4), tmp_path / "d.h5")
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_stream_passes_and_leaves_nothing(pairs: PairsMaker, tmp_path: Path) -> None:
    def broken() -> Iterator[AlignedPair]:
        yield from pairs(4)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_dataset(broken(), tmp_path / "d.h5")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong",
    [{"version": "v1"}, {"version": "1.0"}, {"version": "1.0.0-rc1"}],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        DatasetSettings(**wrong)


CHILD = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from small_pairs import make_pairs
from twinlens.dataset import build_dataset
from twinlens.errors import DatasetError

def announced(pairs):
    for k, pair in enumerate(pairs):
        print(k, flush=True)
        yield pair

if sys.argv[3] == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
try:
    build_dataset(announced(make_pairs(100_000)), Path(sys.argv[2]))
except DatasetError as error:
    sys.exit(f"{error.message} | {error.hint}")
"""


def start_child(out: Path, mode: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(Path(__file__).parents[1] / "capture"), str(out), mode],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_disk_that_fills_up_is_reported_and_leaves_nothing(tmp_path: Path) -> None:
    # A limit on the size of files stops writes as a full disk does, without needing a disk.
    child = start_child(tmp_path / "d.h5", "full")
    _, told = child.communicate(timeout=60)
    assert child.returncode == 1, told  # HDF5 crashes at exit when it could not write what it kept back
    assert told.startswith(f"{tmp_path / 'd.h5'} was not written: [Errno 27] File too large")
    assert "has room" in told
    assert list(tmp_path.iterdir()) == []


def test_a_killed_build_leaves_nothing_under_its_name(tmp_path: Path) -> None:
    out = tmp_path / "d.h5"
    with start_child(out, "killed") as child:
        assert child.stdout is not None
        while child.stdout.readline() != "20\n":
            assert child.poll() is None
        os.kill(child.pid, signal.SIGKILL)
    assert not out.exists()
