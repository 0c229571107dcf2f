"""A camera's dark, gain and defect maps from its dark and flat series, with its figures after EMVA 1288."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from twinlens.calibrate import emva
from twinlens.calibrate.frames import full_scale
from twinlens.calibrate.reports import EmvaReport
from twinlens.calibrate.series import FrameSeries
from twinlens.corrections import CameraCorrection, RigCorrections
from twinlens.errors import CorrectionError
from twinlens.pixels import Mask, Mono, MonoFloat

log = logging.getLogger(__name__)

GOOD_FRAMES = 64
"""So many frames leave an eighth of a frame's noise in a map."""
DEFECT_Z = 6.0
"""A pixel so many robust standard deviations from the others is a defect."""
_DARK_SIGMA_DN = 0.29
"""Standard deviation of rounding: dark levels closer to each other than this are not told apart."""
_GAIN_SIGMA = 1e-3
_GAIN_LIMITS = (0.2, 5.0)
"""A pixel that answers less or more than this multiple of the median tells nothing, cluster or not."""
_MAX_DEFECTS = 0.02
_MAX_SATURATED = 0.005
_MAX_DARK = 0.25
"""Share of full scale that a covered camera's median pixel stays below."""
_LEAST_LIGHT = 0.1
"""Share of full scale that flats must show above darkness; 50 to 70 % is best."""
_MAD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Under which a series was taken."""

    camera: str = ""
    """"a" or "b"."""
    exposure_us: float = 0.0
    gain_db: float = 0.0


@dataclass(frozen=True, slots=True)
class MeasuredCamera:
    """What a camera's dark and flat series told."""

    correction: CameraCorrection
    emva: EmvaReport


@dataclass(frozen=True, slots=True)
class Corrections:
    """Both cameras', as a calibration holds them."""

    a: MeasuredCamera
    b: MeasuredCamera

    @property
    def maps(self) -> RigCorrections:
        """What later stages apply."""
        return RigCorrections(self.a.correction, self.b.correction)

    @property
    def reports(self) -> tuple[EmvaReport, ...]:
        """A's figures, then B's."""
        return self.a.emva, self.b.emva


def measure_correction(
    dark_frames: Iterable[Mono],
    flat_frames: Iterable[Mono] = (),
    *,
    bit_depth: int,
    taken: Conditions | None = None,
) -> MeasuredCamera:
    """One camera's maps and figures; frames are read once and not kept.

    Without flats only dark levels and hot pixels are corrected. Flats without darks are refused: what a covered
    pixel shows would be taken for its response to light.

    Args:
        dark_frames: (h, w) each, of the covered camera.
        flat_frames: (h, w) each, of an even light at 50 to 70 % of full scale, at the same gain.
        bit_depth: of all frames.
        taken: how; kept with the maps.

    Raises:
        CorrectionError: too few frames, or frames that are not dark, not bright, saturated, or of mixed sizes.
    """
    series = []
    for frames in (dark_frames, flat_frames):
        one = FrameSeries(bit_depth)
        for frame in frames:
            one.add(frame)
        series.append(one)
    return correction_from(series[0], series[1], taken=taken or Conditions())


def correction_from(dark: FrameSeries, flat: FrameSeries, *, taken: Conditions) -> MeasuredCamera:
    """The same from series that are summed up already; `flat` may be empty."""
    _require_usable(dark, flat, taken)
    white = full_scale(dark.bit_depth)
    dark_map = dark.mean()
    hot = _outliers(dark_map, least_sigma=_DARK_SIGMA_DN)
    response = _Response(np.ones_like(dark_map), np.zeros_like(hot))
    if flat.count:
        response = _response(flat.mean() - dark_map, hot, white)
    defects = hot | response.dead
    _require_few(defects, taken)
    pedestal = float(np.median(dark_map[~defects]))
    exact = CameraCorrection(
        dark=np.where(defects, np.float32(pedestal), dark_map),
        gain=np.where(defects, np.float32(1), response.gain),
        defects=defects,
        pedestal=pedestal,
        bit_depth=dark.bit_depth,
        exposure_us=taken.exposure_us,
        gain_db=taken.gain_db,
        dark_frames=dark.count,
        flat_frames=flat.count,
    )
    # Rounded as it will be stored, so that every later reader corrects to the same bit.
    correction = CameraCorrection.unpacked(exact.packed(), exact.facts())
    return MeasuredCamera(correction, _figures(dark, flat, hot, response, taken))


@dataclass(frozen=True, slots=True)
class _Response:
    """How pixels answer to light."""

    gain: MonoFloat
    """(h, w), 1 in the median."""
    dead: Mask
    """(h, w) defects that are not hot."""
    light_dn: float = 0.0
    """The median in grey levels above darkness."""


