"""`twinlens simulate`."""

from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from twinlens import console
from twinlens.verbs.options import folder

if TYPE_CHECKING:
    from twinlens.capture.virtual.faults import Faults
    from twinlens.capture.virtual.twin import RigTwin
else:
    Faults = RigTwin = Any  # importing them would make --help slow

_TRUE, _FALSE = ("yes", "true", "on", "1"), ("no", "false", "off", "0")


@click.command()
@click.option("--bind", "binds", multiple=True, metavar="IP", help="Address of A, then of B.")
@click.option("--serial", "serials", multiple=True, metavar="S", help="Serial number of A, then of B.")
@click.option("--scenes", type=folder, help="Folder of photographs to show instead of the bundled scenes.")
@click.option("--rms-waves", type=float, multiple=True, help="RMS of a mirror state; repeat for several states.")
@click.option("--seed", type=int, default=None, help="Seed of scenes, noise and mirror states.")
@click.option("--uneven", is_flag=True, help="Sensors with DSNU, PRNU, hot and dead pixels, to be corrected.")
@click.option("--loop", is_flag=True, help="Show a few cheap frames in turn instead of the twin.")
@click.option("--fault", "faults", multiple=True, metavar="a:NAME=VALUE", help="Make something fail; repeatable.")
@click.option("--pulses", "pulses_hz", type=click.FloatRange(0, 10_000), default=0.0, help="Pulse Line0, Hz.")
@click.option("--chain", "chained", is_flag=True, help="Wire A's Line1 to B's Line0.")
@click.option("--no-offload", is_flag=True, help="Send packets one by one, for receivers that read raw packets.")
@click.option("--log", "logs", nargs=2, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE_A FILE_B",
              help="Write down what each camera really did, as JSON lines.")  # fmt: skip
def simulate(
    *,
    binds: tuple[str, ...],
    serials: tuple[str, ...],
    faults: tuple[str, ...],
    no_offload: bool,
    **chosen: Any,
) -> None:
    """Serve two virtual MER-530 cameras until Ctrl-C."""
    import signal
    import threading

    from twinlens.capture.virtual.camera import VirtualCameraSettings
    from twinlens.capture.virtual.rehearse import make_views
    from twinlens.capture.virtual.serve import DEFAULT_ADDRESSES, DEFAULT_SERIALS, serve_rig

    both = parse_faults(faults)
    camera = VirtualCameraSettings(use_segmentation=not no_offload)
    views = make_views(_source(chosen), chosen["scenes"], on_twin=_show_choices)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    addresses, named = binds or DEFAULT_ADDRESSES, serials or DEFAULT_SERIALS
    serve_rig(
        views,
        stop,
        addresses=addresses,
        serials=named,
        on_ready=lambda: console.say(f"serving {', '.join(named)} at {', '.join(addresses)}; stop with Ctrl-C"),
        settings=(camera, camera),
        faults=both,
        pulses_hz=chosen["pulses_hz"],
        chained=chosen["chained"],
        logs=chosen["logs"],
    )


def parse_faults(texts: tuple[str, ...]) -> tuple[Faults, Faults]:
    """Camera A's and camera B's faults from texts such as "a:drop=0.01" or "b:lost_frames=3,7".

    Raises:
        click.BadParameter: no such camera or fault, or a value of the wrong kind.
        SettingsError: a value out of range.
    """
    from twinlens.capture.virtual.faults import Faults

    values: dict[str, dict[str, Any]] = {"a": {}, "b": {}}
    defaults = {field.name: field.default for field in fields(Faults) if field.default is not MISSING}
    for text in texts:
        role, colon, setting = text.partition(":")
        name, equals, value = setting.partition("=")
        if not (colon and equals) or role not in values:
            raise click.BadParameter(
                f"{text!r} is not a:NAME=VALUE or b:NAME=VALUE, e.g. a:drop=0.01", param_hint="--fault"
            )
        if name not in defaults:
            known = ", ".join(sorted(defaults))
            raise click.BadParameter(f"no fault is called {name!r}; known are: {known}", param_hint="--fault")
        values[role][name] = _value(text, value, like=defaults[name])
    return Faults(**values["a"]), Faults(**values["b"])


def _value(text: str, value: str, *, like: object) -> bool | int | float | tuple[int, ...]:
    """`value` as the kind that `like` is."""
    try:
        if isinstance(like, bool):
            return _truth(value)
        if isinstance(like, tuple):
            return tuple(int(part) for part in value.split(",") if part)
        return int(value) if isinstance(like, int) else float(value)
    except ValueError as cause:
        kind = {bool: "yes or no", int: "a whole number", float: "a number", tuple: "trigger numbers, e.g. 3,7"}
        raise click.BadParameter(f"{text!r} needs {kind[type(like)]}", param_hint="--fault") from cause


def _truth(value: str) -> bool:
    if value.lower() not in _TRUE + _FALSE:
        raise ValueError(value)
    return value.lower() in _TRUE


def _source(chosen: dict[str, Any]) -> Any:
    from twinlens.capture.virtual.loop import LoopSettings
    from twinlens.capture.virtual.twin_settings import UNEVEN, TwinSettings

    seed = {} if chosen["seed"] is None else {"seed": chosen["seed"]}
    if chosen["loop"]:
        return LoopSettings(**seed)
    waves = {"rms_waves": chosen["rms_waves"]} if chosen["rms_waves"] else {}
    return TwinSettings(**seed, **waves, **(UNEVEN if chosen["uneven"] else {}))


def _show_choices(twin: RigTwin) -> None:
    console.table("Scenes (TwinSceneSelector)", ["value", "scene"], list(enumerate(twin.scene_names)))
    states = [(i, state.label) for i, state in enumerate(twin.mirror_states)]
    console.table("Mirror states (TwinMirrorStateSelector)", ["value", "label"], states)
    console.note("rendering the scenes ...")
