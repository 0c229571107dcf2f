"""Figures of registration show the data they are given, and nothing where there is none."""

import dataclasses
import math

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.quiver import Quiver

from twinlens.calibrate.reports import DriftReport, StateReport
from twinlens.report.figures import Drawing
from twinlens.report.figures_kernels import zone_kernels
from twinlens.report.figures_registration import residual_map
from twinlens.report.figures_session import brightness_curve, brightness_residual, drift_plot


def figure_of(drawing: Drawing | None) -> Figure:
    assert drawing is not None
    return drawing.drawn


def texts_of(drawing: Drawing | None) -> list[str]:
    drawn = figure_of(drawing)
    return [text.get_text() for axes in drawn.axes for text in axes.texts]


def drift(*departures_px: float, limit_px: float = 0.25) -> tuple[DriftReport, ...]:
    return tuple(
        DriftReport(f"pair {i}", departure, 0.04, 1.0, flagged=departure > limit_px)
        for i, departure in enumerate(departures_px)
    )


def arrows_of(drawn: Figure) -> Quiver:
    return next(artist for artist in drawn.axes[0].collections if isinstance(artist, Quiver))


@pytest.mark.parametrize("tiles", [150, 3000])
def test_the_largest_arrow_is_where_the_largest_residual_is(tiles: int, state: StateReport) -> None:
    rng = np.random.default_rng(2)
    x, y = rng.uniform(0, 899, tiles), rng.uniform(0, 699, tiles)
    size = 0.02 + 0.4 * np.exp(-((x - 700) ** 2 + (y - 150) ** 2) / (2 * 90**2))
    found = np.column_stack([x, y, size * 0.6, size * 0.8])
    drawing = residual_map(dataclasses.replace(state, tiles=tuple(map(tuple, found.tolist()))))
    drawn = figure_of(drawing)
    arrows = arrows_of(drawn)
    assert len(arrows.X) <= 450
    longest = int(np.hypot(arrows.U, arrows.V).argmax())
    assert math.hypot(arrows.X[longest] - 700, arrows.Y[longest] - 150) < 60
    worst = int(np.hypot(found[:, 2], found[:, 3]).argmax())
    ring = drawn.axes[0].lines[0]
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == tuple(found[worst, :2])
    assert drawing is not None
    assert f"{np.hypot(*found[worst, 2:]):.3f} px" in drawing.alt


def test_the_heat_map_covers_the_whole_frame_and_is_empty_where_no_tile_lies(state: StateReport) -> None:
    left_only = tuple(tile for tile in state.tiles if tile[0] < 400)
    axes = figure_of(residual_map(dataclasses.replace(state, tiles=left_only))).axes[0]
    assert axes.get_xlim() == (-0.5, 899.5)
    assert axes.get_ylim() == (699.5, -0.5)
    cells = np.ma.filled(axes.collections[0].get_array(), np.nan)
    assert np.isnan(cells[:, -1]).all()
    assert np.isfinite(cells[:, 0]).any()


def test_residuals_of_zero_and_of_one_tile_are_drawn(state: StateReport) -> None:
    for tiles in (((10.0, 20.0, 0.0, 0.0),), ((10.0, 20.0, 0.1, 0.0),), ((5.0, 5.0, math.nan, 0.0),) * 2):
        drawing = residual_map(dataclasses.replace(state, tiles=tiles))
        assert (drawing is None) == math.isnan(tiles[0][2])
        assert drawing is None or drawing.png()


def test_each_zone_is_drawn_in_its_place_with_its_own_width_and_shift(state: StateReport) -> None:
    kernels = tuple(
        tuple(np.eye(9)[:, [4]] @ np.eye(9)[[row * 3 + column]] for column in range(3)) for row in range(3)
    )
    drawn = figure_of(zone_kernels(kernels, state.zones))
    assert len(drawn.axes) == 9
    for axes, zone in zip(drawn.axes, state.zones, strict=True):
        assert f"σ {zone.sigma_px:.2f} px" in axes.get_title(loc="left")
        assert axes.images[0].get_array()[4].argmax() == zone.row * 3 + zone.column
    assert "shift −0.03, +0.02 px" in drawn.axes[0].get_title(loc="left")


