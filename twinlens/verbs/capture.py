"""`twinlens capture`."""

import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from twinlens import console
from twinlens.errors import TwinlensError
from twinlens.verbs.capture_view import CaptureView, show_capture, watched
from twinlens.verbs.options import as_json, existing, folder, rig_file
from twinlens.verbs.sections import SectionedCommand, options_of

if TYPE_CHECKING:
    from twinlens.capture.capture import CaptureReport, Take
    from twinlens.capture.frame import MirrorState
    from twinlens.capture.plan import Plan
else:
    CaptureReport = Take = MirrorState = Plan = Any  # importing them would make --help slow

KINDS = ("scene", "dark", "flat", "reference")
TRIGGERS = ("software", "hardware", "chain", "action", "free")
PIXEL_FORMATS = ("Mono8", "Mono10", "Mono10p", "Mono10Packed")
OVERRIDES = ("exposure_us", "gain_db", "producer", "trigger", "rate_hz", "pixel_format")


def _parsed(parser: str) -> Callable[[click.Context, click.Parameter, str | None], Any]:
    """A callback that lets `twinlens.capture.plan` parse a text; one that is wrong is a usage error."""

    def parse(context: click.Context, parameter: click.Parameter, text: str | None) -> Any:
        from twinlens.capture import plan

        try:
            return None if text is None else getattr(plan, parser)(text)
        except ValueError as error:
            raise click.BadParameter(str(error), context, parameter) from error

    return parse


parse_duration, parse_bracket = _parsed("parse_duration_s"), _parsed("parse_bracket_us")

how_much = options_of("How much")
what = options_of("What is recorded")
mirror = options_of("Mirror")
setting = options_of("Settings of both cameras, instead of rig.toml's")
session = options_of("Session")


@click.command(cls=SectionedCommand)
@how_much("--pairs", type=click.IntRange(min=1), help="Complete pairs of each scene, mirror state and exposure.")
@how_much(
    "--duration", metavar="TIME", callback=parse_duration, help="Record each for so long: 30s, 500ms, 2min, 1h."
)
@how_much("-i", "--interactive", is_flag=True, help="By hand: Enter takes, r retakes, n NAME names, q ends.")
@how_much("--burst", type=click.IntRange(min=1), metavar="K", help="Take the pairs in bursts of K.")
@how_much(
    "--rate",
    "rate_hz",
    type=click.FloatRange(min=0, min_open=True),
    metavar="HZ",
    help="Pairs per second; with --burst, bursts per second. Without it, as fast as pairs arrive.",
)
@what("--scene", metavar="NAME", help="Name of what is in front of the cameras.")
@what("--kind", type=click.Choice(KINDS), default="scene", show_default=True, help="What the pairs are for.")
@what(
    "--bracket-us",
    metavar="US,US,...",
    callback=parse_bracket,
    help="Record everything at each of these exposures.",
)
@what("--set", "features", multiple=True, metavar="NAME=VALUE", help="Set a camera feature first; repeatable.")
@mirror("--mirror-state", metavar="LABEL", help="Label of the mirror's state.")
@mirror("--voltages", type=existing, metavar="FILE", help="Its voltages: one a line, or rows with commas.")
@mirror("--mirror-states", type=existing, metavar="TABLE.csv", help="Sweep: rows of label, v1, v2, ...")
@mirror(
    "--before-each",
    metavar="CMD",
    help="Command that sets the mirror before each state, told by TWINLENS_MIRROR_STATE and TWINLENS_VOLTAGES.",
)
@mirror(
    "--before-each-timeout",
    metavar="TIME",
    callback=parse_duration,
    help="How long the command may take.  [default: 60s]",
)
@setting("--trigger", type=click.Choice(TRIGGERS), help="Where triggers come from.")
@setting("--pixel-format", type=click.Choice(PIXEL_FORMATS), help="What a pixel is sent as.")
@setting("--exposure-us", type=float, help="Exposure time.")
@setting("--gain-db", type=float, help="Analogue gain.")
@setting("--producer", metavar="FILE", help="GenTL producer (.cti).")
@session("-o", "--out", type=click.Path(path_type=Path), default=Path("sessions"), show_default=True)
@session("--resume", type=folder, metavar="SESSION", help="Go on with this session instead of a new one.")
@session("--reconnect", is_flag=True, help="Wait for a camera that is lost, and go on.")
@rig_file
@as_json
@click.pass_context
def capture(context: click.Context, /, *, rig: Path, out: Path, json: bool, **chosen: Any) -> None:
    """Record synchronised pairs into a session folder.

    Say how much with --pairs, --duration or --interactive. Ctrl-C keeps what is recorded.
    """
    _require_sense(context, chosen)
    features = parse_features(chosen["features"])
    from twinlens.capture.capture import capture as record
    from twinlens.capture.capture import require_complete
    from twinlens.capture.rig_file import override, read_rig_file

    overrides = {name: chosen[name] for name in OVERRIDES}
    if chosen["burst"]:
        del overrides["rate_hz"]  # it paces the bursts; inside a burst the rig file's holds
    settings = override(read_rig_file(rig), overrides)
    plan = _plan(chosen, features)
    with ExitStack() as stack:
        board = stack.enter_context(console.board(is_silent=json))
        view = CaptureView(board, pairs_wanted=_pairs_wanted(plan, is_by_hand=chosen["interactive"]))
        takes = _takes(plan, chosen, view, is_silent=json)
        if isinstance(takes, Generator):
            stack.enter_context(closing(takes))
        if not json:
            console.note("opening the cameras ...")
        reports = record(settings, takes, out=out, resume=chosen["resume"], reconnect=chosen["reconnect"])
        _follow(stack.enter_context(closing(reports)), view, is_json=json)
        if view.last is not None:
            require_complete(view.last)


