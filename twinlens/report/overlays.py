"""A laid onto B, before and after registration: in colours, in fields like a chess board, and to be blinked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from twinlens.pixels import Mono, Mono8, Picture
from twinlens.report.pictures import (
    Shown,
    Window,
    busiest_window,
    checkerboard,
    eight_bit,
    in_brightness_of,
    native,
    red_cyan,
    reduced,
)
from twinlens.report.street import PairVerdict, RegistrationPictures

COLUMN_PX = 304
"""Four columns and their gaps fill a 1400 px screen, two an 800 px one."""
BLINK_HW = (420, 624)
"""Two beside each other fill a 1400 px screen, one an 800 px one."""
_DETAIL_FIELD_PX = 38
_FIELDS_ACROSS = 12
_COLOURS, _FIELDS = "A red, B cyan", "A and B in fields"


@dataclass(frozen=True)
class Panel:
    """One column of a row of pictures: the whole frame, and parts of it pixel for pixel."""

    title: str
    whole: Shown
    crops: tuple[Shown, ...]
    psnr_db: float | None = None
    ssim: float | None = None


@dataclass(frozen=True)
class Blink:
    """The same part of A and of B, to be shown in turn."""

    when: str
    a: Shown
    b: Shown


@dataclass(frozen=True)
class RegistrationView:
    """Overlays of one pair."""

    mirror_state: str
    verdict: PairVerdict | None
    panels: tuple[Panel, ...]
    blinks: tuple[Blink, ...]


@dataclass(frozen=True)
class Laid:
    """A on B's grid before ("before") or after ("after") registration, as grey levels of a screen."""

    when: str
    a: Mono8
    """In B's brightness."""
    b: Mono8

    @property
    def red_cyan(self) -> Picture:
        """A in red and B in cyan."""
        return red_cyan(self.a, self.b)

    @property
    def checkerboard(self) -> Mono8:
        """A and B in turn, twelve fields along the longer side."""
        return checkerboard(self.a, self.b, field_px=max(1, max(self.b.shape) // _FIELDS_ACROSS))


def laid(pictures: RegistrationPictures, bit_depth: int) -> Iterator[Laid]:
    """Before registration and, unless it was refused, after."""
    b = eight_bit(pictures.b, bit_depth)
    yield Laid(
        "before", in_brightness_of(b, eight_bit(_as_large_as(pictures.b, pictures.a_unregistered), bit_depth)), b
    )
    if pictures.a_registered is not None:
        yield Laid("after", in_brightness_of(b, eight_bit(pictures.a_registered, bit_depth)), b)


def registration_view(pictures: RegistrationPictures, bit_depth: int) -> RegistrationView:
    """What a page shows of one pair's registration; the same parts before and after."""
    both = list(laid(pictures, bit_depth))
    sharpest = both[-1].a if pictures.a_registered is not None else both[-1].b
    windows, blink_window = _far_apart(sharpest), busiest_window(sharpest, BLINK_HW)
    panels = [_panel(one, name, windows) for name in (_COLOURS, _FIELDS) for one in both]
    return RegistrationView(
        mirror_state=pictures.mirror_state,
        verdict=pictures.verdict,
        panels=tuple(panels),
        blinks=tuple(_blink(one, blink_window) for one in both),
    )


def _as_large_as(b: Mono, a: Mono) -> Mono:
    """`a` cut, or filled up with black, at the right and the bottom."""
    if a.shape == b.shape:
        return a
    filled = np.zeros(b.shape, a.dtype)
    height, width = min(a.shape[0], b.shape[0]), min(a.shape[1], b.shape[1])
    filled[:height, :width] = a[:height, :width]
    return filled


def _far_apart(target: Mono8) -> tuple[Window, Window]:
    """A window at the left and one at the right, where a wrong rotation or scale shows most."""
    height, width = target.shape
    size_hw = (COLUMN_PX * 3 // 4, COLUMN_PX)
    left = Window(0, 0, max(width // 3, min(COLUMN_PX, width)), height)
    right = Window(width - left.width, 0, left.width, height)
    return busiest_window(target, size_hw, within=left), busiest_window(target, size_hw, within=right)


def _panel(one: Laid, name: str, windows: Sequence[Window]) -> Panel:
    title = f"{one.when.capitalize()} registration: {name}"
    whole = one.red_cyan if name == _COLOURS else one.checkerboard
    return Panel(
        title=title,
        whole=reduced(whole, f"{title}, whole frame", width=COLUMN_PX, marks=windows),
        crops=tuple(
            native(_detail(one, name, window), f"{title}, detail at the {side}")
            for window, side in zip(windows, ("left", "right"), strict=True)
        ),
    )


def _detail(one: Laid, name: str, window: Window) -> Picture:
    a, b = window.of(one.a), window.of(one.b)
    return red_cyan(a, b) if name == _COLOURS else checkerboard(a, b, field_px=_DETAIL_FIELD_PX)


def _blink(one: Laid, window: Window) -> Blink:
    return Blink(
        when=one.when,
        a=native(window.of(one.a), f"camera A {one.when} registration"),
        b=native(window.of(one.b), "the same part of camera B"),
    )
