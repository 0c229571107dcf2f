"""`twinlens calibrate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from twinlens import console
from twinlens.verbs.options import as_json, folder

if TYPE_CHECKING:
    from twinlens.calibrate import EmvaReport
else:
    EmvaReport = Any  # importing it would make --help slow


@click.command()
@click.argument("sessions", nargs=-1, required=True, type=folder)
@click.option("-o", "--out", type=click.Path(path_type=Path), default=Path("calibration.json"), show_default=True)
@click.option("--max-pairs", type=click.IntRange(min=1), default=None, help="Pairs to use per mirror state.")
@as_json
def calibrate(*, sessions: tuple[Path, ...], out: Path, max_pairs: int | None, json: bool) -> None:
    """Find how camera A's picture maps onto camera B's, pooled over SESSIONS, per mirror state.

    Where SESSIONS hold a dark series, and perhaps a flat one ('twinlens capture --kind'), both cameras are
    corrected by them first, here and at every later stage.
    """
    from twinlens.calibrate import CalibrationSettings
    from twinlens.capture.session import Session
    from twinlens.handover import calibrate_sessions

    settings = CalibrationSettings(**({} if max_pairs is None else {"max_pairs": max_pairs}))
    with console.bar("calibrating") as bar:
        found = calibrate_sessions(
            [Session(path) for path in sessions], settings=settings, on_step=lambda text: bar.move(0, text)
        )
    found.write(out)
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
                "blur sigma": f"{state.sigma_px:.2f} px",
                "gain, vignette, offset": f"{state.gain:.4f}, {state.vignette:.4f}, {state.offset:.2f}",
                "corner sigma": f"{state.corner_sigma_px:.4f} px",
                "time": f"{state.seconds:.0f} s",
            },
        )
    for camera in found.report().cameras:
        console.figures(f"Camera {camera.camera.upper()}, EMVA 1288", _emva_figures(camera))
    console.say(f"wrote {out}")


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