def parse_features(pairs: Sequence[str]) -> Mapping[str, int | float | str]:
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


def _require_sense(context: click.Context, chosen: Mapping[str, Any]) -> None:
    """Refuse options that contradict or miss each other, before anything is opened."""
    has = {name: value is not None and value is not False for name, value in chosen.items()}
    by_hand, sweeps, is_scene = has["interactive"], has["mirror_states"], chosen["kind"] == "scene"
    refusals = (
        (
            not (has["pairs"] or has["duration"] or by_hand),
            "say how much: --pairs N, --duration 30s or --interactive",
        ),
        (has["pairs"] and has["duration"], "--pairs and --duration exclude each other; give one"),
        (
            has["burst"] and has["pairs"] and chosen["burst"] > chosen["pairs"],
            "--burst is longer than --pairs; ask for more pairs or for shorter bursts",
        ),
        (
            is_scene and not by_hand and not chosen["scene"],
            "name what is in front of the cameras with --scene NAME",
        ),
        (
            has["bracket_us"] and has["exposure_us"],
            "--bracket-us and --exposure-us exclude each other; give one",
        ),
        (
            sweeps and (has["mirror_state"] or has["voltages"]),
            "--mirror-states lists labels and voltages; leave out --mirror-state and --voltages",
        ),
        (
            has["voltages"] and not has["mirror_state"],
            "--voltages need a label; give --mirror-state LABEL too",
        ),
        (
            sweeps and not (has["before_each"] or by_hand),
            "--mirror-states needs what moves the mirror: --before-each CMD, or --interactive to move it by hand",
        ),
        (
            has["before_each"] and not sweeps,
            "--before-each runs once a mirror state; give --mirror-states TABLE.csv too",
        ),
        (
            has["before_each_timeout"] and not has["before_each"],
            "--before-each-timeout needs a command; give --before-each CMD too",
        ),
        (
            sweeps and not is_scene,
            f"--kind {chosen['kind']} is recorded without a sweep; leave out --mirror-states",
        ),
        (
            has["resume"] and context.get_parameter_source("out") is not ParameterSource.DEFAULT,
            "--resume goes on where the session lies; leave out --out",
        ),
    )
    for is_refused, message in refusals:
        if is_refused:
            raise click.UsageError(message, context)


