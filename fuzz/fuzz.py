"""Feeds the producer's parsers with invented packets, under AddressSanitizer and UndefinedBehaviorSanitizer.

    python fuzz/fuzz.py --runs 1000000            # each target; needs clang and its libFuzzer

Seeds lie in corpus/ and are only read; what a run finds goes to build/fuzz/.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
NATIVE = HERE.parent / "twinlens" / "capture" / "native"
WORK = HERE.parent / "build" / "fuzz"
STREAM = ("assembly", "block", "delivery", "resend", "gvsp", "buffers", "answers", "errors")


@dataclass(frozen=True)
class Target:
    """One fuzz target: the sources it drives, and the system calls that it stands in for."""

    name: str
    sources: tuple[str, ...]
    replaced: tuple[str, ...] = ()
    longest: int = 4096


TARGETS = (
    Target(
        "gvcp",
        ("gvcp", "gvcp_packets", "identity", "url", "errors"),
        replaced=("send", "poll", "recv", "clock_gettime"),
    ),
    Target("gvsp", STREAM),
    Target("batch", (*STREAM, "receiver_batch"), replaced=("recvmmsg", "malloc", "free"), longest=16384),
)


def build(target: Target) -> Path:
    """The compiled fuzz target.

    Raises:
        CalledProcessError: clang or its libFuzzer is missing, or the sources do not compile.
    """
    WORK.mkdir(parents=True, exist_ok=True)
    program = WORK / target.name
    subprocess.run(
        [
            "clang", "-std=c11", "-D_GNU_SOURCE", "-g", "-O1",
            "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all",
            *(f"-D{call}=fuzz_{call}" for call in target.replaced),
            HERE / f"{target.name}.c",
            *(NATIVE / f"{source}.c" for source in target.sources),
            "-lpthread", "-o", program,
        ],
        check=True,
    )  # fmt: skip
    return program


def run(target: Target, program: Path, *, runs: int, seed: int) -> int:
    """The exit code of `runs` executions; seed 0 takes another path every time."""
    grown, found = WORK / f"{target.name}.corpus", WORK / f"{target.name}.finding-"
    shutil.rmtree(grown, ignore_errors=True)
    grown.mkdir()
    command: list[str | Path] = [
        program, grown, HERE / "corpus" / target.name, f"-runs={runs}", f"-seed={seed}",
        f"-max_len={target.longest}", "-timeout=10", f"-artifact_prefix={found}", "-print_final_stats=1",
    ]  # fmt: skip
    began = time.monotonic()
    done = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.stderr.write(done.stderr[-6000:])
    executed = next(
        (line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line), "?"
    )
    sys.stdout.write(
        f"{target.name}: {executed} executions in {time.monotonic() - began:.0f} s, exit {done.returncode}\n"
    )
    return done.returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100_000, help="executions of each target")
    parser.add_argument("--seed", type=int, default=0, help="0: another one every time")
    parser.add_argument("--target", choices=[target.name for target in TARGETS], help="only this one")
    arguments = parser.parse_args()
    if shutil.which("clang") is None:
        sys.stdout.write("skipped: clang is not installed (Debian packages clang and libclang-rt-14-dev)\n")
        return int(os.environ.get("CI") == "true")
    chosen = [target for target in TARGETS if arguments.target in (None, target.name)]
    return max(run(target, build(target), runs=arguments.runs, seed=arguments.seed) for target in chosen)


if __name__ == "__main__":
    raise SystemExit(main())
