"""A camera's dark, gain and defect maps, and the one way in which every stage applies them to its raw frames.

How the maps are measured is calibrate's; here is what calibrating, building and restoring share: numpy alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from twinlens.errors import CorrectionError
from twinlens.pixels import Mask, Mono, MonoFloat

GAIN_STEP = 2.0**-14
"""Gain maps are multiples of this, 0 to 4: rounding moves a white pixel of 8 bits by 0.008 grey levels at most."""
DARK_STEPS = 1 << 16
"""Dark maps are multiples of full scale / 2**16: rounding moves a pixel of 8 bits by 0.002 grey levels at most."""
_BAND_ROWS = 64
"""Rows corrected at a time: what is between frame and result stays in a core's cache."""
_NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))


@dataclass(frozen=True, kw_only=True, eq=False)
class CameraCorrection:
    """What one camera's raw frames need: corrected = (frame - dark) / gain + pedestal, defects from neighbours.

    `pedestal` is the median dark level. It stays in the picture, so that noise around darkness is not clipped at
    0; the brightness model of registration carries it as its offset.
    """

    dark: MonoFloat
    """(h, w) dark level of every pixel in grey levels."""
    gain: MonoFloat
    """(h, w) response of every pixel to light, vignette included: (flat - dark) / its median; 1 without flats."""
    defects: Mask
    """(h, w) True where a pixel tells nothing: it is replaced by the median of its good neighbours."""
    pedestal: float
    """Grey levels."""
    bit_depth: int
    exposure_us: float = 0.0
    """Of the dark frames; 0 where unknown."""
    gain_db: float = 0.0
    """Analogue gain of all frames it was measured on."""
    dark_frames: int = 0
    flat_frames: int = 0
    """0: dark level and defects only."""

    def __post_init__(self) -> None:
        """Refuse maps that cannot correct: of different sizes, or without a positive gain somewhere."""
        shapes = {self.dark.shape, self.gain.shape, self.defects.shape}
        if len(shapes) != 1:
            raise ValueError(f"maps of {sorted(shapes)}; one size is needed")
        if not (np.isfinite(self.dark).all() and np.isfinite(self.gain).all() and self.gain.min() > 0):
            raise ValueError("dark must be finite and gain above 0 everywhere")
        if self.defects.all():
            raise ValueError("every pixel is a defect; none is left to replace them")

    @property
    def shape_hw(self) -> tuple[int, int]:
        """Height and width of the sensor in px."""
        height, width = self.dark.shape
        return height, width

    def apply(self, frame: Mono, *, bit_depth: int) -> Mono:
        """A raw frame corrected: same size, dtype and bit depth, rounded.

        A saturated pixel stays saturated, so that masks keep working; so does one whose correction would exceed
        full scale. A saturated defect is replaced like any other.

        Raises:
            CorrectionError: the frame is not of the size and bit depth that was measured.
        """
        self._require_like(frame, bit_depth)
        white = (1 << bit_depth) - 1
        scale, shift = self._line
        corrected = np.empty(frame.shape, frame.dtype)
        for top in range(0, len(frame), _BAND_ROWS):
            rows = slice(top, top + _BAND_ROWS)
            band = frame[rows] * scale[rows]
            band += shift[rows]
            np.clip(band, 0, white, out=band)
            corrected[rows] = band
            np.copyto(corrected[rows], white, where=frame[rows] >= white)
        self._replace_defects(corrected)
        return corrected

    def packed(self) -> dict[str, NDArray[Any]]:
        """The maps as they are stored: dark and gain (h, w) uint16 in their steps, places of defects (n,) int32.

        `unpacked` gives back exactly these maps if they are already multiples of their steps.
        """
        return {
            "dark": np.rint(self.dark * np.float32(DARK_STEPS >> self.bit_depth)).astype(np.uint16),
            "gain": np.rint(self.gain / np.float32(GAIN_STEP)).astype(np.uint16),
            "defects": np.flatnonzero(self.defects).astype(np.int32),
        }

    def facts(self) -> dict[str, int | float]:
        """Everything but the maps, as plain numbers."""
        return {
            "pedestal": self.pedestal,
            "bit_depth": self.bit_depth,
            "exposure_us": self.exposure_us,
            "gain_db": self.gain_db,
            "dark_frames": self.dark_frames,
            "flat_frames": self.flat_frames,
        }

    @classmethod
    def unpacked(cls, maps: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> Self:
        """The correction of `packed` maps and `facts`.

        Raises:
            ValueError, TypeError, KeyError, IndexError: they are not what those two give.
        """
        bit_depth = int(facts["bit_depth"])
        stored, gain = maps["dark"], maps["gain"]
        if not 1 <= bit_depth <= 16 or stored.ndim != 2 or stored.dtype != np.uint16 or gain.dtype != np.uint16:
            raise ValueError(f"maps of {stored.dtype} {stored.shape} and {gain.dtype} at {bit_depth} bit")
        defects = np.zeros(stored.shape, np.bool_)
        defects.ravel()[maps["defects"]] = True
        return cls(
            dark=stored.astype(np.float32) / np.float32(DARK_STEPS >> bit_depth),
            gain=gain.astype(np.float32) * np.float32(GAIN_STEP),
            defects=defects,
            pedestal=float(facts["pedestal"]),
            bit_depth=bit_depth,
            exposure_us=float(facts["exposure_us"]),
            gain_db=float(facts["gain_db"]),
            dark_frames=int(facts["dark_frames"]),
            flat_frames=int(facts["flat_frames"]),
        )

    @cached_property
    def _line(self) -> tuple[MonoFloat, MonoFloat]:
        """Factor and summand (h, w) of every pixel; +0.5 makes the cast to an integer, which cuts, round."""
        scale: MonoFloat = np.float32(1) / self.gain
        shift: MonoFloat = np.float32(self.pedestal + 0.5) - self.dark * scale
        return scale, shift

    @cached_property
    def _mends(self) -> tuple["_Mend", ...]:
        return _mends(self.defects)

    def _replace_defects(self, frame: Mono) -> None:
        levels = frame.reshape(-1)
        for mend in self._mends:
            # Missing neighbours sort to the end, where no median looks.
            known = np.where(mend.is_good, levels[mend.neighbours].astype(np.float32), np.float32(np.inf))
            known.sort(axis=1)
            levels[mend.places] = np.rint(np.take_along_axis(known, mend.middle, axis=1).mean(axis=1))

    def _require_like(self, frame: Mono, bit_depth: int) -> None:
        if frame.shape != self.shape_hw or bit_depth != self.bit_depth:
            raise CorrectionError(
                f"the frame is {frame.shape[1]}x{frame.shape[0]} px with {bit_depth} bit; its camera's correction "
                f"is of {self.shape_hw[1]}x{self.shape_hw[0]} px with {self.bit_depth} bit",
                hint="record frames like the dark and flat series, or record those again and calibrate with them",
            )


@dataclass(frozen=True, slots=True, eq=False)
class RigCorrections:
    """Both cameras' corrections."""

    a: CameraCorrection
    b: CameraCorrection


@dataclass(frozen=True, slots=True, eq=False)
class _Mend:
    """Defects (n,) that have good neighbours once the mends before it are done."""

    places: NDArray[np.intp]
    neighbours: NDArray[np.intp]
    """(n, 8) places; where `is_good` is False, any."""
    is_good: NDArray[np.bool_]
    """(n, 8)"""
    middle: NDArray[np.intp]
    """(n, 2) where the lower and the upper middle lie among the sorted good neighbours."""


def _mends(defects: Mask) -> tuple[_Mend, ...]:
    """In which order defects are replaced: a cluster is filled from its rim inwards."""
    good = np.pad(~defects, 1)
    y, x = np.nonzero(defects)
    mends = []
    while len(y):
        is_good = np.stack([good[y + 1 + dy, x + 1 + dx] for dy, dx in _NEIGHBOURS], axis=1)
        neighbours = np.stack([(y + dy) * defects.shape[1] + x + dx for dy, dx in _NEIGHBOURS], axis=1)
        places, count = y * defects.shape[1] + x, is_good.sum(axis=1)
        middle = np.stack([(count - 1) // 2, count // 2], axis=1)
        ready = count > 0
        mends.append(_Mend(places[ready], np.where(is_good, neighbours, 0)[ready], is_good[ready], middle[ready]))
        good[y[ready] + 1, x[ready] + 1] = True
        y, x = y[~ready], x[~ready]
    return tuple(mends)
