"""What the twin can look at: the user's photographs, or streets hung with photographs from scikit-image.

Every default scene has its own street and its own photograph, which no other scene shows: a network tested
on one scene has seen nothing of it in another.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from twinlens.capture.virtual.city import paint_city
from twinlens.capture.virtual.photographs import PHOTOGRAPH_SUFFIXES, fill_canvas, read_grey
from twinlens.errors import CaptureError
from twinlens.pixels import Mono8, MonoFloat

DEFAULT_PHOTOGRAPHS: dict[str, tuple[str, ...]] = {
    "astronaut": ("astronaut.png",),
    "motorcycle": ("motorcycle_left.png", "motorcycle_right.png"),
    "camera": ("camera.png",),
    "gravel": ("gravel.png",),
    "coffee": ("coffee.png",),
    "chelsea": ("chelsea.png",),
    "rocket": ("rocket.jpg",),
    "brick": ("brick.png",),
    "coins": ("coins.png",),
    "retina": ("retina.jpg",),
    "grass": ("grass.png",),
    "text": ("text.png",),
    "moon": ("moon.png",),
    "hubble": ("hubble_deep_field.jpg",),
    "tissue": ("ihc.png",),
    "plain": (),
}
"""Each default scene's own photographs, by their names in scikit-image's data folder: files of its wheel."""

_LARGEST_POSTER_PX = 640


@dataclass(frozen=True, slots=True)
class Scenery:
    """A named scene that can be made at any size."""

    name: str
    load: Callable[[tuple[int, int]], MonoFloat]
    """The canvas (h, w) of irradiance, 1 = white, for a size (h, w); always the same one."""


def default_scenery(seed: int, count: int = len(DEFAULT_PHOTOGRAPHS)) -> tuple[Scenery, ...]:
    """Streets, drawn: fifteen hung with photographs of their own, then bare ones. Nothing is downloaded."""
    named = [*DEFAULT_PHOTOGRAPHS.items()][:count]
    bare = [(f"plain-{index:03d}", ()) for index in range(len(named), count)]
    return tuple(
        Scenery(name=f"street-{name}", load=partial(_street, photographs, (seed, index)))
        for index, (name, photographs) in enumerate([*named, *bare])
    )


def folder_scenery(folder: Path, *, seed: int = 0) -> tuple[Scenery, ...]:
    """One scene for every photograph in a folder and its subfolders, named after its path, sorted.

    Raises:
        CaptureError: the folder is missing or holds no photograph, or one cannot be read or is too small.
    """
    hint = f"give a folder with {', '.join(sorted(PHOTOGRAPH_SUFFIXES))} files"
    if not folder.is_dir():
        raise CaptureError(f"{folder} is not a folder", hint=hint)
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTOGRAPH_SUFFIXES)
    if not paths:
        raise CaptureError(f"{folder} holds no photograph", hint=hint)
    names = ["-".join(path.relative_to(folder).with_suffix("").parts) for path in paths]
    if len(set(names)) < len(names):
        names = ["-".join(path.relative_to(folder).parts) for path in paths]
    for path in paths:
        read_grey(path, reduced=True)
    return tuple(
        Scenery(name=name, load=partial(_photograph, path, (seed, index)))
        for index, (name, path) in enumerate(zip(names, paths, strict=True))
    )


def _photograph(path: Path, key: tuple[int, int], shape_hw: tuple[int, int]) -> MonoFloat:
    return fill_canvas(read_grey(path), shape_hw, rng=np.random.default_rng(key))


def _street(photographs: tuple[str, ...], key: tuple[int, int], shape_hw: tuple[int, int]) -> MonoFloat:
    # A poster covers at most half the height of a small sensor.
    longest = min(_LARGEST_POSTER_PX, shape_hw[0] // 2)
    posters = [_middle(bundled(name), longest) for name in photographs]
    mirrored = [np.ascontiguousarray(sheet[:, ::-1]) for sheet in posters]
    return paint_city(shape_hw, rng=np.random.default_rng(key), posters=posters + mirrored)


def _middle(photograph: Mono8, longest_px: int) -> Mono8:
    """The middle of a photograph at its own sharpness."""
    height, width = photograph.shape
    top, left = max(height - longest_px, 0) // 2, max(width - longest_px, 0) // 2
    return photograph[top : top + longest_px, left : left + longest_px]


def bundled(name: str) -> Mono8:
    """A photograph out of scikit-image's installed files; its own loaders could reach for the network."""
    resource = files("skimage") / "data" / name
    if not resource.is_file():
        raise CaptureError(
            f"scikit-image is installed without its photograph {name}",
            hint="install the scikit-image wheel from PyPI again, or use photographs of your own with --scenes",
        )
    with as_file(resource) as path:
        return read_grey(path)
