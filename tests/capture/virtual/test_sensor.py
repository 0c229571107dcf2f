"""The twin's sensor against photon transfer theory."""

import numpy as np
import pytest

from twinlens.capture.virtual.sensor import (
    REFERENCE_EXPOSURE_US,
    Irradiance,
    Sensor,
    pack,
    shot_noise_source,
    vignette,
)

SENSOR = Sensor(full_well_e=10_000.0, read_noise_e=8.0, offset_dn=4.0)


def flat(level: float) -> Irradiance:
    return pack(np.full((200, 300), level, np.float32))


def expose(level: float, *, key: int = 0, exposure_us: float = REFERENCE_EXPOSURE_US, gain_db: float = 0.0):
    rng = shot_noise_source(1, key)
    return SENSOR.expose(flat(level), exposure_us=exposure_us, gain_db=gain_db, rng=rng).astype(float)


def test_white_fills_85_percent_of_the_well_at_the_reference_exposure() -> None:
    assert expose(1.0).mean() == pytest.approx(0.85 * 255 + 4, abs=0.05)


@pytest.mark.parametrize("gain_db", [0.0, 6.0])
@pytest.mark.parametrize("level", [0.1, 0.4])
def test_noise_follows_the_photon_transfer_curve(level: float, gain_db: float) -> None:
    frame = expose(level, gain_db=gain_db)
    grey_per_electron = 255 / 10_000 * 10 ** (gain_db / 20)
    electrons = 8500 * level
    # Rounding to whole grey levels adds 1/12.
    expected = grey_per_electron**2 * (electrons + 8**2) + 1 / 12
    assert frame.mean() == pytest.approx(grey_per_electron * electrons + 4, rel=0.002)
    assert frame.var() == pytest.approx(expected, rel=0.03)


def test_signal_is_proportional_to_exposure_and_stops_at_full_well() -> None:
    assert expose(0.5, exposure_us=5000).mean() - 4 == pytest.approx(255 * 0.85 * 0.25, rel=0.005)
    assert (expose(1.0, exposure_us=40_000) == 255).all()


def test_darkness_is_the_offset_with_read_noise() -> None:
    frame = expose(0.0)
    assert frame.mean() == pytest.approx(4, abs=0.01)
    assert frame.var() == pytest.approx((8 * 0.0255) ** 2, abs=0.03)


def test_grey_is_the_mean_of_many_exposures() -> None:
    ramp = pack(np.tile(np.linspace(0, 1, 40, dtype=np.float32), (30, 1)))
    settings = {"exposure_us": 9000.0, "gain_db": 1.0}
    mean = np.mean([SENSOR.expose(ramp, rng=shot_noise_source(2, k), **settings) for k in range(200)], axis=0)
    np.testing.assert_allclose(mean, SENSOR.grey(ramp, **settings), atol=1.0)


def test_the_same_key_gives_the_same_frame_and_another_key_does_not() -> None:
    assert np.array_equal(expose(0.5, key=3), expose(0.5, key=3))
    residual_a, residual_b = (expose(0.5, key=key).ravel() for key in (3, 4))
    assert abs(np.corrcoef(residual_a, residual_b)[0, 1]) < 0.02


def test_vignette_is_one_in_the_centre_and_falls_to_the_corners() -> None:
    transmission = vignette((201, 301), 0.1)
    assert transmission[100, 150] == 1
    np.testing.assert_allclose(transmission[[0, 0, -1, -1], [0, -1, 0, -1]], 0.9, rtol=1e-6)


def test_packing_is_finer_than_a_hundredth_of_a_grey_level() -> None:
    levels = np.random.default_rng(0).random((50, 60), np.float32)
    unpacked = SENSOR.grey(pack(levels), exposure_us=REFERENCE_EXPOSURE_US, gain_db=0.0)
    np.testing.assert_allclose(unpacked, 0.85 * 255 * levels + 4, atol=0.005)


def test_an_exposure_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        expose(0.5, exposure_us=0)


def test_ten_bits_show_the_same_light_four_times_finer() -> None:
    ramp = pack(np.tile(np.linspace(0, 1.4, 300, dtype=np.float32), (200, 1)))
    settings = {"exposure_us": REFERENCE_EXPOSURE_US, "gain_db": 2.0}
    eight, ten = (
        SENSOR.expose(ramp, rng=shot_noise_source(3), bit_depth=bit_depth, **settings) for bit_depth in (8, 10)
    )
    assert (eight.dtype, ten.dtype) == (np.uint8, np.uint16)
    assert ten.max() == 1023
    # Same noise, so the two differ by how they are rounded: half a step of each.
    assert np.abs(ten / (1023 / 255) - eight).max() <= 0.5 + 0.5 / 4 + 1e-3
    assert len(np.unique(ten)) > 3 * len(np.unique(eight))
