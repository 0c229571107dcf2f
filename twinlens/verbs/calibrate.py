"""`twinlens calibrate`."""

from pathlib import Path

import click

from twinlens import console
from twinlens.verbs.options import as_json, folder


@click.command()
@click.argument("sessions", nargs=-1, required=True, type=folder)
@click.option("-o", "--out", type=click.Path(path_type=Path), default=Path("calibration.json"), show_default=True)
@click.option("--max-pairs", type=click.IntRange(min=1), default=None, help="Pairs to use per mirror state.")
@as_json
def calibrate(*, sessions: tuple[Path, ...], out: Path, max_pairs: int | None, json: bool) -> None:
    """Find how camera A's picture maps onto camera B's, pooled over SESSIONS, per mirror state."""
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
    console.say(f"wrote {out}")
