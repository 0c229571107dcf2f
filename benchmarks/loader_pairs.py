"""Aligned full frames of the twin for the loader's benchmark: a few are rendered, all others are those moved.

A moved frame keeps its noise and its edges, and with them how far it can be packed.
"""

from collections.abc import Iterator

import numpy as np

from twinlens.calibrate.align import AlignedPair, Passport
from twinlens.calibrate.geometry import whole
from twinlens.calibrate.resample import resample, warp_mask
from twinlens.capture.virtual.twin import RigTwin
from twinlens.pixels import Mask, Mono8

RENDERED = 6
SCENES = 10


def moved_pairs(count: int) -> Iterator[AlignedPair]:
    """`count` pairs of 2592x2048 px in `SCENES` scenes, the same at every call."""
    rendered = list(_rendered())
    rng = np.random.default_rng(0)
    for trigger_index in range(count):
        height, width = rendered[0][0].shape
        by = (int(rng.integers(height)), int(rng.integers(width)))
        input_, target, mask = (np.roll(plane, by, axis=(0, 1)) for plane in rendered[trigger_index % RENDERED])
        yield AlignedPair(
            input=input_,
            target=target,
            mask=mask,
            bit_depth=8,
            scene=f"scene {trigger_index % SCENES}",
            session_id="twin",
            trigger_index=trigger_index,
            mirror_state="0.5 waves",
            skew_ns=0,
            exposure_us=5000.0,
            gain_db=0.0,
            b_from_a=np.eye(3),
            passport=Passport(
                residual_px=0.05,
                ncc=0.99,
                gain=1.0,
                offset=0.0,
                kernel_sigma_px=1.0,
                overlap=0.98,
                saturated_fraction=0.0,
            ),
        )


def _rendered() -> Iterator[tuple[Mono8, Mono8, Mask]]:
    twin = RigTwin()
    for a, b in twin.pairs(RENDERED):
        on_b = resample(a, twin.true_b_from_a, whole(twin.shape_hw))
        seen = warp_mask(np.ones(a.shape, np.bool_), twin.true_b_from_a, twin.shape_hw)
        target = np.clip(np.rint(on_b), 0, 255).astype(np.uint8)
        yield b, target, seen & (b < 255) & (target < 255)
