"""Pairs at the edge of what can be registered, alone."""

from typing import Any

import numpy as np
import pytest

from twinlens.calibrate import register


@pytest.mark.parametrize("seed", range(3))
def test_a_picture_registers_onto_itself_even_where_no_spectrum_tells_its_blur(seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 255, (500, 700)).astype(np.uint8)
    found = register(noise, noise)
    assert found.verdict == "good"
    assert np.abs(found.b_from_a - np.eye(3)).max() < 1e-3
    assert found.kernel.shape == (1, 1)


def test_a_zone_whose_kernel_drowns_in_noise_refuses_no_pair(bench: Any) -> None:
    shape_hw = (500, 700)
    rig = bench.rig(
        shape_hw=shape_hw, b_from_a=bench.homography(shape_hw, scale=1.5), kernel=bench.gaussian(2.0), noise_dn=2.5
    )
    found = register(*rig.pair(0))
    assert rig.error_px(found.b_from_a)[0] < 0.05


@pytest.mark.parametrize("bit_depth", [-1, 0, 9, 64])
def test_a_bit_depth_that_the_pixels_cannot_have_is_a_callers_mistake(bit_depth: int) -> None:
    frame = np.zeros((256, 256), np.uint8)
    with pytest.raises(ValueError, match=f"bit depth of {bit_depth} does not fit frames of uint8"):
        register(frame, frame, bit_depth=bit_depth)
