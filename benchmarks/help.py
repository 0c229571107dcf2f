"""How long `twinlens --help` takes against a bare interpreter and against importing click and rich alone.

Named reference: `python -c "import click, rich.console"`, the least that a command line of this kind can load.
"""

import statistics
import subprocess
import sys
import time

ROUNDS = 9
COMMANDS = {
    "bare interpreter": "pass",
    "click and rich": "import click, rich.console",
    "twinlens --help": "from twinlens.cli import run; run(['--help'])",
}


def seconds(code: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):  # alternating, so that a busy moment meets all three
        for name, code in COMMANDS.items():
            taken[name].append(seconds(code))
    reference = statistics.median(taken["click and rich"])
    for name, times in taken.items():
        middle = statistics.median(times)
        print(f"{name:18} {middle * 1e3:6.0f} ms  {middle / reference:5.2f} x click and rich")


if __name__ == "__main__":
    main()
