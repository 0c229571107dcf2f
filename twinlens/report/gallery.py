"""Which pictures a report shows, and which part of them: rules, so that nobody picks the flattering ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

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
from twinlens.report.street import PairPictures, RegistrationPictures, Street, Triple

_COLUMN_PX = 304
"""Four columns and their gaps fill a 1400 px screen, two an 800 px one."""
_CELL_HW = (118, 148)
_COMPARE_HW = (420, 640)
_MOST_TRIPLES, _MOST_PAIRS = 6, 48
MOST_STATES = 2
"""Mirror states whose overlays and kernels are shown."""

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Panel:
    """One column of a row of pictures: the whole frame, and parts of it pixel for pixel."""

    title: str
    whole: Shown
    crops: tuple[Shown, ...]
    psnr_db: float | None = None
    ssim: float | None = None


@dataclass(frozen=True)
class Compare:
    """The two sides of the before/after slider, and the third that can be laid over it."""

    before: Shown
    after: Shown
    truth: Shown | None
    before_title: str
    after_title: str
    scene: str


@dataclass(frozen=True)
class RegistrationView:
    """Overlays of one mirror state."""

    mirror_state: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class PairView:
    """One card of the contact sheet."""

    pair: PairPictures
    whole: Shown
    input: Shown
    target: Shown


@dataclass(frozen=True)
class TripleView:
    """One test frame: input, restored, baseline, target."""

    triple: Triple
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Gallery:
    """Every photograph of a report."""

    compare: Compare | None
    registrations: tuple[RegistrationView, ...]
    pairs: tuple[PairView, ...]
    """Lowest input PSNR first."""
    triples: tuple[TripleView, ...]
    """Smallest gain first."""


def gallery(street: Street) -> Gallery:
    """Crop and reduce what a report shows of the street's pictures."""
    bit_depth = street.dataset.bit_depth if street.dataset else 8
    if street.dataset is None and street.calibration is not None:
        bit_depth = max(state.bit_depth for state in street.calibration.states)
    worst_pairs = sorted(street.pairs, key=lambda pair: pair.psnr_db)[:_MOST_PAIRS]
    triples = sorted(street.triples, key=lambda triple: triple.restored_psnr_db - triple.input_psnr_db)
    registrations = street.registration[:MOST_STATES]
    return Gallery(
        compare=_compare(triples, registrations, bit_depth),
        registrations=tuple(_registration_view(pictures, bit_depth) for pictures in registrations),
        pairs=tuple(_pair_view(pair, bit_depth) for pair in worst_pairs),
        triples=tuple(_triple_view(triple, bit_depth) for triple in evenly(triples, _MOST_TRIPLES)),
    )


