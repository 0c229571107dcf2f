"""The plots of each mirror state's registration, drawn once: for the page, and for files beside it."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from twinlens.calibrate.reports import StateReport
from twinlens.report.figures import Drawing
from twinlens.report.figures_kernels import kernels, zone_kernels
from twinlens.report.figures_registration import error_map, residual_map
from twinlens.report.figures_session import brightness_curve, drift_plot
from twinlens.report.selection import mirror_states
from twinlens.report.street import RegistrationPictures, Street


@dataclass(frozen=True)
class StateFigures:
    """The plots of one mirror state; None where the street does not hold what one needs."""

    mirror_state: str
    error: Drawing | None
    """Against the simulated truth, which is that of the first state."""
    residuals: Drawing | None
    kernels: Drawing | None
    kernel_zones: Drawing | None
    brightness: Drawing | None
    drift: Drawing | None

    def named(self) -> Iterator[tuple[str, Drawing]]:
        """Those that there are, under the names of their fields."""
        for field in fields(self):
            drawing = getattr(self, field.name)
            if isinstance(drawing, Drawing):
                yield field.name, drawing


def state_figures(street: Street) -> Iterator[StateFigures]:
    """One entry per mirror state, in the order of `mirror_states`."""
    labels = mirror_states(street)
    for place, label in enumerate(labels):
        truth = street.truth if place == 0 else None
        pictures = [shown for shown in street.registration if shown.mirror_state == label]
        kernel = next((shown.kernel for shown in pictures if shown.kernel is not None), None)
        report = _report_of(street, label)
        yield StateFigures(
            mirror_state=label,
            error=error_map(truth) if truth else None,
            residuals=residual_map(report) if report else None,
            kernels=kernels(kernel, truth.true_kernel_b if truth else None),
            kernel_zones=_zones(pictures, report),
            brightness=brightness_curve(report) if report else None,
            drift=drift_plot(report, limit_px=street.drift_limit_px) if report else None,
        )


def _zones(pictures: list[RegistrationPictures], report: StateReport | None) -> Drawing | None:
    zones = next((shown.kernel_zones for shown in pictures if shown.kernel_zones), ())
    return zone_kernels(zones, report.zones if report else ())


def _report_of(street: Street, mirror_state: str) -> StateReport | None:
    states = street.calibration.states if street.calibration else ()
    return next((state for state in states if state.mirror_state == mirror_state), None)
