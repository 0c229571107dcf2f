"""One picture that tells the whole project: A, B, both overlaid, and B restored."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from twinlens.pixels import Mono, Picture
from twinlens.report.figures import figure
from twinlens.report.pictures import busiest_window, checkerboard, eight_bit
from twinlens.report.selection import middle_triple
from twinlens.report.street import Street, Triple
from twinlens.storage import sealed

_WIDTH_PX, _GAP_PX, _TITLE_PX, _PANEL_HW = 1600, 16, 74, (560, 380)
_FIELD_PX = 95
_DPI = 100


@dataclass(frozen=True)
class _Panel:
    title: str
    note: str
    pixels: Picture


def write_readme_picture(street: Street, path: Path) -> Path:
    """Write one PNG, 1600 px wide, of native pixels; returns its path.

    Raises:
        ValueError: the street has neither a restored nor a registered frame.
    """
    panels = _panels(street)
    height_px = _TITLE_PX + _PANEL_HW[0] + _GAP_PX
    width_px = _WIDTH_PX if len(panels) == 4 else _GAP_PX + len(panels) * (_PANEL_HW[1] + _GAP_PX)
    with figure(width_px / _DPI, height_px / _DPI) as drawn:
        drawn.set_layout_engine("none")
        for index, panel in enumerate(panels):
            left = _GAP_PX + index * (_PANEL_HW[1] + _GAP_PX)
            # figimage copies pixels one to one; its y runs upwards.
            bottom = _GAP_PX + _PANEL_HW[0] - panel.pixels.shape[0]
            drawn.figimage(np.dstack([panel.pixels] * 3), left, bottom, origin="upper")
            drawn.text(left / width_px, 1 - 30 / height_px, panel.title, fontsize=14, fontweight="bold")
            drawn.text(left / width_px, 1 - 58 / height_px, panel.note, fontsize=11, color="#52606d")
        with sealed(path) as part:
            drawn.savefig(part, format="png", dpi=_DPI)
    return path


def _panels(street: Street) -> list[_Panel]:
    bit_depth = street.bit_depth
    if street.triples:
        triple = middle_triple(street.triples)
        panels = _pair_panels(
            triple.target, triple.input, bit_depth, b_note=f"{triple.input_psnr_db:.1f} dB against A"
        )
        return [*panels, _restored_panel(triple, bit_depth)]
    for pictures in street.registration:
        if pictures.a_registered is not None:
            return _pair_panels(pictures.a_registered, pictures.b, bit_depth, b_note="blurred by the mirror")
    raise ValueError("a picture for the README needs a restored or a registered frame; this street has neither")


def _pair_panels(a: Mono, b: Mono, bit_depth: int, *, b_note: str) -> list[_Panel]:
    window = busiest_window(a, _PANEL_HW)
    a, b = eight_bit(window.of(a), bit_depth), eight_bit(window.of(b), bit_depth)
    return [
        _Panel("Camera A", "sharp; laid onto B’s pixels", a),
        _Panel("Camera B", b_note, b),
        _Panel("A and B in fields", "lines run on: they are registered", checkerboard(a, b, field_px=_FIELD_PX)),
    ]


def _restored_panel(triple: Triple, bit_depth: int) -> _Panel:
    window = busiest_window(triple.target, _PANEL_HW)
    note = f"{triple.restored_psnr_db:.1f} dB against A"
    return _Panel("B restored", note, eight_bit(window.of(triple.restored), bit_depth))
