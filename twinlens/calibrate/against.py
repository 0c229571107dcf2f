"""A pair's own tiles against a calibration that is given, on frames reduced to a working size."""

import numpy as np

from twinlens.calibrate.equalise import reduced_kernel, smaller
from twinlens.calibrate.frames import as_float, eroded, unsaturated
from twinlens.calibrate.gates import check_view
from twinlens.calibrate.geometry import reduced, whole
from twinlens.calibrate.mapping import Mapping
from twinlens.calibrate.model import RigCalibration
from twinlens.calibrate.own_fit import OwnFit, own_fit
from twinlens.calibrate.photometric import squared_radius
from twinlens.calibrate.pyramid import small_mask, working_factor
from twinlens.calibrate.resample import warp_mask, warp_smooth
from twinlens.calibrate.tile_lk import fitting_tile_px, tile_fits
from twinlens.calibrate.zones import blurred_by_zones
from twinlens.pixels import Mono


def fit_against(a: Mono, b: Mono, prior: RigCalibration, *, bit_depth: int, name: str) -> OwnFit:
    """What the pair says of the prior's mapping, with the prior's kernels and brightness.

    Args:
        a: (h, w).
        b: (h, w).
        prior: calibration of the pair's session and mirror state.
        bit_depth: of the frames.
        name: of the pair, for errors.

    Raises:
        DegenerateGeometryError: the prior's overlap is too small, or its rotation too large.
        ValueError: the frames are not of the prior's size or bit depth.
    """
    shape_hw = (b.shape[0], b.shape[1])
    if shape_hw != prior.shape_hw or bit_depth != prior.bit_depth:
        raise ValueError(
            f"{name} is {shape_hw} of {bit_depth} bit, its calibration is of {prior.shape_hw}, "
            f"{prior.bit_depth} bit"
        )
    overlap = seen_share(prior.mapping, shape_hw)
    check_view(prior.b_from_a, shape_hw, overlap=overlap, settings=prior.settings, name=name)
    factor = working_factor(shape_hw)
    small_hw = (shape_hw[0] // factor, shape_hw[1] // factor)
    mapping = prior.mapping.reduced(factor)
    kernels = [reduced_kernel(kernel, factor) for kernel in prior.kernels]
    reach = max(len(kernel) for kernel in kernels) // 2
    in_a = small_mask(unsaturated(a, bit_depth), factor, reach)
    in_b = small_mask(unsaturated(b, bit_depth), factor, reach)
    in_a = eroded(in_a, int(np.ceil(2 * prior.sigma_px / factor)))
    a_on_b = warp_smooth(smaller(as_float(a), factor), mapping.b_from_a, small_hw, field=mapping.field)
    bright = prior.photometric.apply(a_on_b, squared_radius(small_hw, whole(small_hw)))
    fits = tile_fits(
        blurred_by_zones(bright, kernels),
        smaller(as_float(b), factor),
        warp_mask(in_a, mapping.b_from_a, small_hw, field=mapping.field) & in_b,
        tile_px=fitting_tile_px(prior.settings.tile_px, small_hw),
    )
    return own_fit(fits, small_hw, overlap=overlap, bit_depth=bit_depth, scale=factor)


def seen_share(mapping: Mapping, shape_hw: tuple[int, int]) -> float:
    """Share of B's frame that A sees."""
    factor = max(1, min(shape_hw) // 256)
    small_hw = (shape_hw[0] // factor, shape_hw[1] // factor)
    return float(warp_mask(np.ones(small_hw, np.bool_), reduced(mapping.b_from_a, factor), small_hw).mean())
