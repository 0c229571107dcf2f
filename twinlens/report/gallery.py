"""A report's photographs: which part of each is shown, and beside which others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from twinlens.pixels import Mono
from twinlens.report.overlays import COLUMN_PX, Panel, RegistrationView, registration_view
from twinlens.report.pictures import Shown, busiest_window, eight_bit, native, reduced
from twinlens.report.selection import evenly, middle_triple, shown_registrations
from twinlens.report.street import PairPictures, RegistrationPictures, Street, Triple

_CELL_HW = (118, 148)
_COMPARE_HW = (420, 640)
_MOST_TRIPLES, _MOST_PAIRS = 6, 48


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
    bit_depth = street.bit_depth
    worst_pairs = sorted(street.pairs, key=lambda pair: pair.psnr_db)[:_MOST_PAIRS]
    triples = sorted(street.triples, key=lambda triple: triple.restored_psnr_db - triple.input_psnr_db)
    registrations = shown_registrations(street)
    return Gallery(
        compare=_compare(triples, registrations, bit_depth),
        registrations=tuple(registration_view(pictures, bit_depth) for pictures in registrations),
        pairs=tuple(_pair_view(pair, bit_depth) for pair in worst_pairs),
        triples=tuple(_triple_view(triple, bit_depth) for triple in evenly(triples, _MOST_TRIPLES)),
    )


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
    registered = [(shown.b, shown.a_registered) for shown in registrations if shown.a_registered is not None]
    if registered:
        b, a = registered[(len(registered) - 1) // 2]
        part = _cropper(a, bit_depth)
        return Compare(
            before=part(b, "as camera B captured it, blurred by the mirror"),
            after=part(a, "camera A's sharp picture, laid onto camera B's grid"),
            truth=None,
            before_title="camera B",
            after_title="camera A",
            scene="",
        )
    return None


def _cropper(target: Mono, bit_depth: int) -> Callable[[Mono, str], Shown]:
    window = busiest_window(target, _COMPARE_HW)
    return lambda picture, alt: native(window.of(eight_bit(picture, bit_depth)), alt)


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
    window = busiest_window(triple.target, (COLUMN_PX, COLUMN_PX))

    def panel(title: str, picture: Mono, psnr_db: float | None = None, ssim: float | None = None) -> Panel:
        shown = eight_bit(picture, bit_depth)
        return Panel(
            title=title,
            whole=reduced(shown, f"{triple.scene}: {title}, whole frame", width=COLUMN_PX, marks=[window]),
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
