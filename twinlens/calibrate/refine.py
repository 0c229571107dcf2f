"""Refining one mapping over all pairs of a mirror state: kernel and mapping in turn, then a field where needed."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from twinlens.calibrate.equalise import gaussian_kernel, smaller
from twinlens.calibrate.frames import as_float, eroded, unsaturated
from twinlens.calibrate.geometry import map_points, normalised, shift, whole
from twinlens.calibrate.kernel import gaussian_sigma_px, kernel_in_gauge, kernel_sigma_px
from twinlens.calibrate.mapping import Mapping, samples_xy
from twinlens.calibrate.model_choice import choose_model
from twinlens.calibrate.pooling import Correction, FieldKind, Model, pooled_correction, pooled_tiles
from twinlens.calibrate.pyramid import farthest_px, require_texture, small_mask
from twinlens.calibrate.resample import resample, warp_mask, warp_smooth
from twinlens.calibrate.settings import CalibrationSettings
from twinlens.calibrate.spectra import Spectra, pooled, window_px_for, zone_spectra, zone_window_px
from twinlens.calibrate.tile_lk import ROUNDING_DN2, TileFits, fitting_tile_px, tile_fits
from twinlens.calibrate.zones import blurred_by_zones
from twinlens.errors import DegenerateGeometryError
from twinlens.pixels import Homography, Kernel, Mask, Mono, MonoFloat

log = logging.getLogger(__name__)

_SETTLED_PX = 0.005
_MAPPING_SETTLED_PX = 0.01
_STEPS = 4
_KERNEL_WORTH = 0.97
"""A kernel must leave at most this share of what a Gaussian leaves unexplained."""
_ZONES_WORTH = 0.9
"""Nine kernels must leave at most this share of what one leaves."""
_WINDOWS_PER_ZONE = 12
_ZONE_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class OnB:
    """One pair on B's grid, or on that grid reduced."""

    a_on_b: MonoFloat
    b: MonoFloat
    usable: Mask


@dataclass(frozen=True, slots=True)
class Refined:
    """Where the refinement ended."""

    mapping: Mapping
    kernels: tuple[Kernel, ...]
    """One for the whole frame, or one for each of 3 x 3 zones, row by row."""
    fits: tuple[TileFits, ...]
    """One per pair, with the last template."""
    correction: Correction
    kind: FieldKind
    sigma_px: float | None
    """Of the kernel, where it is a Gaussian: it has one parameter then, and no noise of its own."""

    @property
    def unexplained(self) -> float:
        """Median over the tiles of the variance of B that the blurred A leaves, in grey levels squared.

        Never below what rounding to whole grey levels leaves: two fits that are better than that are alike.
        """
        return max(ROUNDING_DN2, float(np.median(np.concatenate([fit.unexplained for fit in self.fits]))))


def put_on_b(a: Mono, b: Mono, b_from_a: Homography, *, sigma_px: float, bit_depth: int, factor: int = 1) -> OnB:
    """A resampled onto B's whole grid, and the pixels that neither border nor saturation spoils.

    Args:
        a: (h, w).
        b: (h, w).
        b_from_a: between frames that are reduced by `factor`.
        sigma_px: of the blur, in full pixels.
        bit_depth: of the frames.
        factor: by which both frames are reduced first.
    """
    sigma_px /= factor
    small_a, small_b = smaller(as_float(a), factor), smaller(as_float(b), factor)
    shape_hw = (small_b.shape[0], small_b.shape[1])
    reach = int(np.ceil(3 * sigma_px)) + 8
    spread = int(np.ceil(2 * sigma_px)) + 1
    in_a = eroded(small_mask(unsaturated(a, bit_depth), factor, reach), spread - 1)
    in_b = small_mask(unsaturated(b, bit_depth), factor, reach)
    a_on_b = resample(small_a, b_from_a, whole(shape_hw))
    return OnB(a_on_b, small_b, warp_mask(in_a, b_from_a, shape_hw) & in_b)


