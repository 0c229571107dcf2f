"""The crash benchmarks, at a tenth of their scale: kills, power cuts and a full disk."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module(request.param)
    for name in ("kills", "powercut", "disk_full"):
        sys.modules.pop(name, None)


@pytest.fixture
def _loop_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    if reason := importlib.import_module("loop_disk").why_not():
        pytest.skip(reason)


@pytest.mark.parametrize("benchmark", ["kills"], indirect=True)
def test_killed_recordings_lose_no_frame_older_than_a_second(benchmark: ModuleType) -> None:
    outcomes = list(benchmark.run_kills(2, capture=False, seed=1))
    assert len(outcomes) == 6
    assert all(outcome.frames > 0 and outcome.false == 0 for outcome in outcomes)
    assert max(outcome.oldest_lost_s for outcome in outcomes) < 1.0


@pytest.mark.usefixtures("_loop_disk")
@pytest.mark.parametrize("benchmark", ["powercut"], indirect=True)
def test_a_power_cut_loses_no_frame_older_than_a_second(benchmark: ModuleType) -> None:
    (outcome,) = benchmark.run_cuts(1, seed=2)
    assert outcome.false == 0
    assert outcome.oldest_lost_s < 1.0


@pytest.mark.usefixtures("_loop_disk")
@pytest.mark.parametrize("benchmark", ["disk_full"], indirect=True)
def test_a_full_disk_ends_the_recording_and_leaves_a_session_that_is_intact(
    benchmark: ModuleType, tmp_path: Path
) -> None:
    loop_disk = importlib.import_module("loop_disk")
    with loop_disk.mounted(loop_disk.new_image(tmp_path / "image", size_mb=48), tmp_path / "disk") as disk:
        found = benchmark.fill(disk / "sessions", (480, 640))
    assert "No space left" in found["told"]
    assert "free space" in found["hint"]
    assert not found["folder"].endswith(".part")
    assert found["pairs left"] > 10
    assert found["wrong pairs"] == 0
    assert found["problems"] == []
