"""The figures and overlays of registration as PNG files beside the page, at their full size."""

import io
import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import chain, count
from pathlib import Path

import cv2
from PIL import Image

from twinlens.pixels import Picture
from twinlens.report.overlays import Laid, laid
from twinlens.report.state_figures import StateFigures
from twinlens.report.street import Street
from twinlens.storage import sealed

_BLINK_MS = 500
"""Two changes a second: more than three flashes a second are harmful to some people."""
_PNG_LEVEL = 4
_LONGEST_LABEL = 48


def write_registration_files(street: Street, figures: Iterable[StateFigures], folder: Path) -> tuple[Path, ...]:
    """Write every figure and overlay of registration into `folder`; returns their paths.

    A file is named after what it shows, then the mirror state, then the pair where pairs are judged one by one.
    The flicker is an animated PNG of two frames, A and B.
    """
    written: dict[str, Path] = {}
    for kind, label, encoded in chain(_figure_files(figures), _overlay_files(street)):
        stem = f"{kind}_{label}" if label else kind
        name = next(name for name in _candidates(stem) if name.casefold() not in written)
        with sealed(folder / name) as part:
            part.write_bytes(encoded)
        written[name.casefold()] = folder / name
    return tuple(written.values())


def file_label(*names: str) -> str:
    """Anybody's text as a part of a file name on every system: letters, digits and "-._" of it, cut short."""
    words = [re.sub(r"[^\w.-]+", "-", unicodedata.normalize("NFC", name)).strip("-._") for name in names if name]
    return "_".join(word or "unnamed" for word in words)[:_LONGEST_LABEL].strip("-._")


def _candidates(stem: str) -> Iterator[str]:
    """`stem`.png, and numbered names where labels that differ read the same as file names."""
    yield f"{stem}.png"
    for number in count(2):
        yield f"{stem}-{number}.png"


def _figure_files(figures: Iterable[StateFigures]) -> Iterator[tuple[str, str, bytes]]:
    """What it shows, of which state, and the file's bytes."""
    for state in figures:
        for kind, drawing in state.named():
            yield kind, file_label(state.mirror_state), drawing.png()


def _overlay_files(street: Street) -> Iterator[tuple[str, str, bytes]]:
    for pictures in street.registration:
        label = file_label(pictures.mirror_state, pictures.verdict.name if pictures.verdict else "")
        for one in laid(pictures, street.bit_depth):
            yield f"red_cyan_{one.when}", label, _png(one.red_cyan)
            yield f"checkerboard_{one.when}", label, _png(one.checkerboard)
            yield f"flicker_{one.when}", label, _animated(one)


def _png(picture: Picture) -> bytes:
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.ndim == 3 else picture
    _, encoded = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL])
    return encoded.tobytes()


def _animated(one: Laid) -> bytes:
    """A and B in turn, for ever; a viewer that does not animate shows A."""
    stream = io.BytesIO()
    a, b = Image.fromarray(one.a), Image.fromarray(one.b)
    a.save(stream, "PNG", save_all=True, append_images=[b], duration=_BLINK_MS, loop=0, compress_level=_PNG_LEVEL)
    return stream.getvalue()