def _response(light: MonoFloat, hot: Mask, white: int) -> _Response:
    """From flat minus dark (h, w) in grey levels."""
    median = float(np.median(light[~hot]))
    if median < _LEAST_LIGHT * white:
        raise CorrectionError(
            f"flats are {median:.1f} grey levels above darkness, {_LEAST_LIGHT * white:.0f} are needed",
            hint="light the flats to 50 to 70 % of full scale",
        )
    gain = light / np.float32(median)
    # Against the surroundings, because a lens's vignette is no defect.
    strange = _outliers(gain - cv2.medianBlur(gain, 5), least_sigma=_GAIN_SIGMA)
    dead = (strange | (gain < _GAIN_LIMITS[0]) | (gain > _GAIN_LIMITS[1])) & ~hot
    return _Response(gain, dead, median)


def _outliers(values: MonoFloat, *, least_sigma: float) -> Mask:
    """Where values (h, w) are `DEFECT_Z` robust standard deviations from their median."""
    distance = np.abs(values - np.median(values))
    sigma = max(_MAD * float(np.median(distance)), least_sigma)
    found: Mask = distance > DEFECT_Z * sigma
    return found


def _figures(
    dark: FrameSeries, flat: FrameSeries, hot: Mask, response: _Response, taken: Conditions
) -> EmvaReport:
    good = ~(hot | response.dead)
    dark_map = dark.mean()
    dark_mean, dark_variance = float(dark_map[good].mean(dtype=np.float64)), dark.temporal_variance
    noise_dn, is_bound = emva.read_noise_dn(dark_variance)
    flat_mean = system_gain = prnu = None
    if flat.count:
        flat_mean = float(flat.mean()[good].mean(dtype=np.float64))
        system_gain = emva.system_gain_dn_per_e(dark_mean, dark_variance, flat_mean, flat.temporal_variance)
        left = flat.temporal_variance / flat.count + dark_variance / dark.count
        around = np.where(good, response.gain, cv2.medianBlur(response.gain, 5))
        prnu = emva.prnu_percent(around, good, noise_variance=left / response.light_dn**2)
    white = full_scale(dark.bit_depth)
    return EmvaReport(
        camera=taken.camera,
        bit_depth=dark.bit_depth,
        exposure_us=taken.exposure_us,
        gain_db=taken.gain_db,
        dark_frames=dark.count,
        flat_frames=flat.count,
        dark_dn=dark_mean,
        flat_dn=flat_mean,
        system_gain_dn_per_e=system_gain,
        read_noise_dn=noise_dn,
        read_noise_e=noise_dn / system_gain if system_gain else None,
        read_noise_is_bound=is_bound,
        dsnu_dn=emva.dsnu_dn(dark_map, good, noise_variance=dark_variance / dark.count),
        prnu_percent=prnu,
        full_scale_dn=white,
        full_scale_e=(white - dark_mean) / system_gain if system_gain else None,
        dynamic_range_db=emva.dynamic_range_db(white - dark_mean, noise_dn),
        hot_pixels=int(hot.sum()),
        dead_pixels=int(response.dead.sum()),
    )


def _require_usable(dark: FrameSeries, flat: FrameSeries, taken: Conditions) -> None:
    camera = f"camera {taken.camera.upper()}: " if taken.camera else ""
    if not dark.count:
        raise CorrectionError(
            f"{camera}{flat.count} flat frames and no dark ones; without the dark level no response can be told",
            hint="cover both lenses and record 'twinlens capture --kind dark' with the settings of the flats",
        )
    for kind, series in (("dark", dark), ("flat", flat)):
        if series.count == 1:
            raise CorrectionError(
                f"{camera}1 {kind} frame; 2 are needed and {GOOD_FRAMES} are good",
                hint=f"record {GOOD_FRAMES} pairs with 'twinlens capture --kind {kind}'",
            )
        if 0 < series.count < GOOD_FRAMES:
            log.warning("%s%d %s frames; %d leave less noise in the maps", camera, series.count, kind, GOOD_FRAMES)
    if flat.count and flat.shape_hw != dark.shape_hw:
        raise CorrectionError(
            f"{camera}flats of {flat.shape_hw} and darks of {dark.shape_hw} (height, width)",
            hint="record both with the same region of interest",
        )
    level, white = float(np.median(dark.mean())), full_scale(dark.bit_depth)
    if level > _MAX_DARK * white:
        raise CorrectionError(
            f"{camera}the dark series shows {level:.0f} of {white} grey levels; it is not dark",
            hint="cover the lens, or lower BlackLevel",
        )
    if flat.count and flat.saturated_fraction > _MAX_SATURATED:
        raise CorrectionError(
            f"{camera}{flat.saturated_fraction:.1%} of the flat series is saturated, at most {_MAX_SATURATED:.1%} "
            "can be",
            hint="light the flats to 50 to 70 % of full scale and record them again",
        )


def _require_few(defects: Mask, taken: Conditions) -> None:
    share = float(defects.mean())
    if share > _MAX_DEFECTS:
        camera = f"camera {taken.camera.upper()}: " if taken.camera else ""
        raise CorrectionError(
            f"{camera}{share:.1%} of the pixels look defective, at most {_MAX_DEFECTS:.0%} can be",
            hint="keep light out of the dark series and structure out of the flat one, and record them again",
        )
