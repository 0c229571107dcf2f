"""Plots of registration: how far the found mapping is from the truth, and the blur kernels."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from twinlens.pixels import Kernel
from twinlens.report.figures import INK, as_vector, figure
from twinlens.report.pictures import Shown
from twinlens.report.street import RegistrationTruth

_ARROWS_ACROSS = 11
_DISPLAY_GAMMA = 0.5
"""A kernel's tail carries its centroid, and is invisible on a linear scale."""


def error_map(truth: RegistrationTruth) -> Shown | None:
    """End-point error over B's picture as colours and enlarged arrows; None with too few points for a map."""
    points = np.asarray(truth.error_xy, np.float64).reshape(-1, 4)
    if len(points) < 4 or min(np.ptp(points[:, 0]), np.ptp(points[:, 1])) == 0:
        return None
    magnitude = np.hypot(points[:, 2], points[:, 3])
    with figure(6.1, 4.5) as drawn:
        axes = drawn.add_subplot()
        colours = axes.tricontourf(points[:, 0], points[:, 1], magnitude, levels=12, cmap="YlGnBu")
        drawn.colorbar(colours, ax=axes, label="error (px)", shrink=0.85)
        _arrows(axes, _thinned(points))
        axes.set(xlabel="x on camera B (px)", ylabel="y on camera B (px)", aspect="equal")
        axes.set_title("Registration error against the simulated truth", pad=22)
        axes.invert_yaxis()
        axes.grid(visible=False)
        alt = f"Map of the registration error on camera B; it reaches {magnitude.max():.3f} px at most."
        return as_vector(drawn, alt)


def kernels(found: Kernel | None, true: Kernel | None, *, mirror_state: str = "") -> Shown | None:
    """The found blur kernel A to B and, where known, B's true PSF, side by side; None without either."""
    panels = [
        (kernel, title)
        for kernel, title in ((found, "Found blur, A to B"), (true, "True blur of B"))
        if kernel is not None
    ]
    if not panels:
        return None
    of_state = f", {mirror_state}" if mirror_state else ""
    reach = max(_reach(kernel) for kernel, _ in panels)
    with figure(3.05 * len(panels), 3.2) as drawn:
        for column, (kernel, title) in enumerate(panels):
            axes = drawn.add_subplot(1, len(panels), column + 1)
            half = len(kernel) // 2
            shown = np.clip(kernel / kernel.max(), 0, 1) ** _DISPLAY_GAMMA
            axes.imshow(shown, cmap="magma", extent=(-half - 0.5, half + 0.5, half + 0.5, -half - 0.5))
            axes.plot(0, 0, "+", color="#7ee2ff", markersize=11)
            axes.set(
                xlabel="x (px)",
                ylabel="y (px)",
                title=title + of_state,
                xlim=(-reach, reach),
                ylim=(reach, -reach),
            )
            axes.grid(visible=False)
        return as_vector(
            drawn, f"{' and '.join(title.lower() for _, title in panels)}; the cross marks zero shift."
        )


def _arrows(axes: Axes, points: NDArray[np.float64]) -> None:
    """Arrows as long as the grid is wide where the error is largest, and a key that tells their scale."""
    longest = float(np.hypot(points[:, 2], points[:, 3]).max())
    if longest == 0:
        return
    spacing_px = float(np.ptp(points[:, 0])) / _ARROWS_ACROSS
    arrows = axes.quiver(
        *points.T, angles="xy", scale_units="xy", scale=longest / spacing_px, color=INK, width=0.0035, zorder=3
    )
    key_px = float(f"{longest:.1g}")
    axes.quiverkey(arrows, 0.8, 1.04, key_px, f"{key_px:g} px", labelpos="E", coordinates="axes")


def _thinned(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The first point in each field of a coarse grid: as many arrows as an eye can follow."""
    span = np.ptp(points[:, :2], axis=0)
    fields = np.floor((points[:, :2] - points[:, :2].min(axis=0)) / span.max() * (_ARROWS_ACROSS - 1e-9))
    _, first = np.unique(fields, axis=0, return_index=True)
    thinned: NDArray[np.float64] = points[first]
    return thinned


def _reach(kernel: Kernel) -> float:
    """Half-width in px that holds every value above 1 % of the peak, and a margin."""
    rows, columns = np.nonzero(kernel > 0.01 * kernel.max())
    half = len(kernel) // 2
    return min(half, int(max(np.abs(rows - half).max(), np.abs(columns - half).max())) + 2) + 0.5
