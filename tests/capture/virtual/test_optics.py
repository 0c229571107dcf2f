"""The twin's optics against Noll's table, the diffraction limit and the centroid that coma must have."""

import math

import numpy as np
import pytest

from twinlens.capture.virtual.optics import (
    COMA_TREFOIL,
    Lens,
    centroid_xy,
    cut_tails,
    draw_mirror_state,
    mirror_psf,
    noll_orders,
    point_spread,
    rms_waves,
    zernike,
)
from twinlens.errors import SettingsError

# Noll 1976, table I: index -> (n, m), m negative for the sine (odd) polynomials.
NOLL_TABLE = {
    1: (0, 0), 2: (1, 1), 3: (1, -1), 4: (2, 0), 5: (2, -2), 6: (2, 2), 7: (3, -1), 8: (3, 1), 9: (3, -3),
    10: (3, 3), 11: (4, 0), 12: (4, 2), 13: (4, -2), 14: (4, 4), 15: (4, -4), 16: (5, 1), 17: (5, -1), 22: (6, 0),
}  # fmt: skip


def test_noll_indices_have_the_orders_of_nolls_table() -> None:
    assert {index: noll_orders(index) for index in NOLL_TABLE} == NOLL_TABLE
    with pytest.raises(ValueError, match="start at 1"):
        noll_orders(0)


@pytest.mark.parametrize(
    ("index", "radius", "angle", "value"),
    [
        (4, 0.0, 0.0, -math.sqrt(3)),
        (4, 1.0, 2.0, math.sqrt(3)),
        (6, 1.0, 0.0, math.sqrt(6)),
        (5, 1.0, math.pi / 4, math.sqrt(6)),
        (8, 1.0, 0.0, math.sqrt(8)),
        (7, 0.5, math.pi / 2, math.sqrt(8) * (3 * 0.125 - 2 * 0.5)),
        (10, 1.0, 0.0, math.sqrt(8)),
        (11, 0.0, 0.0, math.sqrt(5)),
    ],
)
def test_polynomials_take_nolls_values(index: int, radius: float, angle: float, value: float) -> None:
    assert zernike(index, radius=np.array([radius]), angle_rad=np.array([angle]))[0] == pytest.approx(value)


def test_polynomials_are_orthonormal_on_the_disc() -> None:
    grid = (np.arange(500) - 249.5) / 250
    x, y = np.meshgrid(grid, grid)
    inside = np.hypot(x, y) <= 1
    radius, angle = np.hypot(x, y)[inside], np.arctan2(y, x)[inside]
    modes = np.stack([zernike(index, radius=radius, angle_rad=angle) for index in range(1, 16)])
    # 196 000 samples of a disc with a stepped edge: half a percent.
    np.testing.assert_allclose(modes @ modes.T / radius.size, np.eye(15), atol=0.005)


def test_a_perfect_lens_is_diffraction_limited() -> None:
    transfer = np.abs(np.fft.fft2(point_spread({})))[0]
    cycles_per_px = np.arange(5, 120, 10) / 255
    # A sampled PSF folds the spectrum at half a cycle per px; 1.5 % of the light falls outside 255 px.
    folded = ideal_transfer(cycles_per_px) + ideal_transfer(1 - cycles_per_px)
    np.testing.assert_allclose(transfer[5:120:10], folded, atol=0.015)


def ideal_transfer(cycles_per_px: np.ndarray) -> np.ndarray:
    share = cycles_per_px * Lens().airy_px
    return 2 / np.pi * (np.arccos(share) - share * np.sqrt(1 - share**2)) * np.sinc(cycles_per_px)


@pytest.mark.parametrize(("index", "axis"), [(8, 0), (7, 1)])
@pytest.mark.parametrize("waves", [0.25, 0.5])
def test_coma_moves_the_centroid_as_theory_says(index: int, axis: int, waves: float) -> None:
    found = centroid_xy(point_spread({index: waves}))
    # d/dx of sqrt(8) (3 r^3 - 2 r) cos averages to sqrt(8) over the pupil; the tails beyond 127 px hold 1 % of it.
    assert found[axis] == pytest.approx(2 * Lens().airy_px * math.sqrt(8) * waves, rel=0.02)
    assert found[1 - axis] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("index", [4, 5, 6, 9, 10])
def test_other_aberrations_leave_the_centroid(index: int) -> None:
    # Trefoil's light beyond 127 px is not symmetric: 0.002 px.
    assert centroid_xy(point_spread({index: 0.5})) == pytest.approx((0, 0), abs=0.005)


@pytest.mark.parametrize("waves", [0.0, 0.5, 1.5])
def test_cut_kernels_are_odd_and_keep_99_percent(waves: float) -> None:
    state = draw_mirror_state(waves, coma_trefoil_share=0.58, label="m", rng=np.random.default_rng(3))
    kernel = mirror_psf(state)
    whole = point_spread(dict(zip(range(4, 11), state.values, strict=True)))
    half = len(kernel) // 2
    assert len(kernel) % 2 == 1
    assert kernel.sum() == pytest.approx(1)
    assert whole[127 - half : 128 + half, 127 - half : 128 + half].sum() > 0.985
    assert np.unravel_index(np.argmax(cut_tails(point_spread({}))), (23, 23)) == (11, 11)


@pytest.mark.parametrize("share", [0.5, 0.58, 1.0])
def test_a_mirror_state_has_the_asked_strength_and_share(share: float) -> None:
    state = draw_mirror_state(0.5, coma_trefoil_share=share, label="m", rng=np.random.default_rng(1))
    assert (state.label, state.unit) == ("m", "waves")
    assert rms_waves(state.values) == pytest.approx(0.5)
    assert rms_waves(state.values[COMA_TREFOIL]) ** 2 == pytest.approx(share * 0.25)


def test_a_mirror_state_beyond_its_range_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(SettingsError, match=r"1\.6 waves RMS"):
        draw_mirror_state(1.6, coma_trefoil_share=0.5, label="m", rng=rng)
    with pytest.raises(SettingsError, match="share"):
        draw_mirror_state(0.5, coma_trefoil_share=1.5, label="m", rng=rng)
