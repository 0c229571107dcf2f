"""`twinlens simulate` and `capture`."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from twinlens import console
from twinlens.verbs.options import as_json, folder, rig_file

if TYPE_CHECKING:
    from twinlens.capture.capture import CaptureReport
else:
    CaptureReport = Any  # importing it would make --help slow


@click.command()
@click.option("--bind", "binds", multiple=True, metavar="IP", help="Loopback address of A, then of B.")
@click.option("--serial", "serials", multiple=True, metavar="S", help="Serial number of A, then of B.")
@click.option("--scenes", type=folder, help="Folder of photographs to show instead of the bundled scenes.")
@click.option("--rms-waves", type=float, multiple=True, help="RMS of a mirror state; repeat for several states.")
@click.option("--seed", type=int, default=None, help="Seed of scenes, noise and mirror states.")
def simulate(
    *,
    binds: tuple[str, ...],
    serials: tuple[str, ...],
    scenes: Path | None,
    rms_waves: tuple[float, ...],
    seed: int | None,
) -> None:
    """Serve two virtual MER-530 cameras on the loopback until Ctrl-C."""
    import signal
    import threading

    from twinlens.capture.virtual.rehearse import make_twin, render_ahead
    from twinlens.capture.virtual.serve import DEFAULT_ADDRESSES, DEFAULT_SERIALS, serve_rig
    from twinlens.capture.virtual.twin import TwinSettings

    default = TwinSettings()
    settings = TwinSettings(rms_waves=rms_waves or default.rms_waves, seed=default.seed if seed is None else seed)
    twin = make_twin(settings, scenes)
    console.table("Scenes (TwinSceneSelector)", ["value", "scene"], list(enumerate(twin.scene_names)))
    states = [(i, state.label) for i, state in enumerate(twin.mirror_states)]
    console.table("Mirror states (TwinMirrorStateSelector)", ["value", "label"], states)
    console.note("rendering the scenes ...")
    render_ahead(twin)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    addresses, named = binds or DEFAULT_ADDRESSES, serials or DEFAULT_SERIALS
    serve_rig(
        (twin.view("a"), twin.view("b")),
        stop,
        addresses=addresses,
        serials=named,
        on_ready=lambda: console.say(f"serving {', '.join(named)} at {', '.join(addresses)}; stop with Ctrl-C"),
    )


@click.command()
@rig_file
@click.option("--pairs", type=click.IntRange(min=1), required=True, help="Complete pairs to record.")
@click.option("--scene", required=True, help="Name of what is in front of the cameras.")
@click.option("--mirror-state", default="unknown", show_default=True, help="Label of the mirror's state.")
@click.option(
    "--set", "features", multiple=True, metavar="NAME=VALUE", help="Set a camera feature first; repeatable."
)
@click.option("--exposure-us", type=float, default=None, help="Override rig.toml.")
@click.option("--gain-db", type=float, default=None, help="Override rig.toml.")
@click.option("--producer", default=None, help="Override rig.toml.")
@click.option("-o", "--out", type=click.Path(path_type=Path), default=Path("sessions"), show_default=True)
@as_json
def capture(*, rig: Path, out: Path, json: bool, pairs: int, **chosen: Any) -> None:
    """Record N synchronised pairs of one scene into a session folder."""
    from twinlens.capture.capture import Take, require_complete
    from twinlens.capture.capture import capture as record
    from twinlens.capture.frame import MirrorState
    from twinlens.capture.rig_file import override, read_rig_file

    settings = override(
        read_rig_file(rig), {name: chosen[name] for name in ("exposure_us", "gain_db", "producer")}
    )
    take = Take(chosen["scene"], pairs, MirrorState(chosen["mirror_state"]), parse_features(chosen["features"]))
    report: CaptureReport | None = None
    try:
        with console.bar("capturing", pairs) as bar, closing(record(settings, [take], out=out)) as reports:
            for report in reports:
                bar.move(report.pairs, f"{report.scene}, {report.frames_lost} frames lost")
    except KeyboardInterrupt:
        if report is not None:
            show_capture(report)
        raise
    if report is None:
        raise click.ClickException("the recording ended before its first trigger")
    console.report_json(report) if json else show_capture(report)
    require_complete(report)


def parse_features(pairs: tuple[str, ...]) -> Mapping[str, int | float | str]:
    """Feature values from NAME=VALUE texts; a number becomes a number."""
    features: dict[str, int | float | str] = {}
    for text in pairs:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--set")
        features[name] = _number(value)
    return features


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def show_capture(report: CaptureReport) -> None:
    """Print how a session went."""
    console.figures(
        f"Session {report.folder}",
        {
            "pairs": f"{report.pairs} of {report.pairs_wanted}",
            "scenes": report.scenes,
            "triggers": report.triggers,
            "frames lost": report.frames_lost,
            "skew": _skew(report),
            "producer": report.producer,
            "time": f"{report.seconds:.1f} s",
        },
    )
    for gap in report.ledger:
        console.say(f"gap: trigger {gap.trigger_index}, camera {gap.camera.upper()}, {gap.reason}")


def _skew(report: CaptureReport) -> str:
    if report.skew is None:
        return "not measured: it needs camera times and three pairs"
    skew = report.skew
    return f"median {skew.median_us:.0f}, p95 {skew.p95_us:.0f}, max {skew.max_us:.0f} us ({skew.how_measured})"
