"""`twinlens capture`."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from twinlens import console
from twinlens.verbs.options import as_json, rig_file

if TYPE_CHECKING:
    from twinlens.capture.capture import CaptureReport
else:
    CaptureReport = Any  # importing it would make --help slow


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
