"""EMVA 1288 figures of sensors whose electrons are known."""

import numpy as np
import pytest

from twinlens.calibrate import emva


def test_the_slope_of_the_photon_transfer_curve_is_the_system_gain() -> None:
    gain, read_noise_e, electrons = 0.1, 8.0, 6000.0
    dark = gain**2 * read_noise_e**2 + 1 / 12
    found = emva.system_gain_dn_per_e(40.0, dark, 40.0 + gain * electrons, dark + gain**2 * electrons)
    assert found == pytest.approx(gain)
    noise_dn, is_bound = emva.read_noise_dn(dark)
    assert (noise_dn / gain, is_bound) == (pytest.approx(read_noise_e), False)


def test_read_noise_below_rounding_is_told_as_a_bound() -> None:
    assert emva.read_noise_dn(0.01) == (pytest.approx(np.sqrt(0.24 - 1 / 12)), True)


def test_no_light_and_no_noise_tell_no_gain() -> None:
    assert emva.system_gain_dn_per_e(5.0, 1.0, 5.0, 1.0) is None
    assert emva.system_gain_dn_per_e(5.0, 1.0, 90.0, 0.05) is None
    assert emva.dynamic_range_db(1000.0, 0.0) is None


def test_nonuniformity_leaves_out_vignette_defects_and_what_noise_is_left() -> None:
    rng = np.random.default_rng(0)
    shape = (300, 400)
    y, x = np.mgrid[:300, :400]
    vignette = 1 - 0.3 * ((y - 150) ** 2 + (x - 200) ** 2) / 62500
    noise = 0.004
    gain = vignette * (1 + 0.01 * rng.standard_normal(shape)) + noise * rng.standard_normal(shape)
    good = rng.random(shape) > 0.001
    # Noise is not scaled by the vignette, so that its share grows to the corners: 3 % of the figure.
    found = emva.prnu_percent(gain.astype(np.float32), good, noise_variance=noise**2)
    assert found == pytest.approx(1.0, rel=0.05)
    dark = (30 + 2 * rng.standard_normal(shape)).astype(np.float32)
    dark[~good] = 900
    assert emva.dsnu_dn(dark, good, noise_variance=0.0) == pytest.approx(2.0, rel=0.01)
    assert emva.dsnu_dn(dark, good, noise_variance=5.0) == 0.0