def _plan(chosen: Mapping[str, Any], features: Mapping[str, int | float | str]) -> Plan:
    from twinlens.capture.mirror import read_mirror_states
    from twinlens.capture.plan import Plan

    pairs = chosen["pairs"] or 0
    if not pairs and not chosen["duration"]:
        pairs = chosen["burst"] or 1  # by hand: what one Enter takes
    table = chosen["mirror_states"]
    return Plan(
        pairs=pairs,
        duration_s=chosen["duration"] or 0.0,
        burst=chosen["burst"] or 0,
        burst_rate_hz=(chosen["rate_hz"] or 0.0) if chosen["burst"] else 0.0,
        mirror_states=read_mirror_states(table) if table is not None else (_mirror_state(chosen),),
        before_each=chosen["before_each"] or "",
        before_each_timeout_s=chosen["before_each_timeout"] or Plan.before_each_timeout_s,
        bracket_us=chosen["bracket_us"] or (),
        kind=chosen["kind"],
        features=features,
    )


def _mirror_state(chosen: Mapping[str, Any]) -> MirrorState:
    from twinlens.capture.frame import MirrorState
    from twinlens.capture.mirror import VOLT, read_voltages

    default = "flat" if chosen["kind"] == "reference" else "unknown"
    values = read_voltages(chosen["voltages"]) if chosen["voltages"] is not None else ()
    return MirrorState(chosen["mirror_state"] or default, values, VOLT if values else "")


def _pairs_wanted(plan: Plan, *, is_by_hand: bool) -> int:
    """Pairs of the whole recording; 0 when nobody knows."""
    return 0 if is_by_hand else plan.pairs * len(plan.mirror_states) * max(1, len(plan.bracket_us))


def _takes(
    plan: Plan, chosen: Mapping[str, Any], view: CaptureView, *, is_silent: bool
) -> Sequence[Take] | Iterator[Take | None]:
    from twinlens.capture.interactive import interactive_takes, typed_lines
    from twinlens.capture.manifest import read_manifest
    from twinlens.capture.plan import planned_takes

    scene = chosen["scene"] or ("" if chosen["kind"] == "scene" else chosen["kind"])
    if not chosen["interactive"]:
        return planned_takes(plan, scene)
    say: Callable[[str], None] = (lambda _: None) if is_silent else view.wait
    resumed = read_manifest(chosen["resume"]).takes if chosen["resume"] is not None else ()
    lines = watched(typed_lines(sys.stdin), view)
    return interactive_takes(plan, lines, say=say, scene=scene, taken_scenes=[take.scene for take in resumed])


def _follow(reports: Generator[CaptureReport, None, None], view: CaptureView, *, is_json: bool) -> None:
    """Show report after report, and tell how the session went, whatever ends it."""
    try:
        for report in reports:
            view.show(report)
    except KeyboardInterrupt as stopped:
        # It may have come while a report was shown: the recording hears of it and seals.
        with suppress(KeyboardInterrupt, StopIteration):
            view.show(reports.throw(stopped))
        _tell(view, is_json=is_json)
        raise
    except TwinlensError:
        _tell(view, is_json=is_json)
        raise
    if not _tell(view, is_json=is_json) and view.last is not None:
        console.report_json(view.last) if is_json else console.note("nothing was recorded")


def _tell(view: CaptureView, *, is_json: bool) -> bool:
    """Tell how the session went, if there is one."""
    view.end()
    if view.last is None or not view.last.pairs or not Path(view.last.folder).is_dir():
        return False
    console.report_json(view.last) if is_json else show_capture(view.last)
    return True
