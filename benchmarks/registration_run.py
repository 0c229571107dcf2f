"""What the sections of `registration.py` share: the options, the workers, and the bars that decide."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from registration_twin import Photograph, frame_shape, photographs

from twinlens.report.street import RegistrationPictures

SHARED = Path(__file__).parents[2] / "shared"
SESSION_WH = (880, 688)
MIN_SESSION_SCENES = 4
"""Photographs that must be large enough for a session."""

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Bar:
    """One number that must not be exceeded."""

    name: str
    value: float
    limit: float
    unit: str = "px"

    @property
    def passed(self) -> bool:
        """Whether it holds; a number that is missing does not."""
        return self.value <= self.limit

    def __str__(self) -> str:
        verdict = "PASS" if self.passed else "FAIL"
        return f"{verdict}  {self.name:46} {self.value:9.4g} <= {self.limit:g} {self.unit}"


@dataclass
class Run:
    """Options, workers, and the bars so far."""

    scenes: Path
    seeds: int
    images: int
    width: int
    jobs: int
    quick: bool
    smallest_mp: float
    """Frames of fewer megapixels count for no bar."""
    defocus: tuple[Path, ...] = ()
    """Refocused photographs: folders, or files of A and B in turn."""
    bars: list[Bar] = field(default_factory=list)
    pictures: list[RegistrationPictures] = field(default_factory=list)
    """What a report page is to show."""

    @property
    def size_wh(self) -> tuple[int, int]:
        """Frames of single pairs."""
        return self.width, self.width * 3 // 4

    def counts(self, size_wh: tuple[int, int]) -> bool:
        """Whether frames of this (width, height) are large enough for bars."""
        return size_wh[0] * size_wh[1] >= 1e6 * self.smallest_mp

    def chosen(self, *, small: bool = False) -> list[int]:
        """Places of at most `images` photographs, spread evenly over the large ones or over the small ones."""
        shapes = [frame_shape(image, self.size_wh) for _, image in scene_set(self.scenes)]
        places = [i for i, (h, w) in enumerate(shapes) if (h * w < 1e6 * self.smallest_mp) == small]
        return [places[int(i)] for i in np.linspace(0, len(places) - 1, min(self.images, len(places))).round()]

    def map(self, function: Callable[[Task], Result], tasks: Sequence[Task], *, jobs: int = 0) -> Iterator[Result]:
        """Results in the order of `tasks`, each as soon as it and those before it are there."""
        # Set for the workers, which load their own numpy: one thread each, so that CPU seconds mean something.
        os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
        with ProcessPoolExecutor(
            jobs or self.jobs, mp_context=get_context("spawn"), initializer=cv2.setNumThreads, initargs=(1,)
        ) as workers:
            yield from workers.map(_Named(function), tasks)

    def bar(self, name: str, value: float, limit: float, unit: str = "px") -> None:
        """Print a bar and keep it for the end."""
        self.bars.append(Bar(name, value, limit, unit))
        print(f"    {self.bars[-1]}", flush=True)


@dataclass(frozen=True)
class _Named:
    """A function whose errors say which task they belong to."""

    function: Callable[[Any], Any]

    def __call__(self, task: Any) -> Any:
        try:
            return self.function(task)
        except BaseException as error:
            error.add_note(f"in {self.function.__name__}({task!r})")
            raise


@cache
def scene_set(folder: Path, frame_wh: tuple[int, int] = (1200, 900)) -> list[tuple[str, Photograph]]:
    """`photographs`, read once per process."""
    return photographs(folder, frame_wh=frame_wh)


def session_scenes(folder: Path) -> tuple[list[Photograph], tuple[int, int]]:
    """Photographs for a session and its frames' (width, height): 880x688, or less where too few are that large."""
    images = [image for _, image in scene_set(folder)]
    sizes = sorted((frame_shape(image, SESSION_WH) for image in images), reverse=True)
    height, width = sizes[:MIN_SESSION_SCENES][-1]
    return images, (width, height)


def median(values: Sequence[float]) -> float:
    """Median; infinite where half of the values are."""
    return float(np.median(values)) if len(values) else np.nan


def p95(values: Sequence[float]) -> float:
    """95th percentile, one of the values themselves."""
    return float(np.percentile(values, 95, method="higher")) if len(values) else np.nan
