"""Plots of what a session's pairs say together: how A's grey levels become B's, and whether the rig moved."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from twinlens.calibrate.reports import DriftReport, StateReport
from twinlens.report.figures import BASELINE, INK, INPUT, RESTORED, Drawing, figure

_FLAG = "#c81e1e"
_MOST_NAMES, _NAME_LETTERS = 8, 30
_FAR = 12
"""An outlier this many times the limit leaves no room for the other pairs on a linear scale."""
_BINS, _BIN_TILES = 16, 5


def brightness_curve(state: StateReport) -> Drawing | None:
    """Tile means of A and B with the fitted curve, and below what the curve leaves; None without tiles."""
    points = np.asarray(state.brightness, np.float64).reshape(-1, 2)
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        return None
    full = 2**state.bit_depth - 1
    a, b = points.T
    rest = brightness_residual(state)
    with figure(6.1, 5.0) as drawn:
        upper, lower = drawn.subplots(2, 1, sharex=True, height_ratios=(2.4, 1))
        upper.plot(a, b, ".", color=INK, markersize=4, alpha=0.55, zorder=3, label=f"{len(points)} places")
        everywhere, measured = np.linspace(0, full, 300), np.linspace(a.min(), a.max(), 300)
        upper.plot(everywhere, _fitted(state, everywhere), ":", color=RESTORED, linewidth=1.2)
        upper.plot(measured, _fitted(state, measured), color=RESTORED, label="fitted curve")
        upper.set(ylabel="camera B, vignette taken out (grey level)", title="How A’s grey levels become B’s")
        upper.set(xlim=(0, full), ylim=(min(0.0, float(b.min())), max(float(b.max()), full) * 1.02))
        upper.legend(loc="upper left")
        lower.plot(a, rest, ".", color=INPUT, markersize=4, alpha=0.7)
        lower.axhline(0, color=RESTORED)
        _running_median(lower, a, rest)
        lower.set(ylabel="B − curve", xlabel="camera A, registered, equally blurred (grey level)")
        rms = float(np.sqrt(np.mean(rest**2)))
        return Drawing(
            drawn,
            f"Mean grey levels of {len(points)} tiles of A and B with the fitted curve; below, what the curve "
            f"leaves, {rms:.2f} grey levels in the root mean square.",
        )


def brightness_residual(state: StateReport) -> NDArray[np.float64]:
    """(n,) grey levels by which the tiles of B are brighter than the fitted curve says."""
    points = np.asarray(state.brightness, np.float64).reshape(-1, 2)
    points = points[np.isfinite(points).all(axis=1)]
    rest: NDArray[np.float64] = points[:, 1] - _fitted(state, points[:, 0])
    return rest


def drift_plot(state: StateReport, *, limit_px: float | None = None) -> Drawing | None:
    """Each pair's departure from the session, and its gain, in the order of capture; None with fewer than two."""
    pairs = state.drift
    if len(pairs) < 2:
        return None
    flagged = [place for place, pair in enumerate(pairs, start=1) if pair.flagged]
    with figure(6.1, 4.6) as drawn:
        upper, lower = drawn.subplots(2, 1, sharex=True, height_ratios=(1.7, 1))
        _plot_pairs(upper, [pair.departure_px for pair in pairs], flagged, label="departure from the session")
        places = range(1, len(pairs) + 1)
        rest = [pair.residual_px for pair in pairs]
        upper.plot(places, rest, "_", color=INPUT, label="residual of its tiles")
        if limit_px is not None:
            upper.axhline(limit_px, color=BASELINE, linestyle="--", label=f"limit, {limit_px:g} px")
        _name_flagged(upper, pairs)
        _scale_shifts(upper, [*rest, *(pair.departure_px for pair in pairs)], limit_px)
        upper.set(ylabel="shift (px)", title="Drift over the session")
        drawn.legend(*upper.get_legend_handles_labels(), loc="outside upper left", ncols=2)
        lower.axhline(1, color=INPUT, linewidth=1)
        _plot_pairs(lower, [pair.gain for pair in pairs], flagged)
        lower.ticklabel_format(axis="y", useOffset=False)
        lower.set(ylabel="gain, 1 = session’s", xlabel="pair, in the order of capture")
        lower.set(xlim=(0.5, len(pairs) + 0.5))
        lower.xaxis.set_major_locator(MaxNLocator(integer=True))
        return Drawing(drawn, _drift_in_words(pairs))


def _fitted(state: StateReport, a: NDArray[np.float64]) -> NDArray[np.float64]:
    """B's grey level for A's, as `StateReport` defines it."""
    full = 2**state.bit_depth - 1
    b: NDArray[np.float64] = state.offset + state.gain * a + state.curvature * a * (a - full) / full
    return b


def _running_median(axes: Axes, a: NDArray[np.float64], rest: NDArray[np.float64]) -> None:
    """A line through what is systematic in the rest, where there are tiles enough to tell it from noise."""
    edges = np.linspace(a.min(), a.max(), _BINS + 1)
    place = np.digitize(a, edges[1:-1])
    full = [index for index in range(_BINS) if np.count_nonzero(place == index) >= _BIN_TILES]
    if len(full) < 3:
        return
    middles = [float(np.median(a[place == index])) for index in full]
    medians = [float(np.median(rest[place == index])) for index in full]
    axes.plot(middles, medians, color=INK, linewidth=1.3, label="median")
    axes.legend(loc="best")


def _plot_pairs(axes: Axes, values: list[float], flagged: list[int], *, label: str = "") -> None:
    places = range(1, len(values) + 1)
    axes.plot(places, values, "-o", color=RESTORED, markersize=4, linewidth=1, label=label)
    if flagged:
        marked = [values[place - 1] for place in flagged]
        axes.plot(
            flagged, marked, "o", color=_FLAG, markersize=9, fillstyle="none", markeredgewidth=1.8,
            label="flagged" if label else "",
        )  # fmt: skip


def _scale_shifts(axes: Axes, shifts: list[float], limit_px: float | None) -> None:
    """From zero; beyond a far outlier's reach the scale is a logarithm's, so that the others can still be told."""
    finite = [shift for shift in shifts if np.isfinite(shift)]
    usual = limit_px or 4 * float(np.median(finite or [0.0])) or 1e-3
    tallest = max([*finite, usual])
    far = tallest > _FAR * usual
    if far:
        axes.set_yscale("symlog", linthresh=usual, linscale=2)
        axes.yaxis.set_major_formatter("{x:g}")
    axes.set_ylim(0, tallest * (3 if far else 1.25))


def _name_flagged(axes: Axes, pairs: tuple[DriftReport, ...]) -> None:
    """The names of the flagged pairs that departed most, towards the side where there is room."""
    flagged = [(pair.departure_px, place, pair.name) for place, pair in enumerate(pairs, start=1) if pair.flagged]
    for departure_px, place, name in sorted(flagged, reverse=True)[:_MOST_NAMES]:
        short = name if len(name) <= _NAME_LETTERS else f"{name[: _NAME_LETTERS - 1]}…"
        left = place > len(pairs) / 2
        axes.annotate(
            short,
            (place, departure_px),
            (-8 if left else 8, 4),
            textcoords="offset points",
            ha="right" if left else "left",
            color=_FLAG,
            fontsize=8.5,
        )


def _drift_in_words(pairs: tuple[DriftReport, ...]) -> str:
    names = [pair.name for pair in pairs if pair.flagged]
    told = f"flagged: {', '.join(names[:_MOST_NAMES])}" if names else "none is flagged"
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"Departure and gain of {len(pairs)} pairs over the session; {told}{more}."