def refined(
    pairs: Sequence[OnB],
    start: Homography,
    *,
    sigma_px: float,
    settings: CalibrationSettings,
    shape: Mapping | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Refined:
    """Kernels and mapping from pairs that were put on B's grid with `start`.

    A Gaussian has one parameter and no noise: where it explains B as well as a kernel does, it is kept.

    Raises:
        DegenerateGeometryError: too little texture, or no window without holes.
    """
    shape_hw = (pairs[0].b.shape[0], pairs[0].b.shape[1])
    walk = _Walk(pairs, start, fitting_tile_px(settings.tile_px, shape_hw), shape is not None, progress)
    mapping = Mapping(start) if shape is None else _shifted_onto(shape, start, shape_hw)
    spectra = walk.spectra(mapping)
    found = walk.with_gaussian(gaussian_sigma_px(spectra) or sigma_px, mapping)
    by_kernel = walk.with_first_kernel(spectra, mapping)
    if by_kernel is None or by_kernel.unexplained >= _KERNEL_WORTH * found.unexplained:
        progress("a Gaussian explains the blur as well as a kernel")
    else:
        found = walk.with_settled_kernel(by_kernel, settings.rounds - 1)
    found = walk.with_zones(found)
    return walk.with_field(found, settings.max_residual_px) if shape is None else found


@dataclass(frozen=True, slots=True)
class _Walk:
    """The pairs, and the homography that put them on B's grid."""

    pairs: Sequence[OnB]
    start: Homography
    tile_px: int
    shift_only: bool
    """The mapping's shape is known."""
    progress: Callable[[str], None]

    @property
    def shape_hw(self) -> tuple[int, int]:
        height, width = self.pairs[0].b.shape
        return height, width

    @property
    def _model(self) -> Model:
        return Model("none", self.shape_hw, shift_only=self.shift_only)

    def with_gaussian(self, sigma_px: float, mapping: Mapping) -> Refined:
        kernels = (gaussian_kernel(sigma_px),)
        found = self._settled(kernels, mapping, self._model)
        return replace(found, sigma_px=sigma_px)

    def with_first_kernel(self, spectra: Spectra, mapping: Mapping) -> Refined | None:
        """With a kernel from spectra at `mapping`; None where small or noisy frames give none."""
        try:
            return self._with_kernel(spectra, mapping)
        except DegenerateGeometryError as error:
            log.debug("no kernel: %s", error)
            return None

    def with_settled_kernel(self, found: Refined, rounds: int) -> Refined:
        """With kernel and mapping in turn, until the gauge rests."""
        for _ in range(rounds):
            before = found.mapping
            found = self._with_kernel(self.spectra(before), before)
            moved_px = farthest_px(_moved(found.mapping, before.b_from_a), self.shape_hw)
            self.progress(
                f"kernel of {len(found.kernels[0])} px, mapping moved by {moved_px:.3f} px, residual "
                f"{np.median(found.correction.residual_px):.3f} px in {len(found.correction.residual_px)} tiles"
            )
            if moved_px < _MAPPING_SETTLED_PX:
                break
        return found

    def spectra(self, mapping: Mapping) -> Spectra:
        """Of the whole frame."""
        return pooled(self._zone_spectra(mapping))

    def _with_kernel(self, spectra: Spectra, mapping: Mapping) -> Refined:
        kernel, gauge_xy = kernel_in_gauge(spectra)
        return self._settled((kernel,), mapping.corrected(shift(*gauge_xy), None), self._model)

    def with_zones(self, found: Refined) -> Refined:
        """With a kernel for each zone, where that explains B clearly better than one for all."""
        window_px = zone_window_px(self.shape_hw, sigma_px=kernel_sigma_px(found.kernels[0]))
        for _ in range(_ZONE_ROUNDS):
            spectra = self._zone_spectra(found.mapping, window_px=window_px)
            if min(one.windows for one in spectra) < _WINDOWS_PER_ZONE:
                return found
            try:
                kernels = tuple(kernel_in_gauge(one)[0] for one in spectra)
            except DegenerateGeometryError as error:
                log.debug("no kernel for each zone: %s", error)
                return found
            # The zones' centroids differ: no mere shift carries them, even where the mapping's shape is known.
            by_zones = self._settled(kernels, found.mapping, Model("none", self.shape_hw))
            if len(found.kernels) == 1 and by_zones.unexplained >= _ZONES_WORTH * found.unexplained:
                return found
            self.progress(f"nine kernels leave {by_zones.unexplained / found.unexplained:.2f} of B's variance")
            found = by_zones
        return found

    def with_field(self, found: Refined, max_residual_px: float) -> Refined:
        """With distortion or disparity, where the tiles say that there is some and nothing else is left then.

        What remains of a near scene's parallax is no smooth field, and one that was fitted to it goes astray
        between and beyond the tiles.
        """
        left = pooled_tiles(found.fits)
        model = choose_model(replace(left, shift_xy=found.correction.residual_xy), self.shape_hw)
        if model.kind == "none":
            return found
        bent = self._settled(found.kernels, found.mapping, model)
        if np.median(bent.correction.residual_px) > max_residual_px:
            return found
        self.progress(f"a {model.kind} field explains tiles that were held out")
        return replace(bent, sigma_px=found.sigma_px)

    def _settled(self, kernels: tuple[Kernel, ...], mapping: Mapping, model: Model) -> Refined:
        """The mapping that the tiles agree on when A is blurred by `kernels`."""
        templates = [blurred_by_zones(pair.a_on_b, kernels) for pair in self.pairs]
        for _ in range(_STEPS):
            fits = self._fits(templates, mapping)
            require_texture(fits, self.shape_hw)
            correction = pooled_correction(pooled_tiles(fits), model)
            mapping = mapping.corrected(correction.moved, correction.bent)
            bent_px = 0.0 if correction.bent is None else correction.bent.rms_px
            if max(farthest_px(correction.moved, self.shape_hw), bent_px) < _SETTLED_PX:
                break
        return Refined(mapping, kernels, tuple(fits), correction, model.kind, sigma_px=None)

    def _fits(self, templates: Sequence[MonoFloat], mapping: Mapping) -> list[TileFits]:
        moved = _moved(mapping, self.start)
        return [
            tile_fits(
                warp_smooth(template, moved, self.shape_hw, field=mapping.field),
                pair.b,
                pair.usable,
                tile_px=self.tile_px,
            )
            for template, pair in zip(templates, self.pairs, strict=True)
        ]

    def _zone_spectra(self, mapping: Mapping, *, window_px: int | None = None) -> list[Spectra]:
        return pooled_zone_spectra(
            self.pairs, mapping, self.start, window_px=window_px or window_px_for(self.shape_hw)
        )


def registered_template(pair: OnB, kernels: Sequence[Kernel], mapping: Mapping, start: Homography) -> MonoFloat:
    """A (h, w) where `mapping` puts it on B, blurred like B, for a pair that `start` put on B's grid."""
    height, width = pair.b.shape
    blurred = blurred_by_zones(pair.a_on_b, kernels)
    return warp_smooth(blurred, _moved(mapping, start), (height, width), field=mapping.field)


def pooled_zone_spectra(
    pairs: Sequence[OnB], mapping: Mapping, start: Homography, *, window_px: int
) -> list[Spectra]:
    """Spectra of each of the 3 x 3 zones, over all pairs."""
    moved = Mapping(_moved(mapping, start), mapping.field)
    of_pairs = [zone_spectra(p.a_on_b, p.b, p.usable, moved=moved, window_px=window_px) for p in pairs]
    return [pooled(of_zone) for of_zone in zip(*of_pairs, strict=True)]


def mean_kernel(pairs: Sequence[OnB], found: Refined, start: Homography) -> Kernel:
    """One kernel for the whole frame."""
    if len(found.kernels) == 1:
        return found.kernels[0]
    height, width = pairs[0].b.shape
    of_zones = pooled_zone_spectra(pairs, found.mapping, start, window_px=window_px_for((height, width)))
    return kernel_in_gauge(pooled(of_zones))[0]


def _moved(mapping: Mapping, start: Homography) -> Homography:
    """What the mapping's homography adds to the one that put the pairs on B's grid."""
    return normalised(mapping.b_from_a @ np.linalg.inv(start))


def _shifted_onto(shape: Mapping, start: Homography, shape_hw: tuple[int, int]) -> Mapping:
    """`shape`, shifted to where `start` is on average."""
    points = samples_xy(shape_hw)
    x, y = (map_points(start, points) - shape.map_b_from_a(points)).mean(axis=0)
    return shape.corrected(shift(float(x), float(y)), None)