def test_zones_without_their_numbers_are_drawn_without_titles() -> None:
    kernels = ((np.full((5, 5), 1 / 25),) * 3,) * 3
    assert {axes.get_title(loc="left") for axes in figure_of(zone_kernels(kernels, ())).axes} == {""}


def test_the_curve_is_the_one_calibration_defines(state: StateReport) -> None:
    a = np.array([0.0, 100.0, 255.0])
    b = 4.17 + 0.8991 * a + 0.021 * a * (a - 255) / 255
    exact = dataclasses.replace(state, brightness=tuple(zip(a.tolist(), (b + 2).tolist(), strict=True)))
    assert brightness_residual(exact) == pytest.approx([2, 2, 2])
    drawing = brightness_curve(exact)
    assert drawing is not None
    assert "2.00 grey levels" in drawing.alt
    ten_bit = dataclasses.replace(exact, bit_depth=10)
    assert brightness_residual(ten_bit)[1] == pytest.approx(
        2 + 0.021 * (100 * (100 - 255) / 255 - 100 * (100 - 1023) / 1023)
    )
    assert figure_of(brightness_curve(ten_bit)).axes[0].get_xlim() == (0, 1023)


def test_a_flagged_pair_is_marked_and_named_and_no_other(state: StateReport) -> None:
    drawing = drift_plot(dataclasses.replace(state, drift=drift(0.05, 0.04, 0.9, 0.06)), limit_px=0.25)
    assert texts_of(drawing) == ["pair 2"]
    labels = figure_of(drawing).axes[0].get_legend_handles_labels()[1]
    assert "flagged" in labels
    assert "limit, 0.25 px" in labels
    quiet = drift_plot(dataclasses.replace(state, drift=drift(0.05, 0.04)))
    assert texts_of(quiet) == []
    assert figure_of(quiet).axes[0].get_legend_handles_labels()[1] == [
        "departure from the session",
        "residual of its tiles",
    ]


def test_one_pair_of_another_scene_leaves_the_others_readable(state: StateReport) -> None:
    axes = figure_of(drift_plot(dataclasses.replace(state, drift=drift(0.05, 0.2, 90.0)), limit_px=0.25)).axes[0]
    height = axes.transData.transform([(1, 0.05), (1, 0.2), (1, 90.0)])[:, 1]
    assert height[1] - height[0] > (height[2] - height[0]) / 10


def test_without_data_there_is_no_figure(state: StateReport) -> None:
    bare = dataclasses.replace(state, tiles=(), brightness=(), drift=drift(0.0), zones=())
    assert residual_map(bare) is None
    assert brightness_curve(bare) is None
    assert drift_plot(bare) is None
    assert zone_kernels((), bare.zones) is None


@pytest.mark.parametrize("name", ["$x^2$ \\frac{", "屋顶 3", "a" * 300])
def test_any_name_of_a_pair_can_be_drawn(name: str, state: StateReport) -> None:
    named = tuple(dataclasses.replace(pair, name=name) for pair in state.drift)
    drawing = drift_plot(dataclasses.replace(state, drift=named))
    assert drawing is not None
    assert drawing.png().startswith(b"\x89PNG")
    assert drawing.vector().source.startswith("data:image/svg+xml")


@pytest.mark.parametrize("shape_hw", [(100, 1600), (1600, 100), (8, 8)])
def test_frames_of_any_shape_have_a_map(shape_hw: tuple[int, int], state: StateReport) -> None:
    tiles = tuple((x * shape_hw[1] / 900, y * shape_hw[0] / 700, dx, dy) for x, y, dx, dy in state.tiles)
    drawing = residual_map(dataclasses.replace(state, shape_hw=shape_hw, tiles=tiles))
    assert drawing is not None
    assert drawing.png()


@pytest.mark.parametrize("brightness", [((100.0, 90.0),), ((100.0, 90.0),) * 20, ((0.0, 0.0), (255.0, 255.0))])
def test_few_or_equal_tiles_have_a_brightness_curve(
    brightness: tuple[tuple[float, float], ...], state: StateReport
) -> None:
    drawing = brightness_curve(dataclasses.replace(state, brightness=brightness))
    assert drawing is not None
    assert drawing.png()
