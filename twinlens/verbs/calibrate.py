"""`twinlens calibrate`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from twinlens import console
from twinlens.verbs.options import as_json, existing, folder

if TYPE_CHECKING:
    from twinlens.calibrate import Calibrations, EmvaReport
    from twinlens.capture.session import Session
else:
    Calibrations = EmvaReport = Session = Any  # importing them would make --help slow


@click.command()
@click.argument("sessions", nargs=-1, required=True, type=folder)
@click.option("-o", "--out", type=click.Path(path_type=Path), default=Path("calibration.json"), show_default=True)
@click.option("--reuse", type=existing, default=None, help="Keep this calibration, if SESSIONS still fit it.")
@click.option(
    "--report",
    "report_folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Folder for a page and PNG files: residuals, overlays, blur, brightness, drift.",
)
@click.option("--max-pairs", type=click.IntRange(min=1), default=None, help="Pairs to use per mirror state.")
@as_json
def calibrate(
    *,
    sessions: tuple[Path, ...],
    out: Path,
    reuse: Path | None,
    report_folder: Path | None,
    max_pairs: int | None,
    json: bool,
) -> None:
    """Find how camera A's picture maps onto camera B's, pooled over SESSIONS, per mirror state.

    Where SESSIONS hold a dark series, and perhaps a flat one ('twinlens capture --kind'), both cameras are
    corrected by them first, here and at every later stage. Where they hold a reference series, recorded with a
    flat mirror, it fixes the mapping's shape for every mirror state.
    """
    from twinlens.calibrate import Calibrations, CalibrationSettings
    from twinlens.capture.session import Session
    from twinlens.handover import calibrate_sessions

    settings = CalibrationSettings(**({} if max_pairs is None else {"max_pairs": max_pairs}))
    opened = [Session(path) for path in sessions]
    with console.bar("calibrating") as bar:
        found = calibrate_sessions(
            opened,
            settings=settings,
            reuse=None if reuse is None else Calibrations.read(reuse),
            on_step=lambda text: bar.move(0, text),
        )
    found.write(out)
    page = None if report_folder is None else _write_report(opened, found, report_folder)
    if json:
        console.report_json(found.report())
        return
    for state in found.report().states:
        console.figures(
            f"Mirror state {state.mirror_state or 'unnamed'}",
            {
                "pairs used": state.pairs_used,
                "residual median / p95": f"{state.residual_px:.3f} / {state.residual_p95_px:.3f} px",
                "tile correlation": f"{state.tile_ncc:.4f}",
                "beyond a homography": f"{state.field}, {state.field_rms_px:.3f} px"
                if state.field_rms_px
                else "nothing",
                "blur sigma": f"{state.sigma_px:.2f} px{', nine zones' if state.zones else ''}",
                "gain, vignette, curvature, offset": f"{state.gain:.4f}, {state.vignette:.4f}, "
                f"{state.curvature:.4f}, {state.offset:.2f}",
                "corner sigma": f"{state.corner_sigma_px:.4f} px",
                "score ceiling": "-" if state.ceiling_db is None else f"{state.ceiling_db:.1f} dB",
                "time": f"{state.seconds:.0f} s",
            },
        )
        for pair in state.drift:
            if pair.flagged:
                console.note(f"{pair.name} lies {pair.departure_px:.2f} px off this mapping and was left out")
    for camera in found.report().cameras:
        console.figures(f"Camera {camera.camera.upper()}, EMVA 1288", _emva_figures(camera))
    console.say(f"wrote {out}" if page is None else f"wrote {out} and {page}")


def _write_report(sessions: Sequence[Session], found: Calibrations, folder: Path) -> Path:
    from twinlens.registration_pictures import registration_pictures
    from twinlens.report.pages import write_report
    from twinlens.report.street import registration_street

    street = registration_street(
        found.report(),
        registration_pictures(sessions, found),
        title="Registration of camera A onto camera B",
        drift_limit_px=max(state.settings.max_drift_px for state in found.states),
    )
    return write_report(street, folder)


def _emva_figures(camera: EmvaReport) -> dict[str, str]:
    most = "at most " if camera.read_noise_is_bound else ""
    figures = {
        "dark and flat frames": f"{camera.dark_frames}, {camera.flat_frames}",
        "dark level": f"{camera.dark_dn:.2f} DN",
        "read noise": f"{most}{camera.read_noise_dn:.2f} DN",
        "DSNU": f"{camera.dsnu_dn:.2f} DN",
        "defects": f"{camera.hot_pixels} in the dark, {camera.dead_pixels} in the light",
    }
    if camera.system_gain_dn_per_e and camera.read_noise_e is not None and camera.full_scale_e is not None:
        figures["system gain"] = f"{camera.system_gain_dn_per_e:.4f} DN/e-"
        figures["read noise"] += f", {camera.read_noise_e:.1f} e-"
        figures["full scale"] = f"{camera.full_scale_e:.0f} e-"
    if camera.prnu_percent is not None:
        figures["PRNU"] = f"{camera.prnu_percent:.2f} %"
    return figures
