"""Stand-in."""

from dataclasses import dataclass


def phash(pixels, *, bit_depth=8):
    return 0


@dataclass(frozen=True)
class DuplicateReport:
    found: tuple = ()

    def as_json(self):
        return "{}"


def find_same_scenes(*a, **k):
    return DuplicateReport()
