"""Maps of registration over B's frame: what its tiles still ask for, and how far it is from a known truth."""

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, ListedColormap
from numpy.typing import NDArray

from twinlens.calibrate.reports import StateReport
from twinlens.report.figures import INK, Drawing, figure
from twinlens.report.street import RegistrationTruth

_ARROWS_ACROSS = 11
_MOST_ARROWS = 400
_LONGEST_SPACINGS = 3
"""An arrow may reach this many times the distance to its neighbour."""
_TILES_PER_CELL = 2
_EMPTY = "#e9edf1"
_MARK = "#c2410c"


def error_map(truth: RegistrationTruth) -> Drawing | None:
    """End-point error over B's picture as colours and enlarged arrows; None with too few points for a map."""
    points = np.asarray(truth.error_xy, np.float64).reshape(-1, 4)
    if len(points) < 4 or min(np.ptp(points[:, 0]), np.ptp(points[:, 1])) == 0:
        return None
    magnitude = np.hypot(points[:, 2], points[:, 3])
    with figure(6.1, 4.5) as drawn:
        axes = drawn.add_subplot()
        colours = axes.tricontourf(points[:, 0], points[:, 1], magnitude, levels=12, cmap=_pale())
        drawn.colorbar(colours, ax=axes, label="error (px)", shrink=0.85)
        _arrows(axes, _thinned(points), spacing_px=float(np.ptp(points[:, 0])) / _ARROWS_ACROSS)
        _over_b(axes, "Registration error against the simulated truth")
        axes.invert_yaxis()
        return Drawing(
            drawn, f"Map of the registration error on camera B; it reaches {magnitude.max():.3f} px at most."
        )


def residual_map(state: StateReport) -> Drawing | None:
    """What the tiles still ask for after registration, over B's whole frame; None without tiles.

    Colours are the median in cells of the frame; arrows are the tiles, or the means of cells where they are many.
    """
    tiles = np.asarray(state.tiles, np.float64).reshape(-1, 4)
    tiles = tiles[np.isfinite(tiles).all(axis=1)]
    if not len(tiles):
        return None
    height, width = state.shape_hw
    lengths = np.hypot(tiles[:, 2], tiles[:, 3])
    x, y = tiles[int(lengths.argmax()), :2]
    with figure(6.1, 1.1 + 4.3 * float(np.clip(height / width, 0.5, 1.2))) as drawn:
        axes = drawn.add_subplot(facecolor=_EMPTY)
        cells = _cells(tiles, lengths, state.shape_hw)
        edges_y, edges_x = (
            np.linspace(-0.5, side - 0.5, count + 1)
            for side, count in zip(state.shape_hw, cells.shape, strict=True)
        )
        colours = axes.pcolormesh(edges_x, edges_y, cells, cmap=_pale(), vmin=0, rasterized=True)
        drawn.colorbar(colours, ax=axes, label="residual, median of a cell (px)", shrink=0.85)
        arrows = tiles if len(tiles) <= _MOST_ARROWS else _cell_means(tiles, state.shape_hw)
        _arrows(axes, arrows, spacing_px=float(np.sqrt(width * height / len(arrows))))
        axes.plot(x, y, "o", color=_MARK, markersize=13, fillstyle="none", markeredgewidth=1.6, zorder=4)
        _over_b(axes, f"Residual of {len(tiles)} tiles; ringed: the largest, {lengths.max():.2f} px")
        axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
        return Drawing(
            drawn,
            f"Map of what {len(tiles)} tiles still ask for on camera B; the largest, {lengths.max():.3f} px, "
            f"lies at x {x:.0f}, y {y:.0f}.",
        )


def _over_b(axes: Axes, title: str) -> None:
    axes.set(xlabel="x on camera B (px)", ylabel="y on camera B (px)", aspect="equal")
    axes.set_title(title, pad=22)
    axes.grid(visible=False)


def _pale() -> Colormap:
    """Colours that dark arrows can be seen on."""
    return ListedColormap(colormaps["YlGnBu"](np.linspace(0, 0.68, 256)), "pale")


def _cell_of(
    tiles: NDArray[np.float64], shape_hw: tuple[int, int], across: int
) -> tuple[NDArray[np.intp], int, int]:
    """Each tile's cell in a grid of nearly square ones, and the grid's rows and columns."""
    height, width = shape_hw
    down = max(1, round(across * height / width))
    columns = np.clip(((tiles[:, 0] + 0.5) / width * across).astype(np.intp), 0, across - 1)
    rows = np.clip(((tiles[:, 1] + 0.5) / height * down).astype(np.intp), 0, down - 1)
    return rows * across + columns, down, across


def _cells(
    tiles: NDArray[np.float64], lengths: NDArray[np.float64], shape_hw: tuple[int, int]
) -> NDArray[np.float64]:
    """Median length in each cell of the frame (rows, columns); NaN where no tile lies."""
    across = round(float(np.sqrt(len(tiles) / _TILES_PER_CELL * shape_hw[1] / shape_hw[0])))
    cell, down, across = _cell_of(tiles, shape_hw, int(np.clip(across, 3, 24)))
    medians = np.full(down * across, np.nan)
    for index in np.unique(cell):
        medians[index] = np.median(lengths[cell == index])
    return medians.reshape(down, across)


def _cell_means(tiles: NDArray[np.float64], shape_hw: tuple[int, int]) -> NDArray[np.float64]:
    """Mean place and residual of the tiles in each cell, as many cells as arrows may be."""
    across = int(np.sqrt(_MOST_ARROWS * shape_hw[1] / shape_hw[0]))
    cell, _, _ = _cell_of(tiles, shape_hw, across)
    means: NDArray[np.float64] = np.array([tiles[cell == index].mean(axis=0) for index in np.unique(cell)])
    return means


def _arrows(axes: Axes, points: NDArray[np.float64], *, spacing_px: float) -> None:
    """Arrows about as long as they lie apart, and a key that tells their scale."""
    lengths = np.hypot(points[:, 2], points[:, 3])
    usual = max(float(np.percentile(lengths, 95)), float(lengths.max()) / _LONGEST_SPACINGS)
    if usual == 0:
        return
    # About their middles and unclipped: one on the border is seen whole.
    arrows = axes.quiver(
        *points.T,
        angles="xy",
        scale_units="xy",
        scale=usual / spacing_px,
        pivot="mid",
        color=INK,
        width=0.003,
        zorder=3,
        clip_on=False,
    )
    arrows.set_in_layout(False)  # or the layout would make room for them anew each time it is drawn
    key_px = float(f"{usual:.1g}")
    axes.quiverkey(arrows, 0.8, 1.04, key_px, f"{key_px:g} px", labelpos="E", coordinates="axes")


def _thinned(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The first point in each field of a coarse grid: as many arrows as an eye can follow."""
    span = np.ptp(points[:, :2], axis=0)
    fields = np.floor((points[:, :2] - points[:, :2].min(axis=0)) / span.max() * (_ARROWS_ACROSS - 1e-9))
    _, first = np.unique(fields, axis=0, return_index=True)
    thinned: NDArray[np.float64] = points[first]
    return thinned
