"""Plots of the blur from A to B: one kernel for the frame, or one for each of its zones."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from twinlens.calibrate.reports import ZoneReport
from twinlens.pixels import Kernel
from twinlens.report.figures import Drawing, figure

_DISPLAY_GAMMA = 0.5
"""A kernel's tail carries its centroid, and is invisible on a linear scale."""
_CROSS = "#7ee2ff"
_SMALLEST_SHIFT_PX = 1e-3


def kernels(found: Kernel | None, true: Kernel | None) -> Drawing | None:
    """The found blur kernel A to B and, where known, B's true PSF, side by side; None without either."""
    panels = [
        (kernel, title)
        for kernel, title in ((found, "Found blur, A to B"), (true, "True blur of B"))
        if kernel is not None
    ]
    if not panels:
        return None
    reach = max(_reach(kernel) for kernel, _ in panels)
    with figure(3.05 * len(panels), 3.2) as drawn:
        for column, (kernel, title) in enumerate(panels):
            axes = drawn.add_subplot(1, len(panels), column + 1)
            _show(axes, kernel, reach, peak=float(kernel.max()))
            axes.set(xlabel="x (px)", ylabel="y (px)", title=title)
        return Drawing(drawn, f"{' and '.join(title.lower() for _, title in panels)}; the cross marks zero shift.")


def zone_kernels(zones: Sequence[Sequence[Kernel]], measured: Sequence[ZoneReport]) -> Drawing | None:
    """The blur in each zone where it lies in B's frame, on one scale, with its width and shift; None without."""
    if not any(len(row) for row in zones):
        return None
    report_of = {(zone.row, zone.column): zone for zone in measured}
    shown = [kernel for row in zones for kernel in row]
    reach, peak = max(map(_reach, shown)), max(float(kernel.max()) for kernel in shown)
    enlarged = _enlargement(measured, reach)
    with figure(6.1, 6.5) as drawn:
        rows, columns = len(zones), max(map(len, zones))
        for row, of_row in enumerate(zones):
            for column, kernel in enumerate(of_row):
                axes = drawn.add_subplot(rows, columns, row * columns + column + 1)
                _show(axes, kernel, reach, peak=peak)
                if (zone := report_of.get((row, column))) is not None:
                    _tell_zone(axes, zone, enlarged)
                axes.label_outer()
        drawn.supxlabel("x (px)", fontsize=9)
        drawn.supylabel("y (px)", fontsize=9)
        drawn.suptitle(_zones_title(enlarged), fontsize=10, x=0.02, ha="left")
        sigmas = [zone.sigma_px for zone in measured]
        widths = f", {min(sigmas):.2f} to {max(sigmas):.2f} px wide" if sigmas else ""
        return Drawing(drawn, f"Blur kernels of {len(shown)} zones of camera B's frame{widths}.")


def _show(axes: Axes, kernel: Kernel, reach: float, *, peak: float) -> None:
    half = len(kernel) // 2
    shown = np.clip(kernel / (peak or 1.0), 0, 1) ** _DISPLAY_GAMMA
    extent = (-half - 0.5, half + 0.5, half + 0.5, -half - 0.5)
    axes.imshow(shown, cmap="magma", vmin=0, vmax=1, extent=extent)
    axes.plot(0, 0, "+", color=_CROSS, markersize=11)
    axes.set(xlim=(-reach, reach), ylim=(reach, -reach))
    axes.grid(visible=False)


def _tell_zone(axes: Axes, zone: ZoneReport, enlarged: float | None) -> None:
    x, y = zone.shift_xy
    axes.set_title(f"σ {zone.sigma_px:.2f} px\nshift {_signed(x)}, {_signed(y)} px", fontsize=8.5)
    if enlarged is not None:
        axes.annotate("", (x * enlarged, y * enlarged), (0, 0), arrowprops={"arrowstyle": "-|>", "color": _CROSS})


def _signed(shift_px: float) -> str:
    # Adding zero turns -0.0 into 0.0.
    return f"{round(shift_px, 2) + 0.0:+.2f}".replace("-", "−")


def _enlargement(measured: Sequence[ZoneReport], reach: float) -> float | None:
    """How many times longer the arrows of shift are drawn; None where there is nothing to draw."""
    longest = max((float(np.hypot(*zone.shift_xy)) for zone in measured), default=0.0)
    return float(f"{0.6 * reach / longest:.1g}") if longest >= _SMALLEST_SHIFT_PX else None


def _zones_title(enlarged: float | None) -> str:
    arrows = "" if enlarged is None else f"; arrows: its shift, {enlarged:g} times enlarged"
    return f"Blur in the zones of B’s frame{arrows}"


def _reach(kernel: Kernel) -> float:
    """Half-width in px that holds every value above 1 % of the peak, and a margin."""
    rows, columns = np.nonzero(kernel > 0.01 * kernel.max())
    half = len(kernel) // 2
    if not len(rows):
        return half + 0.5
    return min(half, int(max(np.abs(rows - half).max(), np.abs(columns - half).max())) + 2) + 0.5