def evenly(items: Sequence[_Item], most: int) -> list[_Item]:
    """At most `most` items: the first, the last, and evenly spread ones between."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def middle_triple(triples: Sequence[Triple]) -> Triple:
    """The frame with the median gain: neither the best nor the worst."""
    return sorted(triples, key=lambda triple: triple.restored_psnr_db - triple.input_psnr_db)[len(triples) // 2]


def _compare(
    triples: Sequence[Triple], registrations: Sequence[RegistrationPictures], bit_depth: int
) -> Compare | None:
    if triples:
        triple = middle_triple(triples)
        part = _cropper(triple.target, bit_depth)
        return Compare(
            before=part(triple.input, f"{triple.scene}: as camera B captured it, blurred by the mirror"),
            after=part(triple.restored, f"{triple.scene}: camera B's picture after restoration"),
            truth=part(triple.target, f"{triple.scene}: what camera A saw, sharp"),
            before_title="camera B",
            after_title="restored",
            scene=triple.scene,
        )
    if registrations:
        pictures = registrations[0]
        part = _cropper(pictures.a_registered, bit_depth)
        return Compare(
            before=part(pictures.b, "as camera B captured it, blurred by the mirror"),
            after=part(pictures.a_registered, "camera A's sharp picture, laid onto camera B's grid"),
            truth=None,
            before_title="camera B",
            after_title="camera A",
            scene="",
        )
    return None


def _cropper(target: Mono, bit_depth: int) -> Callable[[Mono, str], Shown]:
    window = busiest_window(target, _COMPARE_HW)
    return lambda picture, alt: native(window.of(eight_bit(picture, bit_depth)), alt)


def _registration_view(pictures: RegistrationPictures, bit_depth: int) -> RegistrationView:
    b = eight_bit(pictures.b, bit_depth)
    before = in_brightness_of(b, eight_bit(pictures.a_unregistered, bit_depth))
    after = in_brightness_of(b, eight_bit(pictures.a_registered, bit_depth))
    windows = _far_apart(after)
    panels = [
        _overlay_panel(f"{when} registration: {name}", overlay, a, b, windows)
        for overlay, name in ((_colours, "A red, B cyan"), (_fields, "A and B in fields"))
        for when, a in (("Before", before), ("After", after))
    ]
    return RegistrationView(pictures.mirror_state, tuple(panels))


def _far_apart(target: Mono8) -> tuple[Window, Window]:
    """A window at the left and one at the right, where a wrong rotation or scale shows most."""
    height, width = target.shape
    size_hw = (_COLUMN_PX * 3 // 4, _COLUMN_PX)
    left = Window(0, 0, max(width // 3, min(_COLUMN_PX, width)), height)
    right = Window(width - left.width, 0, left.width, height)
    return busiest_window(target, size_hw, within=left), busiest_window(target, size_hw, within=right)


def _overlay_panel(
    title: str, overlay: Callable[[Mono8, Mono8, int], Picture], a: Mono8, b: Mono8, windows: Sequence[Window]
) -> Panel:
    whole = overlay(a, b, max(a.shape) // 12)
    sides = ("left", "right")
    return Panel(
        title=title,
        whole=reduced(whole, f"{title}, whole frame", width=_COLUMN_PX, marks=windows),
        crops=tuple(
            native(overlay(window.of(a), window.of(b), 38), f"{title}, detail at the {side}")
            for window, side in zip(windows, sides, strict=True)
        ),
    )


def _colours(a: Mono8, b: Mono8, field_px: int) -> Picture:
    del field_px
    return red_cyan(a, b)


def _fields(a: Mono8, b: Mono8, field_px: int) -> Picture:
    return checkerboard(a, b, field_px=field_px)


def _pair_view(pair: PairPictures, bit_depth: int) -> PairView:
    window = busiest_window(pair.target, _CELL_HW)
    target = eight_bit(pair.target, bit_depth)
    return PairView(
        pair=pair,
        whole=reduced(target, f"{pair.scene}: the whole target", width=_CELL_HW[1], marks=[window]),
        input=native(window.of(eight_bit(pair.input, bit_depth)), f"{pair.scene}: detail of the input"),
        target=native(window.of(target), f"{pair.scene}: the same detail of the target"),
    )


def _triple_view(triple: Triple, bit_depth: int) -> TripleView:
    window = busiest_window(triple.target, (_COLUMN_PX, _COLUMN_PX))

    def panel(title: str, picture: Mono, psnr_db: float | None = None, ssim: float | None = None) -> Panel:
        shown = eight_bit(picture, bit_depth)
        return Panel(
            title=title,
            whole=reduced(shown, f"{triple.scene}: {title}, whole frame", width=_COLUMN_PX, marks=[window]),
            crops=(native(window.of(shown), f"{triple.scene}: {title}, detail"),),
            psnr_db=psnr_db,
            ssim=ssim,
        )

    panels = [
        panel("Input: camera B", triple.input, triple.input_psnr_db, triple.input_ssim),
        panel("Restored", triple.restored, triple.restored_psnr_db, triple.restored_ssim),
        panel("Target: camera A", triple.target),
    ]
    if triple.wiener is not None:
        panels.insert(1, panel("Wiener filter, told the true blur", triple.wiener, triple.wiener_psnr_db))
    return TripleView(triple, tuple(panels))
