"""Fails when a source file is longer than 300 lines: split by idea, not by length."""

import subprocess
import sys
from pathlib import Path

LIMIT = 300
SUFFIXES = {".py", ".c", ".h", ".html", ".css", ".js"}


def main() -> int:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [Path(name) for name in listed.stdout.splitlines()]
    long = [
        (count, path)
        for path in paths
        if path.suffix in SUFFIXES and path.is_file() and (count := len(path.read_text().splitlines())) > LIMIT
    ]
    for count, path in sorted(long, reverse=True):
        sys.stderr.write(f"{path}: {count} lines, at most {LIMIT}\n")
    return 1 if long else 0


if __name__ == "__main__":
    sys.exit(main())
