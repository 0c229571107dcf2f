"""A bounded number of invented packets for every parser, under sanitizers; `make fuzz RUNS=1000000` runs more."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[2] / "fuzz"
EXECUTIONS = 30_000


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"fuzz_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


fuzz, corpus = _load("fuzz"), _load("make_corpus")


@pytest.mark.parametrize("target", fuzz.TARGETS, ids=lambda target: target.name)
def test_no_invented_packet_breaks_a_parser(target, system_tool: Callable[[str, str], str], capfd) -> None:
    system_tool("clang", "clang")
    assert fuzz.run(target, fuzz.build(target), runs=EXECUTIONS, seed=1) == 0, capfd.readouterr().err


@pytest.mark.parametrize("name", ["gvcp", "gvsp", "batch"])
def test_the_seed_corpus_is_what_its_script_writes(name: str) -> None:
    seeds = getattr(corpus, f"{name}_seeds")()
    committed = {path.name: path.read_bytes() for path in (FOLDER / "corpus" / name).iterdir()}
    assert committed == seeds
